/** Adding, refreshing, removing and asking for bindings (RFC 3261 s10.2, s10.3). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { outcome, Registering, Registrant } from "../support/registering.ts";
import { requestText, SipMessage } from "../support/sip-messages.ts";
import { bytesOf } from "../support/sip-text.ts";

const DESK = "<sip:bob@192.0.2.4>";
const CELL = "<sip:bob@192.0.2.5:5070;transport=tcp>";

let on: Registering;
beforeEach(async () => {
  on = await Registering.open({ domains: ["example.com"] });
});
afterEach(() => on[Symbol.dispose]());

describe("a REGISTER with Contacts", () => {
  test("adds bindings, and the 200 tells of all there are with the seconds they last", async () => {
    expect(outcome(await on.bob.register({ contacts: [DESK], expires: 600 }))).toEqual([200, `${DESK};expires=600`]);
    const both = outcome(await on.bob.register({ contacts: [CELL], expires: 300 }));
    expect(both[0]).toBe(200);
    expect(both.slice(1).sort()).toEqual([`${DESK};expires=600`, `${CELL};expires=300`].sort());
    expect(on.phones.stats).toMatchObject({
      requests: 2,
      registered: 2,
      refreshed: 0,
      bindings: 2,
      addressesOfRecord: 1,
    });
  });

  test("refreshes one that is there: it lasts from now on, as long as is asked now", async () => {
    await on.bob.register({ contacts: [DESK], expires: 600 });
    await on.clock.pass(500_000);
    expect(outcome(await on.bob.register())).toEqual([200, `${DESK};expires=100`]);
    expect(outcome(await on.bob.register({ contacts: [DESK], expires: 700 }))).toEqual([200, `${DESK};expires=700`]);
    expect(on.phones.stats).toMatchObject({ registered: 1, refreshed: 1, bindings: 1 });
  });

  test("removes one by expires=0, and no other", async () => {
    await on.bob.register({ contacts: [DESK, CELL] });
    expect(outcome(await on.bob.register({ contacts: [`${DESK};expires=0`] }))).toEqual([200, `${CELL};expires=3600`]);
    expect(outcome(await on.bob.register({ contacts: [CELL], expires: 0 }))).toEqual([200]);
    expect(on.phones.stats).toMatchObject({ unregistered: 2, bindings: 0, addressesOfRecord: 0 });
  });

  test("removes what is not there: that is no error", async () => {
    expect(outcome(await on.bob.register({ contacts: [DESK], expires: 0 }))).toEqual([200]);
    expect(on.phones.stats).toMatchObject({ unregistered: 0, refused: 0 });
  });

  test("adds, refreshes and removes in one", async () => {
    await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>", "<sip:bob@192.0.2.2>"], expires: 100 });
    const response = await on.bob.register({
      contacts: ["<sip:bob@192.0.2.1>;expires=0", "<sip:bob@192.0.2.2>;expires=200", "<sip:bob@192.0.2.3>;expires=300"],
    });
    expect(outcome(response).slice(1).sort()).toEqual([
      "<sip:bob@192.0.2.2>;expires=200",
      "<sip:bob@192.0.2.3>;expires=300",
    ]);
    expect(on.phones.stats).toMatchObject({ registered: 3, refreshed: 1, unregistered: 1 });
  });

  test("comma-joined, folded and by its compact name", async () => {
    const text = requestText("REGISTER", {
      ...on.bob.shape(),
      sentBy: on.client.sentBy,
      headers: [`m: ${DESK}\r\n ;q=0.7 ,\r\n\t"Bob, cell" ${CELL} ; expires = 60`, "Expires:\r\n 120"],
    });
    on.client.send(text);
    const response = await on.client.next(200, new SipMessage(bytesOf(text)));
    expect(outcome(response).slice(1).sort()).toEqual(
      [`"Bob, cell" ${CELL};expires=60`, `${DESK};q=0.7;expires=120`].sort(),
    );
  });

  test("without angle brackets: the parameters are the Contact's, not the URI's", async () => {
    expect(outcome(await on.bob.register({ contacts: ["sip:bob@192.0.2.4;q=0.3;expires=60"] }))).toEqual([
      200,
      "<sip:bob@192.0.2.4>;q=0.3;expires=60",
    ]);
  });

  test("gets its display names and parameters back as they came, known or not, quoted commas and backslashes too", async () => {
    const contacts = [
      `"Bob \\"the, man\\" \\\\" <sip:bob@192.0.2.1>;q=0.5;+sip.note="a, b;c=\\"d\\\\";methods="INVITE, BYE";flag`,
      "Bob Desk <sip:bob@192.0.2.2>;audio;+Mixed-Case=Kept;expires=99",
      `"Böb" <tel:+1-201-555-0123>`,
    ];
    const response = await on.bob.register({ contacts, expires: 70 });
    expect(outcome(response).slice(1).sort()).toEqual(
      [
        `${contacts[0]};expires=70`,
        "Bob Desk <sip:bob@192.0.2.2>;audio;+Mixed-Case=Kept;expires=99",
        `"B\u00c3\u00b6b" <tel:+1-201-555-0123>;expires=70`,
      ].sort(),
    );
  });

  test("of any scheme", async () => {
    const contacts = [
      "<mailto:bob@example.net>",
      "<tel:+12015550123>",
      "<http://192.0.2.4/bob?x=1>",
      "<sips:bob@192.0.2.4>",
    ];
    const response = await on.bob.register({ contacts, expires: 60 });
    expect(outcome(response).slice(1).sort()).toEqual(contacts.map((uri) => `${uri};expires=60`).sort());
  });

  test("keeps q, and gives it back", async () => {
    await on.bob.register({ contacts: [`${DESK};q=0.25`, `${CELL};q=1.000`] });
    expect(on.phones.lookup("sip:bob@example.com").map(({ q }) => q)).toEqual([1, 0.25]);
    const response = await on.bob.register({ contacts: [`${DESK};q=0`] });
    expect(response.headers("Contact")).toContain(`${DESK};q=0;expires=3600`);
    expect(on.phones.lookup("sip:bob@example.com").map(({ q }) => q)).toEqual([1, 0]);
  });

  test("of a display name that is folded keeps the fold as a space", async () => {
    const response = await on.bob.register({ contacts: [`"Bob\r\n of Biloxi" ${DESK}`], expires: 60 });
    expect(response.headers("Contact").map((value) => value.replaceAll(/\s+/g, " "))).toEqual([
      `"Bob of Biloxi" ${DESK};expires=60`,
    ]);
    expect(response.text).not.toContain("\r\n of");
  });
});

describe("a REGISTER without Contact", () => {
  test("asks: nothing changes, all bindings are told", async () => {
    expect(outcome(await on.bob.register())).toEqual([200]);
    await on.bob.register({ contacts: [DESK], expires: 90 });
    expect(outcome(await on.bob.register({ expires: 0 }))).toEqual([200, `${DESK};expires=90`]);
    expect(on.phones.stats).toMatchObject({ fetched: 2, bindings: 1 });
  });

  test("whose CSeq is an old one still asks: it is about no binding", async () => {
    await on.bob.register({ contacts: [DESK], cseq: 40 });
    expect((await on.bob.register({ cseq: 3 })).status).toBe(200);
  });
});

describe("Contact: *", () => {
  test("with Expires: 0 removes all bindings, whoever made them", async () => {
    await on.bob.register({ contacts: [DESK] });
    await new Registrant(on.client).register({ contacts: [CELL] });
    expect(outcome(await on.bob.register({ contacts: ["*"], expires: 0 }))).toEqual([200]);
    expect(on.phones.stats).toMatchObject({ unregistered: 2, bindings: 0 });
  });

  test("with Expires: 0 where there is nothing", async () => {
    expect(outcome(await on.bob.register({ contacts: ["*"], expires: 0 }))).toEqual([200]);
  });

  test("leaves the bindings of other addresses-of-record", async () => {
    const carol = new Registrant(on.client, "sip:carol@example.com");
    await carol.register({ contacts: ["<sip:carol@192.0.2.9>"] });
    await on.bob.register({ contacts: [DESK] });
    await on.bob.register({ contacts: ["*"], expires: 0 });
    expect(outcome(await carol.register())).toEqual([200, "<sip:carol@192.0.2.9>;expires=3600"]);
  });

  test.each([
    ["without Expires", { contacts: ["*"] }, "Contact * Needs Expires: 0"],
    ["with another Expires", { contacts: ["*"], expires: 1 }, "Contact * Needs Expires: 0"],
    [
      "with a malformed Expires, which stands for an hour",
      { contacts: ["*"], expires: "0x0" },
      "Contact * Needs Expires: 0",
    ],
    ["before another Contact", { contacts: ["*", DESK], expires: 0 }, "Contact * Beside Others"],
    ["behind another Contact", { contacts: [DESK, "*"], expires: 0 }, "Contact * Beside Others"],
    ["behind another on its line", { contacts: [`${DESK}, *`], expires: 0 }, "Contact * Beside Others"],
    ["twice", { contacts: ["*", "*"], expires: 0 }, "Contact * Beside Others"],
    ["with parameters", { contacts: ["*;expires=0"], expires: 0 }, "Malformed Contact"],
    ["before a comma", { contacts: [`*, ${DESK}`], expires: 0 }, "Malformed Contact"],
  ])("%s gets 400, and nothing changes", async (_, shape, reason) => {
    await on.bob.register({ contacts: [DESK], expires: 60 });
    const response = await on.bob.register(shape);
    expect([response.status, response.reason]).toEqual([400, reason]);
    expect(outcome(await on.bob.register())).toEqual([200, `${DESK};expires=60`]);
  });
});

describe("a Contact that is none", () => {
  test.each([
    ["", "Malformed Contact"],
    ["<sip:bob@192.0.2.4", "Malformed Contact"],
    ["<>", "Malformed Contact"],
    ["bob", "Malformed Contact"],
    ['"Bob <sip:bob@192.0.2.4>', "Malformed Contact"],
    ["sip:bob@192.0.2.4?Route=%3Csip:a%3E", "Malformed Contact"],
    ["<sip:bob@192.0.2.4>;expires=", "Malformed Contact"],
    ["<sip:bob@192.0.2.4>,,<sip:bob@192.0.2.5>", "Malformed Contact"],
    ["<sip:bob@192.0.2.4> <sip:bob@192.0.2.5>", "Malformed Contact"],
    ["<sip:bob@>", "Malformed Contact URI"],
    ["<sip:bob@192.0.2.4:99999>", "Malformed Contact URI"],
    ["<sip:bob@[2001:db8::1>", "Malformed Contact URI"],
    ["<sip:%0@192.0.2.4>", "Malformed Contact URI"],
    ["<sip:bob@192.0.2.4>;q=2", "Malformed q In Contact"],
    ["<sip:bob@192.0.2.4>;q=0.1234", "Malformed q In Contact"],
    ["<sip:bob@192.0.2.4>;q=-1", "Malformed q In Contact"],
    ["<sip:bob@192.0.2.4>;q=1.001", "Malformed q In Contact"],
    ['<sip:bob@192.0.2.4>;q="0.5"', "Malformed q In Contact"],
  ])("%s gets 400, and nothing changes", async (value, reason) => {
    const response = await on.bob.register({ contacts: ["<sip:bob@192.0.2.8>", value] });
    expect([response.status, response.reason]).toEqual([400, reason]);
    expect(on.phones.stats).toMatchObject({ bindings: 0, refused: 1, registered: 0 });
  });
});

describe("the answer", () => {
  test("has a Date, and a To tag of ours", async () => {
    await on.clock.pass(61_000);
    const response = await on.bob.register({ contacts: [DESK] });
    expect(response.header("Date")).toBe("Fri, 15 Jan 2027 08:01:01 GMT");
    expect(response.toTag).toMatch(/^.{8,}$/);
    expect(response.headers("Record-Route")).toEqual([]);
  });

  test("to a retransmission is the same, and nothing is done twice", async () => {
    const text = requestText("REGISTER", {
      ...on.bob.shape({ contacts: [DESK] }),
      sentBy: on.client.sentBy,
    });
    const request = new SipMessage(bytesOf(text));
    on.client.send(text);
    const first = await on.client.next(200, request);
    await on.clock.pass(2000);
    on.client.send(text);
    const second = await on.client.next(200, request);
    expect(second.text).toBe(first.text);
    expect(on.phones.stats).toMatchObject({ requests: 1, registered: 1, refreshed: 0 });
  });

  test("has no Record-Route though the request has", async () => {
    const response = await on.bob.register({ contacts: [DESK], headers: ["Record-Route: <sip:p.example.com;lr>"] });
    expect(response.status).toBe(200);
    expect(response.headers("Record-Route")).toEqual([]);
  });

  test("to a REGISTER that requires what is not understood is 420", async () => {
    const response = await on.bob.register({ contacts: [DESK], headers: ["Require: path, gruu, foo, outbound"] });
    expect([response.status, response.header("Unsupported")]).toEqual([420, "foo"]);
    expect(on.phones.stats.bindings).toBe(0);
  });

  test("to OPTIONS names REGISTER and what is supported", async () => {
    const response = await on.client.ask("OPTIONS");
    expect(response.list("Allow")).toContain("REGISTER");
    expect(response.list("Supported")).toEqual(expect.arrayContaining(["path", "outbound", "gruu"]));
  });

  test("of many bindings with long parameters is whole", async () => {
    const contacts = Array.from({ length: 10 }, (_, i) => `<sip:bob@192.0.2.${i}>;note="${"x".repeat(2000)}${i}"`);
    for (const contact of contacts) await on.bob.register({ contacts: [contact], expires: 60 });
    const response = await on.bob.register();
    expect(response.headers("Contact").sort()).toEqual(contacts.map((value) => `${value};expires=60`).sort());
    expect(response.header("Date")).toBeDefined();
  });
});
