/** Connections that the server opens over TLS: whom it takes for whom (RFC 5922), and what becomes of its requests. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createServer } from "node:net";
import { type Call, type Dialog, fullUas, RequestFailed, type ServeOptions } from "../../src/index.ts";
import { CA_FILE, CERTIFICATES, type CertificateFiles } from "../support/certificates.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { OFFER, requestText } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { pem, TlsListener } from "../support/tls-listener.ts";
import { until } from "../support/until.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const DOMAINS = [
  "example.com",
  "uri.example",
  "dns.example",
  "cn.example",
  "user.example",
  "chain.example",
  "auth.example",
  "client.example",
  "bank.example",
  "other.example",
  "a.wild.example",
];

/** A server that finds all {@link DOMAINS} at 127.0.0.1. */
async function sender(options: ServeOptions = {}) {
  const dns = await DnsServer.start();
  for (const domain of DOMAINS) dns.a(domain, "127.0.0.1");
  const running = await testServer({
    ...fullUas(),
    listen: ["udp://127.0.0.1:0", "tls://127.0.0.1:0"],
    resolve: { nameservers: [dns.address] },
    ...options,
    tls: { ...CERTIFICATES.server, ca: [CA_FILE], ...options.tls },
  });
  return {
    running,
    dns,
    server: running.server,
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

/** The request must come to nothing. @returns why */
async function failureOf(request: Promise<unknown>): Promise<RequestFailed> {
  const failure = await request.then(
    () => null,
    (error: unknown) => error,
  );
  expect(failure).toBeInstanceOf(RequestFailed);
  return failure as RequestFailed;
}

describe("a server that is connected to", () => {
  const { server, uriOnly, dnsOnly, cnOnly, user, chain, serverAuth } = CERTIFICATES;
  const taken: [string, string, CertificateFiles][] = [
    ["names the domain in a SIP URI", "example.com", server],
    ["whatever the case of its letters", "EXAMPLE.Com", server],
    ["or a final dot", "example.com.", server],
    ["in a SIP URI alone", "uri.example", uriOnly],
    ["as a DNS name, having no SIP URI", "dns.example", dnsOnly],
    ["as a DNS name that the hosts file knows", "localhost", dnsOnly],
    ["as a DNS name beside a person's URI", "user.example", user],
    ["as its common name, having nothing else", "cn.example", cnOnly],
    ["through an intermediate authority", "chain.example", chain],
    ["with a certificate for servers alone", "auth.example", serverAuth],
    ["by its address, where the URI does", "127.0.0.1", server],
  ];
  test.each(taken)("is taken when it %s: %s", async (_how, domain, files) => {
    using peer = new TlsListener(files);
    using from = await sender();
    const response = await from.server.request("OPTIONS", `sip:${domain}:${peer.port};transport=tls`);
    expect(response.status).toBe(200);
    expect(peer.requests).toHaveLength(1);
    expect(peer.requests[0]!.header("Via")).toMatch(/^SIP\/2\.0\/TLS /);
    // It asks for the name, never for an address, and shows its own certificate.
    const isName = /[a-z]/i.test(domain);
    expect(peer.serverNames.map((name) => name.toLowerCase())).toEqual(
      isName ? [domain.toLowerCase().replace(/\.$/, "")] : [],
    );
    expect(peer.trusted).toBe(1);
    expect(from.server.stats()).toMatchObject({ connectionsOpened: 1, connectFailures: 0, transportFailures: 0 });
  });

  const { other, expired, future, untrusted, selfSigned, wildcard, client, misleading } = CERTIFICATES;
  const refused: [string, string, CertificateFiles, RegExp][] = [
    ["another name", "example.com", other, /names other\.example instead/],
    ["a DNS name beside a SIP URI", "localhost", server, /names example\.com instead/],
    ["an end in the past", "example.com", expired, /expired on 2021-01-01/],
    ["a beginning in the future", "example.com", future, /not valid before 2124-01-01/],
    ["an issuer that is not trusted", "example.com", untrusted, /not trusted/],
    ["its own signature", "example.com", selfSigned, /signed by itself/],
    ["a wildcard", "a.wild.example", wildcard, /names \*\.wild\.example instead/],
    ["use for clients alone", "client.example", client, /not meant for servers/],
    ["a name within a name", "bank.example", misleading, /names/],
    ["no such address", "127.0.0.1", other, /names other\.example instead/],
  ];
  test.each(refused)("is refused when its certificate has %s", async (_what, domain, files, why) => {
    using peer = new TlsListener(files);
    using from = await sender();
    const failure = await failureOf(from.server.request("OPTIONS", `sip:${domain}:${peer.port};transport=tls`));
    expect(failure).toMatchObject({ cause: "unreachable", status: 503 });
    expect(failure.message).toContain(domain);
    expect(failure.message).toMatch(why);
    await until("the end of the connection", () => peer.size === 0);
    expect(peer.requests).toEqual([]);
    expect(from.server.stats()).toMatchObject({
      connections: 0,
      connectFailures: 1,
      connectionsOpened: 0,
      transportFailures: 1,
    });
  });

  const unverified = refused.map(([what, domain, files]): [string, string, CertificateFiles] => [what, domain, files]);
  test.each(unverified)("with verification off is taken with %s", async (_what, domain, files) => {
    using peer = new TlsListener(files);
    using from = await sender({ tls: { verifyServers: false } });
    const { status } = await from.server.request("OPTIONS", `sip:${domain}:${peer.port};transport=tls`);
    expect(status).toBe(200);
  });
});

describe("requests over TLS", () => {
  test.each(["sips:example.com:PORT", "sips:example.com:PORT;transport=tcp", "sip:example.com:PORT;transport=TLS"])(
    "%s",
    async (uri) => {
      using peer = new TlsListener(CERTIFICATES.server);
      using from = await sender();
      expect((await from.server.request("OPTIONS", uri.replace("PORT", `${peer.port}`))).status).toBe(200);
      expect(peer.requests[0]!.header("Via")).toMatch(/^SIP\/2\.0\/TLS /);
    },
  );

  test("a sips URI is never sent to over UDP, however it asks for it (RFC 5630 s3.1.3)", async () => {
    using from = await sender();
    const failure = await failureOf(from.server.request("OPTIONS", "sips:127.0.0.1:9;transport=udp"));
    expect(failure.cause).toBe("unresolved");
    expect(from.server.stats()).toMatchObject({ messagesSent: 0, connections: 0 });
  });

  test("to one domain share a connection; another domain at the same address has its own (RFC 5923 s9.3)", async () => {
    using peer = new TlsListener(CERTIFICATES.server);
    using from = await sender({ tls: { verifyServers: false } });
    const ask = (domain: string) => from.server.request("OPTIONS", `sip:${domain}:${peer.port};transport=tls`);
    await Promise.all([ask("example.com"), ask("example.com"), ask("example.com")]);
    await ask("example.com");
    expect(peer.accepted).toBe(1);
    await ask("uri.example");
    expect(peer.accepted).toBe(2);
  });

  test("a refused server does not spoil the connection for the domain that it does name", async () => {
    using peer = new TlsListener(CERTIFICATES.server);
    using from = await sender();
    const [good, bad] = await Promise.all([
      from.server.request("OPTIONS", `sip:example.com:${peer.port};transport=tls`),
      failureOf(from.server.request("OPTIONS", `sip:other.example:${peer.port};transport=tls`)),
    ]);
    expect(good.status).toBe(200);
    expect(bad.cause).toBe("unreachable");
    expect(peer.requests).toHaveLength(1);
  });

  test("go to the next address of a domain when the first one is somebody else", async () => {
    using from = await sender();
    using good = new TlsListener(CERTIFICATES.server);
    using impostor = new TlsListener(CERTIFICATES.other);
    from.dns
      .srv("_sips._tcp.two.example", { target: "a.two.example", port: impostor.port, priority: 1 })
      .srv("_sips._tcp.two.example", { target: "b.two.example", port: good.port, priority: 2 })
      .a("a.two.example", "127.0.0.1")
      .a("b.two.example", "127.0.0.1");
    // Neither is named two.example: what DNS makes of a domain is no proof of anything (RFC 5922 s4).
    const failure = await failureOf(from.server.request("OPTIONS", "sips:two.example"));
    expect(failure.message).toContain("two.example");
    expect([good.accepted, impostor.accepted]).toEqual([1, 1]);
    from.dns
      .remove("example.com")
      .srv("_sips._tcp.example.com", { target: "a.two.example", port: impostor.port, priority: 1 })
      .srv("_sips._tcp.example.com", { target: "b.two.example", port: good.port, priority: 2 });
    expect((await from.server.request("OPTIONS", "sips:example.com")).status).toBe(200);
    expect(good.requests).toHaveLength(1);
    expect(impostor.requests).toEqual([]);
  });

  test("fail when the peer does not speak TLS, or hangs up in the handshake", async () => {
    using from = await sender();
    const peer = createServer((socket) => socket.on("error", () => {}).end("SIP/2.0 200 OK\r\n\r\n"));
    await new Promise<void>((resolve) => peer.listen(0, "127.0.0.1", resolve));
    const { port } = peer.address() as { port: number };
    const failure = await failureOf(from.server.request("OPTIONS", `sip:example.com:${port};transport=tls`));
    expect(failure.cause).toBe("unreachable");
    expect(from.server.stats()).toMatchObject({ connectFailures: 1, connections: 0, connectionsOpened: 0 });
    peer.close();
  });

  test("fail when the handshake takes longer than it may", async () => {
    const clock = new FakeClock();
    using from = await sender({ clock, streams: { connectTimeout: 5000 } });
    const peer = createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise<void>((resolve) => peer.listen(0, "127.0.0.1", resolve));
    const { port } = peer.address() as { port: number };
    const failed = failureOf(from.server.request("OPTIONS", `sip:127.0.0.1:${port};transport=tls`));
    await until("the connection", () => from.server.stats().connections === 1);
    await clock.pass(4500);
    expect(from.server.stats()).toMatchObject({ connections: 1 });
    await clock.pass(1000);
    expect((await failed).cause).toBe("unreachable");
    expect(from.server.stats()).toMatchObject({ connections: 0, connectFailures: 1 });
    peer.close();
  });

  test("need no certificate of this server's own", async () => {
    using peer = new TlsListener(CERTIFICATES.server);
    using running = await testServer({ ...fullUas(), listen: "udp://127.0.0.1:0", tls: { ca: [CA_FILE] } });
    const response = await running.server.request("OPTIONS", `sips:127.0.0.1:${peer.port}`);
    expect(response.status).toBe(200);
    expect([peer.accepted, peer.trusted]).toEqual([1, 0]);
    expect(peer.requests[0]!.header("Via")).not.toContain("0.0.0.0");
  });

  test("are followed by the peer's own over the same connection, which it may reuse (RFC 5923)", async () => {
    using peer = new TlsListener(CERTIFICATES.server);
    using from = await sender();
    const ask = () => from.server.request("OPTIONS", `sip:example.com:${peer.port};transport=tls`);
    await ask();
    peer.send(requestText("OPTIONS", { transport: "TLS", sentBy: "192.0.2.7:5061", viaParams: ";rport" }));
    const answer = await until("the answer", () => peer.responses[0]);
    expect(answer.status).toBe(200);
    await ask();
    expect(peer.accepted).toBe(1);
  });

  test("of any length and number wait for the handshake, and come in order", async () => {
    using peer = new TlsListener(CERTIFICATES.server);
    using from = await sender();
    const bodies = Array.from({ length: 20 }, (_, n) => `${n}`.padEnd(30_000, "x"));
    const uri = `sip:example.com:${peer.port};transport=tls`;
    await Promise.all(bodies.map((body) => from.server.request("MESSAGE", uri, { body, contentType: "text/plain" })));
    expect(peer.requests.map(({ body }) => body.length)).toEqual(bodies.map(({ length }) => length));
    expect(peer.requests.map(({ body }) => Number.parseInt(body, 10))).toEqual(bodies.map((_, n) => n));
    expect(peer.accepted).toBe(1);
  });

  test.each(["ended", "reset"] as const)(
    "that are under way when the peer has %s the connection fail with 503 at once",
    async (how) => {
      using peer = new TlsListener(CERTIFICATES.server);
      peer.answers = false;
      using from = await sender();
      const failed = failureOf(from.server.request("OPTIONS", `sip:example.com:${peer.port};transport=tls`));
      await until("the request", () => peer.requests.length === 1);
      if (how === "ended") peer.hangUp();
      else peer.reset();
      expect(await failed).toMatchObject({ cause: "unreachable", status: 503 });
    },
    8000,
  );
});

describe("the server's own BYE", () => {
  async function established(call: (running: TestServer) => Promise<{ ack(): void; lose(): void }>, options = {}) {
    const answered = Promise.withResolvers<Dialog>();
    const from = await sender({
      ...options,
      invite: (incoming: Call) => {
        incoming.answer("v=0\r\n").then(answered.resolve, answered.reject);
      },
    });
    const { ack, lose } = await call(from.running);
    ack();
    const dialog = await answered.promise;
    lose();
    return { ...from, dialog };
  }

  /** A call over TLS whose Contact is `contact`, and whose connection is then closed. */
  function overTls(contact: string) {
    return async (running: TestServer) => {
      const { address, port } = running.server.addresses[1]!;
      const client = await StreamClient.open({ address, port }, { transport: "tls" });
      const call = await client.invite({ body: OFFER, contact: `<${contact}>` });
      return { ack: () => void call.ack(), lose: () => client[Symbol.dispose]() };
    };
  }

  const contacts = ["sip:alice@example.com:PORT;transport=tls", "sips:alice@example.com:PORT", "sips:a@127.0.0.1:PORT"];
  test.each(contacts)("goes to %s over a new connection when the caller's is gone", async (contact) => {
    using peer = new TlsListener(CERTIFICATES.server);
    using over = await established(overTls(contact.replace("PORT", `${peer.port}`)));
    await until("the loss", () => over.server.stats().connections === 0);
    over.dialog.bye();
    const bye = await until("BYE", () => peer.requests[0]);
    expect(bye.method).toBe("BYE");
    expect(bye.header("Via")).toMatch(/^SIP\/2\.0\/TLS 127\.0\.0\.1:\d+;/);
    await until("the answer", () => over.server.stats().messagesReceived === 3);
    expect(over.server.stats()).toMatchObject({ byesUndelivered: 0, connectionsOpened: 1 });
  });

  test("is not given to a stranger", async () => {
    using peer = new TlsListener(CERTIFICATES.other);
    using over = await established(overTls(`sip:alice@example.com:${peer.port};transport=tls`));
    await until("the loss", () => over.server.stats().connections === 0);
    over.dialog.bye();
    await until("the failure", () => over.server.stats().byesUndelivered === 1);
    expect(peer.requests).toEqual([]);
    const line = over.running.log.lines.find(({ message }) => message.includes("BYE"));
    expect(line!.fields.cause).toContain("example.com");
  });

  test("goes over TLS when a call that came over UDP has a Contact that asks for it", async () => {
    using peer = new TlsListener(CERTIFICATES.server);
    using over = await established(async (running) => {
      const client = await WireClient.open(running.server.addresses[0]!);
      const call = await client.invite({ contact: `<sip:alice@example.com:${peer.port};transport=tls>` });
      return { ack: () => void call.ack(), lose: () => client[Symbol.dispose]() };
    });
    over.dialog.bye();
    expect((await until("BYE", () => peer.requests[0])).method).toBe("BYE");
  });
});

describe("a response whose connection is gone (RFC 3261 s18.2.2)", () => {
  /** An INVITE over TLS that is answered once its connection is gone; the Via names a listener of the caller's. */
  async function answerAfterLoss(files: CertificateFiles) {
    const incoming = Promise.withResolvers<Call>();
    const from = await sender({ invite: (call) => incoming.resolve(call) });
    const { address, port } = from.server.addresses[1]!;
    const options = { transport: "tls", listen: true, listenTls: pem(files) } as const;
    const client = await StreamClient.open({ address, port }, options);
    const invite = client.request("INVITE", { body: OFFER });
    const call = await incoming.promise;
    await client.next(100, invite);
    client.reset();
    await until("the loss", () => from.server.stats().connections === 0);
    call.reject(486);
    return { client, invite, from };
  }

  test("goes over a new one to where the Via says", async () => {
    const { client, invite, from } = await answerAfterLoss(CERTIFICATES.server);
    using _from = from;
    using _client = client;
    expect((await client.next(486, invite)).callId).toBe(invite.callId);
    expect(client.accepted).toBe(1);
  });

  test("is not given to a stranger", async () => {
    const { client, from } = await answerAfterLoss(CERTIFICATES.other);
    using _from = from;
    using _client = client;
    await until("the refusal", () => from.server.stats().connectFailures === 1);
    expect(client.octets).toBeLessThan(1000);
    await until("the end", () => from.server.stats().connections === 0);
    await expect(Promise.race([client.next(486), Bun.sleep(200).then(() => "nothing")])).resolves.toBe("nothing");
  });
});
