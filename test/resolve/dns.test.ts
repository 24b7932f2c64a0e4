import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { CachingDns } from "../../src/resolve/dns.ts";
import { checkNameservers } from "../../src/resolve/query.ts";
import type { Answer, Pending } from "../../src/resolve/records.ts";
import { DEFAULT_RESOLVE, type ResolveSettings } from "../../src/resolve/settings.ts";
import { systemClock } from "../../src/time/clock.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { udpTowards } from "../support/kernel-counts.ts";
import { until } from "../support/until.ts";

let server: DnsServer;
let clock: FakeClock;

beforeEach(async () => {
  server = await DnsServer.start();
  clock = new FakeClock();
});
afterEach(() => server[Symbol.dispose]());

function client(settings: Partial<ResolveSettings> = {}, maxCached?: number): CachingDns {
  const all = { ...DEFAULT_RESOLVE, nameservers: [server.address], ...settings };
  return new CachingDns(all, clock, undefined, maxCached);
}

/** Whether the answer is there without waiting. */
function isKnown<T>(pending: Pending<T>): pending is Answer<T> {
  return !(pending instanceof Promise);
}

describe("records", () => {
  test("of each type are read", async () => {
    server
      .a("h.test", "192.0.2.1")
      .a("h.test", "192.0.2.2")
      .aaaa("h.test", "2001:db8:0:0:0:0:0:1")
      .srv("_sip._udp.test", { target: "h.test", port: 5070, priority: 1, weight: 2 })
      .naptr("test", { service: "SIP+D2U", replacement: "_sip._udp.test", order: 3, preference: 4 });
    const dns = client();
    expect(await dns.a("h.test")).toEqual({ records: ["192.0.2.1", "192.0.2.2"], failure: undefined });
    expect((await dns.aaaa("h.test")).records).toEqual(["2001:db8::1"]);
    expect((await dns.srv("_sip._udp.test")).records).toEqual([{ name: "h.test", port: 5070, priority: 1, weight: 2 }]);
    expect((await dns.naptr("test")).records).toEqual([
      { service: "SIP+D2U", flags: "s", regexp: "", replacement: "_sip._udp.test", order: 3, preference: 4 },
    ]);
    expect(dns.counters).toMatchObject({ queries: 4, cacheHits: 0, failures: 0, timeouts: 0 });
  });

  test("behind an alias are found", async () => {
    server.cname("alias.test", "real.test").a("real.test", "192.0.2.7");
    expect((await client().a("alias.test")).records).toEqual(["192.0.2.7"]);
  });

  test("too large for a datagram come over TCP", async () => {
    server.a("h.test", "192.0.2.1").misbehave("A", "h.test", "truncated");
    expect((await client().a("h.test")).records).toEqual(["192.0.2.1"]);
    expect(server.overTcp).toBe(1);
  });

  test("of IPv4 mapped into IPv6 are passed over", async () => {
    server.aaaa("h.test", "0:0:0:0:0:ffff:c000:201").aaaa("h.test", "2001:db8:0:0:0:0:0:1");
    expect((await client().aaaa("h.test")).records).toEqual(["2001:db8::1"]);
  });

  test("are kept in a number that an order can be made of", async () => {
    for (let at = 0; at < 200; at++) server.srv("_sip._udp.test", { target: `h${at}.test` });
    server.misbehave("SRV", "_sip._udp.test", "truncated");
    expect((await client().srv("_sip._udp.test")).records).toHaveLength(128);
  });
});

describe("what is remembered", () => {
  test("is an address for the smallest TTL, and is given without waiting", async () => {
    server.a("h.test", "192.0.2.1", 300).a("h.test", "192.0.2.2", 60);
    const dns = client();
    expect(isKnown(dns.a("h.test"))).toBe(false);
    await dns.a("h.test");
    clock.skip(59_999);
    expect(isKnown(dns.a("h.test"))).toBe(true);
    server.remove("h.test").a("h.test", "192.0.2.3");
    clock.skip(1);
    expect((await dns.a("h.test")).records).toEqual(["192.0.2.3"]);
    expect(server.count("A", "h.test")).toBe(2);
    expect(dns.counters).toMatchObject({ queries: 2, cacheHits: 1 });
  });

  test("is no address with a TTL of 0", async () => {
    server.a("h.test", "192.0.2.1", 0);
    const dns = client();
    await dns.a("h.test");
    await dns.a("h.test");
    expect(server.count("A", "h.test")).toBe(2);
  });

  test.each(["srv", "naptr"] as const)("is %s for the time that is set", async (kind) => {
    server.srv("test", { target: "h.test" }).naptr("test", { service: "SIP+D2U", replacement: "x.test" });
    const dns = client({ cacheTtl: 7000 });
    const ask = (): Pending<unknown> => dns[kind]("test");
    await ask();
    clock.skip(6999);
    expect(isKnown(ask())).toBe(true);
    clock.skip(1);
    expect(isKnown(ask())).toBe(false);
  });

  test("is also that there is nothing, no name or no such record", async () => {
    server.a("h.test", "192.0.2.1");
    const dns = client({ cacheNegative: 3000 });
    for (const ask of [() => dns.aaaa("h.test"), () => dns.a("none.test")]) {
      expect(await ask()).toEqual({ records: [], failure: undefined });
      clock.skip(2999);
      expect(isKnown(ask())).toBe(true);
      clock.skip(1);
      expect(isKnown(ask())).toBe(false);
    }
  });

  test("is a failure for a second and no longer", async () => {
    server.a("h.test", "192.0.2.1").misbehave("A", "h.test", "servfail");
    const dns = client();
    expect((await dns.a("h.test")).failure).toBe("ESERVFAIL");
    clock.skip(999);
    expect(isKnown(dns.a("h.test"))).toBe(true);
    clock.skip(1);
    server.misbehave("A", "h.test", null);
    expect((await dns.a("h.test")).records).toEqual(["192.0.2.1"]);
  });

  test("has a bound", async () => {
    const dns = client({}, 10);
    for (let at = 0; at < 50; at++) {
      server.a(`h${at}.test`, "192.0.2.1");
      await dns.a(`h${at}.test`);
    }
    expect(dns.cached).toBe(10);
    expect(isKnown(dns.a("h49.test"))).toBe(true);
    expect(isKnown(dns.a("h39.test"))).toBe(false);
  });
});

describe("queries", () => {
  test("for one thing go out once, however many ask", async () => {
    server.a("h.test", "192.0.2.1").misbehave("A", "h.test", { delay: 30 });
    const dns = client();
    const answers = await Promise.all(Array.from({ length: 100 }, () => dns.a("h.test")));
    expect(answers.every(({ records }) => records[0] === "192.0.2.1")).toBe(true);
    expect(server.count("A", "h.test")).toBe(1);
    expect(dns.counters.queries).toBe(1);
  });

  test("are sent on a clock with fractions of milliseconds", async () => {
    server.a("h.test", "192.0.2.1");
    const dns = new CachingDns({ ...DEFAULT_RESOLVE, nameservers: [server.address], dnsTimeout: 999.5 }, systemClock);
    expect((await dns.a("h.test")).records).toEqual(["192.0.2.1"]);
  });

  test("without an answer are sent three times in all and end when the time is over", async () => {
    server.misbehaveAlways("silent");
    const dns = client({ dnsTimeout: 300 });
    const began = performance.now();
    expect(await dns.a("h.test")).toEqual({ records: [], failure: "ETIMEOUT" });
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(250);
    expect(took).toBeLessThan(850);
    expect(server.count("A", "h.test")).toBe(3);
    expect(dns.counters).toMatchObject({ queries: 1, timeouts: 1, failures: 0 });
  });

  test("leave no socket behind, answered or not", async () => {
    server.misbehave("A", "h1.test", "silent").misbehave("A", "h2.test", { delay: 150 });
    const dns = client({ dnsTimeout: 600 });
    const port = Number(server.address.split(":").at(-1));
    expect(udpTowards(port)).toBe(0);
    const answers = Promise.all(Array.from({ length: 20 }, (_, at) => dns.a(`h${at}.test`)));
    // One at least is neither answered nor given up for long enough to be seen.
    await until("a socket", () => udpTowards(port) > 0);
    await answers;
    await until("the sockets to be closed", () => udpTowards(port) === 0);
  });

  test("that take too long do not end others", async () => {
    server
      .misbehave("A", "silent.test", "silent")
      .a("slow.test", "192.0.2.1")
      .misbehave("A", "slow.test", { delay: 660 });
    const dns = client({ dnsTimeout: 900 });
    const silent = dns.a("silent.test");
    await Bun.sleep(450);
    const slow = dns.a("slow.test");
    expect((await silent).failure).toBe("ETIMEOUT");
    expect((await slow).records).toEqual(["192.0.2.1"]);
  });

  test("go to the second nameserver in time when the first is silent", async () => {
    using second = await DnsServer.start();
    server.misbehaveAlways("silent");
    second.a("h.test", "192.0.2.2");
    const dns = client({ nameservers: [server.address, second.address], dnsTimeout: 600 });
    expect((await dns.a("h.test")).records).toEqual(["192.0.2.2"]);
  });

  test("go to the second nameserver at once when the first says that it cannot", async () => {
    using second = await DnsServer.start();
    server.misbehaveAlways("servfail");
    second.a("h.test", "192.0.2.2");
    const began = performance.now();
    const dns = client({ nameservers: [server.address, second.address] });
    expect((await dns.a("h.test")).records).toEqual(["192.0.2.2"]);
    expect(performance.now() - began).toBeLessThan(900);
  });

  test("wait for a slow nameserver when the other says that it cannot", async () => {
    using second = await DnsServer.start();
    server.misbehaveAlways("servfail");
    second.a("h.test", "192.0.2.2").misbehave("A", "h.test", { delay: 900 });
    const dns = client({ nameservers: [server.address, second.address], dnsTimeout: 1200 });
    expect((await dns.a("h.test")).records).toEqual(["192.0.2.2"]);
  });

  test("may be answered later than they are repeated", async () => {
    server.a("h.test", "192.0.2.1").misbehave("A", "h.test", { delay: 900 });
    expect((await client({ dnsTimeout: 1200 }).a("h.test")).records).toEqual(["192.0.2.1"]);
    expect(server.count("A", "h.test")).toBe(3);
  });

  test.each([
    ["servfail", "ESERVFAIL"],
    ["refused", "EREFUSED"],
    ["garbage", "EBADRESP"],
    ["broken", "EBADRESP"],
  ] as const)("that are met with %s fail as %s, not as a name that is not there", async (how, failure) => {
    server.misbehaveAlways(how);
    const dns = client({ dnsTimeout: 500 });
    for (const ask of [dns.a("h.test"), dns.srv("h.test"), dns.naptr("h.test")]) {
      expect(await ask).toEqual({ records: [], failure });
    }
    expect(dns.counters).toMatchObject({ failures: 3, timeouts: 0 });
  });

  test("for what is no name are not sent", () => {
    const dns = client();
    for (const name of ["", "a..b", "bücher.test", "a\0b", "a".repeat(300), `_sip._udp.${"a.".repeat(123)}test`]) {
      expect(dns.a(name)).toEqual({ records: [], failure: undefined });
    }
    expect(dns.counters.queries).toBe(0);
  });

  test("are bounded in number: beyond it some wait, beyond that none is taken", async () => {
    server.misbehaveAlways({ delay: 100 });
    const dns = client();
    const asked = Array.from({ length: 4096 }, (_, at) => dns.a(`h${at}.test`));
    expect(await dns.a("more.test")).toEqual({ records: [], failure: "EBUSY" });
    await Bun.sleep(60);
    expect(server.queries).toHaveLength(128);
    // Those whose turn comes when their time is over are not sent.
    clock.skip(DEFAULT_RESOLVE.dnsTimeout);
    const answers = await Promise.all(asked);
    expect(answers.filter(({ failure }) => failure === undefined)).toHaveLength(128);
    expect(answers.filter(({ failure }) => failure === "ETIMEOUT")).toHaveLength(4096 - 128);
    expect(server.queries).toHaveLength(128);
  }, 20_000);
});

describe("nameservers", () => {
  test.each(["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]", "[::1]:53"])("may be %s", (text) => {
    expect(() => checkNameservers([text])).not.toThrow();
  });

  test.each(["", "localhost", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:", "[127.0.0.1]:53", "::1:x", "1.2.3.4.5"])(
    "may not be %j",
    (text) => {
      expect(() => client({ nameservers: [text] })).toThrow(TypeError);
    },
  );
});
