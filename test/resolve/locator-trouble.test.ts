/** What becomes of a search when DNS does not answer as it should, and how long it takes. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LocateError, type Locator } from "../../src/resolve/locator.ts";
import type { DnsClient } from "../../src/resolve/records.ts";
import type { NextHop } from "../../src/resolve/target.ts";
import { DnsServer, type Misbehaviour } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { brief, hop, locatorAt } from "../support/locator.ts";

const DNS_TIMEOUT = 400;
/** What a busy machine may add. */
const SLACK = 350;

let dns: DnsServer;

beforeEach(async () => {
  dns = await DnsServer.start();
});
afterEach(() => dns[Symbol.dispose]());

async function timed(locator: Locator, next: NextHop): Promise<{ took: number; found: string[] }> {
  const began = performance.now();
  let found: string[];
  try {
    found = brief(await locator.locate(next));
  } catch (error) {
    if (!(error instanceof LocateError)) throw error;
    found = [error.code, error.message];
  }
  return { took: performance.now() - began, found };
}

function impatient(): Locator {
  return locatorAt(dns.address, { dnsTimeout: DNS_TIMEOUT });
}

describe("silence", () => {
  test("on everything ends within two queries' time, as a time-out", async () => {
    dns.misbehaveAlways("silent");
    const locator = impatient();
    const { took, found } = await timed(locator, hop("a.test"));
    expect(found).toEqual(["ETIMEOUT", "DNS did not answer in time: a.test"]);
    expect(took).toBeLessThan(2 * DNS_TIMEOUT + SLACK);
    expect(locator.counters).toMatchObject({ located: 0, notLocated: 1, failures: 0 });
    expect(locator.counters.timeouts).toBeGreaterThan(0);
  });

  test("on NAPTR alone costs one query's time", async () => {
    dns
      .misbehave("NAPTR", "*", "silent")
      .srv("_sip._udp.a.test", { target: "h.test", port: 5070 })
      .a("h.test", "192.0.2.1");
    const { took, found } = await timed(impatient(), hop("a.test"));
    expect(found).toEqual(["udp 192.0.2.1 5070"]);
    expect(took).toBeLessThan(DNS_TIMEOUT + SLACK);
  });

  test("on NAPTR and SRV leaves the address, within two queries' time", async () => {
    dns.misbehave("NAPTR", "*", "silent").misbehave("SRV", "*", "silent").a("a.test", "192.0.2.1");
    const { took, found } = await timed(impatient(), hop("a.test"));
    expect(found).toEqual(["udp 192.0.2.1 5060"]);
    expect(took).toBeLessThan(2 * DNS_TIMEOUT + SLACK);
  });

  test("on the addresses of one server leaves the others", async () => {
    dns.srv("_sip._udp.a.test", { target: "mute.test", priority: 1 }).misbehave("A", "mute.test", "silent");
    dns.srv("_sip._udp.a.test", { target: "h.test", priority: 2 }).a("h.test", "192.0.2.1");
    expect((await timed(impatient(), hop("a.test"))).found).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("is a time-out, though later answers say that there is no such name", async () => {
    dns.misbehave("SRV", "*", "silent");
    const { found } = await timed(impatient(), hop("a.test", { transport: "udp" }));
    expect(found).toEqual(["ETIMEOUT", "DNS did not answer in time: a.test"]);
  });

  test("is asked about again after a second, and then found", async () => {
    const clock = new FakeClock();
    const locator = locatorAt(dns.address, { dnsTimeout: DNS_TIMEOUT }, { clock });
    dns.a("a.test", "192.0.2.1").misbehave("A", "a.test", "silent");
    const next = hop("a.test", { port: 5060 });
    expect((await timed(locator, next)).found[0]).toBe("ETIMEOUT");
    dns.misbehave("A", "a.test", null);
    expect(() => locator.locate(next)).toThrow(LocateError);
    clock.skip(1000);
    expect((await timed(locator, next)).found).toEqual(["udp 192.0.2.1 5060"]);
  });
});

describe("a nameserver that is slow", () => {
  test("is waited for within the bound", async () => {
    for (const type of ["NAPTR", "SRV", "A", "AAAA"] as const) dns.misbehave(type, "*", { delay: 60 });
    dns.srv("_sip._udp.a.test", { target: "h.test" }).a("h.test", "192.0.2.1");
    expect((await timed(impatient(), hop("a.test"))).found).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("is not waited for when each query is in time and all together are not", async () => {
    for (const type of ["NAPTR", "SRV", "A", "AAAA"] as const) dns.misbehave(type, "*", { delay: 0.85 * DNS_TIMEOUT });
    dns.srv("_sip._udp.a.test", { target: "h.test" }).a("h.test", "192.0.2.1");
    const { took, found } = await timed(impatient(), hop("a.test"));
    expect(found[0]).toBe("ETIMEOUT");
    expect(took).toBeLessThan(2 * DNS_TIMEOUT + SLACK);
  });
});

describe("an answer that is none", () => {
  test.each([
    ["servfail", "ESERVFAIL", "DNS server failed: a.test"],
    ["refused", "EREFUSED", "DNS server refused: a.test"],
    ["garbage", "EBADRESP", "DNS answer malformed: a.test"],
    ["broken", "EBADRESP", "DNS answer malformed: a.test"],
  ] as [Misbehaviour, string, string][])("(%s) fails the request with %s", async (how, code, message) => {
    dns.misbehaveAlways(how);
    const { took, found } = await timed(locatorAt(dns.address), hop("a.test"));
    expect(found).toEqual([code, message]);
    expect(took).toBeLessThan(1000);
  });

  test.each(["servfail", "refused", "garbage"] as const)("(%s) to NAPTR and SRV leaves the address", async (how) => {
    dns.misbehave("NAPTR", "*", how).misbehave("SRV", "*", how).a("a.test", "192.0.2.1");
    expect((await timed(locatorAt(dns.address), hop("a.test"))).found).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("to AAAA leaves the IPv4 address", async () => {
    dns.misbehave("AAAA", "*", "servfail").a("a.test", "192.0.2.1");
    expect((await timed(locatorAt(dns.address), hop("a.test", { port: 9 }))).found).toEqual(["udp 192.0.2.1 9"]);
  });
});

describe("many searches", () => {
  test("for one name at once ask once, and all get the answer", async () => {
    dns.srv("_sip._udp.a.test", { target: "h.test" }).a("h.test", "192.0.2.1").misbehave("SRV", "*", { delay: 20 });
    const locator = locatorAt(dns.address);
    const all = await Promise.all(Array.from({ length: 100 }, () => locator.locate(hop("a.test"))));
    expect(all.every(([target]) => target?.address === "192.0.2.1")).toBe(true);
    expect(new Set(dns.queries).size).toBe(dns.queries.length);
    expect(locator.counters.located).toBe(100);
    expect(locator.counters.queries).toBe(dns.queries.length);
  });

  test("for a name that is not there ask once, and fail at once from then on", async () => {
    const locator = locatorAt(dns.address);
    expect((await timed(locator, hop("gone.test"))).found[0]).toBe("ENOTFOUND");
    const asked = dns.queries.length;
    for (let at = 0; at < 100; at++) expect(() => locator.locate(hop("gone.test"))).toThrow("No such host: gone.test");
    expect(dns.queries).toHaveLength(asked);
    expect(locator.counters).toMatchObject({ notLocated: 101 });
    expect(locator.counters.cacheHits).toBeGreaterThan(100);
  });
});

describe("a host that is no name", () => {
  test.each(["", "a..test", "bücher.test", "a\r\nb", "1.2.3", "10.0.0.300", "a".repeat(64), `${"a.".repeat(140)}test`])(
    "is refused before anything is asked: %j",
    async (host) => {
      const { found } = await timed(locatorAt(dns.address), hop(host));
      expect(found[0]).toBe("ENOTFOUND");
      expect(found[1]).toMatch(/^No such host: [\x20-\x7e]{0,83}$/);
      expect(dns.queries).toEqual([]);
    },
  );

  test("is too long for the name of its service: its address is all that is asked for", async () => {
    const host = `${"a.".repeat(123)}test`;
    dns.a(host, "192.0.2.1");
    expect((await timed(locatorAt(dns.address), hop(host))).found).toEqual(["udp 192.0.2.1 5060"]);
    expect(dns.queries.some((query) => query.startsWith("SRV"))).toBe(false);
  });
});

test("whatever a nameserver says, a search gives 1 to 16 targets that are numeric, or a LocateError", async () => {
  const name = fc.oneof(
    fc.constantFrom("", ".", "h.test", "a.test", "localhost", "1.2.3.4", "a b", "__proto__"),
    fc.string(),
  );
  const short = fc.nat(0xffff);
  const failure = fc.constantFrom(undefined, undefined, undefined, "ETIMEOUT", "ESERVFAIL", "EBUSY");
  const answer = <T>(record: fc.Arbitrary<T>) =>
    fc
      .record({ records: fc.array(record, { maxLength: 20 }), failure })
      .map((one) => (one.failure ? { ...one, records: [] } : one));
  const naptr = fc.record({
    service: fc.constantFrom("SIP+D2U", "SIP+D2T", "sips+d2t", "constructor", ""),
    flags: fc.constantFrom("s", "S", "a", "u", ""),
    regexp: fc.constantFrom("", "", "!x!y!"),
    replacement: name,
    order: short,
    preference: short,
  });
  const srv = fc.record({ name, port: short, priority: fc.nat(2), weight: short });
  const world = fc.record({
    naptr: answer(naptr),
    srv: answer(srv),
    a: answer(fc.ipV4()),
    aaaa: answer(fc.constant("2001:db8::1")),
  });
  const next = fc.record({
    secure: fc.boolean(),
    host: name,
    port: fc.option(short, { nil: undefined }),
    transport: fc.constantFrom(undefined, "udp", "tcp", "tls", "ws", "wss", "sctp"),
  });
  await fc.assert(
    fc.asyncProperty(world, next, fc.boolean(), async (answers, wanted, waits) => {
      const give = <T>(one: T) => (waits ? Promise.resolve(one) : one);
      const client = {
        naptr: () => give(answers.naptr),
        srv: () => give(answers.srv),
        a: () => give(answers.a),
        aaaa: () => give(answers.aaaa),
      } as DnsClient;
      const locator = locatorAt("127.0.0.1", {}, { dns: client });
      try {
        const targets = await locator.locate(wanted);
        expect(targets.length).toBeGreaterThan(0);
        expect(targets.length).toBeLessThanOrEqual(16);
        for (const target of targets) {
          expect(target.address).toMatch(/^[0-9a-f.:]+$/);
          expect(target.port).toBeGreaterThan(0);
          if (wanted.secure) expect(["tls", "wss"]).toContain(target.transport);
          expect(target.domain).toBe(wanted.host);
        }
      } catch (error) {
        if (!(error instanceof LocateError)) throw error;
        expect(error.message).toMatch(/^[\x20-\x7e]+$/);
      }
    }),
    { numRuns: 500 },
  );
});
