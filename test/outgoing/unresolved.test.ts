/** Names that lead nowhere: the request alone fails, with a reason that names the host, and all others go on. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ResolveSettings } from "../../src/index.ts";
import { DnsServer } from "../support/dns-server.ts";
import { failureOf } from "../support/request-failure.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(20_000);

const DNS_TIMEOUT = 300;

/** A server with a nameserver that misbehaves as the test says, and a peer that can be reached by number. */
async function resolving(settings: Partial<ResolveSettings> = {}) {
  const dns = await DnsServer.start();
  const peer = await SipServer.start();
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"],
    resolve: { nameservers: [dns.address], dnsTimeout: DNS_TIMEOUT, ...settings },
  });
  return {
    dns,
    peer,
    server: running.server,
    log: running.log,
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      peer[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

describe("a request fails by itself, as 503 and with the host in the reason", () => {
  test("no such name", async () => {
    using all = await resolving();
    const failure = await failureOf(all.server.request("OPTIONS", "sip:nobody.test"));
    expect(failure).toMatchObject({ name: "RequestFailed", cause: "unresolved", status: 503 });
    // Of the families that this server has sockets for.
    expect(failure.message).toBe("No IPv4 address: nobody.test");
  });

  test("a nameserver that fails, refuses, or answers garbage", async () => {
    for (const [how, reason] of [
      ["servfail", /^DNS server failed: carrier\.test$/],
      ["refused", /^DNS server refused: carrier\.test$/],
      ["broken", /^DNS [^:]+: carrier\.test$/],
    ] as const) {
      using all = await resolving();
      all.dns.misbehaveAlways(how);
      const failure = await failureOf(all.server.request("OPTIONS", "sip:carrier.test"));
      expect(failure).toMatchObject({ cause: "unresolved", status: 503 });
      expect(failure.message).toMatch(reason);
      expect(all.server.stats().clientTransactions).toBe(0);
    }
  });

  test("a nameserver that is silent, in twice the time of a query at most", async () => {
    using all = await resolving();
    all.dns.misbehaveAlways("silent");
    const since = performance.now();
    const failure = await failureOf(all.server.request("OPTIONS", "sip:carrier.test"));
    expect(failure.message).toBe("DNS did not answer in time: carrier.test");
    expect(performance.now() - since).toBeLessThan(2 * DNS_TIMEOUT + 2000);
  });

  test("a domain that offers no SIP", async () => {
    using all = await resolving();
    all.dns.srv("_sip._udp.carrier.test", { target: "." }).srv("_sip._tcp.carrier.test", { target: "." });
    all.dns.a("carrier.test", "127.0.0.1");
    const failure = await failureOf(all.server.request("OPTIONS", "sip:carrier.test"));
    expect([failure.cause, failure.message]).toEqual(["unresolved", "No SIP service offered: carrier.test"]);
  });

  test("a host that is no name at all, a port of 0", async () => {
    using all = await resolving();
    for (const uri of [`sip:${"x".repeat(64)}.test`, "sip:127.0.0.1:0"]) {
      const failure = await failureOf(all.server.request("OPTIONS", uri));
      expect([uri, failure.cause, failure.status]).toEqual([uri, "unresolved", 503]);
    }
    expect(all.dns.queries).toEqual([]);
  });

  test("an SRV record of port 0 or 65535 where nothing can be sent to", async () => {
    using all = await resolving();
    for (const port of [0, 65_535]) {
      const name = `port-${port}.test`;
      all.dns.srv(`_sip._tcp.${name}`, { target: "a.test", port }).a("a.test", "127.0.0.1");
      const failure = await failureOf(all.server.request("OPTIONS", `sip:${name};transport=tcp`));
      expect(failure.status).toBe(503);
      expect(failure.message).toContain(name);
    }
  });
});

describe("others go on meanwhile", () => {
  test("while DNS takes its time: requests that need none, and those from outside", async () => {
    using all = await resolving({ dnsTimeout: 60_000 });
    const { server, dns, peer } = all;
    dns.misbehaveAlways("silent");
    let isOver = false;
    const over = () => {
      isOver = true;
    };
    server.request("OPTIONS", "sip:slow.test").then(over, over);
    for (let i = 0; i < 20; i++) expect((await server.request("OPTIONS", `sip:${peer.at}`)).status).toBe(200);
    using other = await resolving();
    const { port } = server.addresses[0]!;
    expect((await other.server.request("OPTIONS", `sip:127.0.0.1:${port}`)).status).toBe(200);
    expect(isOver).toBe(false);
  });

  test("many requests for one slow name ask once, and all are sent when it is known", async () => {
    using all = await resolving({ dnsTimeout: 30_000 });
    all.dns.misbehave("A", "slow.test", { delay: 100 }).a("slow.test", "127.0.0.1");
    const uri = `sip:slow.test:${all.peer.port}`;
    const asked = Array.from({ length: 50 }, () => all.server.request("OPTIONS", uri));
    expect((await all.server.request("OPTIONS", `sip:${all.peer.at}`)).status).toBe(200);
    expect(all.peer.brief).toHaveLength(1);
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    expect(all.dns.count("A", "slow.test")).toBe(1);
    expect(all.peer.brief).toHaveLength(51);
  });

  test("a name that was not there is found once it is", async () => {
    using all = await resolving();
    const uri = `sip:late.test:${all.peer.port}`;
    all.dns.misbehave("A", "late.test", "servfail").misbehave("AAAA", "late.test", "servfail");
    expect((await failureOf(all.server.request("OPTIONS", uri))).cause).toBe("unresolved");
    all.dns.misbehave("A", "late.test", null).misbehave("AAAA", "late.test", null).a("late.test", "127.0.0.1");
    // A failure is remembered for a second.
    await Bun.sleep(1050);
    expect((await all.server.request("OPTIONS", uri)).status).toBe(200);
  });
});
