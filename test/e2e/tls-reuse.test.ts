/**
 * Connection reuse over TLS (RFC 5923): a caller that offers `alias` and has proved by its certificate which domain it is
 * gets requests for that domain over the connection that it made; nobody else's.
 */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fullUas } from "../../src/index.ts";
import { CA_FILE, CERTIFICATES, type CertificateFiles } from "../support/certificates.ts";
import { DnsServer } from "../support/dns-server.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { pem, TlsListener } from "../support/tls-listener.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const { other, uriOnly, server, untrusted, wildcard } = CERTIFICATES;

/** What a caller shows and says, and what listens where its Via says that it does. */
interface Peer {
  certificate?: CertificateFiles;
  viaParams?: string;
  listener?: CertificateFiles;
}

/** A server that a caller has sent an OPTIONS to; the caller's Via names the port of a listener of the test's. */
async function afterFirstRequest({ certificate, viaParams = ";alias", listener = other }: Peer) {
  const dns = await DnsServer.start();
  for (const domain of ["other.example", "uri.example", "example.com", "a.wild.example"]) dns.a(domain, "127.0.0.1");
  const running = await testServer({
    ...fullUas(),
    listen: "tls://127.0.0.1:0",
    resolve: { nameservers: [dns.address] },
    tls: { ...server, ca: [CA_FILE], clientCertificates: "optional" },
  });
  const elsewhere = new TlsListener(listener);
  const caller = await StreamClient.open(running.address, {
    transport: "tls",
    tls: certificate === undefined ? {} : pem(certificate),
  });
  const sentBy = `127.0.0.1:${elsewhere.port}`;
  await caller.ask("OPTIONS", { sentBy, viaParams });

  /** Has the server send OPTIONS to a domain. @returns where it came out */
  async function send(domain: string): Promise<"reused" | "new" | "nowhere"> {
    const before = elsewhere.requests.length;
    const asked = running.server.request("OPTIONS", `sip:${domain}:${elsewhere.port};transport=tls`).then(
      () => (elsewhere.requests.length > before ? "new" : "reused"),
      () => "nowhere" as const,
    );
    const arrived = caller.next("OPTIONS").then((request: SipMessage) => caller.respond(request, 200));
    arrived.catch(() => {});
    return asked;
  }

  return {
    server: running.server,
    address: running.address,
    caller,
    elsewhere,
    sentBy,
    send,
    [Symbol.dispose]() {
      caller[Symbol.dispose]();
      elsewhere[Symbol.dispose]();
      running[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

describe("a request to the domain of a caller goes over the caller's own connection", () => {
  const spellings = [";alias", ";rport;alias", ";alias;rport", "; Alias ;x=y", ";ALIAS;received=192.0.2.7"];
  test.each(spellings)("with %s in its Via", async (viaParams) => {
    using peer = await afterFirstRequest({ certificate: other, viaParams });
    expect(await peer.send("other.example")).toBe("reused");
    expect(await peer.send("OTHER.example")).toBe("reused");
    expect(peer.elsewhere.accepted).toBe(0);
    expect(peer.server.stats()).toMatchObject({ connectionsOpened: 0, connections: 1 });
  });

  test("offered from the first request on; one that comes later changes nothing", async () => {
    using peer = await afterFirstRequest({ certificate: other });
    await peer.caller.ask("OPTIONS", { sentBy: peer.sentBy });
    expect(await peer.send("other.example")).toBe("reused");
  });
});

describe("a request goes over a new connection", () => {
  const cases: [string, Peer][] = [
    ["without alias", { certificate: other, viaParams: "" }],
    ["with a parameter that only begins so", { certificate: other, viaParams: ";aliases" }],
    ["with alias as the value of another", { certificate: other, viaParams: ";x=alias" }],
    ["with alias in quotes", { certificate: other, viaParams: ';x=";alias"' }],
    ["without a certificate", {}],
    ["with a certificate that cannot be trusted", { certificate: untrusted }],
    ["with the certificate of another domain", { certificate: uriOnly }],
  ];
  test.each(cases)("%s", async (_name, peer) => {
    using running = await afterFirstRequest(peer);
    expect(await running.send("other.example")).toBe("new");
  });

  test("with a certificate that cannot be trusted and names the domain", async () => {
    using peer = await afterFirstRequest({ certificate: untrusted, listener: server });
    expect(await peer.send("example.com")).toBe("new");
  });

  test("to a domain that the caller did not prove, whatever its connection is used for", async () => {
    using peer = await afterFirstRequest({ certificate: other, listener: uriOnly });
    expect(await peer.send("uri.example")).toBe("new");
  });

  test("to another port of the caller's domain", async () => {
    using peer = await afterFirstRequest({ certificate: other });
    using another = new TlsListener(other);
    const { status } = await peer.server.request("OPTIONS", `sip:other.example:${another.port};transport=tls`);
    expect(status).toBe(200);
    expect(another.requests).toHaveLength(1);
  });

  test("once the caller's connection is gone", async () => {
    using peer = await afterFirstRequest({ certificate: other });
    peer.caller.end();
    await until("the end", () => peer.server.stats().connections === 0);
    expect(await peer.send("other.example")).toBe("new");
  });

  test("where the alias was in a Via below the top one", async () => {
    using peer = await afterFirstRequest({
      certificate: other,
      viaParams: "\r\nVia: SIP/2.0/TLS 192.0.2.9;branch=z9hG4bKbelow;alias",
    });
    expect(await peer.send("other.example")).toBe("new");
  });
});

test("a wildcard proves no domain (RFC 5922 s7.2)", async () => {
  using peer = await afterFirstRequest({ certificate: wildcard });
  expect(await peer.send("a.wild.example")).toBe("nowhere");
});

test("another caller with the same certificate does not take the first one's place", async () => {
  using peer = await afterFirstRequest({ certificate: other });
  using second = await StreamClient.open(peer.address, { transport: "tls", tls: pem(other) });
  await second.ask("OPTIONS", { sentBy: peer.sentBy, viaParams: ";alias" });
  expect(await peer.send("other.example")).toBe("reused");
  expect(await second.restBrief()).toEqual([]);
});

test("requests of the server offer its own connections in the same way", async () => {
  using peer = await afterFirstRequest({});
  await peer.send("other.example");
  expect(peer.elsewhere.requests[0]!.header("Via")).toMatch(/;alias(;|$)/);
});
