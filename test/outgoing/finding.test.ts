/** Where a request of ours goes: RFC 3263 s4, down to the octets that reach a server. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ServeOptions } from "../../src/index.ts";
import { CA_FILE, CERTIFICATES } from "../support/certificates.ts";
import { DnsServer } from "../support/dns-server.ts";
import { failureOf } from "../support/request-failure.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(20_000);

/** A server on UDP and TCP with a nameserver of its own. */
async function resolving(options: ServeOptions = {}) {
  const dns = await DnsServer.start();
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"],
    resolve: { nameservers: [dns.address] },
    ...options,
  });
  return {
    dns,
    server: running.server,
    log: running.log,
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

describe("by name", () => {
  test("NAPTR, SRV, A: the transport that the domain prefers", async () => {
    for (const [preferred, other, transport] of [
      ["SIP+D2T", "SIP+D2U", "tcp"],
      ["SIP+D2U", "SIP+D2T", "udp"],
    ] as const) {
      using peer = await SipServer.start();
      using all = await resolving();
      all.dns
        .naptr("carrier.test", { service: other, order: 20, replacement: "_other.carrier.test" })
        .naptr("carrier.test", { service: preferred, order: 10, replacement: "_first.carrier.test" })
        .srv("_first.carrier.test", { target: "a.carrier.test", port: peer.port })
        .srv("_other.carrier.test", { target: "a.carrier.test", port: 9 })
        .a("a.carrier.test", "127.0.0.1");
      expect((await all.server.request("OPTIONS", "sip:carrier.test")).status).toBe(200);
      expect(peer.brief).toEqual([`${transport} OPTIONS`]);
      const { message } = peer.requests[0]!;
      // What DNS led to is nowhere in the request.
      expect(message.startLine).toBe("OPTIONS sip:carrier.test SIP/2.0");
      expect(message.header("To")).toBe("<sip:carrier.test>");
      expect(message.header("Via")).toStartWith(`SIP/2.0/${transport.toUpperCase()} 127.0.0.1:`);
    }
  });

  test("SRV without NAPTR; of several targets the one of the lowest priority", async () => {
    using peer = await SipServer.start();
    using all = await resolving();
    all.dns
      .srv("_sip._tcp.carrier.test", { target: "a.carrier.test", port: 9, priority: 5 })
      .srv("_sip._tcp.carrier.test", { target: "a.carrier.test", port: peer.port, priority: 1 })
      .a("a.carrier.test", "127.0.0.1");
    expect((await all.server.request("OPTIONS", "sip:carrier.test")).status).toBe(200);
    expect(peer.brief).toEqual(["tcp OPTIONS"]);
  });

  test("A, where a port is written: neither NAPTR nor SRV is asked for", async () => {
    using peer = await SipServer.start();
    using all = await resolving();
    all.dns.a("host.test", "127.0.0.1").srv("_sip._udp.host.test", { target: "host.test", port: 9 });
    const uri = `sip:host.test:${peer.port}`;
    expect((await all.server.request("OPTIONS", uri)).status).toBe(200);
    expect((await all.server.request("OPTIONS", `${uri};transport=tcp`)).status).toBe(200);
    expect(peer.brief).toEqual(["udp OPTIONS", "tcp OPTIONS"]);
    expect(all.dns.queries.filter((query) => /NAPTR|SRV/.test(query))).toEqual([]);
  });

  test("a transport parameter chooses among the SRV records", async () => {
    using peer = await SipServer.start();
    using all = await resolving();
    for (const transport of ["udp", "tcp"]) {
      all.dns.srv(`_sip._${transport}.carrier.test`, { target: "a.carrier.test", port: peer.port });
    }
    all.dns.a("a.carrier.test", "127.0.0.1");
    await all.server.request("OPTIONS", "sip:carrier.test;transport=TCP");
    await all.server.request("OPTIONS", "sip:carrier.test;transport=udp");
    expect(peer.brief).toEqual(["tcp OPTIONS", "udp OPTIONS"]);
  });

  test("what was found is remembered: a second request asks nothing", async () => {
    using peer = await SipServer.start();
    using all = await resolving();
    all.dns.srv("_sip._udp.carrier.test", { target: "a.carrier.test", port: peer.port });
    all.dns.a("a.carrier.test", "127.0.0.1");
    await all.server.request("OPTIONS", "sip:carrier.test");
    const asked = all.dns.queries.length;
    await all.server.request("OPTIONS", "sip:carrier.test");
    expect(all.dns.queries).toHaveLength(asked);
    expect(peer.brief).toHaveLength(2);
  });
});

describe("numeric", () => {
  test("over UDP, over TCP where it is named, and nothing is asked of DNS", async () => {
    using peer = await SipServer.start();
    using all = await resolving();
    await all.server.request("OPTIONS", `sip:bob@${peer.at}`);
    await all.server.request("OPTIONS", `sip:bob@${peer.at};transport=tcp`);
    expect(peer.brief).toEqual(["udp OPTIONS", "tcp OPTIONS"]);
    expect(all.dns.queries).toEqual([]);
  });

  test("over IPv6", async () => {
    using peer = await SipServer.start(200, { host: "::1" });
    using all = await resolving({ listen: ["udp://127.0.0.1:0", "udp://[::1]:0", "tcp://[::1]:0"] });
    await all.server.request("OPTIONS", `sip:bob@${peer.at}`);
    await all.server.request("OPTIONS", `sip:bob@${peer.at};transport=tcp`);
    expect(peer.brief).toEqual(["udp OPTIONS", "tcp OPTIONS"]);
    for (const { message } of peer.requests)
      expect(message.header("Via")).toMatch(/^SIP\/2\.0\/(UDP|TCP) \[::1\]:\d+;/);
  });

  test("over TCP where the server has no UDP socket", async () => {
    using peer = await SipServer.start();
    using all = await resolving({ listen: "tcp://127.0.0.1:0" });
    expect((await all.server.request("OPTIONS", `sip:${peer.at}`)).status).toBe(200);
    expect(peer.brief).toEqual(["tcp OPTIONS"]);
  });

  test("a Route leads elsewhere than the Request-URI", async () => {
    using peer = await SipServer.start();
    using all = await resolving();
    const { status } = await all.server.request("MESSAGE", "sip:bob@nobody.test", {
      route: `sip:${peer.at};transport=tcp`,
    });
    expect(status).toBe(200);
    const { message, transport } = peer.requests[0]!;
    expect(transport).toBe("tcp");
    expect(message.uri).toBe("sip:bob@nobody.test");
    expect(message.headers("Route")).toEqual([`<sip:${peer.at};transport=tcp;lr>`]);
    expect(all.dns.queries).toEqual([]);
  });
});

describe("sips (RFC 5630 s3.1)", () => {
  const secured = { tls: { ca: [CA_FILE] } };

  test("goes over TLS, by SRV of _sips._tcp, to a server that proves to be the domain", async () => {
    using peer = await SipServer.start(200, { over: ["tls"], certificate: CERTIFICATES.server });
    using all = await resolving(secured);
    all.dns
      .srv("_sips._tcp.example.com", { target: "a.elsewhere.test", port: peer.port })
      .srv("_sip._tcp.example.com", { target: "a.elsewhere.test", port: 9 })
      .a("a.elsewhere.test", "127.0.0.1");
    expect((await all.server.request("OPTIONS", "sips:example.com")).status).toBe(200);
    expect(peer.brief).toEqual(["tls OPTIONS"]);
    expect(peer.requests[0]!.message.header("Via")).toMatch(/^SIP\/2\.0\/TLS 127\.0\.0\.1:\d+;rport;branch=\w+;alias$/);
    await all.server.request("OPTIONS", "sips:example.com");
    expect(peer.connections).toBe(1);
  });

  test("a server that is somebody else gets no request, and the failure names it", async () => {
    using peer = await SipServer.start(200, { over: ["tls"], certificate: CERTIFICATES.other });
    using all = await resolving(secured);
    all.dns.srv("_sips._tcp.example.com", { target: "a.test", port: peer.port }).a("a.test", "127.0.0.1");
    const failure = await failureOf(all.server.request("OPTIONS", "sips:example.com"));
    expect(failure).toMatchObject({ cause: "unreachable", status: 503 });
    expect(failure.message).toContain("example.com");
    expect(peer.requests).toEqual([]);
    expect(all.server.stats()).toMatchObject({ connectFailures: 1, connections: 0 });
  });

  test("TLS by the transport parameter of a sip URI", async () => {
    using peer = await SipServer.start(200, { over: ["tls"], certificate: CERTIFICATES.server });
    using all = await resolving(secured);
    expect((await all.server.request("OPTIONS", `sip:${peer.at};transport=tls`)).status).toBe(200);
    expect(peer.brief).toEqual(["tls OPTIONS"]);
  });

  test("is never sent over UDP or TCP", async () => {
    using peer = await SipServer.start();
    using all = await resolving({ ...secured, streams: { connectTimeout: 200 } });
    const udp = await failureOf(all.server.request("OPTIONS", `sips:${peer.at};transport=udp`));
    expect(udp).toMatchObject({ cause: "unresolved", status: 503 });
    const tcp = await failureOf(all.server.request("OPTIONS", `sips:${peer.at}`));
    expect(tcp.cause).toBe("unreachable");
    expect(peer.requests).toEqual([]);
  });
});

test("a transport that this server cannot open is a failure of the request alone", async () => {
  using peer = await SipServer.start();
  using all = await resolving();
  for (const transport of ["ws", "wss", "sctp"]) {
    const failure = await failureOf(all.server.request("OPTIONS", `sip:${peer.at};transport=${transport}`));
    expect(failure).toMatchObject({ cause: "unresolved", status: 503 });
    expect(failure.message).toContain("127.0.0.1");
  }
  expect((await all.server.request("OPTIONS", `sip:${peer.at}`)).status).toBe(200);
});
