/** One UDP socket with a receiver of the test's own. */
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { ascii } from "../../src/message/bytes.ts";
import type { Receiver } from "../../src/transport/channel.ts";
import { DEFAULT_UDP, type UdpSettings, UdpSocket } from "../../src/transport/udp.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { textOf } from "../support/sip-text.ts";
import { until } from "../support/until.ts";

/** Echoes what it gets; a test may do more. */
class Echo implements Receiver {
  framed(): void {}
  broken(): void {}
  lost(): void {}
  ended(): void {}
  readonly got: string[] = [];
  readonly failures: { error: unknown; address: string; port: number }[] = [];
  now = 0;
  onDatagram: (text: string, channel: UdpSocket, address: string, port: number) => void = echo;
  onTick: () => void = () => {};

  datagram(bytes: Uint8Array, channel: UdpSocket, address: string, port: number): void {
    const text = textOf(bytes);
    this.got.push(text);
    this.onDatagram(text, channel, address, port);
  }

  tick(): number {
    this.onTick();
    return this.now;
  }

  failed(error: unknown, address: string, port: number): void {
    this.failures.push({ error, address, port });
  }
}

function send(text: string, channel: UdpSocket, address: string, port: number): void {
  const { arena } = channel;
  const start = arena.open(text.length);
  arena.bytes.set(ascii(text), start);
  arena.at = start + text.length;
  channel.send(start, address, port);
}

const echo: Echo["onDatagram"] = (text, channel, address, port) => send(text, channel, address, port);

const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function socketFor(
  receiver: Receiver,
  { host = "127.0.0.1", ...settings }: Partial<UdpSettings> & { host?: string } = {},
): Promise<UdpSocket> {
  const localFor = (peer: string) => `local-for-${peer}`;
  const socket = await UdpSocket.open(host, 0, receiver, { ...DEFAULT_UDP, ...settings }, undefined, localFor);
  open.push(socket);
  return socket;
}

async function clientAt(host = "127.0.0.1"): Promise<DatagramClient> {
  const client = await DatagramClient.open(host);
  open.push(client);
  return client;
}

const texts = (client: DatagramClient) => client.received.map(textOf);

describe.each([true, false])("a socket, native %p", (native) => {
  test("receives, sends and counts", async () => {
    const receiver = new Echo();
    const socket = await socketFor(receiver, { native });
    const client = await clientAt();
    for (const text of ["OPTIONS a", "OPTIONS b", "OPTIONS c"]) client.send(text, socket.port);
    await client.until(() => true, 2);
    expect(texts(client)).toEqual(["OPTIONS a", "OPTIONS b", "OPTIONS c"]);
    expect(socket.counters).toMatchObject({ received: 3, sent: 3, keepAlives: 0, errors: 0, sendsDropped: 0 });
    expect({ transport: socket.transport, reliable: socket.reliable }).toEqual({ transport: "UDP", reliable: false });
  });

  test("sends what is written between two turns, as a timer does", async () => {
    const socket = await socketFor(new Echo(), { native });
    const client = await clientAt();
    for (let n = 0; n < 100; n++) send(`number ${n}`, socket, "127.0.0.1", client.port);
    await client.until(() => true, 99);
    expect(texts(client)).toEqual(Array.from({ length: 100 }, (_, n) => `number ${n}`));
  });

  test("goes on after an exception, and says whose message it was", async () => {
    const receiver = new Echo();
    receiver.onDatagram = (text, ...rest) => {
      if (text === "OPTIONS bad") throw new Error("a fault");
      echo(text, ...rest);
    };
    const socket = await socketFor(receiver, { native });
    const client = await clientAt();
    for (const text of ["OPTIONS a", "OPTIONS bad", "OPTIONS b"]) client.send(text, socket.port);
    await client.until(() => true, 1);
    expect(texts(client)).toEqual(["OPTIONS a", "OPTIONS b"]);
    expect(receiver.failures).toMatchObject([
      { error: { message: "a fault" }, address: "127.0.0.1", port: client.port },
    ]);
  });

  test("gives up a datagram that is too long for UDP, and nothing else", async () => {
    const receiver = new Echo();
    receiver.onDatagram = (text, channel, address, port) => {
      echo(text, channel, address, port);
      send("x".repeat(65_508), channel, address, port);
      send(`${text} after`, channel, address, port);
    };
    const socket = await socketFor(receiver, { native });
    const client = await clientAt();
    client.send("OPTIONS", socket.port);
    await client.until(() => true, 1);
    expect(texts(client)).toEqual(["OPTIONS", "OPTIONS after"]);
    expect(socket.counters).toMatchObject({ sent: 2, sendsDropped: 1, sendsDeferred: 0 });
  });

  test("carries the longest datagram there is, both ways", async () => {
    const socket = await socketFor(new Echo(), { native });
    const client = await clientAt();
    const longest = `OPTIONS ${"x".repeat(65_507 - 8)}`;
    client.send(longest, socket.port);
    await client.until(() => true);
    expect(texts(client)).toEqual([longest]);
    expect(socket.counters).toMatchObject({ received: 1, sent: 1, truncated: 0 });
  });

  test.each(["127.0.0.1", "::1", "::"])("at %s answers every live peer between peers that are gone", async (host) => {
    const receiver = new Echo();
    const gone = await DatagramClient.open(host === "127.0.0.1" ? "127.0.0.1" : "::1");
    const dead = gone.port;
    gone.close();
    const peer = host === "127.0.0.1" ? "127.0.0.1" : "::1";
    receiver.onDatagram = (text, channel, address, port) => {
      for (let n = 0; n < 3; n++) send("nobody is there", channel, peer, dead);
      echo(text, channel, address, port);
    };
    const socket = await socketFor(receiver, { host, native });
    const clients = [await clientAt(peer), ...(host === "::" ? [await clientAt("127.0.0.1")] : [])];
    for (let n = 0; n < 100; n++) {
      for (const client of clients) {
        client.send(`OPTIONS ${n}`, socket.port, client.address);
        await client.until(() => true, n);
      }
    }
    for (const client of clients) expect(texts(client)).toEqual(Array.from({ length: 100 }, (_, n) => `OPTIONS ${n}`));
    expect(socket.counters.sendsDropped).toBe(0);
    // Native code keeps the errors away; without it they are met and got over.
    if (native) expect(socket.counters.errors).toBe(0);
  });

  test("forgets nothing and leaves nothing open when it is closed", async () => {
    const client = await clientAt();
    const { length } = readdirSync("/proc/self/fd");
    for (let n = 0; n < 20; n++) {
      const socket = await UdpSocket.open("127.0.0.1", 0, new Echo(), { ...DEFAULT_UDP, native }, undefined, String);
      const { port } = socket;
      send(`last words ${n}`, socket, "127.0.0.1", client.port);
      socket.close();
      // Twice is once.
      socket.close();
      const again = await UdpSocket.open("127.0.0.1", port, new Echo(), DEFAULT_UDP, undefined, String);
      again.close();
    }
    await client.until(() => true, 19);
    expect(texts(client)).toEqual(Array.from({ length: 20 }, (_, n) => `last words ${n}`));
    // Bun closes its descriptor a turn later. What else this process opens meanwhile is far fewer than 40.
    await until("descriptors to be closed", () => readdirSync("/proc/self/fd").length <= length + 10);
  });
});

describe("a keep-alive", () => {
  const stun = `\0\x11\0\0\x21\x12\xa4\x42${"\0".repeat(12)}`;
  test.each(["\r\n\r\n", "\r\n", "\n", "\0", "\0\0\0\0", "    ", "", stun])(
    "%j is taken and not handed on",
    async (text) => {
      const receiver = new Echo();
      const socket = await socketFor(receiver);
      const client = await clientAt();
      client.send(
        Uint8Array.from(text, (c) => c.charCodeAt(0)),
        socket.port,
      );
      client.send("OPTIONS", socket.port);
      await client.until(() => true);
      expect(receiver.got).toEqual(["OPTIONS"]);
      expect(texts(client)).toEqual(["OPTIONS"]);
      expect(socket.counters).toMatchObject({ received: 2, keepAlives: 1 });
    },
  );

  test.each(["\r\n\r\nOPTIONS", "\0\x01\0\0 no magic cookie here", "x"])("is not %j", async (text) => {
    const receiver = new Echo();
    const socket = await socketFor(receiver);
    const client = await clientAt();
    client.send(text, socket.port);
    await client.until(() => true);
    expect(receiver.got).toEqual([text]);
    expect(socket.counters.keepAlives).toBe(0);
  });
});

describe("what peers are told", () => {
  const told = async (host: string, advertised?: string) => {
    const socket = await UdpSocket.open(
      host,
      0,
      new Echo(),
      DEFAULT_UDP,
      advertised === undefined ? undefined : () => advertised,
      (peer) => `for-${peer}`,
    );
    open.push(socket);
    return { told: socket.sentByFor("192.0.2.1"), port: socket.port };
  };

  test("is the address that is bound", async () => {
    const v4 = await told("127.0.0.1");
    expect(v4.told).toBe(`127.0.0.1:${v4.port}`);
    const v6 = await told("::1");
    expect(v6.told).toBe(`[::1]:${v6.port}`);
  });

  test("is an address that the peer reaches, where all are bound", async () => {
    for (const host of ["0.0.0.0", "::"]) {
      const socket = await told(host);
      expect(socket.told).toBe(`for-192.0.2.1:${socket.port}`);
    }
  });

  test("is what the operator advertises", async () => {
    expect((await told("0.0.0.0", "sip.example.com:5060")).told).toBe("sip.example.com:5060");
  });
});

describe("under a flood", () => {
  /** A flood that Bun finds whole: so many datagrams in the socket's buffer before its loop reads the first. */
  const COUNT = 100;

  async function flooded(receiver: Echo, native: boolean): Promise<UdpSocket> {
    const socket = await socketFor(receiver, { native, floodBudget: 5 });
    const client = await clientAt();
    for (let n = 0; n < COUNT; n++) client.send(`OPTIONS ${n}`, socket.port);
    await until("the flood to be read", () => receiver.got.length === COUNT);
    return socket;
  }

  test("the budget is kept: other work has its turn", async () => {
    const receiver = new Echo();
    let turns = 0;
    const work = setInterval(() => turns++, 1);
    const started = new Set<number>();
    receiver.onDatagram = () => {
      started.add(turns);
      const end = performance.now() + 1;
      while (performance.now() < end);
      receiver.now = performance.now();
    };
    receiver.now = performance.now();
    const socket = await flooded(receiver, true);
    clearInterval(work);
    // 100 ms of reading in budgets of 5 ms, looked at after each eighth datagram.
    expect(socket.counters.floodPauses).toBeGreaterThanOrEqual(5);
    expect(started.size).toBeGreaterThanOrEqual(5);
    expect(receiver.got).toEqual(Array.from({ length: COUNT }, (_, n) => `OPTIONS ${n}`));
  });

  test.each([true, false])("timers go on: the clock is read from the receive path, native %p", async (native) => {
    const receiver = new Echo();
    let ticks = 0;
    receiver.onTick = () => ticks++;
    await flooded(receiver, native);
    expect(ticks).toBeGreaterThanOrEqual(COUNT / 8);
  });

  test.each([true, false])("what was written leaves within the budget, native %p", async (native) => {
    const receiver = new Echo();
    const sink = await clientAt();
    let writtenAt = -1;
    let leftAt = -1;
    receiver.onDatagram = (_text, channel) => {
      receiver.now++;
      if (writtenAt < 0) {
        send("an answer", channel, "127.0.0.1", sink.port);
        writtenAt = receiver.now;
      } else if (leftAt < 0 && channel.counters.sent > 0) leftAt = receiver.now;
    };
    await flooded(receiver, native);
    expect(leftAt - writtenAt).toBeGreaterThan(0);
    // The clock is looked at after each eighth datagram, and moves on by 1 ms with each.
    expect(leftAt - writtenAt).toBeLessThan(5 + 2 * 8);
  });
});
