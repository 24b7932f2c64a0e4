/** The listener for SIP over WebSocket: its handshake, its ceilings and times, what it calls itself (RFC 7118, RFC 6455). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { fullUas, type ServeOptions } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { browserOptions, HANDSHAKE, messageIn, Opcode, RawWebSocket } from "../support/raw-websocket.ts";
import { requestText } from "../support/sip-messages.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

function listen(options: ServeOptions = {}): Promise<TestServer> {
  return testServer({ ...fullUas(), listen: "ws://127.0.0.1:0", ...options });
}

const { Close } = Opcode;

describe("the handshake", () => {
  const taken: [string, string[]][] = [
    ["sip", ["sip"]],
    ["sip among others", ["chat, sip"]],
    ["sip among others, without a space", ["sip,chat"]],
    ["sip on a line of its own", ["chat", "sip"]],
  ];
  test.each(taken)("%s is agreed on as sip", async (_name, protocols) => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address, { protocols });
    expect(client.answer.status).toBe(101);
    expect(client.answer.headers.get("sec-websocket-protocol")).toBe("sip");
    client.text(browserOptions());
    expect(messageIn(await client.next()).status).toBe(200);
    expect(running.server.stats()).toMatchObject({ connections: 1, connectionsAccepted: 1, upgradesRefused: 0 });
  });

  const refused: [string, string[]][] = [
    ["no subprotocol", []],
    ["another one", ["chat"]],
    ["one that only begins with sip", ["sip.v2, sipx"]],
    ["sip in capitals", ["SIP"]],
    ["an empty one", [""]],
  ];
  test.each(refused)("%s is refused", async (_name, protocols) => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address, { protocols });
    expect(client.answer.status).toBe(400);
    expect(client.answer.headers.has("sec-websocket-protocol")).toBe(false);
    expect(running.server.stats()).toMatchObject({ connections: 0, connectionsAccepted: 0, upgradesRefused: 1 });
  });

  test.each(["GET", "POST", "OPTIONS", "HEAD"])(
    "%s without Upgrade gets 426, which says what to do",
    async (method) => {
      using running = await listen();
      using client = await RawWebSocket.open(running.address, { method, protocols: [], headers: ["Accept: */*"] });
      expect(client.answer.status).toBe(426);
      expect(client.answer.headers.get("upgrade")).toBe("websocket");
      expect(client.answer.headers.get("sec-websocket-protocol")).toBe("sip");
      expect(running.server.stats()).toMatchObject({ connections: 0, upgradesRefused: 1 });
    },
  );

  const spellings: [string, string[]][] = [
    [
      "as Firefox does",
      HANDSHAKE.map((line) => line.replace("Connection: Upgrade", "Connection: keep-alive, Upgrade")),
    ],
    ["with WebSocket in capitals", HANDSHAKE.map((line) => line.replace("websocket", "WebSocket"))],
    [
      "with an extension on offer",
      [...HANDSHAKE, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"],
    ],
    ["with an Origin and cookies", [...HANDSHAKE, "Origin: https://phone.example.com", "Cookie: a=b"]],
  ];
  test.each(spellings)("asked for %s it is taken, without any extension", async (_name, headers) => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address, { headers });
    expect(client.answer.status).toBe(101);
    expect(client.answer.headers.has("sec-websocket-extensions")).toBe(false);
    client.text(browserOptions());
    expect(messageIn(await client.next()).status).toBe(200);
  });

  const wrong: [string, string[]][] = [
    ["without a key", HANDSHAKE.filter((line) => !line.startsWith("Sec-WebSocket-Key"))],
    ["in another version", HANDSHAKE.map((line) => line.replace("Version: 13", "Version: 8"))],
  ];
  test.each(wrong)("%s it is refused", async (_name, headers) => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address, { headers });
    expect(client.answer.status).toBeGreaterThanOrEqual(400);
    expect(client.answer.status).toBeLessThan(500);
    expect(running.server.stats()).toMatchObject({ connections: 0, connectionsAccepted: 0 });
  });

  test("SIP without a handshake is not answered with SIP", async () => {
    using running = await listen();
    using client = await RawWebSocket.open(running.address, {
      method: "OPTIONS",
      headers: ["Via: SIP/2.0/WS h;branch=z"],
    });
    expect(client.answer.status).toBeGreaterThanOrEqual(400);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 0, connections: 0 });
  });
});

describe("ceilings and times", () => {
  test("connections in all: one more is refused with 503, and taken when there is room", async () => {
    using running = await listen({ streams: { connections: 2 } });
    using first = await RawWebSocket.open(running.address);
    using second = await RawWebSocket.open(running.address);
    using third = await RawWebSocket.open(running.address);
    expect([first, second, third].map(({ answer }) => answer.status)).toEqual([101, 101, 503]);
    expect(Number(third.answer.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(running.server.stats()).toMatchObject({ connections: 2, connectionsRefused: 1 });
    first.destroy();
    await until("the end", () => running.server.stats().connections === 1);
    using fourth = await RawWebSocket.open(running.address);
    expect(fourth.answer.status).toBe(101);
    second.text(browserOptions());
    expect(messageIn(await second.next()).status).toBe(200);
  });

  test("connections from one address", async () => {
    using running = await listen({ streams: { connectionsPerAddress: 1 } });
    using first = await RawWebSocket.open(running.address);
    using second = await RawWebSocket.open(running.address);
    expect([first, second].map(({ answer }) => answer.status)).toEqual([101, 503]);
    first.destroy();
    await until("the end", () => running.server.stats().connections === 0);
    using third = await RawWebSocket.open(running.address);
    expect(third.answer.status).toBe(101);
  });

  test("a client that says nothing after its handshake is closed", async () => {
    const clock = new FakeClock();
    using running = await listen({ clock, streams: { messageTimeout: 15_000 } });
    using silent = await RawWebSocket.open(running.address);
    using talking = await RawWebSocket.open(running.address);
    talking.text(browserOptions());
    await talking.next();
    await clock.pass(14_000);
    expect(running.server.stats()).toMatchObject({ connections: 2 });
    await clock.pass(2000);
    await silent.closed();
    expect(running.server.stats()).toMatchObject({ connections: 1, messageTimeouts: 1 });
    talking.text(browserOptions());
    expect(messageIn(await talking.next()).status).toBe(200);
  });

  test("a client that is silent for long is closed; a keep-alive is not silence", async () => {
    const clock = new FakeClock();
    using running = await listen({ clock, streams: { idleTimeout: 60_000, messageTimeout: 15_000 } });
    using silent = await RawWebSocket.open(running.address);
    using alive = await RawWebSocket.open(running.address);
    for (const client of [silent, alive]) {
      client.text(browserOptions());
      await client.next();
    }
    for (let n = 0; n < 3; n++) {
      await clock.pass(25_000);
      alive.text("\r\n\r\n");
      await alive.next();
    }
    await silent.closed();
    expect(running.server.stats()).toMatchObject({ connections: 1, idleTimeouts: 1, messageTimeouts: 0 });
    expect(alive.isClosed).toBe(false);
  });

  test("a client that does not read is closed when its queue is full, and holds nobody up", async () => {
    const body = "x".repeat(60_000);
    using running = await listen({
      message: (request) => request.reply(200, { body, contentType: "text/plain" }),
      streams: { writeQueue: 256 * 1024 },
    });
    const { server } = running;
    using slow = await RawWebSocket.open(running.address);
    using other = await RawWebSocket.open(running.address);
    slow.pause();
    for (let n = 0; n < 2000 && server.stats().writeOverflows === 0; n++) {
      slow.text(requestText("MESSAGE", { transport: "WS" }));
      if (n % 10 === 9) {
        other.text(browserOptions());
        expect(messageIn(await other.next()).status).toBe(200);
      }
    }
    await until("the end", () => server.stats().connections === 1);
    expect(server.stats().writeOverflows).toBe(1);
    other.text(browserOptions());
    expect(messageIn(await other.next()).status).toBe(200);
  });

  test("500 connections come and go, and none is left", async () => {
    using running = await listen();
    for (let round = 0; round < 10; round++) {
      const clients = await Promise.all(Array.from({ length: 50 }, () => RawWebSocket.open(running.address)));
      for (const [at, client] of clients.entries()) {
        if (at % 3 === 0) client.destroy();
        else if (at % 3 === 1) client.frame(Close, Uint8Array.of(0x03, 0xe8));
        else {
          client.text(browserOptions());
          expect(messageIn(await client.next()).status).toBe(200);
          client.destroy();
        }
      }
    }
    await until("their end", () => running.server.stats().connections === 0);
    expect(running.server.stats()).toMatchObject({ connectionsAccepted: 500, connectionsClosed: 500, transactions: 0 });
  });
});

test.each(["[::1]", "[::]"])("over IPv6, listening at %s", async (host) => {
  using running = await listen({ listen: `ws://${host}:0` });
  const { port } = running.address;
  using client = await RawWebSocket.open({ address: "::1", port });
  client.text(requestText("INVITE", { transport: "WS", contact: "<sip:a@h.invalid;transport=ws>" }));
  for (let n = 0; n < 2; n++) await client.next();
  const ok = messageIn(await client.next());
  expect(ok.contactUri).toBe(`sip:[::1]:${port};transport=ws`);
  expect(ok.header("Via")).toEndWith(";received=::1");
});

test("a client over IPv4 of a listener at [::] has a plain address", async () => {
  using running = await listen({ listen: "ws://[::]:0" });
  const { port } = running.address;
  using client = await RawWebSocket.open({ address: "127.0.0.1", port });
  client.text(requestText("INVITE", { transport: "WS", contact: "<sip:a@h.invalid;transport=ws>" }));
  for (let n = 0; n < 2; n++) await client.next();
  const ok = messageIn(await client.next());
  expect(ok.contactUri).toBe(`sip:127.0.0.1:${port};transport=ws`);
  expect(ok.header("Via")).toEndWith(";received=127.0.0.1");
});

test("addresses of the server are told as they are advertised, never as a wildcard", async () => {
  using anywhere = await listen({ listen: "ws://0.0.0.0:0" });
  const { port } = anywhere.address;
  using client = await RawWebSocket.open({ address: "127.0.0.1", port });
  client.text(requestText("INVITE", { transport: "WS", contact: "<sip:a@h.invalid;transport=ws>" }));
  const contacts: (string | undefined)[] = [];
  for (let n = 0; n < 3; n++) contacts.push(messageIn(await client.next()).contactUri);
  expect(contacts.at(-1)).toBe(`sip:127.0.0.1:${port};transport=ws`);
  using advertised = await listen({ listen: "ws://127.0.0.1:0?advertise=sip.example.com:443" });
  using other = await RawWebSocket.open(advertised.address);
  other.text(requestText("INVITE", { transport: "WS", contact: "<sip:a@h.invalid;transport=ws>" }));
  for (let n = 0; n < 2; n++) await other.next();
  expect(messageIn(await other.next()).contactUri).toBe("sip:sip.example.com:443;transport=ws");
});
