/**
 * A connection as a channel: what TCP, TLS and WebSocket have in common. The octets are its subclasses' affair, its place
 * among the others and its time-outs are those of {@link Connections}.
 */
import type { Arena } from "../message/arena.ts";
import type { Channel } from "./channel.ts";
import type { Connections } from "./connections.ts";
import type { TransportName } from "./kinds.ts";
import { hostOf, type OwnName } from "./own-name.ts";

export const ConnectionState = {
  /** Not open yet, or the TLS handshake is under way: what is sent waits. */
  Opening: 0,
  Open: 1,
  Closed: 2,
} as const;

export abstract class Connection implements Channel {
  readonly reliable = true;
  readonly longest = Number.POSITIVE_INFINITY;
  readonly kind: TransportName;
  readonly transport: string;
  /** The peer, numeric, IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
  /** Whether the peer opened it. */
  readonly isAccepted: boolean;
  abstract readonly isOnlyWay: boolean;
  /** Its number in the table of connections. */
  slot = -1;
  state: number = ConnectionState.Opening;
  /** When it was made, when octets last came, and when the message under way began, by the wheel; -1: none is. */
  since = 0;
  lastActive = 0;
  partialSince = -1;
  /** Responses that wait for it to open, since the connection they belong to is gone. */
  owed = 0;
  /** Whether a whole message has come. */
  hasSpoken = false;
  /** Whether its peer will send no more. */
  isHalfClosed = false;
  holders = 0;
  /** What it is found by for requests to its peer. */
  readonly keys: string[] = [];
  protected readonly connections: Connections;
  readonly #name: OwnName;
  /** This end's address, once it is known. */
  protected local: string | null = null;
  #sentBy: string | null = null;
  #host = "";
  #dependants: Set<number> | null = null;

  constructor(
    connections: Connections,
    kind: TransportName,
    address: string,
    port: number,
    isAccepted: boolean,
    name: OwnName,
  ) {
    this.connections = connections;
    this.kind = kind;
    this.transport = kind.toUpperCase();
    this.address = address;
    this.port = port;
    this.isAccepted = isAccepted;
    this.#name = name;
  }

  get arena(): Arena {
    return this.connections.arena;
  }

  get isOpen(): boolean {
    return this.state !== ConnectionState.Closed && !this.isHalfClosed;
  }

  /** Whether nobody will send or wait for anything any more. */
  get isDone(): boolean {
    return this.isHalfClosed && !this.hasDependants;
  }

  get dependants(): Set<number> {
    this.#dependants ??= new Set();
    return this.#dependants;
  }

  /** Whether a transaction would end with it. */
  get hasDependants(): boolean {
    return this.#dependants !== null && this.#dependants.size > 0;
  }

  sentByFor(): string {
    if (this.#sentBy === null) this.#lookUp();
    return this.#sentBy!;
  }

  hostFor(): string {
    if (this.#sentBy === null) this.#lookUp();
    return this.#host;
  }

  #lookUp(): void {
    this.#sentBy = this.local === null ? this.#name.sentByFor(this.address) : this.#name.sentByAt(this.local);
    this.#host = hostOf(this.#sentBy);
  }

  abstract send(start: number, address: string, port: number): void;

  drop(start: number): void {
    this.arena.at = start;
  }

  /** Hands what was gathered to the kernel. */
  abstract flush(): void;

  /**
   * Closes it; what has not been taken by the kernel is given up.
   * @param cause why, in words, or null when nobody need be told
   */
  close(cause: string | null): void {
    if (this.state === ConnectionState.Closed) return;
    if (this.state === ConnectionState.Opening) this.connections.counters.undeliverable += this.owed;
    this.state = ConnectionState.Closed;
    this.shut(cause === null);
    this.connections.remove(this, cause);
  }

  /** Closes the socket. @param orderly with what was written still delivered */
  protected abstract shut(orderly: boolean): void;
}
