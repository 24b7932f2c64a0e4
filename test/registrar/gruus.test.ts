/** Globally routable user agent URIs as a registrar makes them and reads them back (RFC 5627). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { outcome, Registering, Registrant } from "../support/registering.ts";
import type { SipMessage } from "../support/sip-messages.ts";

const BOB = "sip:bob@example.com";
const URN = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
const OTHER = "urn:uuid:00000000-0000-1000-8000-000A95A0E128";
const SUPPORTED = ["Supported: gruu"];
const PUBLIC = `${BOB};gr=${URN}`;

let on: Registering;
beforeEach(async () => {
  on = await Registering.open();
});
afterEach(() => on[Symbol.dispose]());

const contact = (host: string, urn = URN) => `<sip:bob@${host}>;+sip.instance="<${urn}>"`;

/** A registration whose client understands GRUUs. */
function gruu(host: string, { urn = URN, of = on.bob, params = "", expires = 3600 } = {}): Promise<SipMessage> {
  return of.register({ contacts: [`${contact(host, urn)}${params}`], headers: SUPPORTED, expires });
}

/** The temporary GRUU of each Contact, by the Contact's URI. */
function temporaries(response: SipMessage): Record<string, string | undefined> {
  const entries = response.headers("Contact").map((value) => {
    return [/<([^>]*)>/.exec(value)![1]!, /;temp-gruu="([^"]*)"/.exec(value)?.[1]];
  });
  return Object.fromEntries(entries);
}

function temporary(response: SipMessage): string {
  return Object.values(temporaries(response))[0]!;
}

describe("in the answer", () => {
  test("a client that supports GRUUs finds a public one and a temporary one", async () => {
    const [status, value] = outcome(await gruu("192.0.2.1"));
    expect(status).toBe(200);
    expect(value).toMatch(/;pub-gruu="[^"]+";temp-gruu="sip:tgruu\.[\w-]{32}@example\.com;gr"$/);
    expect(value).toContain(`;pub-gruu="${PUBLIC}"`);
  });

  test.each([
    ["that does not say so", [] as string[]],
    ["that supports other things", ["Supported: path, outbound"]],
  ])("a client %s finds none", async (_, headers) => {
    const response = await on.bob.register({ contacts: [contact("192.0.2.1")], headers });
    expect(response.text).not.toContain("gruu");
  });

  test("a client without an instance finds none", async () => {
    const response = await on.bob.register({ contacts: ["<sip:bob@192.0.2.1>"], headers: SUPPORTED });
    expect(outcome(response)).toEqual([200, "<sip:bob@192.0.2.1>;expires=3600"]);
  });

  test("the public one stays, the temporary one is another each time", async () => {
    const seen = new Set<string>();
    for (let n = 0; n < 20; n++) {
      const response = await gruu("192.0.2.1");
      expect(response.header("Contact")).toContain(`;pub-gruu="${PUBLIC}"`);
      seen.add(temporary(response));
    }
    expect(seen.size).toBe(20);
    // Nothing but the mark is common to them: nobody can tell that they are of one user.
    const users = [...seen].map((uri) => uri.slice("sip:tgruu.".length, uri.indexOf("@")));
    expect(new Set(users.map((user) => user.slice(0, 4))).size).toBe(20);
  });

  test("whatever GRUUs the client suggests are passed over (s5.1)", async () => {
    const params = ';pub-gruu="sip:mine@example.com;gr=x";temp-gruu="sip:mine@example.com;gr"';
    const response = await gruu("192.0.2.1", { params });
    expect(response.text).not.toContain("mine");
    expect(response.header("Contact")).toContain(`;pub-gruu="${PUBLIC}"`);
  });

  test("the bindings of one instance have the same temporary one, others have others (s5.2)", async () => {
    await gruu("192.0.2.1");
    await gruu("192.0.2.2");
    const found = temporaries(await gruu("192.0.2.3", { urn: OTHER }));
    expect(found["sip:bob@192.0.2.1"]).toBe(found["sip:bob@192.0.2.2"]!);
    expect(found["sip:bob@192.0.2.3"]).not.toBe(found["sip:bob@192.0.2.1"]!);
  });

  test("an instance that may not stand in a URI is escaped", async () => {
    const response = await gruu("192.0.2.1", { urn: "urn:x-odd:a;b=c?d[1]%41{}" });
    const uri = /;pub-gruu="([^"]*)"/.exec(response.header("Contact")!)![1]!;
    expect(uri).toBe("sip:bob@example.com;gr=urn:x-odd:a%3Bb%3Dc%3Fd[1]%2541%7B%7D");
    expect(on.contacts(uri)).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("whatever octets an instance has, its public one leads to it", async () => {
    const odd = ["urn:x:%C3%A9", "urn:x:%c3%A9", "urn:x:%FF", "urn:x:%", "urn:x:%4z%41", "urn:x;y=<~'*>@&:", "x"];
    for (const [i, urn] of odd.entries()) {
      const response = await gruu(`192.0.2.${i}`, { urn });
      const contact = response.headers("Contact").find((value) => value.includes(`@192.0.2.${i}>`))!;
      const uri = /;pub-gruu="([^"]*)"/.exec(contact)![1]!;
      expect([urn, uri, ...on.contacts(uri)]).toEqual([urn, uri, `sip:bob@192.0.2.${i}`]);
    }
  });

  test("the GRUUs of a sips or escaped address-of-record are of its canonical form", async () => {
    const user = new Registrant(on.client, "sips:b%6fb%20b@EXAMPLE.com");
    const response = await gruu("192.0.2.1", { of: user });
    expect(response.header("Contact")).toContain(`;pub-gruu="sip:bob%20b@example.com;gr=${URN}"`);
    expect(on.contacts(temporary(response))).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("a tel address-of-record has none", async () => {
    const response = await gruu("192.0.2.1", { of: new Registrant(on.client, "tel:+12015550123") });
    expect(outcome(response)).toEqual([200, `${contact("192.0.2.1")};expires=3600`]);
  });
});

describe("lookup()", () => {
  test("leads from the public one to the bindings of its instance alone", async () => {
    await gruu("192.0.2.1");
    await gruu("192.0.2.2", { urn: OTHER });
    expect(on.contacts(PUBLIC)).toEqual(["sip:bob@192.0.2.1"]);
    expect(on.contacts(`${BOB};gr=${OTHER}`)).toEqual(["sip:bob@192.0.2.2"]);
    expect(on.contacts(`sips:bob@EXAMPLE.com;gr=${URN}`)).toEqual(["sip:bob@192.0.2.1"]);
    expect(on.contacts(BOB)).toHaveLength(2);
  });

  test("leads from every temporary one of a registration to it", async () => {
    const made = [];
    for (let n = 0; n < 3; n++) made.push(temporary(await gruu("192.0.2.1")));
    made.push(temporary(await on.bob.register({ headers: SUPPORTED })));
    for (const uri of made) expect(on.contacts(uri)).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("leads nowhere from one that nobody made here", async () => {
    const made = temporary(await gruu("192.0.2.1"));
    const user = made.slice(4, made.indexOf("@"));
    for (const other of [
      `sip:${user.slice(0, -1)}@example.com;gr`,
      `sip:${user.slice(0, 8)}AAAA${user.slice(12)}@example.com;gr`,
      `sip:tgruu.${"A".repeat(32)}@example.com;gr`,
      "sip:tgruu.@example.com;gr",
      "sip:bob@example.com;gr",
      "sip:example.com;gr",
      `sip:bob@example.com;gr=${OTHER}`,
      `sip:alice@example.com;gr=${URN}`,
      "sip:bob@example.com;gr=<x>",
    ]) {
      expect([other, ...on.contacts(other)]).toEqual([other]);
    }
  });

  test("leads nowhere from those of another registrar", async () => {
    using there = await Registering.open();
    const response = await there.bob.register({ contacts: [contact("192.0.2.1")], headers: SUPPORTED });
    await gruu("192.0.2.1");
    expect(there.contacts(temporary(response))).toEqual(["sip:bob@192.0.2.1"]);
    expect(on.contacts(temporary(response))).toEqual([]);
  });
});

describe("temporary ones end", () => {
  test("once the instance registers with another Call-ID (s5.1)", async () => {
    const before = temporary(await gruu("192.0.2.1"));
    const rebooted = new Registrant(on.client);
    const after = temporary(await gruu("192.0.2.1", { of: rebooted }));
    expect(on.contacts(before)).toEqual([]);
    expect(on.contacts(after)).toEqual(["sip:bob@192.0.2.1"]);
    // The public one is for ever.
    expect(on.contacts(PUBLIC)).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("once it registers so from another place, though the old binding stands", async () => {
    const before = temporary(await gruu("192.0.2.1"));
    const after = temporary(await gruu("192.0.2.2", { of: new Registrant(on.client) }));
    expect(on.contacts(before)).toEqual([]);
    expect(on.contacts(after).sort()).toEqual(["sip:bob@192.0.2.1", "sip:bob@192.0.2.2"]);
  });

  test("with its last binding, and not before (s5.3)", async () => {
    const first = temporary(await gruu("192.0.2.1", { expires: 100 }));
    const second = temporaries(await gruu("192.0.2.2", { expires: 200 }))["sip:bob@192.0.2.2"]!;
    await on.clock.pass(100_100);
    expect(on.contacts(first)).toEqual(["sip:bob@192.0.2.2"]);
    expect(on.contacts(second)).toEqual(["sip:bob@192.0.2.2"]);
    await gruu("192.0.2.2", { expires: 0 });
    expect([...on.contacts(first), ...on.contacts(second)]).toEqual([]);
    // Nor do they come back.
    await gruu("192.0.2.2", { of: new Registrant(on.client) });
    expect([...on.contacts(first), ...on.contacts(second)]).toEqual([]);
  });

  test("with it though the client comes back as it was, with the same Call-ID (s5.3)", async () => {
    const made: string[] = [];
    const ends = [
      () => gruu("192.0.2.1", { expires: 0 }),
      () => on.bob.register({ contacts: ["*"], expires: 0 }),
      () => on.clock.pass(100_100),
      async () => void on.phones.unbind(BOB),
    ];
    for (const end of ends) {
      made.push(temporary(await gruu("192.0.2.1", { expires: 100 })));
      made.push(temporary(await gruu("192.0.2.1", { expires: 100 })));
      expect(on.contacts(made.at(-2))).toEqual(["sip:bob@192.0.2.1"]);
      await end();
    }
    const last = temporary(await gruu("192.0.2.1"));
    for (const uri of made) expect(on.contacts(uri)).toEqual([]);
    expect(on.contacts(last)).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("of another instance they stay", async () => {
    const mine = temporary(await gruu("192.0.2.1"));
    await gruu("192.0.2.2", { urn: OTHER, of: new Registrant(on.client) });
    await gruu("192.0.2.2", { urn: OTHER, of: new Registrant(on.client) });
    expect(on.contacts(mine)).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("where the client does not support them any more", async () => {
    const before = temporary(await gruu("192.0.2.1"));
    await on.bob.register({ contacts: [contact("192.0.2.1")] });
    expect(on.contacts(before)).toEqual([]);
    expect(on.contacts(BOB)).toEqual(["sip:bob@192.0.2.1"]);
  });

  test("where the binding becomes another instance's", async () => {
    const before = temporary(await gruu("192.0.2.1"));
    const after = temporary(await gruu("192.0.2.1", { urn: OTHER }));
    expect(on.contacts(before)).toEqual([]);
    expect(on.contacts(after)).toEqual(["sip:bob@192.0.2.1"]);
  });
});

describe("flows of one instance (RFC 5626) have Call-IDs of their own", () => {
  const flow = (id: number) => ({ params: `;reg-id=${id}` });

  test("a second flow ends nothing that was made for the first", async () => {
    const first = temporary(await gruu("192.0.2.1", flow(1)));
    const second = temporaries(await gruu("192.0.2.1", { ...flow(2), of: new Registrant(on.client) }));
    expect(on.phones.stats.bindings).toBe(2);
    for (const uri of [first, second["sip:bob@192.0.2.1"]!]) expect(on.contacts(uri)).toHaveLength(2);
  });

  test("what was made for a flow that is gone leads to the one that is left", async () => {
    const first = temporary(await gruu("192.0.2.1", flow(1)));
    await gruu("192.0.2.2", { ...flow(2), of: new Registrant(on.client) });
    await gruu("192.0.2.1", { ...flow(1), expires: 0 });
    expect(on.contacts(first)).toEqual(["sip:bob@192.0.2.2"]);
  });

  test("a flow that is refreshed ends nothing; one that comes with another Call-ID ends all", async () => {
    const two = new Registrant(on.client);
    const first = temporary(await gruu("192.0.2.1", flow(1)));
    const second = temporary(await gruu("192.0.2.2", { ...flow(2), of: two }));
    await gruu("192.0.2.1", flow(1));
    await gruu("192.0.2.2", { ...flow(2), of: two });
    expect([on.contacts(first).length, on.contacts(second).length]).toEqual([2, 2]);
    await gruu("192.0.2.1", { ...flow(1), of: new Registrant(on.client) });
    expect([on.contacts(first).length, on.contacts(second).length]).toEqual([0, 0]);
  });

  test("those of flows that come and go without end are not all kept", async () => {
    const steady = temporary(await gruu("192.0.2.1", flow(1)));
    const made: string[] = [];
    for (let n = 0; n < 300; n++) {
      const passing = new Registrant(on.client);
      made.push(temporaries(await gruu("192.0.2.2", { ...flow(2), of: passing }))["sip:bob@192.0.2.2"]!);
      await gruu("192.0.2.2", { ...flow(2), of: passing, expires: 0 });
      if (n % 50 === 0) await gruu("192.0.2.1", flow(1));
    }
    const led = made.filter((uri) => on.contacts(uri).length > 0);
    expect(led).toEqual(made.slice(-led.length));
    expect(led.length).toBeGreaterThan(100);
    expect(led.length).toBeLessThan(200);
    expect(on.contacts(steady)).toEqual(["sip:bob@192.0.2.1"]);
  });
});

describe("with an instance, 403 gets", () => {
  test.each(["mailto:bob@example.net", "tel:+12015550123", "http://example.com/", "sipx:bob@192.0.2.1"])(
    "a Contact that is no SIP URI: %s",
    async (uri) => {
      const value = `<${uri}>;+sip.instance="<${URN}>"`;
      const response = await on.bob.register({ contacts: [value] });
      expect([response.status, response.reason]).toEqual([403, "Contact With An Instance Is No SIP URI"]);
      expect((await on.bob.register({ contacts: [value], expires: 0 })).status).toBe(200);
      expect((await on.bob.register({ contacts: [`<${uri}>`] })).status).toBe(200);
    },
  );

  test("a Contact that is a GRUU of the same address-of-record", async () => {
    const made = temporary(await gruu("192.0.2.1"));
    for (const uri of [made, PUBLIC, `sips:bob@example.com;gr=${OTHER};transport=tcp`]) {
      const response = await on.bob.register({ contacts: [`<${uri}>;+sip.instance="<${OTHER}>"`] });
      expect([response.status, response.reason]).toEqual([403, "Contact Is The Address-Of-Record Itself"]);
    }
    // For another address-of-record it is a Contact as any.
    const alice = new Registrant(on.client, "sip:alice@example.com");
    expect((await alice.register({ contacts: [`<${made}>`] })).status).toBe(200);
  });

  test("a flow that is moved to such a Contact", async () => {
    const value = `;reg-id=1;+sip.instance="<${URN}>"`;
    await on.bob.register({ contacts: [`<sip:bob@192.0.2.1>${value}`] });
    for (const uri of [BOB, PUBLIC, "mailto:bob@example.net"]) {
      expect((await on.bob.register({ contacts: [`<${uri}>${value}`] })).status).toBe(403);
    }
    expect(on.contacts()).toEqual(["sip:bob@192.0.2.1"]);
  });
});
