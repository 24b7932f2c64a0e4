/** SIP over WebSocket, frame by frame (RFC 7118, RFC 6455). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fullUas, type ServeOptions } from "../../src/index.ts";
import { browserOptions, messageIn, Opcode, RawWebSocket } from "../support/raw-websocket.ts";
import { requestText, SipMessage } from "../support/sip-messages.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

function listen(options: ServeOptions = {}): Promise<TestServer> {
  return testServer({ ...fullUas(), listen: "ws://127.0.0.1:0", ...options });
}

const { Text, Binary, Continuation, Close, Ping, Pong } = Opcode;

describe("frames", () => {
  test("text is answered with text, binary with binary, one by one", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    for (const kind of [Text, Binary, Text, Binary, Binary, Text]) {
      const request = browserOptions();
      client.frame(kind, request);
      const frame = await client.next();
      expect(frame.opcode).toBe(kind);
      expect(messageIn(frame)).toMatchObject({ status: 200, callId: new SipMessage(Buffer.from(request)).callId });
    }
  });

  test("a response carries the Via of a client that has no address", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    client.text(
      requestText("OPTIONS", {
        transport: "WS",
        sentBy: "df7jal23ls0d.invalid",
        viaParams: ";rport",
        branch: "z9hG4bKx",
      }),
    );
    expect(messageIn(await client.next()).header("Via")).toBe(
      `SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKx;rport=${client.localPort};received=127.0.0.1`,
    );
  });

  test("Content-Length is not needed: the body ends with the frame (RFC 7118 s5)", async () => {
    const bodies: string[] = [];
    using running = await listen({
      message: (request) => {
        bodies.push(Buffer.from(request.body).toString("utf8"));
        request.reply(200);
      },
      accept: ["*"],
    });
    using client = await RawWebSocket.open(running.address);
    const body = "hello, world\r\n\r\nand more";
    const text = requestText("MESSAGE", { transport: "WS", body, contentType: "text/plain" });
    client.text(text.replace(/Content-Length: \d+\r\n/, ""));
    expect(messageIn(await client.next()).status).toBe(200);
    client.text(
      text
        .replace(/Content-Length: \d+/, "Content-Length: 5")
        .replace("z9hG4bK", "z9hG4bKb")
        .replace("c", "d"),
    );
    expect(messageIn(await client.next()).status).toBe(200);
    expect(bodies).toEqual([body, "hello"]);
  });

  test("what stands behind the first message of a frame is not read (RFC 7118 s5)", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    const [first, second, third] = [browserOptions(), browserOptions(), browserOptions()];
    client.text(first + second);
    client.text(third);
    expect(messageIn(await client.next()).callId).toBe(new SipMessage(Buffer.from(first)).callId);
    expect(messageIn(await client.next()).callId).toBe(new SipMessage(Buffer.from(third)).callId);
    expect(running.server.stats().messagesReceived).toBe(2);
  });

  test("half a message is one with a fault, and the connection goes on", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    const text = browserOptions();
    client.text(text.slice(0, text.indexOf("CSeq")));
    expect(messageIn(await client.next()).status).toBe(400);
    client.text(text);
    expect(messageIn(await client.next()).status).toBe(200);
  });

  test("text beyond ASCII comes back as it was, in UTF-8", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    const from = '"Åsa 日本 🙂" <sip:asa@example.com>;tag=a';
    client.text(requestText("OPTIONS", { transport: "WS", from }));
    const frame = await client.next();
    expect(frame.opcode).toBe(Text);
    expect(frame.payload.toString("utf8")).toContain(`From: ${from}\r\n`);
  });

  test("octets that are no UTF-8 go as binary, though the request came as text", async () => {
    const octets = Uint8Array.of(0xff, 0xfe, 0, 0x80);
    using running = await listen({
      message: (request) => request.reply(200, { body: octets, contentType: "application/octet-stream" }),
    });
    using client = await RawWebSocket.open(running.address);
    client.text(requestText("MESSAGE", { transport: "WS" }));
    const frame = await client.next();
    expect(frame.opcode).toBe(Binary);
    expect(frame.payload.subarray(-4)).toEqual(Buffer.from(octets));
    client.text(browserOptions());
    expect((await client.next()).opcode).toBe(Text);
  });

  test("octets that are no UTF-8 come back from a binary request", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    client.binary(requestText("OPTIONS", { transport: "WS", from: '"\xc5sa" <sip:asa@example.com>;tag=a' }));
    const frame = await client.next();
    expect(frame.opcode).toBe(Binary);
    expect(frame.payload.toString("latin1")).toContain('From: "\xc5sa" <sip:asa@example.com>;tag=a\r\n');
  });

  test("a message in fragments is one, with a ping between them answered on its own", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    const text = Buffer.from(browserOptions("Subject: in pieces, 日本"));
    const cut = text.indexOf("日") + 1;
    client.frame(Text, text.subarray(0, 10), { isLast: false });
    client.frame(Continuation, text.subarray(10, cut), { isLast: false });
    client.frame(Ping, "are you there");
    client.frame(Continuation, text.subarray(cut));
    expect(await client.next()).toEqual({ opcode: Pong, payload: Buffer.from("are you there") });
    const frame = await client.next();
    expect(frame.opcode).toBe(Text);
    expect(messageIn(frame).status).toBe(200);
    expect(running.server.stats().messagesReceived).toBe(1);
  });

  test("a message fills the limit; one octet more is refused with 513, and the connection goes on", async () => {
    using running = await listen({ limits: { messageSize: 4096, headerLength: 4096 } });
    const sized = (octets: number): string => {
      const text = browserOptions("Subject: x");
      return text.replace("Subject: x", `Subject: ${"x".repeat(octets - text.length + 1)}`);
    };
    using client = await RawWebSocket.open(running.address);
    for (const [octets, status] of [
      [4096, 200],
      [4097, 513],
      [4096, 200],
    ] as const) {
      client.text(sized(octets));
      expect(messageIn(await client.next()).status).toBe(status);
    }
  });

  test("a frame far over the limit ends the connection with 1009", async () => {
    using running = await listen({ limits: { messageSize: 4096 } });
    using client = await RawWebSocket.open(running.address);
    client.text("x".repeat(60_000));
    expect(await client.closed()).toBe(1009);
    await until("the end", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 0, messagesSent: 0 });
  });

  test("the sum of fragments has the same limit", async () => {
    using running = await listen({ limits: { messageSize: 4096 } });
    using client = await RawWebSocket.open(running.address);
    client.frame(Text, "OPTIONS sip:a SIP/2.0\r\nSubject: ", { isLast: false });
    for (let n = 0; n < 100; n++) client.frame(Continuation, "x".repeat(100), { isLast: false });
    await client.closed();
    await until("the end", () => running.server.stats().connections === 0);
  });

  const violations: [string, (client: RawWebSocket) => void][] = [
    ["a frame without a mask", (client) => client.frame(Text, browserOptions(), { isMasked: false })],
    ["text that is no UTF-8", (client) => client.frame(Text, Uint8Array.of(0x4f, 0xff, 0x41))],
    ["a reserved opcode", (client) => client.frame(5, browserOptions())],
    ["a continuation of nothing", (client) => client.frame(Continuation, browserOptions())],
  ];
  test.each(violations)("%s ends the connection", async (_name, send) => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    send(client);
    await client.closed();
    await until("the end", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 0, messagesSent: 0 });
  });

  test("a close frame is answered with one", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    client.frame(Close, Uint8Array.of(0x03, 0xe8));
    expect(await client.closed()).toBe(1000);
    await until("the end", () => running.server.stats().connections === 0);
  });

  test("a thousand messages in one write are answered in their order", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    const requests = Array.from({ length: 1000 }, () => browserOptions());
    for (const request of requests) client.text(request);
    const answered: string[] = [];
    for (let n = 0; n < requests.length; n++) answered.push(messageIn(await client.next()).callId);
    expect(answered).toEqual(requests.map((text) => new SipMessage(Buffer.from(text)).callId));
  });
});

describe("keep-alives (RFC 7118 s6, RFC 5626 s3.5.1)", () => {
  test.each([Text, Binary])("a double CRLF is answered by one in a frame of the same kind, %d", async (kind) => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    client.frame(kind, "\r\n\r\n");
    expect(await client.next()).toEqual({ opcode: kind, payload: Buffer.from("\r\n") });
    expect(running.server.stats()).toMatchObject({ keepAlives: 1, messagesReceived: 0, malformed: 0 });
  });

  test("a single CRLF and an empty frame are nothing", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    client.text("\r\n");
    client.text("");
    client.text(browserOptions());
    expect(messageIn(await client.next()).status).toBe(200);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 1, malformed: 0 });
  });

  test("a ping is answered with its payload", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address);
    client.frame(Ping, "x".repeat(125));
    expect(await client.next()).toEqual({ opcode: Pong, payload: Buffer.from("x".repeat(125)) });
  });
});
