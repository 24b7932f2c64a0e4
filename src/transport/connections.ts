/**
 * All connections of a server: the ceilings on them, how one is found for a request, their time-outs, and the end of a
 * turn, when what was gathered is written.
 *
 * One timer of the wheel watches each connection. It looks at most once in {@link StreamSettings.messageTimeout} and
 * works out what is due, so that octets coming in move no timer.
 */
import { Arena } from "../message/arena.ts";
import type { ScannerPool } from "../message/framer.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { Receiver } from "./channel.ts";
import { type Connection, ConnectionState } from "./connection.ts";
import type { StreamSettings } from "./settings.ts";

/** Counts kept since the start. */
export class ConnectionCounters {
  /** Messages. */
  received = 0;
  sent = 0;
  /** Pings of a double CRLF that were answered. */
  keepAlives = 0;
  accepted = 0;
  opened = 0;
  closed = 0;
  /** Accepted connections closed at once: a ceiling was reached. */
  refused = 0;
  /** Connections of ours that could not be made, the TLS handshake and its checks included. */
  connectFailures = 0;
  /** Accepted connections whose TLS handshake failed or whose certificate was missing or not trusted. */
  handshakeFailures = 0;
  /** Closed since what came could not be told apart into messages. */
  unframed = 0;
  /** Closed since no octet came for too long. */
  idleTimeouts = 0;
  /** Closed since a first or a begun message did not come to its end. */
  messageTimeouts = 0;
  /** Closed since the peer did not read what was sent. */
  writeOverflows = 0;
  /** Responses whose connection was gone and could not be opened again. */
  undeliverable = 0;
  /** Handshakes for a WebSocket that were refused: no subprotocol `sip`, or no such request. */
  upgradesRefused = 0;
}

/** Reopens the way to a peer whose connection was lost; see {@link Connections.reopen}. */
export type Reopen = (lost: Connection, address: string, port: number) => Connection | null;

export class Connections {
  /** Where messages for any connection are written; emptied at the end of a turn. */
  readonly arena = new Arena();
  readonly counters = new ConnectionCounters();
  readonly receiver: Receiver;
  readonly settings: StreamSettings;
  readonly scanners: ScannerPool;
  readonly #wheel: TimerWheel;
  readonly #watch: number;
  readonly #reopen: Reopen;
  readonly #all: (Connection | null)[] = [];
  readonly #timers: number[] = [];
  readonly #free: number[] = [];
  readonly #byKey = new Map<string, Connection>();
  readonly #perAddress = new Map<string, number>();
  /** Connections with something gathered. */
  #gathered: Connection[] = [];
  readonly #doomed: [Connection, string][] = [];
  #turnScheduled = false;

  /** @param reopen makes a new connection to where the peer of a lost one listens */
  constructor(receiver: Receiver, settings: StreamSettings, scanners: ScannerPool, wheel: TimerWheel, reopen: Reopen) {
    this.receiver = receiver;
    this.settings = settings;
    this.scanners = scanners;
    this.#wheel = wheel;
    this.#reopen = reopen;
    this.#watch = wheel.register((slot) => this.#look(slot));
  }

  /** Connections there are. */
  get size(): number {
    return this.#all.length - this.#free.length;
  }

  /** The time by the wheel, in milliseconds. */
  get now(): number {
    return this.#wheel.now;
  }

  /** Every connection there is. */
  *[Symbol.iterator](): IterableIterator<Connection> {
    for (const connection of this.#all) if (connection !== null) yield connection;
  }

  /** Whether one more may be accepted from an address; if not it is counted as refused. */
  mayAccept(address: string): boolean {
    if (this.mayOpen(address)) return true;
    this.counters.refused++;
    return false;
  }

  /** Whether there may be one more with an address. */
  mayOpen(address: string): boolean {
    const { connections, connectionsPerAddress } = this.settings;
    return this.size < connections && (this.#perAddress.get(address) ?? 0) < connectionsPerAddress;
  }

  /** Takes in a connection. @param key what it is found by for requests to its peer; none when it is not for others */
  add(connection: Connection, key: string | null): void {
    const slot = this.#free.pop() ?? this.#all.length;
    this.#all[slot] = connection;
    connection.slot = slot;
    connection.since = connection.lastActive = this.#wheel.now;
    this.#arm(slot, Math.min(this.settings.messageTimeout, this.settings.connectTimeout));
    if (connection.isAccepted) this.counters.accepted++;
    this.#perAddress.set(connection.address, (this.#perAddress.get(connection.address) ?? 0) + 1);
    if (key !== null) this.alias(connection, key);
  }

  /** Has a connection found by one more key, unless another open one is. */
  alias(connection: Connection, key: string): void {
    if (this.find(key) !== null) return;
    connection.keys.push(key);
    this.#byKey.set(key, connection);
  }

  /** Has a connection found for no more requests. */
  unlist(connection: Connection): void {
    for (const key of connection.keys) if (this.#byKey.get(key) === connection) this.#byKey.delete(key);
    connection.keys.length = 0;
  }

  /** The open or opening connection of a key. */
  find(key: string): Connection | null {
    const found = this.#byKey.get(key);
    return found?.isOpen ? found : null;
  }

  /** A connection was closed: whoever depends on it is told. */
  remove(connection: Connection, cause: string | null): void {
    const { slot } = connection;
    if (this.#timers[slot] !== 0) this.#wheel.cancel(this.#timers[slot]!);
    this.#all[slot] = null;
    this.#free.push(slot);
    this.unlist(connection);
    this.counters.closed++;
    const left = this.#perAddress.get(connection.address)! - 1;
    if (left === 0) this.#perAddress.delete(connection.address);
    else this.#perAddress.set(connection.address, left);
    this.receiver.lost(connection, cause);
  }

  /**
   * A response for a connection that is gone goes over a new one to where its Via says that the peer listens
   * (RFC 3261 s18.2.2).
   */
  reopen(lost: Connection, start: number, address: string, port: number): void {
    const connection = lost.isOnlyWay ? null : this.#reopen(lost, address, port);
    if (connection === null) this.counters.undeliverable++;
    else {
      if (connection.state === ConnectionState.Opening) connection.owed++;
      connection.send(start, address, port);
    }
  }

  /** A connection has something to write at the end of the turn. */
  gather(connection: Connection): void {
    this.#gathered.push(connection);
    this.wake();
  }

  /** Closes a connection at the end of the turn, when no transaction is sending. */
  closeSoon(connection: Connection, cause: string): void {
    this.#doomed.push([connection, cause]);
    this.wake();
  }

  /** Makes sure that the turn has an end. */
  wake(): void {
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    setImmediate(this.#endTurn);
  }

  /** Writes what was gathered. Only when no message is being written. */
  flush(): void {
    for (let doomed = this.#doomed.pop(); doomed !== undefined; doomed = this.#doomed.pop()) {
      doomed[0].close(doomed[1]);
    }
    const gathered = this.#gathered;
    if (gathered.length > 0) {
      this.#gathered = [];
      for (const connection of gathered) connection.flush();
    }
    // A connection that broke while it was written to may have made others gather.
    if (this.#gathered.length === 0) this.arena.reset();
  }

  readonly #endTurn = (): void => {
    this.#turnScheduled = false;
    this.flush();
  };

  #arm(slot: number, delay: number): void {
    this.#timers[slot] = this.#wheel.insert(delay, this.#watch, slot);
  }

  /** Looks whether a connection's time is over. */
  #look(slot: number): void {
    this.#timers[slot] = 0;
    const connection = this.#all[slot]!;
    const { now } = this.#wheel;
    const due = this.#dueOf(connection, now);
    if (now < due) this.#arm(slot, Math.min(due - now, this.settings.messageTimeout));
  }

  /** Closes a connection whose time is over. @returns when that may be; the past when it was */
  #dueOf(connection: Connection, now: number): number {
    const { connectTimeout, idleTimeout, messageTimeout } = this.settings;
    const { isAccepted, hasSpoken, since, partialSince } = connection;
    if (!isAccepted && connection.state === ConnectionState.Opening) {
      const due = since + connectTimeout;
      if (now >= due) connection.close("no connection in time");
      return due;
    }
    if (connection.isDone) {
      connection.close(null);
      return now;
    }
    const begun = isAccepted && !hasSpoken ? since : partialSince;
    if (begun >= 0 && now >= begun + messageTimeout) {
      this.counters.messageTimeouts++;
      connection.close("a message did not come to its end in time");
      return now;
    }
    // Whoever waits for an answer may wait as long as the transaction lives.
    const isWanted = connection.hasDependants || connection.holders > 0;
    const idle = (isWanted ? now : connection.lastActive) + idleTimeout;
    if (now >= idle) {
      this.counters.idleTimeouts++;
      connection.close(null);
      return now;
    }
    return begun >= 0 ? Math.min(idle, begun + messageTimeout) : idle;
  }
}
