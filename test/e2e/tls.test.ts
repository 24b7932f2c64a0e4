/** SIP over TLS as callers see it: versions, handshakes that come to nothing, and client certificates. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, type SecureVersion } from "node:tls";
import { type Call, fullUas, type ServeOptions } from "../../src/index.ts";
import { CA_FILE, CERTIFICATES, UNTRUSTED_CA_FILE } from "../support/certificates.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { OFFER, requestText } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { pem } from "../support/tls-listener.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

function listen(options: ServeOptions = {}): Promise<TestServer> {
  const tls = { ...CERTIFICATES.server, ca: [CA_FILE], ...options.tls };
  return testServer({ ...fullUas(), listen: "tls://127.0.0.1:0", ...options, tls });
}

function connect(to: TestServer, tls: Bun.TLSOptions = {}): Promise<StreamClient> {
  return StreamClient.open(to.address, { transport: "tls", tls });
}

/** Makes a call and ends it. */
async function callOver(client: StreamClient): Promise<void> {
  const call = await client.invite({ body: OFFER });
  call.ack();
  expect((await call.ask("BYE")).status).toBe(200);
}

/** Connects over TCP, writes, and waits for the server to close. @returns what it sent */
async function rawExchange(port: number, octets: string | Uint8Array): Promise<Buffer> {
  const socket = connectTcp({ host: "127.0.0.1", port });
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(octets);
  await closed;
  return Buffer.concat(chunks);
}

/** Tries a handshake in one version. @returns the version that was agreed on, or what went wrong */
function handshakeIn(version: SecureVersion, port: number): Promise<string> {
  return new Promise((resolve) => {
    const range = { minVersion: version, maxVersion: version };
    const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...range }, () => {
      resolve(socket.getProtocol() ?? "");
      // In order: the server may not have the client's last words yet.
      socket.end();
    });
    socket.on("error", ({ message }) => resolve(message));
  });
}

describe("versions of TLS", () => {
  const versions: [SecureVersion, number][] = [
    ["TLSv1.2", 0x0303],
    ["TLSv1.3", 0x0304],
  ];
  test.each(versions)("a call over %s", async (name, number) => {
    using running = await listen();
    expect(await handshakeIn(name, running.address.port)).toBe(name);
    using client = await connect(running, { minVersion: number, maxVersion: number } as Bun.TLSOptions);
    const invite = client.request("INVITE", { body: OFFER });
    const ringing = await client.next(180, invite);
    const { address, port } = running.address;
    expect(ringing.header("Contact")).toBe(`<sip:${address}:${port};transport=tls>`);
    const ok = await client.next(200, invite);
    expect(ok.header("Via")).toMatch(/^SIP\/2\.0\/TLS /);
    const call = client.call(invite, ok);
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
    expect(running.server.stats()).toMatchObject({ callsAnswered: 1, handshakeFailures: 0, malformed: 0, dialogs: 0 });
  });

  test("a call to a sips URI has a sips Contact (RFC 5630 s5.1.2)", async () => {
    using running = await listen();
    using client = await connect(running);
    const call = await client.invite({
      body: OFFER,
      uri: "sips:bob@example.com",
      contact: `<sips:a@${client.sentBy}>`,
    });
    expect(call.response.contactUri).toStartWith(`sips:127.0.0.1:${running.address.port}`);
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test.each(["[::1]", "[::]"])("a call over IPv6, listening at %s", async (host) => {
    using running = await listen({ listen: `tls://${host}:0` });
    const { port } = running.address;
    using client = await StreamClient.open({ address: "::1", port }, { transport: "tls" });
    const call = await client.invite({ body: OFFER });
    expect(call.response.contactUri).toBe(`sip:[::1]:${port};transport=tls`);
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test.each(["TLSv1", "TLSv1.1"] as const)("%s is refused, and counted", async (version) => {
    using running = await listen();
    expect(await handshakeIn(version, running.address.port)).toMatch(/alert_protocol_version/i);
    await until("the end of the connection", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ connectionsAccepted: 1, handshakeFailures: 1 });
  });
});

describe("what goes over an open connection", () => {
  test("a peer that reads late gets every octet, in order", async () => {
    const SIZE = 60_000;
    const bodyOf = (n: number) => `${n}:`.padEnd(SIZE, String.fromCharCode(97 + (n % 26)));
    let n = 0;
    using running = await listen({
      message: (request) => request.reply(200, { body: bodyOf(n++), contentType: "text/plain" }),
      streams: { writeQueue: 64 * 1024 * 1024 },
    });
    using client = await connect(running);
    client.pause();
    const COUNT = 200;
    for (let sent = 0; sent < COUNT; sent++) client.request("MESSAGE");
    await until("all answers", () => running.server.stats().messagesSent === COUNT);
    client.resume();
    for (let got = 0; got < COUNT; got++) {
      const { body } = await client.next(200);
      // Told apart at once where it differs; a diff of such texts would say nothing.
      expect(body === bodyOf(got) ? got : body.slice(0, 20)).toBe(got);
    }
    expect(running.server.stats()).toMatchObject({ writeOverflows: 0, connections: 1 });
  });

  test("a peer that never reads is closed when its queue is full", async () => {
    using running = await listen({
      message: (request) => request.reply(200, { body: "x".repeat(60_000), contentType: "text/plain" }),
      streams: { writeQueue: 256 * 1024 },
    });
    using client = await connect(running);
    using other = await connect(running);
    client.pause();
    for (let n = 0; n < 1000 && running.server.stats().writeOverflows === 0; n++) {
      client.request("MESSAGE");
      if (n % 20 === 19) expect((await other.ask("OPTIONS")).status).toBe(200);
    }
    await until("the end", () => running.server.stats().connections === 1);
    expect(running.server.stats().writeOverflows).toBe(1);
    expect((await other.ask("OPTIONS")).status).toBe(200);
  });

  test("a long body comes in many records, and messages in pieces", async () => {
    const bodies: string[] = [];
    using running = await listen({
      message: (request) => {
        bodies.push(Buffer.from(request.body).toString("latin1"));
        request.reply(200);
      },
      accept: ["*"],
    });
    using client = await connect(running);
    const body = "0123456789".repeat(5000);
    const text = client.text("MESSAGE", { body, contentType: "text/plain" });
    for (let at = 0; at < text.length; at += 777) client.send(text.slice(at, at + 777));
    expect((await client.next(200)).status).toBe(200);
    expect(bodies).toEqual([body]);
  });

  test("a double CRLF is answered with one (RFC 5626 s3.5.1)", async () => {
    using running = await listen();
    using client = await connect(running);
    client.send("\r\n\r\n");
    await client.until("the answer", () => client.pongs === 1);
    expect(running.server.stats()).toMatchObject({ keepAlives: 1, messagesReceived: 0 });
  });

  test("a caller that ends its side still gets what it asked for, and then the end", async () => {
    const calls: Call[] = [];
    using running = await listen({ invite: (call) => calls.push(call) });
    using client = await connect(running);
    const invite = client.request("INVITE", { body: OFFER });
    await client.next(100, invite);
    client.end();
    await until("the call", () => calls.length === 1);
    await Bun.sleep(50);
    calls[0]!.reject(486);
    expect((await client.next(486, invite)).callId).toBe(invite.callId);
    await until("the end", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ connectionsOpened: 0, undeliverable: 0 });
  });
});

describe("a handshake that comes to nothing", () => {
  /** The first octets of a ClientHello, whose length says that more is to come. */
  const HALF_HELLO = Uint8Array.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]);

  const octets: [string, string | Uint8Array][] = [
    ["SIP without TLS", requestText("OPTIONS", { transport: "TLS" })],
    ["HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["noise", Uint8Array.from({ length: 4096 }, (_, i) => (i * 193 + 7) & 0xff)],
    ["a record of TLS that makes no sense there", Uint8Array.from([0x17, 3, 3, 0, 2, 1, 2])],
  ];
  test.each(octets)("%s: the connection is closed without a word of SIP", async (_name, bytes) => {
    using running = await listen();
    const answer = await rawExchange(running.address.port, bytes);
    expect(answer.toString("latin1")).not.toContain("SIP/2.0");
    await until("the end of the connection", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 0, handshakeFailures: 1, unframed: 0 });
    using client = await connect(running);
    await callOver(client);
  });

  test.each(["none", "required"] as const)(
    "begun and left alone, it is closed after the time for a first message; client certificates %s",
    async (clientCertificates) => {
      const clock = new FakeClock();
      using running = await listen({ clock, tls: { clientCertificates }, streams: { messageTimeout: 15_000 } });
      const { server } = running;
      const closed = rawExchange(running.address.port, HALF_HELLO);
      await until("the connection", () => server.stats().connections === 1);
      await clock.pass(14_000);
      expect(server.stats()).toMatchObject({ connections: 1, handshakeFailures: 0 });
      await clock.pass(2000);
      await closed;
      expect(server.stats()).toMatchObject({ connections: 0, handshakeFailures: 1, messageTimeouts: 1 });
    },
  );

  test("the same when the peer goes away in the middle", async () => {
    using running = await listen();
    const socket = connectTcp({ host: "127.0.0.1", port: running.address.port });
    socket.on("error", () => {});
    socket.end(HALF_HELLO);
    await until("the end of the connection", () => running.server.stats().connectionsClosed === 1);
    expect(running.server.stats()).toMatchObject({ connections: 0, handshakeFailures: 1 });
  });

  test("hundreds that hang hold up nobody's call", async () => {
    using running = await listen();
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connectTcp({ host: "127.0.0.1", port: running.address.port }).on("error", () => {});
      socket.write(HALF_HELLO);
      return socket;
    });
    await until("the connections", () => running.server.stats().connections === 200);
    using client = await connect(running);
    await callOver(client);
    for (const socket of sockets) socket.destroy();
    await until("their end", () => running.server.stats().connections === 1);
  });
});

describe("client certificates", () => {
  const { client, other, server, serverAuth, expired, future, untrusted, selfSigned, chain } = CERTIFICATES;
  const good: [string, Bun.TLSOptions][] = [
    ["one for clients", pem(client)],
    ["one for servers and clients", pem(other)],
    ["one that an intermediate authority issued", pem(chain)],
  ];
  const bad: [string, Bun.TLSOptions][] = [
    ["none", {}],
    ["one of another authority", pem(untrusted)],
    ["one that it signed itself", pem(selfSigned)],
    ["one that has expired", pem(expired)],
    ["one that is not valid yet", pem(future)],
    ["one for servers alone", pem(serverAuth)],
  ];

  describe.each(["none", "optional"] as const)("%s: a caller may show", (clientCertificates) => {
    test.each([...good, ...bad])("%s", async (_name, tls) => {
      using running = await listen({ tls: { clientCertificates } });
      using caller = await connect(running, tls);
      await callOver(caller);
      expect(running.server.stats()).toMatchObject({ handshakeFailures: 0, connections: 1 });
    });
  });

  describe("required", () => {
    test.each(good)("%s will do", async (_name, tls) => {
      using running = await listen({ tls: { clientCertificates: "required" } });
      using caller = await connect(running, tls);
      await callOver(caller);
      expect(running.server.stats()).toMatchObject({ handshakeFailures: 0, connections: 1 });
    });

    test.each(bad)("%s will not: nothing is read and nothing answered", async (_name, tls) => {
      using running = await listen({ tls: { clientCertificates: "required" } });
      // Whether the client sees its handshake through before it is closed is a matter of TLS versions.
      const caller = await connect(running, tls).catch(() => null);
      using _caller = caller;
      caller?.send(requestText("OPTIONS", { transport: "TLS" }).repeat(3));
      await until("the end of the connection", () => running.server.stats().connectionsClosed === 1);
      if (caller !== null) expect(await caller.restAtEnd()).toEqual([]);
      expect(running.server.stats()).toMatchObject({
        handshakeFailures: 1,
        messagesReceived: 0,
        messagesSent: 0,
        unframed: 0,
      });
    });

    test("the authority is the one that is set", async () => {
      using running = await listen({ tls: { clientCertificates: "required", ca: [UNTRUSTED_CA_FILE] } });
      using caller = await connect(running, pem(untrusted));
      await callOver(caller);
      const refused = await connect(running, pem(server)).catch(() => null);
      using _refused = refused;
      await until("the refusal", () => running.server.stats().handshakeFailures === 1);
    });
  });
});
