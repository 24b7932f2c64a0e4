/** The table of connections: who is found by which key, what the end of a turn writes, and what a lost one leaves. */
import { describe, expect, test } from "bun:test";
import { ScannerPool } from "../../src/message/framer.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { TimerWheel } from "../../src/time/wheel.ts";
import type { Channel, Receiver } from "../../src/transport/channel.ts";
import { Connection, ConnectionState } from "../../src/transport/connection.ts";
import { Connections } from "../../src/transport/connections.ts";
import { flowKey } from "../../src/transport/flow-key.ts";
import { OwnName } from "../../src/transport/own-name.ts";
import { DEFAULT_STREAMS, type StreamSettings } from "../../src/transport/settings.ts";
import { turns } from "../support/stream-client.ts";

const NAME = new OwnName("192.0.2.1", 5060, undefined, () => "192.0.2.1");

/** A connection without a socket: what it writes is kept as text. */
class StubConnection extends Connection {
  readonly isOnlyWay: boolean;
  readonly written: string[] = [];
  /** Whether the last close was an orderly one. */
  orderly: boolean | null = null;
  /** Called in the midst of a write. */
  onFlush: () => void = () => {};
  #gathered: Uint8Array[] = [];

  constructor(all: Connections, { address = "192.0.2.9", port = 5060, isAccepted = true, isOnlyWay = false } = {}) {
    super(all, "tcp", address, port, isAccepted, NAME);
    this.isOnlyWay = isOnlyWay;
    this.state = ConnectionState.Open;
  }

  send(start: number, address: string, port: number): void {
    if (!this.isOpen) {
      this.connections.reopen(this, start, address, port);
      return;
    }
    this.#gathered.push(this.arena.bytes.subarray(start, this.arena.at));
    if (this.#gathered.length === 1) this.connections.gather(this);
  }

  flush(): void {
    for (const octets of this.#gathered.splice(0)) this.written.push(Buffer.from(octets).toString());
    this.onFlush();
  }

  protected shut(orderly: boolean): void {
    this.orderly = orderly;
  }
}

function table(settings: Partial<StreamSettings> = {}) {
  const wheel = new TimerWheel(0, 100);
  const lost: { channel: Channel; cause: string | null }[] = [];
  const receiver = { lost: (channel: Channel, cause: string | null) => lost.push({ channel, cause }) };
  const reopened: { connection: StubConnection; address: string; port: number }[] = [];
  let mayReopen = true;
  const all: Connections = new Connections(
    receiver as unknown as Receiver,
    { ...DEFAULT_STREAMS, ...settings },
    new ScannerPool(DEFAULT_LIMITS),
    wheel,
    (_lost, address, port) => {
      if (!mayReopen) return null;
      const connection = new StubConnection(all, { address, port, isAccepted: false });
      all.add(connection, flowKey("tcp", address, port, address));
      reopened.push({ connection, address, port });
      return connection;
    },
  );
  const add = (key: string | null, options = {}) => {
    const connection = new StubConnection(all, options);
    all.add(connection, key);
    return connection;
  };
  const refuseReopen = () => {
    mayReopen = false;
  };
  /** Has a connection send a text. */
  const say = (connection: StubConnection, text: string, address = "192.0.2.9", port = 5060) => {
    const start = all.arena.open(text.length);
    all.arena.text(text);
    connection.send(start, address, port);
  };
  return { all, wheel, lost, reopened, add, say, refuseReopen };
}

describe("keys", () => {
  test("a connection is found by its key until it is closed", () => {
    const { all, add } = table();
    const one = add("a");
    expect(all.find("a")).toBe(one);
    expect(all.find("b")).toBeNull();
    one.close(null);
    expect(all.find("a")).toBeNull();
  });

  test("a key is not taken from an open connection, and is from a closed one", () => {
    const { all, add } = table();
    const one = add("a");
    const two = add("a");
    expect(all.find("a")).toBe(one);
    all.alias(two, "a");
    expect(all.find("a")).toBe(one);
    one.close(null);
    all.alias(two, "a");
    expect(all.find("a")).toBe(two);
  });

  test("a connection that is closed takes no key of another's with it", () => {
    const { all, add } = table();
    const one = add("a");
    const two = add("a");
    two.close(null);
    expect(all.find("a")).toBe(one);
  });

  test("all keys of a connection go with it", () => {
    const { all, add } = table();
    const one = add("a");
    for (const key of ["b", "c"]) all.alias(one, key);
    one.close(null);
    expect(["a", "b", "c"].map((key) => all.find(key))).toEqual([null, null, null]);
  });

  test("over TLS the domain is part of it, over TCP not", () => {
    expect(flowKey("tcp", "192.0.2.1", 5060, "a.example")).toBe(flowKey("tcp", "192.0.2.1", 5060, "b.example"));
    expect(flowKey("tls", "192.0.2.1", 5061, "a.example")).not.toBe(flowKey("tls", "192.0.2.1", 5061, "b.example"));
    expect(flowKey("tcp", "192.0.2.1", 5061, "x")).not.toBe(flowKey("tls", "192.0.2.1", 5061, "x"));
    expect(flowKey("tcp", "192.0.2.1", 5061, "x")).not.toBe(flowKey("tcp", "192.0.2.1", 5062, "x"));
  });
});

describe("places", () => {
  test("are used again, and every connection there is is visited", () => {
    const { all, add } = table();
    const [one, two, three] = [add(null), add(null), add(null)];
    two.close(null);
    expect([...all]).toEqual([one, three]);
    const four = add(null);
    expect(four.slot).toBe(two.slot);
    expect(new Set(all)).toEqual(new Set([one, three, four]));
    expect(all.size).toBe(3);
  });

  test("ceilings count what is there, accepted and opened, in all and by address", () => {
    const { all, add } = table({ connections: 4, connectionsPerAddress: 2 });
    const near = { address: "192.0.2.2" };
    const first = add(null, near);
    expect(all.mayAccept("192.0.2.2")).toBe(true);
    add(null, { ...near, isAccepted: false });
    expect([all.mayAccept("192.0.2.2"), all.mayOpen("192.0.2.2")]).toEqual([false, false]);
    expect([all.mayAccept("192.0.2.3"), all.mayOpen("192.0.2.3")]).toEqual([true, true]);
    first.close(null);
    expect(all.mayAccept("192.0.2.2")).toBe(true);
    add(null, near);
    add(null, { address: "192.0.2.3" });
    add(null, { address: "192.0.2.3" });
    expect([all.mayAccept("192.0.2.4"), all.mayOpen("192.0.2.4")]).toEqual([false, false]);
    expect(all.counters.refused).toBe(2);
  });

  test("closing twice counts once, and tells once", () => {
    const { all, add, lost, wheel } = table();
    const one = add("a");
    one.close("reset");
    one.close(null);
    expect(lost).toEqual([{ channel: one, cause: "reset" }]);
    expect(one.orderly).toBe(false);
    expect({ closed: all.counters.closed, size: all.size, timers: wheel.size }).toEqual({
      closed: 1,
      size: 0,
      timers: 0,
    });
  });
});

describe("the end of a turn", () => {
  test("writes what was gathered, connection by connection, and empties the arena", async () => {
    const { all, add, say } = table();
    const [one, two] = [add(null), add(null)];
    say(one, "first");
    say(two, "second");
    say(one, "third");
    expect([one.written, two.written]).toEqual([[], []]);
    await turns();
    expect([one.written, two.written]).toEqual([["first", "third"], ["second"]]);
    expect(all.arena.at).toBe(0);
  });

  test("what is gathered while others are written is written too, from octets nobody has overwritten", async () => {
    const { all, add, say } = table();
    const [one, two] = [add(null), add(null)];
    one.onFlush = () => {
      one.onFlush = () => {};
      say(two, "late");
    };
    say(one, "early");
    all.flush();
    say(one, "after");
    await turns();
    expect([one.written, two.written]).toEqual([["early", "after"], ["late"]]);
  });
});

describe("a response for a connection that is gone", () => {
  test("goes over a new one to the address and port given, and a second one over the same", async () => {
    const { all, add, say, reopened } = table();
    const one = add(null, { port: 40_000 });
    one.close("reset");
    say(one, "first", "192.0.2.9", 5070);
    await turns();
    expect(reopened.map(({ address, port }) => [address, port])).toEqual([["192.0.2.9", 5070]]);
    expect(reopened[0]!.connection.written).toEqual(["first"]);
    expect(all.counters.undeliverable).toBe(0);
  });

  test("is given up where there is no other way, or none can be opened", () => {
    const { all, add, say, reopened, refuseReopen } = table();
    const socket = add(null, { isOnlyWay: true });
    socket.close("reset");
    say(socket, "lost");
    refuseReopen();
    const one = add(null);
    one.close("reset");
    say(one, "lost");
    expect(reopened).toEqual([]);
    expect(all.counters.undeliverable).toBe(2);
  });
});

describe("the watch", () => {
  test("moves no timer for what comes in, and looks once in the time for a message", () => {
    const { add, wheel } = table({ idleTimeout: 100_000, messageTimeout: 10_000, connectTimeout: 5000 });
    const one = add(null);
    one.hasSpoken = true;
    for (let now = 0; now <= 300_000; now += 1000) {
      one.lastActive = now;
      wheel.advance(now);
      expect(wheel.size).toBe(1);
    }
    expect(one.isOpen).toBe(true);
  });

  test("closes an idle connection in order, and one that is late with its message by force", () => {
    const { all, add, wheel, lost } = table({ idleTimeout: 100_000, messageTimeout: 10_000 });
    const [idle, slow] = [add(null), add(null)];
    idle.hasSpoken = slow.hasSpoken = true;
    slow.partialSince = 50_000;
    for (let now = 0; now < 60_000; now += 500) wheel.advance(now);
    expect([idle.isOpen, slow.isOpen]).toEqual([true, true]);
    for (let now = 60_000; now < 60_200; now += 50) wheel.advance(now);
    expect([idle.isOpen, slow.isOpen, slow.orderly]).toEqual([true, false, false]);
    for (let now = 61_000; now < 100_000; now += 500) wheel.advance(now);
    expect(idle.isOpen).toBe(true);
    for (let now = 100_000; now < 100_200; now += 50) wheel.advance(now);
    expect([idle.isOpen, idle.orderly]).toEqual([false, true]);
    expect(lost.map(({ cause }) => cause)).toEqual([expect.any(String), null]);
    expect(all.counters).toMatchObject({ idleTimeouts: 1, messageTimeouts: 1, closed: 2 });
  });

  test("one of ours that does not open in time is closed, with the reason", () => {
    const { add, wheel, lost } = table({ connectTimeout: 5000 });
    const one = add(null, { isAccepted: false });
    one.state = ConnectionState.Opening;
    for (let now = 0; now < 5000; now += 100) wheel.advance(now);
    expect(one.isOpen).toBe(true);
    for (let now = 5000; now < 5200; now += 50) wheel.advance(now);
    expect(lost).toEqual([{ channel: one, cause: "no connection in time" }]);
  });
});
