/** What is sent on a connection, where the kernel takes as much as it likes of each write. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ScannerPool } from "../../src/message/framer.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { TimerWheel } from "../../src/time/wheel.ts";
import type { Receiver } from "../../src/transport/channel.ts";
import { Connections } from "../../src/transport/connections.ts";
import { OwnName } from "../../src/transport/own-name.ts";
import { DEFAULT_STREAMS } from "../../src/transport/settings.ts";
import { type Socket, StreamConnection } from "../../src/transport/stream.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

/** A socket whose kernel takes what `takes` says, write by write, and everything once it is empty. */
class StingySocket {
  readonly localAddress = "127.0.0.1";
  readonly authorized = false;
  readonly takes: number[];
  taken = "";
  /** Octets offered in each write. */
  readonly writes: number[] = [];
  closed: "orderly" | "by force" | null = null;

  constructor(takes: readonly number[] = []) {
    this.takes = [...takes];
  }

  write(octets: Uint8Array): number {
    const takes = this.takes.shift() ?? Number.POSITIVE_INFINITY;
    this.writes.push(octets.length);
    this.taken += textOf(octets.subarray(0, Math.max(0, takes)));
    return Math.min(takes, octets.length);
  }

  setNoDelay(): void {}

  setKeepAlive(): void {}

  end(): void {
    this.closed ??= "orderly";
  }

  terminate(): void {
    this.closed ??= "by force";
  }
}

function streamOn(socket: StingySocket, { writeQueue = 1 << 20, isOpen = true } = {}) {
  const causes: (string | null)[] = [];
  const receiver = {
    lost: (_channel: unknown, cause: string | null) => causes.push(cause),
    ended: () => {},
    tick: () => 0,
  };
  const wheel = new TimerWheel(0, 10);
  const all = new Connections(
    receiver as unknown as Receiver,
    { ...DEFAULT_STREAMS, writeQueue },
    new ScannerPool(DEFAULT_LIMITS),
    wheel,
    () => null,
  );
  const name = new OwnName("127.0.0.1", 5060, undefined, () => "127.0.0.1");
  const connection = new StreamConnection(all, "tcp", "127.0.0.1", 40_000, true, name, null);
  all.add(connection, null);
  const open = () => connection.opened(socket as unknown as Socket);
  if (isOpen) open();
  return {
    all,
    connection,
    causes,
    wheel,
    open,
    /** Sends these in one turn, and overwrites the arena after it, as the next turn does. */
    turn(...texts: string[]): void {
      for (const text of texts) {
        const start = all.arena.open(text.length);
        all.arena.put(bytesOf(text));
        connection.send(start, "127.0.0.1", 40_000);
      }
      const { bytes } = all.arena;
      all.flush();
      bytes.fill(0x21);
    },
  };
}

describe("what is sent", () => {
  test("in a turn is one write", () => {
    const socket = new StingySocket();
    const { turn } = streamOn(socket);
    turn("one", "two", "three");
    turn("four");
    expect(socket).toMatchObject({ taken: "onetwothreefour", writes: [11, 4] });
  });

  test("arrives whole and in order, whatever the kernel takes of each write", () => {
    const turns = fc.array(
      fc.array(fc.string({ unit: fc.constantFrom(..."abcdef"), minLength: 1, maxLength: 40 }), { maxLength: 5 }),
      { minLength: 1, maxLength: 8 },
    );
    const takes = fc.array(fc.integer({ min: -1, max: 60 }), { maxLength: 30 });
    fc.assert(
      fc.property(turns, takes, fc.array(fc.boolean()), (list, taken, drains) => {
        const socket = new StingySocket(taken);
        const { turn, connection } = streamOn(socket);
        for (const [n, texts] of list.entries()) {
          turn(...texts);
          if (drains[n]) connection.drained();
        }
        for (let n = 0; n <= taken.length; n++) connection.drained();
        expect(socket.taken).toBe(list.flat().join(""));
        expect(connection.isOpen).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test("before the connection is open waits, and goes first", () => {
    const socket = new StingySocket();
    const { turn, open } = streamOn(socket, { isOpen: false });
    turn("early ", "words ");
    open();
    turn("late");
    expect(socket.taken).toBe("early words late");
  });

  test("a megabyte in a turn is written in pieces, in order", () => {
    const socket = new StingySocket();
    const { turn } = streamOn(socket);
    const texts = Array.from({ length: 500 }, (_, n) => `${n}:`.padEnd(2100, "x"));
    turn(...texts, "y".repeat(300_000), "z");
    expect(socket.taken).toBe(`${texts.join("")}${"y".repeat(300_000)}z`);
    expect(socket.writes.length).toBeLessThan(25);
  });
});

describe("a queue that is full", () => {
  test("ends the connection by force, once, with the reason, and keeps nothing", () => {
    const socket = new StingySocket([4, 0, 0, 0, 0, 0]);
    const { turn, all, causes, connection } = streamOn(socket, { writeQueue: 100 });
    turn("x".repeat(50));
    expect(all.counters.writeOverflows).toBe(0);
    // Several times what it holds.
    turn(...Array.from({ length: 20 }, () => "y".repeat(30)));
    expect(connection.isOpen).toBe(false);
    expect(causes).toEqual(["the peer does not read"]);
    expect(socket).toMatchObject({ closed: "by force", taken: "xxxx" });
    expect(all.counters).toMatchObject({ writeOverflows: 1, closed: 1 });
  });

  test("is full beyond its bound, not at it", () => {
    const socket = new StingySocket([0]);
    const { turn, connection, all } = streamOn(socket, { writeQueue: 100 });
    turn("x".repeat(100));
    expect(connection.isOpen).toBe(true);
    connection.drained();
    turn("y".repeat(100));
    expect(socket.taken).toBe("x".repeat(100) + "y".repeat(100));
    expect(all.counters.writeOverflows).toBe(0);
  });

  test("has room again after a drain that takes a part", () => {
    const socket = new StingySocket([0, 60, 0, 0]);
    const { turn, connection } = streamOn(socket, { writeQueue: 100 });
    turn("x".repeat(100));
    connection.drained();
    turn("y".repeat(60));
    expect(connection.isOpen).toBe(true);
    turn("z");
    expect(connection.isOpen).toBe(false);
  });

  test("bounds what waits for a connection to open, too", () => {
    const { turn, connection, all } = streamOn(new StingySocket(), { isOpen: false, writeQueue: 100 });
    turn("x".repeat(60), "y".repeat(60), "z".repeat(60), "x".repeat(60), "y".repeat(60));
    expect(connection.isOpen).toBe(false);
    expect(all.counters).toMatchObject({ writeOverflows: 1, closed: 1 });
  });
});

describe("a peer that has ended its side", () => {
  test("is sent what waits before the end", () => {
    const socket = new StingySocket([3, 0, 2]);
    const { turn, connection } = streamOn(socket);
    turn("answer");
    connection.ended();
    expect(socket.closed).toBeNull();
    connection.drained();
    connection.drained();
    connection.drained();
    expect(socket).toMatchObject({ taken: "answer", closed: "orderly" });
  });

  test("may take its time to read it, as any other", () => {
    const socket = new StingySocket([3, 0, 1, 0]);
    const { turn, connection, wheel } = streamOn(socket);
    connection.hasSpoken = true;
    turn("answer");
    connection.ended();
    for (let now = 0; now < DEFAULT_STREAMS.messageTimeout * 3; now += 1000) wheel.advance(now);
    expect(socket.closed).toBeNull();
    for (let n = 0; n < 4; n++) connection.drained();
    expect(socket).toMatchObject({ taken: "answer", closed: "orderly" });
  });

  test("is not left while a transaction waits for its answer", () => {
    const socket = new StingySocket();
    const { turn, connection } = streamOn(socket);
    connection.dependants.add(1);
    connection.ended();
    turn("100");
    expect(socket.closed).toBeNull();
    connection.dependants.delete(1);
    turn("200");
    expect(socket).toMatchObject({ taken: "100200", closed: "orderly" });
  });
});
