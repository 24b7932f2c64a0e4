/** By what an address-of-record is known, which Contacts are one, and whose domains are served. */
import { describe, expect, test } from "bun:test";
import { outcome, Registering, Registrant } from "../support/registering.ts";

const DESK = "<sip:bob@192.0.2.4>";

describe("an address-of-record is one, however it is written (RFC 3261 s10.3 step 5)", () => {
  test.each([
    ["sip:bob@example.com", "sip:bob@EXAMPLE.com"],
    ["sip:bob@example.com", "SIP:bob@example.com:5070"],
    ["sip:bob@example.com", "sips:bob@example.com"],
    ["sip:bob@example.com", "sip:bob:secret@example.com;user=phone;transport=tcp;x=y"],
    ["sip:bob@example.com", "sip:%62o%62@example.com"],
    ["sip:bob@example.com", "sip:bob@example.com."],
    ["sip:bob%20smith@example.com", "sip:%62ob%20smith@example.com"],
    ["sip:b%C3%B6b@example.com", "sip:b%c3%b6b@example.com"],
    ["sip:+12015550123@example.com;user=phone", "sip:+12015550123@example.com"],
    ["sip:bob@[2001:db8::1]", "sip:bob@[2001:DB8::1]:5080"],
    ["sip:bob@[2001:db8::1]", "sip:bob@[2001:0DB8:0:0::1]"],
    ["sip:example.com", "sip:EXAMPLE.com"],
    ["tel:+1-201-555-0123", "tel:+12015550123"],
    ["tel:863-1234;phone-context=+1-914-555", "tel:8631234;phone-context=+1914555"],
  ])("%s and %s", async (one, other) => {
    using on = await Registering.open();
    await new Registrant(on.client, one).register({ contacts: [DESK], expires: 100 });
    expect(outcome(await new Registrant(on.client, other).register())).toEqual([200, `${DESK};expires=100`]);
    expect(on.contacts(one)).toEqual(["sip:bob@192.0.2.4"]);
    expect(on.contacts(other)).toEqual(["sip:bob@192.0.2.4"]);
    expect(on.phones.stats.addressesOfRecord).toBe(1);
  });

  test.each([
    ["sip:bob@example.com", "sip:Bob@example.com"],
    ["sip:bob@example.com", "sip:bob@example.net"],
    ["sip:bob@example.com", "sip:bob@sub.example.com"],
    ["sip:bob@example.com", "sip:bob%00@example.com"],
    ["sip:a%2Fb@example.com", "sip:a%252Fb@example.com"],
    ["sip:a@example.com", "sip:a%40@example.com"],
    ["sip:+12015550123@example.com", "tel:+12015550123"],
  ])("but not %s and %s", async (one, other) => {
    using on = await Registering.open();
    await new Registrant(on.client, one).register({ contacts: [DESK] });
    expect(outcome(await new Registrant(on.client, other).register())).toEqual([200]);
    expect(on.contacts(other)).toEqual([]);
  });

  test.each(["mailto:bob@example.com", "isbn:2983792873", "urn:service:sos"])("%s is none: 400", async (aor) => {
    using on = await Registering.open();
    const response = await new Registrant(on.client, aor).register({ contacts: [DESK] });
    expect([response.status, response.reason]).toEqual([400, "To Names No Address-Of-Record"]);
    expect(on.phones.stats).toMatchObject({ refused: 1, bindings: 0 });
  });

  test("with a display name, and without brackets", async () => {
    using on = await Registering.open();
    await on.bob.register({ to: '"Bob, the man" <sip:bob@example.com>;x=y', contacts: [DESK] });
    await on.bob.register({ to: "sip:bob@example.com;x=y", contacts: ["<sip:bob@192.0.2.5>"] });
    expect(on.phones.stats).toMatchObject({ addressesOfRecord: 1, bindings: 2 });
  });
});

describe("Contacts are one by RFC 3261 s19.1.4", () => {
  test.each([
    ["sip:bob@192.0.2.4", "SIP:bob@192.0.2.4"],
    ["sip:bob@desk.example.com", "sip:bob@DESK.example.com"],
    ["sip:bob@192.0.2.4", "sip:%62ob@192.0.2.4"],
    ["sip:bob@192.0.2.4", "sip:bob@192.0.2.4;newparam=5"],
    ["sip:bob@192.0.2.4;transport=udp", "sip:bob@192.0.2.4;Transport=UDP"],
    ["sip:bob@192.0.2.4;a=1;b=2", "sip:bob@192.0.2.4;b=2;a=1"],
    ["sip:bob@[2001:db8::1]:5070", "sip:bob@[2001:0DB8:0:0::1]:5070"],
    ["sip:bob@192.0.2.4?subject=x&priority=urgent", "sip:bob@192.0.2.4?priority=urgent&subject=x"],
    ["tel:+1-201-555-0123", "tel:+12015550123"],
    ["mailto:bob@example.net", "MAILTO:bob@example.net"],
  ])("%s and %s: the second refreshes the first, and is what is kept", async (one, other) => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [`<${one}>`], expires: 100 });
    expect(outcome(await on.bob.register({ contacts: [`<${other}>`], expires: 200 }))).toEqual([
      200,
      `<${other}>;expires=200`,
    ]);
    expect(outcome(await on.bob.register({ contacts: [`<${one}>`], expires: 0 }))).toEqual([200]);
  });

  test.each([
    ["sip:bob@192.0.2.4", "sip:Bob@192.0.2.4"],
    ["sip:bob@192.0.2.4", "sips:bob@192.0.2.4"],
    ["sip:bob@192.0.2.4", "sip:bob@192.0.2.4:5060"],
    ["sip:bob@192.0.2.4", "sip:bob@192.0.2.4;transport=udp"],
    ["sip:bob@192.0.2.4", "sip:bob@192.0.2.4;user=phone"],
    ["sip:bob@192.0.2.4;x=1", "sip:bob@192.0.2.4;x=2"],
    ["sip:bob@192.0.2.4", "sip:bob:@192.0.2.4"],
    ["sip:bob@192.0.2.4", "sip:bob@192.0.2.4?subject=x"],
    ["sip:%00@192.0.2.4", "sip:%00%00@192.0.2.4"],
    ["tel:+12015550123", "tel:+12015550124"],
  ])("%s and %s are two", async (one, other) => {
    using on = await Registering.open();
    const response = await on.bob.register({ contacts: [`<${one}>`, `<${other}>`], expires: 100 });
    expect(response.headers("Contact").sort()).toEqual([`<${one}>;expires=100`, `<${other}>;expires=100`].sort());
  });

  test("a display name or parameter that changes is another description of the same binding", async () => {
    using on = await Registering.open();
    await on.bob.register({ contacts: [`"Bob" ${DESK};q=0.5;audio`], expires: 100 });
    expect(outcome(await on.bob.register({ contacts: [`${DESK};video`], expires: 100 }))).toEqual([
      200,
      `${DESK};video;expires=100`,
    ]);
    expect(on.phones.lookup("sip:bob@example.com")).toMatchObject([{ q: 1, params: ";video" }]);
  });
});

describe("a Contact that is the address-of-record itself would be asked for ever: 403", () => {
  test.each([
    "sip:bob@example.com",
    "sips:bob@EXAMPLE.com",
    "sip:%62ob@example.com;transport=tcp",
    "sip:bob@example.com;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
  ])("%s", async (uri) => {
    using on = await Registering.open();
    const response = await on.bob.register({ contacts: [DESK, `<${uri}>`] });
    expect([response.status, response.reason]).toEqual([403, "Contact Is The Address-Of-Record Itself"]);
    expect(on.phones.stats.bindings).toBe(0);
    expect((await on.bob.register({ contacts: [`<${uri}>`], expires: 0 })).status).toBe(200);
  });

  test.each(["sip:bob@example.com:5070", "sip:bobby@example.com", "sip:bob@example.com?x=y", "mailto:bob@example.com"])(
    "but not %s",
    async (uri) => {
      using on = await Registering.open();
      expect((await on.bob.register({ contacts: [`<${uri}>`] })).status).toBe(200);
    },
  );
});

describe("domains", () => {
  const domains = ["example.com", "Example.NET.", "[2001:db8::1]"];

  test.each([
    ["sip:example.com", "sip:bob@example.com"],
    ["sip:EXAMPLE.com:5080;transport=tcp", "sip:bob@Example.Com"],
    ["sip:example.com.", "sip:bob@example.com."],
    ["sips:example.com", "sip:bob@example.net"],
    ["sip:whoever@example.com", "sip:bob@[2001:DB8::1]:5070"],
    ["sip:[2001:db8:0:0::1]", "sip:bob@[2001:0db8::0:1]"],
    ["sip:[2001:db8::1]", "sip:bob@example.com"],
    ["sip:example.com", "tel:+12015550123"],
    ["sip:example.com", "sip:example.com"],
  ])("%s serves %s", async (uri, aor) => {
    using on = await Registering.open({ domains });
    expect((await new Registrant(on.client, aor).register({ uri, contacts: [DESK] })).status).toBe(200);
  });

  test.each([
    ["sip:example.org", "sip:bob@example.com"],
    ["sip:example.com", "sip:bob@example.org"],
    ["sip:example.com", "sip:bob@sub.example.com"],
    ["sip:example.com", "sip:bob@notexample.com"],
    ["sip:sub.example.com", "sip:bob@example.com"],
    ["sip:example.com", "sip:bob@example.com.example.org"],
    ["sip:192.0.2.1", "sip:bob@example.com"],
  ])("%s does not serve %s: 404, and it is no matter what else is wrong", async (uri, aor) => {
    using on = await Registering.open({ domains });
    const response = await new Registrant(on.client, aor).register({ uri, contacts: ["nonsense"] });
    expect([response.status, response.reason]).toEqual([404, "Domain Not Served Here"]);
    expect(on.phones.stats.bindings).toBe(0);
  });

  test("one that was served once is looked at again when the next names another", async () => {
    using on = await Registering.open({ domains });
    expect((await on.bob.register({ uri: "sip:example.com" })).status).toBe(200);
    expect((await on.bob.register({ uri: "sip:example.org" })).status).toBe(404);
    expect((await on.bob.register({ uri: "sip:example.com" })).status).toBe(200);
    expect((await on.bob.register({ uri: "sip:example.co" })).status).toBe(404);
  });

  test("none given: any is served", async () => {
    using on = await Registering.open();
    expect((await on.bob.register({ uri: "sip:192.0.2.1", contacts: [DESK] })).status).toBe(200);
  });
});
