/** How much a registrar takes, of one address-of-record and in all. */
import { describe, expect, test } from "bun:test";
import { outcome, Registering, Registrant } from "../support/registering.ts";

const contact = (n: number) => `<sip:bob@192.0.2.${n}>`;

describe("contacts of one address-of-record", () => {
  test("beyond the ceiling get 403; those there are can be refreshed and removed", async () => {
    using on = await Registering.open({ maxContacts: 2 });
    await on.bob.register({ contacts: [contact(1), contact(2)] });
    const response = await on.bob.register({ contacts: [contact(3)] });
    expect([response.status, response.reason]).toEqual([403, "Too Many Contacts"]);
    expect((await on.bob.register({ contacts: [contact(1)] })).status).toBe(200);
    expect((await on.bob.register({ contacts: [contact(1)], expires: 0 })).status).toBe(200);
    expect((await on.bob.register({ contacts: [contact(3)] })).status).toBe(200);
    expect(on.phones.stats).toMatchObject({ refused: 1, bindings: 2 });
  });

  test("may be put in the place of others in one request, in any order", async () => {
    using on = await Registering.open({ maxContacts: 2, maxBindings: 2 });
    await on.bob.register({ contacts: [contact(1), contact(2)] });
    const contacts = [contact(3), `${contact(1)};expires=0`, contact(4), `${contact(2)};expires=0`];
    const response = await on.bob.register({ contacts, expires: 60 });
    expect(response.headers("Contact").sort()).toEqual([`${contact(3)};expires=60`, `${contact(4)};expires=60`]);
    expect(on.phones.stats).toMatchObject({ bindings: 2, registered: 4, unregistered: 2 });
  });

  test("of one request are 64 at most", async () => {
    using on = await Registering.open({ maxContacts: 64 });
    const contacts = Array.from({ length: 64 }, (_, n) => contact(n));
    const response = await on.bob.register({ contacts, expires: 60 });
    expect(response.headers("Contact").sort()).toEqual(contacts.map((value) => `${value};expires=60`).sort());
    const more = await on.bob.register({ contacts: [...contacts, contact(64)] });
    expect([more.status, more.reason]).toEqual([403, "Too Many Contacts"]);
  });

  test("of one request are told apart when their URIs are long and differ in one parameter", async () => {
    using on = await Registering.open({ maxContacts: 64 });
    const { bob } = on;
    const long = (scheme: string, n: number) => `<${scheme}:bob@192.0.2.1;note=${"x".repeat(700)};n=${n}>`;
    const uris = Array.from({ length: 64 }, (_, n) => long("sip", n));
    // What a datagram does not hold comes by and by.
    for (let n = 0; n < 64; n += 32) await bob.register({ contacts: uris.slice(n, n + 32), expires: 60 });
    expect(on.phones.stats).toMatchObject({ bindings: 64, registered: 64, refused: 0 });
    const twice = await bob.register({ contacts: [...uris.slice(0, 40), long("SIP", 39)] });
    expect([twice.status, twice.reason]).toEqual([400, "Same Contact Twice"]);
    const gone = Array.from({ length: 64 }, (_, n) => long("SIP", n));
    expect((await bob.register({ contacts: gone, expires: 0 })).status).toBe(200);
    expect(on.phones.stats).toMatchObject({ bindings: 0, unregistered: 64 });
  });

  test("are not looked at where more come than could go and come: 403", async () => {
    using on = await Registering.open({ maxContacts: 2 });
    const gone = Array.from({ length: 5 }, (_, n) => `${contact(n)};expires=0`);
    expect((await on.bob.register({ contacts: gone.slice(0, 4) })).status).toBe(200);
    expect((await on.bob.register({ contacts: gone })).status).toBe(403);
  });

  test("are counted for each by itself", async () => {
    using on = await Registering.open({ maxContacts: 1 });
    expect((await on.bob.register({ contacts: [contact(1)] })).status).toBe(200);
    const carol = new Registrant(on.client, "sip:carol@example.com");
    expect((await carol.register({ contacts: [contact(1)] })).status).toBe(200);
  });
});

describe("bindings in all", () => {
  test("beyond the ceiling get 503 with Retry-After; others go on", async () => {
    using on = await Registering.open({ maxBindings: 2 });
    await on.bob.register({ contacts: [contact(1)] });
    const carol = new Registrant(on.client, "sip:carol@example.com");
    const response = await carol.register({ contacts: [contact(2), contact(3)] });
    expect([response.status, response.reason, response.header("Retry-After")]).toEqual([
      503,
      "No Room For Bindings",
      "60",
    ]);
    expect(outcome(await carol.register())).toEqual([200]);
    expect((await carol.register({ contacts: [contact(2)] })).status).toBe(200);
    expect((await on.bob.register({ contacts: [contact(1)] })).status).toBe(200);
    expect((await on.bob.register({ contacts: [contact(4)] })).status).toBe(503);
    expect(on.phones.stats).toMatchObject({ bindings: 2, refused: 2 });
  });

  test("there is room again once some have expired", async () => {
    using on = await Registering.open({ maxBindings: 1 });
    await on.bob.register({ contacts: [contact(1)], expires: 60 });
    await on.clock.pass(60_100);
    const carol = new Registrant(on.client, "sip:carol@example.com");
    expect((await carol.register({ contacts: [contact(2)] })).status).toBe(200);
  });
});

describe("what is too long to be kept", () => {
  const tooLong = [513, "Contact And Path Too Long"];

  test.each([
    ["a Contact", { contacts: [`${contact(1)};note=${"x".repeat(8000)}`], callId: "c".repeat(200) }],
    [
      "a Contact behind another",
      { contacts: [contact(2), `${contact(1)};note=${"x".repeat(8000)}`], callId: "c".repeat(200) },
    ],
    [
      "a Path",
      {
        contacts: [contact(1)],
        headers: Array.from({ length: 9 }, (_, n) => `Path: <sip:${"p".repeat(1000)}${n}.net;lr>`),
      },
    ],
    ["a Call-ID", { contacts: [contact(1)], callId: "c".repeat(8170) }],
    ["a User-Agent", { contacts: [contact(1)], headers: [`User-Agent: ${"u".repeat(8170)}`] }],
  ])("gets 513 and leaves no trace: %s", async (_, shape) => {
    using on = await Registering.open();
    const response = await on.bob.register(shape);
    expect([response.status, response.reason]).toEqual(tooLong as [number, string]);
    expect(on.phones.stats).toMatchObject({ bindings: 0, refused: 1 });
  });

  test("an address-of-record of more than 1,024 octets is nobody's", async () => {
    using on = await Registering.open();
    const response = await on.bob.register({ to: `<sip:${"b".repeat(1100)}@example.com>`, contacts: [contact(1)] });
    expect([response.status, response.reason]).toEqual([400, "To Names No Address-Of-Record"]);
    expect(
      (await on.bob.register({ to: `<sip:${"b".repeat(1000)}@example.com>`, contacts: [contact(1)] })).status,
    ).toBe(200);
  });
});
