/** When a server fails, the next one gets the request (RFC 3263 s4.3), found by name and reached over real sockets. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ServeOptions } from "../../src/index.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { failureOf } from "../support/request-failure.ts";
import { deadPort, type Reaction, SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(20_000);

type Transport = "udp" | "tcp";
/** What one of the servers behind the name does; null for a port at which nobody listens. */
type Behaviour = Reaction | null;

/**
 * A server on a fake clock, and a name, `carrier.test`, behind which stand servers that behave as said, the first of them
 * to be preferred.
 */
async function carrier(transport: Transport, behaviours: readonly Behaviour[], options: ServeOptions = {}) {
  const clock = new FakeClock();
  const dns = await DnsServer.start();
  const peers: (SipServer | null)[] = [];
  for (const [priority, behaviour] of behaviours.entries()) {
    const peer = behaviour === null ? null : await SipServer.start(behaviour);
    peers.push(peer);
    const port = peer?.port ?? (await deadPort());
    dns.srv(`_sip._${transport}.carrier.test`, { target: "host.carrier.test", port, priority }, 3600);
  }
  dns.a("host.carrier.test", "127.0.0.1", 3600);
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"],
    clock,
    resolve: { nameservers: [dns.address], cacheTtl: 3_600_000 },
    ...options,
  });
  return {
    clock,
    dns,
    server: running.server,
    log: running.log,
    /** The servers that there are. */
    peers: peers.filter((peer) => peer !== null),
    ask: () => running.server.request("OPTIONS", `sip:carrier.test;transport=${transport}`),
    /** How many requests each of them got, repetitions not counted. */
    counts: () => peers.map((peer) => peer?.brief.length ?? 0),
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      for (const peer of peers) peer?.[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

describe("the next server gets the request", () => {
  test("when the first answers 503: in a transaction of its own, with the same Call-ID and CSeq", async () => {
    for (const transport of ["udp", "tcp"] as const) {
      using all = await carrier(transport, [503, [100, 200]]);
      expect((await all.ask()).status).toBe(200);
      const [first, second] = all.peers.map((peer) => peer.requests[0]!.message);
      expect(second!.branch).toMatch(/^z9hG4bK\w{16}$/);
      expect(second!.branch).not.toBe(first!.branch);
      expect(second!.text.replace(second!.branch!, "")).toBe(first!.text.replace(first!.branch!, ""));
      expect(all.server.stats().clientTransactions).toBe(2);
    }
  });

  test("when the first refuses the connection", async () => {
    using all = await carrier("tcp", [null, 200]);
    expect((await all.ask()).status).toBe(200);
    expect(all.counts()).toEqual([0, 1]);
    expect(all.server.stats()).toMatchObject({ connectFailures: 1, transportFailures: 1 });
  });

  test("when the first is silent for 64*T1, and not before; nothing goes to it any more then", async () => {
    for (const transport of ["udp", "tcp"] as const) {
      using all = await carrier(transport, ["silent", 200]);
      const asked = all.ask();
      await all.peers[0]!.request();
      await all.clock.pass(31_980);
      expect(all.counts()).toEqual([1, 0]);
      await all.clock.pass(20);
      expect((await asked).status).toBe(200);
      const { length } = all.peers[0]!.requests;
      await all.clock.pass(60_000);
      expect(all.peers[0]!.requests).toHaveLength(length);
      expect(all.server.stats()).toMatchObject({ timeouts: 1, transactions: 0 });
    }
  });

  test("when there was a provisional response and nothing after it", async () => {
    using all = await carrier("udp", [100, 200]);
    const asked = all.ask();
    await all.peers[0]!.request();
    await all.clock.pass(32_000);
    expect((await asked).status).toBe(200);
  });

  for (const how of ["reset", "close"] as const) {
    test(`when the first ends the connection instead of an answer, by a ${how}`, async () => {
      using all = await carrier("tcp", [how, 200]);
      // The clock stands still: it is not the time-out that tells.
      expect((await all.ask()).status).toBe(200);
      expect(all.counts()).toEqual([1, 1]);
    }, 5000);
  }

  test("one after the other, to the last", async () => {
    using all = await carrier("tcp", [null, 503, "reset", 200, 200]);
    expect((await all.ask()).status).toBe(200);
    expect(all.counts()).toEqual([0, 1, 1, 1, 0]);
  });

  test("a late answer of the first changes nothing", async () => {
    using all = await carrier("udp", ["silent", "silent"]);
    const asked = all.ask();
    const first = await all.peers[0]!.request();
    await all.clock.pass(32_000);
    const second = await all.peers[1]!.request();
    first.react(404);
    second.react(200);
    expect((await asked).status).toBe(200);
    expect(all.server.stats().strayResponses).toBe(1);
  });
});

describe("the last word", () => {
  test("a 503 of the last server is handed over", async () => {
    using all = await carrier("udp", [{ status: 503, headers: ["Retry-After: 7", "X-Which: last"] }]);
    const response = await all.ask();
    expect([response.status, response.header("X-Which")]).toEqual([503, "last"]);
    using two = await carrier("tcp", [503, { status: 503, headers: ["X-Which: last"] }]);
    expect((await two.ask()).header("x-which")).toBe("last");
  });

  test("no other status makes it go on", async () => {
    for (const status of [200, 302, 404, 408, 480, 500, 502, 504, 513, 600]) {
      using all = await carrier("udp", [status, 200]);
      expect((await all.ask()).status).toBe(status);
      expect(all.counts()).toEqual([1, 0]);
    }
  });

  test("when none is left the failure is that of the last one, and names it", async () => {
    using refused = await carrier("tcp", [503, null]);
    const failure = await failureOf(refused.ask());
    expect(failure).toMatchObject({ name: "RequestFailed", cause: "unreachable", status: 503 });
    expect(failure.message).toMatch(/carrier\.test at 127\.0\.0\.1:\d+ \(tcp\)/);

    using silent = await carrier("tcp", [null, "silent"]);
    const asked = failureOf(silent.ask());
    await silent.peers[0]!.request();
    await silent.clock.pass(32_000);
    expect(await asked).toMatchObject({ cause: "timeout", status: 408 });
    expect((await asked).message).toContain(`carrier.test at ${silent.peers[0]!.at} (tcp)`);
  });

  test("a single server is tried even while it is avoided", async () => {
    using all = await carrier("udp", [503]);
    expect((await all.ask()).status).toBe(503);
    expect((await all.ask()).status).toBe(503);
    expect(all.counts()).toEqual([2]);
  });
});

describe("a server that failed is avoided", () => {
  test("for `avoidFailed`, and is the first again after it", async () => {
    for (const behaviour of [null, "reset", 503] as const) {
      using all = await carrier("tcp", [behaviour, 200]);
      await all.ask();
      await all.clock.pass(29_990);
      await all.ask();
      expect(all.counts()).toEqual([behaviour === null ? 0 : 1, 2]);
      expect(all.server.stats().clientTransactions).toBe(3);
      await all.clock.pass(20);
      await all.ask();
      expect(all.counts()).toEqual([behaviour === null ? 0 : 2, 3]);
      expect(all.server.stats().clientTransactions).toBe(5);
    }
  });

  test("for as long as the setting says", async () => {
    using all = await carrier("udp", [503, 200]);
    using brief = await carrier("udp", [503, 200], {
      resolve: { nameservers: [all.dns.address], avoidFailed: 1000 },
    });
    await brief.ask();
    await brief.ask();
    expect(all.counts()).toEqual([1, 2]);
    await brief.clock.pass(1010);
    await brief.ask();
    expect(all.counts()).toEqual([2, 3]);
  });

  test("for as long as its Retry-After says", async () => {
    for (const value of ["120", "120 (in a while)", "120;duration=3600"]) {
      using all = await carrier("udp", [{ status: 503, headers: [`Retry-After: ${value}`] }, 200]);
      await all.ask();
      await all.clock.pass(119_000);
      await all.ask();
      expect([value, ...all.counts()]).toEqual([value, 1, 2]);
      await all.clock.pass(1010);
      await all.ask();
      expect([value, ...all.counts()]).toEqual([value, 2, 3]);
    }
  });

  test("a 503 that is the last word counts too", async () => {
    using all = await carrier("udp", [503, 503]);
    await all.ask();
    all.peers[1]!.onRequest = () => 200;
    all.peers[0]!.onRequest = () => 200;
    await all.ask();
    // Both are avoided alike, so the order is that of DNS.
    expect(all.counts()).toEqual([2, 1]);
    await all.ask();
    expect(all.counts()).toEqual([3, 1]);
  });

  test("an answer ends it: it is the first again at once", async () => {
    using all = await carrier("udp", [503, 200]);
    await all.ask();
    all.peers[1]!.onRequest = () => ({ status: 503, headers: ["Retry-After: 1"] });
    all.peers[0]!.onRequest = () => 404;
    expect((await all.ask()).status).toBe(404);
    all.peers[1]!.onRequest = () => 200;
    // The second may be used again by now; without that answer the first could not.
    await all.clock.pass(1010);
    await all.ask();
    expect(all.counts()).toEqual([3, 2]);
  });

  test("by what stands behind other names as well", async () => {
    using all = await carrier("tcp", ["reset", 200]);
    const [first, second] = all.peers as [SipServer, SipServer];
    for (const [priority, { port }] of [first, second].entries()) {
      all.dns.srv("_sip._tcp.other.test", { target: "host.carrier.test", port, priority });
    }
    await all.ask();
    await all.server.request("OPTIONS", "sip:other.test;transport=tcp");
    expect(all.counts()).toEqual([1, 2]);
  });
});

test("100 requests at once while the first server is down: all are answered by the second", async () => {
  using all = await carrier("tcp", [null, 200]);
  const statuses = await Promise.all(Array.from({ length: 100 }, async () => (await all.ask()).status));
  expect(statuses).toEqual(new Array(100).fill(200));
  expect(all.counts()).toEqual([0, 100]);
  expect(all.peers[0]!.connections).toBe(1);
  await all.clock.pass(10);
  expect(all.server.stats()).toMatchObject({ connections: 1, transactions: 0 });
});
