/** The rules of RFC 3263, over a nameserver that answers. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LocateError } from "../../src/resolve/locator.ts";
import type { NextHop } from "../../src/resolve/target.ts";
import type { TransportName } from "../../src/transport/kinds.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { brief, hop, locatorAt } from "../support/locator.ts";
import { seededRandom } from "../support/lossy-relay.ts";

let dns: DnsServer;

beforeEach(async () => {
  dns = await DnsServer.start();
});
afterEach(() => dns[Symbol.dispose]());

function only(...transports: TransportName[]) {
  return { supported: (transport: TransportName) => transports.includes(transport) };
}

/** The targets as text, or the code and the message of the error. */
async function located(next: NextHop, locator = locatorAt(dns.address)): Promise<string[]> {
  try {
    return brief(await locator.locate(next));
  } catch (error) {
    if (!(error instanceof LocateError)) throw error;
    expect(error.host).toBe(next.host);
    return [error.code, error.message];
  }
}

describe("a numeric host", () => {
  test.each([
    [hop("192.0.2.1"), "udp 192.0.2.1 5060"],
    [hop("192.0.2.1", { port: 5070 }), "udp 192.0.2.1 5070"],
    [hop("192.0.2.1", { transport: "tcp" }), "tcp 192.0.2.1 5060"],
    [hop("192.0.2.1", { transport: "tls" }), "tls 192.0.2.1 5061"],
    [hop("192.0.2.1", { transport: "ws" }), "ws 192.0.2.1 80"],
    [hop("192.0.2.1", { transport: "wss", port: 8443 }), "wss 192.0.2.1 8443"],
    [hop("192.0.2.1", { secure: true }), "tls 192.0.2.1 5061"],
    [hop("192.0.2.1", { secure: true, transport: "tcp" }), "tls 192.0.2.1 5061"],
    [hop("192.0.2.1", { secure: true, transport: "tls", port: 7000 }), "tls 192.0.2.1 7000"],
    [hop("192.0.2.1", { secure: true, transport: "ws" }), "wss 192.0.2.1 443"],
    [hop("2001:db8:0::1"), "udp 2001:db8::1 5060"],
    [hop("::ffff:192.0.2.1"), "udp 192.0.2.1 5060"],
  ])("%j is one target, at once and without DNS", (next, target) => {
    const targets = locatorAt(dns.address).locate(next);
    expect(targets).not.toBeInstanceOf(Promise);
    expect(brief(targets as never)).toEqual([target]);
    expect(dns.queries).toEqual([]);
  });

  test("is reached over TCP by a server without UDP", () => {
    expect(brief(locatorAt(dns.address, {}, only("tcp")).locate(hop("192.0.2.1")) as never)).toEqual([
      "tcp 192.0.2.1 5060",
    ]);
  });

  test.each([
    [hop("192.0.2.1", { transport: "sctp" }), "Transport not supported, sctp: 192.0.2.1"],
    [hop("192.0.2.1", { transport: "a\r\nb" }), "Transport not supported, a??b: 192.0.2.1"],
    [hop("192.0.2.1", { transport: "udp", secure: true }), "Transport not supported, udp for sips: 192.0.2.1"],
    [hop("192.0.2.1", { transport: "tls" }), "Transport not supported, tls over IPv4: 192.0.2.1"],
    [hop("192.0.2.1", { secure: true }), "Transport not supported, tls over IPv4: 192.0.2.1"],
    [hop("2001:db8::1"), "Transport not supported, udp over IPv6: 2001:db8::1"],
  ])("%j is refused at once: %s", (next, message) => {
    const locator = locatorAt(dns.address, {}, { supported: (name, family) => name === "udp" && family === 4 });
    expect(() => locator.locate(next)).toThrow(new LocateError("ENOTRANSPORT", next.host, message.split(": ")[0]!));
    expect(locator.counters).toMatchObject({ located: 0, notLocated: 1 });
  });

  test("with port 0 is refused", async () => {
    expect(await located(hop("192.0.2.1", { port: 0 }))).toEqual(["EPORT", "No such port, 0: 192.0.2.1"]);
  });
});

describe("a name with a port (s4.2)", () => {
  test("is looked up as an address, IPv6 first, and nothing else is asked", async () => {
    dns.a("a.test", "192.0.2.1").a("a.test", "192.0.2.2").aaaa("a.test", "2001:db8:0:0:0:0:0:1");
    expect(await located(hop("a.test", { port: 5070 }))).toEqual([
      "udp 2001:db8::1 5070",
      "udp 192.0.2.1 5070",
      "udp 192.0.2.2 5070",
    ]);
    expect(dns.queries.toSorted()).toEqual(["A a.test", "AAAA a.test"]);
  });

  test("goes over TLS for sips, and over the transport it names", async () => {
    dns.a("a.test", "192.0.2.1");
    expect(await located(hop("a.test", { port: 7000, secure: true }))).toEqual(["tls 192.0.2.1 7000"]);
    expect(await located(hop("a.test", { port: 7000, transport: "tcp" }))).toEqual(["tcp 192.0.2.1 7000"]);
  });

  test("of the certificate is the one asked for, not one that DNS led to", async () => {
    dns.srv("_sips._tcp.a.test", { target: "h.other.test", port: 5061 }).cname("h.other.test", "i.test");
    dns.a("i.test", "192.0.2.1");
    const targets = await locatorAt(dns.address).locate(hop("a.test", { secure: true }));
    expect(targets).toEqual([{ transport: "tls", address: "192.0.2.1", port: 5061, domain: "a.test" }]);
  });
});

describe("a name with a transport (s4.2)", () => {
  test.each([
    ["udp", false, "_sip._udp.a.test", "udp"],
    ["tcp", false, "_sip._tcp.a.test", "tcp"],
    ["tls", false, "_sips._tcp.a.test", "tls"],
    ["tcp", true, "_sips._tcp.a.test", "tls"],
    ["tls", true, "_sips._tcp.a.test", "tls"],
  ])("%s (sips: %p) has the SRV records of %s", async (transport, secure, name, used) => {
    dns.srv(name, { target: "h.test", port: 5080 }).a("h.test", "192.0.2.1").a("a.test", "192.0.2.99");
    expect(await located(hop("a.test", { transport, secure }))).toEqual([`${used} 192.0.2.1 5080`]);
    expect(dns.queries.toSorted()).toEqual(["A h.test", "AAAA h.test", `SRV ${name}`]);
  });

  test.each([
    ["udp", false, "udp 192.0.2.1 5060"],
    ["tcp", false, "tcp 192.0.2.1 5060"],
    ["tls", false, "tls 192.0.2.1 5061"],
    ["tcp", true, "tls 192.0.2.1 5061"],
  ])("%s (sips: %p) without SRV records is an address at the default port", async (transport, secure, target) => {
    dns.a("a.test", "192.0.2.1");
    expect(await located(hop("a.test", { transport, secure }))).toEqual([target]);
  });

  test.each([
    ["ws", false, "ws 192.0.2.1 80"],
    ["wss", false, "wss 192.0.2.1 443"],
    ["ws", true, "wss 192.0.2.1 443"],
  ])("%s (sips: %p) has no SRV records", async (transport, secure, target) => {
    dns.a("a.test", "192.0.2.1");
    expect(await located(hop("a.test", { transport, secure }))).toEqual([target]);
    expect(dns.queries.toSorted()).toEqual(["A a.test", "AAAA a.test"]);
  });

  test("that cannot be used is refused before anything is asked", async () => {
    const locator = locatorAt(dns.address, {}, only("udp"));
    for (const [transport, said] of [
      ["tcp", "tcp"],
      ["sctp", "sctp"],
      ["wss", "wss"],
    ]) {
      expect(await located(hop("a.test", { transport }), locator)).toEqual([
        "ENOTRANSPORT",
        `Transport not supported, ${said}: a.test`,
      ]);
    }
    expect(await located(hop("a.test", { secure: true, port: 5061 }), locator)).toEqual([
      "ENOTRANSPORT",
      "Transport not supported, tls: a.test",
    ]);
    expect(dns.queries).toEqual([]);
  });
});

describe("SRV records", () => {
  test("are tried by priority, each with all its addresses", async () => {
    dns.srv("_sip._udp.a.test", { target: "second.test", priority: 20, port: 5062 });
    dns.srv("_sip._udp.a.test", { target: "first.test", priority: 10, port: 5061 });
    dns.a("second.test", "192.0.2.2").a("first.test", "192.0.2.1").aaaa("first.test", "2001:db8:0:0:0:0:0:1");
    expect(await located(hop("a.test", { transport: "udp" }))).toEqual([
      "udp 2001:db8::1 5061",
      "udp 192.0.2.1 5061",
      "udp 192.0.2.2 5062",
    ]);
  });

  test("share the load by weight, drawn anew at every search though nothing is asked again", async () => {
    dns.srv("_sip._udp.a.test", { target: "heavy.test", weight: 80 }).a("heavy.test", "192.0.2.8");
    dns.srv("_sip._udp.a.test", { target: "light.test", weight: 20 }).a("light.test", "192.0.2.2");
    const locator = locatorAt(dns.address, {}, { random: seededRandom(3263) });
    const next = hop("a.test", { transport: "udp" });
    await locator.locate(next);
    const asked = dns.queries.length;
    let heavy = 0;
    for (let at = 0; at < 5000; at++) {
      const targets = locator.locate(next);
      if (targets instanceof Promise) throw new Error("not remembered");
      expect(targets).toHaveLength(2);
      if (targets[0]!.address === "192.0.2.8") heavy++;
    }
    expect(heavy / 5000).toBeGreaterThan(0.76);
    expect(heavy / 5000).toBeLessThan(0.83);
    expect(dns.queries).toHaveLength(asked);
  });

  test("whose target does not resolve are passed over", async () => {
    dns.srv("_sip._udp.a.test", { target: "gone.test", priority: 1 });
    dns.srv("_sip._udp.a.test", { target: "h.test", priority: 2 }).a("h.test", "192.0.2.1");
    expect(await located(hop("a.test", { transport: "udp" }))).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("that lead nowhere at all leave no target: the domain's own address is not one", async () => {
    dns.srv("_sip._udp.a.test", { target: "gone.test" }).a("a.test", "192.0.2.1");
    expect(await located(hop("a.test", { transport: "udp" }))).toEqual(["ENOTFOUND", "No such host: a.test"]);
  });

  test("with the root as their target say that there is no such service", async () => {
    dns.srv("_sip._udp.a.test", { target: ".", port: 0 }).a("a.test", "192.0.2.1");
    expect(await located(hop("a.test", { transport: "udp" }))).toEqual([
      "EUNAVAILABLE",
      "No SIP service offered: a.test",
    ]);
    expect(await located(hop("a.test"))).toEqual(["EUNAVAILABLE", "No SIP service offered: a.test"]);
    dns.srv("_sip._tcp.a.test", { target: "h.test" }).a("h.test", "192.0.2.2");
    expect(await located(hop("a.test"))).toEqual(["tcp 192.0.2.2 5060"]);
  });

  test("that lead to one address twice give it once", async () => {
    dns.srv("_sip._udp.a.test", { target: "h.test" }).srv("_sip._udp.a.test", { target: "i.test" });
    dns.a("h.test", "192.0.2.1").cname("i.test", "h.test");
    expect(await located(hop("a.test", { transport: "udp" }))).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("without number are followed in bounds", async () => {
    for (let at = 0; at < 40; at++) {
      dns.srv("_sip._udp.a.test", { target: `h${at}.test`, priority: at }).a(`h${at}.test`, `192.0.2.${at}`);
    }
    dns.misbehave("SRV", "_sip._udp.a.test", "truncated");
    const targets = await located(hop("a.test", { transport: "udp" }));
    expect(targets).toEqual(Array.from({ length: 16 }, (_, at) => `udp 192.0.2.${at} 5060`));
    expect(dns.queries.filter((query) => query.startsWith("A "))).toHaveLength(16);
  });

  test("with many addresses give 16 targets at most", async () => {
    for (let at = 1; at < 30; at++) dns.a("a.test", `192.0.2.${at}`);
    dns.misbehave("A", "a.test", "truncated");
    expect(await located(hop("a.test", { port: 5060 }))).toHaveLength(16);
  });
});

describe("a name alone (s4.1)", () => {
  beforeEach(() => {
    dns.naptr("a.test", { service: "SIPS+D2T", order: 50, replacement: "_sips._tcp.a.test" });
    dns.naptr("a.test", { service: "SIP+D2T", order: 90, replacement: "_sip._tcp.elsewhere.test" });
    dns.naptr("a.test", { service: "SIP+D2U", order: 90, preference: 20, replacement: "_sip._udp.a.test" });
    dns.srv("_sips._tcp.a.test", { target: "h.test", port: 5061 });
    dns.srv("_sip._tcp.elsewhere.test", { target: "h.test", port: 5062 });
    dns.srv("_sip._udp.a.test", { target: "h.test", port: 5063 });
    dns.a("h.test", "192.0.2.1");
  });

  test("goes by NAPTR: order, then preference, and the name that each record gives", async () => {
    expect(await located(hop("a.test"))).toEqual(["tls 192.0.2.1 5061", "tcp 192.0.2.1 5062", "udp 192.0.2.1 5063"]);
  });

  test("uses the services that this server can send over, and asks for no others", async () => {
    expect(await located(hop("a.test"), locatorAt(dns.address, {}, only("udp", "tcp")))).toEqual([
      "tcp 192.0.2.1 5062",
      "udp 192.0.2.1 5063",
    ]);
    expect(dns.count("SRV", "_sips._tcp.a.test")).toBe(0);
  });

  test("of a sips URI uses the secure one only", async () => {
    expect(await located(hop("a.test", { secure: true }))).toEqual(["tls 192.0.2.1 5061"]);
    expect(dns.queries.filter((query) => query.startsWith("SRV"))).toEqual(["SRV _sips._tcp.a.test"]);
  });

  test("follows a NAPTR record to an address", async () => {
    dns.naptr("b.test", { service: "SIP+D2T", flags: "a", replacement: "h.test" });
    expect(await located(hop("b.test"))).toEqual(["tcp 192.0.2.1 5060"]);
  });

  test("without NAPTR records of use goes by the SRV records of each transport", async () => {
    dns.naptr("b.test", { service: "SIP+D2S", replacement: "_sip._sctp.b.test" });
    dns.srv("_sip._tcp.b.test", { target: "h.test", port: 5072 });
    dns.srv("_sip._udp.b.test", { target: "h.test", port: 5073 });
    dns.srv("_sips._tcp.b.test", { target: "h.test", port: 5071 });
    expect(await located(hop("b.test"))).toEqual(["udp 192.0.2.1 5073", "tcp 192.0.2.1 5072", "tls 192.0.2.1 5071"]);
    expect(await located(hop("b.test", { secure: true }))).toEqual(["tls 192.0.2.1 5071"]);
  });

  test("whose NAPTR records lead to no SRV records goes by those of the domain", async () => {
    dns.naptr("b.test", { service: "SIP+D2T", replacement: "_sip._tcp.gone.test" });
    dns.srv("_sip._udp.b.test", { target: "h.test" });
    expect(await located(hop("b.test"))).toEqual(["udp 192.0.2.1 5060"]);
  });

  test("whose NAPTR record leads to no service over a transport has none over it", async () => {
    dns.naptr("b.test", { service: "SIP+D2U", replacement: "_sip._udp.closed.test" });
    dns.srv("_sip._udp.closed.test", { target: ".", port: 0 }).srv("_sip._udp.b.test", { target: "h.test" });
    expect(await located(hop("b.test"))).toEqual(["EUNAVAILABLE", "No SIP service offered: b.test"]);
  });

  test("without any of them is an address: UDP, TLS for sips, TCP where there is no UDP", async () => {
    dns.a("b.test", "192.0.2.9");
    expect(await located(hop("b.test"))).toEqual(["udp 192.0.2.9 5060"]);
    expect(await located(hop("b.test", { secure: true }))).toEqual(["tls 192.0.2.9 5061"]);
    expect(await located(hop("b.test"), locatorAt(dns.address, {}, only("tcp")))).toEqual(["tcp 192.0.2.9 5060"]);
    expect(await located(hop("b.test"), locatorAt(dns.address, {}, only("ws")))).toEqual([
      "ENOTRANSPORT",
      "Transport not supported, udp: b.test",
    ]);
  });

  test("that nobody knows is no host", async () => {
    expect(await located(hop("nowhere.test"))).toEqual(["ENOTFOUND", "No such host: nowhere.test"]);
  });
});

describe("the families", () => {
  beforeEach(() => {
    dns.a("both.test", "192.0.2.1").aaaa("both.test", "2001:db8:0:0:0:0:0:1").a("four.test", "192.0.2.4");
  });

  test.each([4, 6] as const)("are asked for as far as they can be sent to: IPv%d alone", async (family) => {
    const locator = locatorAt(dns.address, {}, { supported: (_, asked) => asked === family });
    const [other, address] = family === 4 ? (["AAAA", "192.0.2.1"] as const) : (["A", "2001:db8::1"] as const);
    expect(await located(hop("both.test", { port: 5060 }), locator)).toEqual([`udp ${address} 5060`]);
    expect(dns.count(other, "both.test")).toBe(0);
  });

  test("are named when the one that is needed is missing", async () => {
    const locator = locatorAt(dns.address, {}, { supported: (_, family) => family === 6 });
    expect(await located(hop("four.test", { port: 5060 }), locator)).toEqual([
      "ENOTFOUND",
      "No IPv6 address: four.test",
    ]);
  });

  test("depend on the transport", async () => {
    dns.srv("_sip._udp.m.test", { target: "both.test" }).srv("_sip._tcp.m.test", { target: "both.test" });
    const locator = locatorAt(
      dns.address,
      {},
      { supported: (name, family) => name === (family === 4 ? "udp" : "tcp") },
    );
    expect(await located(hop("m.test"), locator)).toEqual(["udp 192.0.2.1 5060", "tcp 2001:db8::1 5060"]);
  });
});

describe("a name in the hosts file", () => {
  const hosts = {
    find: (name: string) => (name === "own.test" ? { a: ["127.0.0.9"], aaaa: ["::1"] } : undefined),
  };

  test("is not looked for in DNS, and is there at once", () => {
    const locator = locatorAt(dns.address, {}, { hosts });
    expect(brief(locator.locate(hop("own.test")) as never)).toEqual(["udp ::1 5060", "udp 127.0.0.9 5060"]);
    expect(brief(locator.locate(hop("own.test", { secure: true, port: 7 })) as never)).toEqual([
      "tls ::1 7",
      "tls 127.0.0.9 7",
    ]);
    expect(dns.queries).toEqual([]);
  });

  test("may be the target of an SRV record", async () => {
    dns.srv("_sip._udp.a.test", { target: "own.test", port: 5077 });
    const locator = locatorAt(dns.address, {}, { hosts, supported: (_, family) => family === 4 });
    expect(await located(hop("a.test"), locator)).toEqual(["udp 127.0.0.9 5077"]);
  });

  test("is localhost in any case", async () => {
    const locator = locatorAt(dns.address, {}, { hosts: undefined, supported: (_, family) => family === 4 });
    expect(brief(await locator.locate(hop("localhost")))).toContain("udp 127.0.0.1 5060");
    expect(dns.queries).toEqual([]);
  });
});

describe("a target that failed", () => {
  beforeEach(() => {
    dns.srv("_sip._udp.a.test", { target: "one.test", priority: 1 }).a("one.test", "192.0.2.1");
    dns.srv("_sip._udp.a.test", { target: "two.test", priority: 2 }).a("two.test", "192.0.2.2");
  });

  test("is tried last for the time that is set, whatever its priority, and then again in its turn", async () => {
    const clock = new FakeClock();
    const locator = locatorAt(dns.address, { avoidFailed: 20_000 }, { clock });
    const [first, second] = await locator.locate(hop("a.test"));
    locator.failed(first!);
    expect(locator.isAvoided(first!)).toBe(true);
    expect(await locator.locate(hop("a.test"))).toEqual([second!, first!]);
    clock.skip(19_999);
    expect(await locator.locate(hop("a.test"))).toEqual([second!, first!]);
    clock.skip(1);
    expect(await locator.locate(hop("a.test"))).toEqual([first!, second!]);
  });

  test("is tried last for as long as it asked for, and no longer than until it works", async () => {
    const clock = new FakeClock();
    const locator = locatorAt(dns.address, {}, { clock });
    const [first, second] = await locator.locate(hop("a.test"));
    locator.failed(first!, 5000);
    clock.skip(5000);
    expect(locator.isAvoided(first!)).toBe(false);
    locator.failed(first!);
    locator.worked(first!);
    expect(await locator.locate(hop("a.test"))).toEqual([first!, second!]);
  });

  test("is still given when it is the only one", async () => {
    const locator = locatorAt(dns.address);
    const [target] = await locator.locate(hop("192.0.2.1"));
    locator.failed(target!);
    expect(await locator.locate(hop("192.0.2.1"))).toEqual([target!]);
  });

  test("does not push good ones over the bound", async () => {
    const locator = locatorAt(dns.address);
    for (let at = 1; at <= 8; at++) dns.aaaa("many.test", `2001:db8:0:0:0:0:0:${at}`);
    for (let at = 1; at <= 9; at++) dns.a("many.test", `192.0.2.${at}`);
    const first = await locator.locate(hop("many.test", { port: 5060 }));
    expect(first).toHaveLength(16);
    for (const target of first.slice(0, 2)) locator.failed(target);
    const addresses = (await locator.locate(hop("many.test", { port: 5060 }))).map(({ address }) => address);
    expect(addresses.slice(-2)).toEqual(["192.0.2.9", "2001:db8::1"]);
  });
});
