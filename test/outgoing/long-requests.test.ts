/** Requests of more than 1,300 octets go over TCP instead of UDP where the peer takes it: RFC 3261 s18.1.1. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ServeOptions } from "../../src/index.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { failureOf } from "../support/request-failure.ts";
import { deadPort, SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(20_000);

async function standing(options: ServeOptions = {}) {
  const clock = new FakeClock();
  const running = await testServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], clock, ...options });
  const { server, log } = running;
  return {
    clock,
    server,
    /** Asks with a body of so many octets. */
    ask: (uri: string, body: number) =>
      server.request("MESSAGE", uri, { body: "x".repeat(body), contentType: "text/plain" }),
    fallbacks: () => log.lines.filter(({ message }) => message.startsWith("a long request goes over UDP")),
    [Symbol.dispose]() {
      running[Symbol.dispose]();
    },
  };
}

const LONG = 1300;

describe("a peer that takes TCP", () => {
  test("gets the long request over TCP, its Via saying so, and short ones over UDP", async () => {
    using peer = await SipServer.start();
    using all = await standing();
    expect((await all.ask(`sip:${peer.at}`, LONG)).status).toBe(200);
    expect((await all.ask(`sip:${peer.at}`, 100)).status).toBe(200);
    expect((await all.ask(`sip:${peer.at}`, 60_000)).status).toBe(200);
    expect(peer.brief).toEqual(["tcp MESSAGE", "udp MESSAGE", "tcp MESSAGE"]);
    const vias = peer.requests.map(({ message }) => message.header("Via")!.split(" ")[0]);
    expect(vias).toEqual(["SIP/2.0/TCP", "SIP/2.0/UDP", "SIP/2.0/TCP"]);
    expect(peer.requests[0]!.message.body).toHaveLength(LONG);
    expect(peer.connections).toBe(1);
    expect(all.fallbacks()).toEqual([]);
  });

  test("at 1,300 octets over UDP, at 1,301 over TCP", async () => {
    using peer = await SipServer.start();
    using all = await standing();
    await all.ask(`sip:${peer.at}`, 500);
    const head = peer.requests[0]!.message.text.length - 500;
    await all.ask(`sip:${peer.at}`, 1300 - head - 1);
    const rest = 1300 - peer.requests[1]!.message.text.length;
    await all.ask(`sip:${peer.at}`, 1300 - head - 1 + rest);
    await all.ask(`sip:${peer.at}`, 1300 - head - 1 + rest + 1);
    const seen = peer.requests.map(({ transport, message }) => [transport, message.text.length]).slice(2);
    expect(seen).toEqual([
      ["udp", 1300],
      ["tcp", 1301],
    ]);
  });

  test("is not asked again over UDP when it is silent over TCP", async () => {
    using peer = await SipServer.start("silent");
    using all = await standing();
    const asked = failureOf(all.ask(`sip:${peer.at}`, LONG));
    await peer.request();
    await all.clock.pass(32_000);
    expect((await asked).cause).toBe("timeout");
    expect(peer.brief).toEqual(["tcp MESSAGE"]);
  });

  test("once it has answered over TCP, its end there is the end", async () => {
    using peer = await SipServer.start([100, "reset"]);
    using all = await standing();
    expect((await failureOf(all.ask(`sip:${peer.at}`, LONG))).cause).toBe("unreachable");
    expect(peer.brief).toEqual(["tcp MESSAGE"]);
    expect(all.fallbacks()).toEqual([]);
  });
});

describe("a peer that does not take TCP", () => {
  test("gets it over UDP after the refusal, with one line in the log; then over UDP at once while TCP is avoided", async () => {
    using peer = await SipServer.start(200, { over: ["udp"] });
    using all = await standing();
    expect((await all.ask(`sip:${peer.at}`, LONG)).status).toBe(200);
    expect(peer.brief).toEqual(["udp MESSAGE"]);
    expect(peer.requests[0]!.message.header("Via")).toStartWith("SIP/2.0/UDP ");
    expect(all.fallbacks()).toHaveLength(1);
    expect(all.fallbacks()[0]!.fields).toMatchObject({ method: "MESSAGE", peer: peer.at });
    expect(all.fallbacks()[0]!.level).toBe("info");

    expect((await all.ask(`sip:${peer.at}`, LONG)).status).toBe(200);
    expect(all.fallbacks()).toHaveLength(1);
    expect(all.server.stats().connectFailures).toBe(1);

    // By then it may have learnt.
    await all.clock.pass(30_010);
    peer.listen(peer.port);
    expect((await all.ask(`sip:${peer.at}`, LONG)).status).toBe(200);
    expect(peer.brief).toEqual(["udp MESSAGE", "udp MESSAGE", "tcp MESSAGE"]);
  });

  test("gets it sent again over UDP as any request", async () => {
    using peer = await SipServer.start(({ isRepeated }) => (isRepeated ? 200 : "silent"), { over: ["udp"] });
    using all = await standing();
    const asked = all.ask(`sip:${peer.at}`, LONG);
    await peer.request();
    await all.clock.pass(500);
    expect((await asked).status).toBe(200);
    expect(peer.requests).toHaveLength(2);
  });

  test("gets it over UDP when it takes the connection and drops it", async () => {
    using peer = await SipServer.start(({ transport }) => (transport === "tcp" ? "reset" : 200));
    using all = await standing();
    expect((await all.ask(`sip:${peer.at}`, LONG)).status).toBe(200);
    expect(peer.brief).toEqual(["tcp MESSAGE", "udp MESSAGE"]);
    const [first, second] = peer.requests.map(({ message }) => message);
    expect([second!.callId, second!.cseq]).toEqual([first!.callId, first!.cseq]);
    expect(second!.branch).not.toBe(first!.branch);
  });

  test("several at once: each falls back, and TCP is tried once", async () => {
    using peer = await SipServer.start(200, { over: ["udp"] });
    using all = await standing();
    const answers = await Promise.all(Array.from({ length: 10 }, () => all.ask(`sip:${peer.at}`, LONG)));
    expect(answers.map(({ status }) => status)).toEqual(new Array(10).fill(200));
    expect(peer.brief).toEqual(new Array(10).fill("udp MESSAGE"));
    expect(all.server.stats().connectFailures).toBe(1);
  });

  test("and is silent over UDP too: then it has failed", async () => {
    using peer = await SipServer.start("silent", { over: ["udp"] });
    using all = await standing();
    const asked = failureOf(all.ask(`sip:${peer.at}`, LONG));
    await peer.request();
    await all.clock.pass(32_000);
    expect(await asked).toMatchObject({ cause: "timeout", status: 408 });
    expect((await asked).message).toContain(`${peer.at} (udp)`);
  });
});

test("where TCP was named, there is no UDP to fall back to", async () => {
  using peer = await SipServer.start(200, { over: ["udp"] });
  using all = await standing();
  expect((await failureOf(all.ask(`sip:${peer.at};transport=tcp`, LONG))).cause).toBe("unreachable");
  expect(peer.requests).toEqual([]);
});

test("the fallback is for the server that was tried: one further on does not bring it back", async () => {
  // The first is silent over TCP; the second is for TCP alone, and refuses it.
  using dns = await DnsServer.start();
  using first = await SipServer.start(({ transport }) => (transport === "tcp" ? "silent" : 200));
  dns
    .naptr("carrier.test", { service: "SIP+D2U", order: 1, replacement: "_sip._udp.carrier.test" })
    .naptr("carrier.test", { service: "SIP+D2T", order: 2, replacement: "_sip._tcp.carrier.test" })
    .srv("_sip._udp.carrier.test", { target: "a.test", port: first.port })
    .srv("_sip._tcp.carrier.test", { target: "a.test", port: await deadPort() })
    .a("a.test", "127.0.0.1");
  using all = await standing({ resolve: { nameservers: [dns.address] } });
  const asked = failureOf(all.ask("sip:carrier.test", LONG));
  await first.request();
  await all.clock.pass(32_000);
  expect((await asked).cause).toBe("unreachable");
  expect(first.brief).toEqual(["tcp MESSAGE"]);
  expect(all.fallbacks()).toEqual([]);
});

test("the fallback is not brought back after a 503 over TCP either", async () => {
  using dns = await DnsServer.start();
  using first = await SipServer.start(503);
  dns
    .naptr("carrier.test", { service: "SIP+D2U", order: 1, replacement: "_sip._udp.carrier.test" })
    .naptr("carrier.test", { service: "SIP+D2T", order: 2, replacement: "_sip._tcp.carrier.test" })
    .srv("_sip._udp.carrier.test", { target: "a.test", port: first.port })
    .srv("_sip._tcp.carrier.test", { target: "a.test", port: await deadPort() })
    .a("a.test", "127.0.0.1");
  using all = await standing({ resolve: { nameservers: [dns.address] } });
  expect((await failureOf(all.ask("sip:carrier.test", LONG))).cause).toBe("unreachable");
  expect(first.brief).toEqual(["tcp MESSAGE"]);
});
