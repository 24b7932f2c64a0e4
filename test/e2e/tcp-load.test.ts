/** What many connections, and bad ones, do to a server and to the others on it. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { fullUas } from "../../src/index.ts";
import { flood } from "../support/flood.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { OFFER } from "../support/sip-messages.ts";
import { StreamClient, turns } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

const MiB = 1024 * 1024;

/** File descriptors of this process. */
function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

test("a peer that asks and does not read is closed at the bound of its queue; nobody else waits, and little is kept", async () => {
  const writeQueue = 256 * 1024;
  using peer = await serverAndStream({ ...fullUas(), streams: { writeQueue } });
  const { client: other, server, address } = peer;
  const slow = await StreamClient.open(address);
  await slow.ask("OPTIONS");
  slow.pause();
  // Each is answered with its Via: much to send for little work.
  const request = slow.text("OPTIONS", { branch: `z9hG4bK${"b".repeat(6000)}`, callId: "slow-SLOWSLOW" });
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  let sent = 0;
  let longest = 0;
  while (server.stats().writeOverflows === 0 && sent < 20_000) {
    for (let n = 0; n < 20; n++)
      slow.send(request.replace("SLOWSLOW", `${sent}`).replace("z9hG4bKb", `z9hG4bK${sent++}b`));
    const asked = performance.now();
    expect((await other.ask("OPTIONS")).status).toBe(200);
    longest = Math.max(longest, performance.now() - asked);
  }
  const { writeOverflows, connections, messagesSent } = server.stats();
  console.log(
    `closed after ${sent} requests, ${Math.round((messagesSent * 6300) / MiB)} MiB; others waited ${longest} ms`,
  );
  expect({ writeOverflows, connections }).toEqual({ writeOverflows: 1, connections: 1 });
  // Without a bound to what is kept for it nobody else would be answered at all.
  expect(longest).toBeLessThan(2000);
  // The kernel's buffers are its own affair; of ours there is the queue, and what two ends of a test keep besides.
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MiB);
  await turns(10);
  expect((await other.ask("OPTIONS")).status).toBe(200);
  expect(server.stats()).toMatchObject({ writeOverflows: 1, connections: 1, handlerErrors: 0 });
  slow.resume();
  await slow.until("the end of the connection", () => slow.isClosed);
  slow[Symbol.dispose]();
});

test("a peer that reads late gets every answer, in order: what the kernel did not take was kept", async () => {
  using peer = await serverAndStream({ ...fullUas(), streams: { writeQueue: 32 * MiB } });
  const { client, server } = peer;
  await client.ask("OPTIONS");
  client.pause();
  const count = 2500;
  const ids = Array.from({ length: count }, (_, n) => `late-${n}`);
  for (const id of ids) client.send(client.text("OPTIONS", { branch: `z9hG4bK${id}-${"b".repeat(6000)}`, callId: id }));
  await until("all requests", () => server.stats().messagesReceived === count + 1);
  client.resume();
  for (const id of ids) expect((await client.next(200)).callId).toBe(id);
  expect(server.stats()).toMatchObject({ writeOverflows: 0, connections: 1 });
});

test("2,000 connections come and go, in order, by reset, and in mid-message: nothing is left of them", async () => {
  using peer = await serverAndStream({ ...fullUas(), streams: { connections: 200 } });
  const { client: other, server, address } = peer;
  await other.ask("OPTIONS");

  async function one(n: number): Promise<void> {
    const client = await StreamClient.open(address);
    if (n % 4 === 0) client.send(client.text("OPTIONS").slice(0, 120));
    else expect((await client.ask("OPTIONS")).status).toBe(200);
    if (n % 4 === 3) client.send("\0");
    else if (n % 2 === 0) client.reset();
    else client.end();
    await client.until("the end of the connection", () => client.isClosed);
  }
  async function round(count: number): Promise<void> {
    for (let n = 0; n < count; n += 50) await Promise.all(Array.from({ length: 50 }, (_, i) => one(n + i)));
    await until("all to be gone", () => server.stats().connections === 1);
    Bun.gc(true);
    await turns(5);
    Bun.gc(true);
  }

  // What is made once and kept is there after these.
  await round(200);
  const fds = descriptors();
  const heap = process.memoryUsage().heapUsed;
  await round(2000);
  const { connections, connectionsAccepted, connectionsClosed, connectionsRefused, transactions, timers } =
    server.stats();
  expect({ connections, connectionsAccepted, connectionsClosed, connectionsRefused, transactions }).toEqual({
    connections: 1,
    connectionsAccepted: 2201,
    connectionsClosed: 2200,
    connectionsRefused: 0,
    transactions: 0,
  });
  // The other connection's watch, and no more.
  expect(timers).toBe(1);
  // What else this process opens meanwhile is far fewer than 2,000.
  await until("the descriptors to be closed", () => descriptors() <= fds + 20);
  const grown = process.memoryUsage().heapUsed - heap;
  console.log(`2,000 connections: heap grew by ${Math.round(grown / 1024)} KiB`);
  // 1 KiB of each kept would be 2 MiB.
  expect(grown).toBeLessThan(2 * MiB);
  expect((await other.ask("OPTIONS")).status).toBe(200);
});

test("a peer that does not close its side costs no descriptor once the server has closed", async () => {
  using peer = await serverAndStream(fullUas());
  const { server, address } = peer;
  await peer.client.ask("OPTIONS");
  const before = descriptors();
  const closed = { count: 0 };
  const held = await Promise.all(
    Array.from({ length: 50 }, () =>
      Bun.connect({
        hostname: "127.0.0.1",
        port: address.port,
        allowHalfOpen: true,
        socket: { data() {}, error() {}, end: () => void closed.count++ },
      }),
    ),
  );
  for (const socket of held) socket.write("\0");
  await until("all to be closed by the server", () => closed.count === 50 && server.stats().connections === 1);
  // Those of the peer are left.
  await until("the descriptors to be closed", () => descriptors() <= before + 50);
  expect(server.stats().unframed).toBe(50);
  for (const socket of held) socket.terminate();
});

/** How late a TCP call may be under a UDP flood of twice as long; `bun run bench calls --flood` measures how late it is. */
const LATEST = 1000;

test(`under a UDP flood a call over TCP, its connection included, takes less than ${LATEST} ms`, async () => {
  /** The longest call while the flood lasted, in milliseconds; and how many there were. */
  async function underFlood(server: ServerProcess): Promise<{ longest: number; calls: number; received: number }> {
    const [udp, tcp] = server.ports as [number, number];
    await server.reset();
    let isOver = false;
    const flooding = flood({ kind: "options", port: udp, duration: 2000 }).finally(() => {
      isOver = true;
    });
    let longest = 0;
    let calls = 0;
    while (!isOver) {
      const begun = performance.now();
      using client = await StreamClient.open({ address: "127.0.0.1", port: tcp });
      const call = await client.invite({ body: OFFER });
      call.ack();
      expect((await call.ask("BYE")).status).toBe(200);
      longest = Math.max(longest, performance.now() - begun);
      calls++;
    }
    await flooding;
    const { messagesReceived, floodPauses } = await server.stats();
    console.log(JSON.stringify({ longest, calls, messagesReceived, floodPauses }));
    return { longest, calls, received: messagesReceived };
  }

  // A machine that is busy with other tests may fail once; a guard that does not work fails each time.
  for (let left = 2; ; left--) {
    const server = await startServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    try {
      const { longest, calls, received } = await underFlood(server);
      expect(received).toBeGreaterThan(10_000);
      if (left > 0 && longest >= LATEST) continue;
      expect(longest).toBeLessThan(LATEST);
      expect(calls).toBeGreaterThan(3);
      return;
    } finally {
      await server.stop();
    }
  }
}, 45_000);
