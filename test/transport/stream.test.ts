/** What a connection may cost: how many there are, how long one may take, how much is kept for one that does not read. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, ServeOptions } from "../../src/index.ts";
import { DEFAULT_STREAMS, type StreamSettings } from "../../src/transport/settings.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { StreamClient, turns } from "../support/stream-client.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const TCP = "tcp://127.0.0.1:0";

describe("ceilings", () => {
  test("on connections in all: one more is closed at once, those there are go on, and there is room again after", async () => {
    using running = await testServer({ listen: TCP, streams: { connections: 3 } });
    const { server, address } = running;
    const clients = await Promise.all([1, 2, 3].map(() => StreamClient.open(address)));
    await until("the three", () => server.stats().connections === 3);
    const refused = await StreamClient.open(address);
    expect(await refused.restAtEnd()).toEqual([]);
    expect(server.stats()).toMatchObject({ connections: 3, connectionsRefused: 1, connectionsAccepted: 3 });
    for (const client of clients) expect((await client.ask("OPTIONS")).status).toBe(200);
    clients[0]!.end();
    await until("room", () => server.stats().connections === 2);
    using again = await StreamClient.open(address);
    expect((await again.ask("OPTIONS")).status).toBe(200);
    for (const client of clients) client[Symbol.dispose]();
  });

  test("on connections from one address: others are not refused", async () => {
    using running = await testServer({ listen: TCP, streams: { connectionsPerAddress: 2 } });
    const { server, address } = running;
    const open = (host: string) => StreamClient.open(address, { host });
    const greedy = [await open("127.0.0.2"), await open("127.0.0.2")];
    await until("the two", () => server.stats().connections === 2);
    expect(await (await open("127.0.0.2")).restAtEnd()).toEqual([]);
    using other = await open("127.0.0.3");
    expect((await other.ask("OPTIONS")).status).toBe(200);
    expect(server.stats()).toMatchObject({ connections: 3, connectionsRefused: 1 });
    greedy[0]!.reset();
    await until("room", () => server.stats().connections === 2);
    using again = await open("127.0.0.2");
    expect((await again.ask("OPTIONS")).status).toBe(200);
    greedy[1]![Symbol.dispose]();
  });

  test("no connection is opened beyond the ceiling: what would have gone over it is given up", async () => {
    const calls: Call[] = [];
    using running = await testServer({
      listen: TCP,
      streams: { connections: 1 },
      invite(call) {
        calls.push(call);
        call.ring();
      },
    });
    const { server, address } = running;
    using caller = await StreamClient.open(address, { listen: true });
    await caller.invite({}, 180);
    caller.reset();
    await until("the reset", () => server.stats().connections === 0);
    using other = await StreamClient.open(address);
    expect((await other.ask("OPTIONS")).status).toBe(200);
    calls[0]!.reject(486);
    expect((await other.ask("OPTIONS")).status).toBe(200);
    expect(server.stats()).toMatchObject({ connections: 1, undeliverable: 1, connectionsOpened: 0 });
  });
});

describe("time-outs", () => {
  const settings: StreamSettings = { ...DEFAULT_STREAMS, idleTimeout: 600_000, messageTimeout: 15_000 };

  async function timed(options: ServeOptions = {}) {
    const clock = new FakeClock();
    const peer = await serverAndStream({ clock, streams: settings, ...options });
    await until("the connection", () => peer.server.stats().connections === 1);
    /** Lets time pass in steps, so that every timer that looks now and then looks. */
    const pass = async (ms: number) => {
      const step = ms > 60_000 ? 30_000 : 5000;
      for (let left = ms; left > 0; left -= step) await clock.pass(Math.min(left, step));
      await turns();
    };
    return { ...peer, pass, [Symbol.dispose]: () => peer[Symbol.dispose]() };
  }

  test("a connection that says nothing is closed after the time for a first message", async () => {
    using peer = await timed();
    await peer.pass(14_900);
    expect(peer.server.stats().connections).toBe(1);
    await peer.pass(200);
    expect(await peer.client.restAtEnd()).toEqual([]);
    expect(peer.server.stats()).toMatchObject({ connections: 0, messageTimeouts: 1, idleTimeouts: 0 });
  });

  test("pings and line ends are no first message", async () => {
    using peer = await timed();
    for (let n = 0; n < 3; n++) {
      peer.client.send("\r\n\r\n");
      await peer.client.until("a pong", () => peer.client.pongs === n + 1);
      await peer.pass(5000);
    }
    await peer.pass(200);
    await peer.client.restAtEnd();
    expect(peer.server.stats()).toMatchObject({ messageTimeouts: 1, keepAlives: 3 });
  });

  test("a message that comes octet by octet, too slowly, is not waited for", async () => {
    using peer = await timed();
    const { client, server } = peer;
    await client.ask("OPTIONS");
    await peer.pass(60_000);
    const text = client.text("OPTIONS");
    let sent = 0;
    while (server.stats().connections === 1 && sent < 100) {
      client.send(text[sent++]!);
      await peer.pass(1000);
    }
    expect(sent).toBeGreaterThanOrEqual(15);
    expect(sent).toBeLessThanOrEqual(17);
    expect(await client.restAtEnd()).toEqual([]);
    expect(server.stats()).toMatchObject({ messageTimeouts: 1 });
  });

  test("messages one behind the other, each cut, are not taken for one slow one", async () => {
    using peer = await timed();
    const { client, server } = peer;
    let rest = "";
    for (let n = 0; n < 30; n++) {
      const text = client.text("OPTIONS");
      client.send(rest + text.slice(0, 100));
      rest = text.slice(100);
      if (n > 0) await client.next(200);
      await peer.pass(5000);
    }
    expect(server.stats()).toMatchObject({ connections: 1, messageTimeouts: 0 });
  });

  test("a body that is passed over has to come in time too", async () => {
    using peer = await timed();
    const { client, server } = peer;
    client.send(client.text("MESSAGE", { body: "x".repeat(70_000) }).slice(0, -1));
    await client.next(413);
    await peer.pass(15_200);
    await client.restAtEnd();
    expect(server.stats()).toMatchObject({ messageTimeouts: 1 });
  });

  test("a peer that has vanished is let go of after the idle time, not before; pings keep it", async () => {
    using peer = await timed();
    const { client, server } = peer;
    await client.ask("OPTIONS");
    await peer.pass(599_000);
    client.send("\r\n\r\n");
    await client.until("a pong", () => client.pongs === 1);
    await peer.pass(599_000);
    expect(server.stats().connections).toBe(1);
    await peer.pass(16_000);
    expect(await client.restAtEnd()).toEqual([]);
    expect(server.stats()).toMatchObject({ connections: 0, idleTimeouts: 1, messageTimeouts: 0 });
  });

  test("a caller that waits for its answer is not idle, however long it takes", async () => {
    const calls: Call[] = [];
    using peer = await timed({
      invite(call) {
        calls.push(call);
        call.ring();
      },
    });
    const { client, server } = peer;
    const { invite } = await client.invite({}, 180);
    await peer.pass(1_300_000);
    expect(server.stats().connections).toBe(1);
    calls[0]!.reject(480);
    await client.next(480, invite);
    await peer.pass(616_000);
    expect(server.stats()).toMatchObject({ connections: 0, idleTimeouts: 1 });
  });

  test("a connection of the server's that does not come about in time is given up", async () => {
    const clock = new FakeClock();
    // It accepts, and leaves the TLS handshake to the other end.
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    using peer = await serverAndStream({
      clock,
      tls: { verifyServers: false },
      streams: { connectTimeout: 5000 },
      invite: async (call) => (await call.answer("v=0\r\n")).bye(),
    });
    const { client, server } = peer;
    const contact = `<sip:a@127.0.0.1:${silent.port};transport=tls>`;
    const call = await client.invite({ contact });
    call.ack();
    client.reset();
    await until("the attempt", () => server.stats().clientTransactions > 0);
    await until("the connection under way", () => server.stats().connections === 1 && client.isClosed);
    await clock.pass(4900);
    expect(server.stats()).toMatchObject({ connectFailures: 0, byesUndelivered: 0 });
    await clock.pass(200);
    expect(server.stats()).toMatchObject({ connectFailures: 1, byesUndelivered: 1, connections: 0 });
    silent.stop(true);
  });
});
