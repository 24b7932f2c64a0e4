/**
 * What is to be sent on a UDP socket: gathered during a turn, given to the kernel in one call, and kept, up to a bound,
 * when the kernel has no room.
 *
 * `sendMany` stops at the first datagram that cannot go, whatever the cause. The ones after it are tried singly, which
 * tells the causes apart: no room (all that follows is kept), an ICMP error left behind by an earlier datagram (not this
 * one's fault, so it is sent again), or a datagram that cannot be sent at all (dropped).
 */

/** The part of a UDP socket that is used here. */
export interface Sendable {
  send(data: Uint8Array, port: number, address: string): boolean;
  sendMany(packets: readonly (Uint8Array | number | string)[]): number;
}

/** The counters that are moved here. */
export interface SendCounters {
  sent: number;
  sendsDeferred: number;
  sendsDropped: number;
  errors: number;
}

/** Errors that a send may meet on behalf of another peer. */
const LEFT_BEHIND = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "ENOPROTOOPT"]);
/** How often a datagram is tried again after such an error; each try takes one error away. */
const TRIES = 8;

const Sent = 0;
const NoRoom = 1;
const Refused = 2;

export class SendQueue {
  readonly #socket: Sendable;
  readonly #bound: number;
  readonly #counters: SendCounters;
  /** Three entries a datagram: octets, port, address. */
  #batch: (Uint8Array | number | string)[] = [];
  /** Datagrams the kernel had no room for, oldest first; octets of their own. */
  #waiting: (Uint8Array | number | string)[] = [];

  constructor(socket: Sendable, bound: number, counters: SendCounters) {
    this.#socket = socket;
    this.#bound = bound;
    this.#counters = counters;
  }

  /** Datagrams gathered since the last {@link flush}. */
  get gathered(): number {
    return this.#batch.length / 3;
  }

  /** Datagrams waiting for the kernel to have room. */
  get waiting(): number {
    return this.#waiting.length / 3;
  }

  /** @param octets may be overwritten after the next {@link flush} */
  add(octets: Uint8Array, address: string, port: number): void {
    this.#batch.push(octets, port, address);
  }

  /** Gives what was gathered to the kernel, or keeps copies of it: the octets may be overwritten afterwards. */
  flush(): void {
    const batch = this.#batch;
    if (batch.length === 0) return;
    if (this.#waiting.length > 0) this.#keep(0);
    else {
      const sent = this.#sendMany(batch) * 3;
      this.#counters.sent += sent / 3;
      for (let at = sent; at < batch.length; at += 3) {
        if (this.#sendOne(batch, at) === NoRoom) {
          this.#keep(at);
          break;
        }
      }
    }
    batch.length = 0;
  }

  /** The kernel has room again. */
  drain(): void {
    const waiting = this.#waiting;
    let at = 0;
    while (at < waiting.length && this.#sendOne(waiting, at) !== NoRoom) at += 3;
    if (at > 0) waiting.splice(0, at);
  }

  #sendMany(packets: readonly (Uint8Array | number | string)[]): number {
    try {
      return this.#socket.sendMany(packets);
    } catch {
      this.#counters.errors++;
      return 0;
    }
  }

  #sendOne(packets: readonly (Uint8Array | number | string)[], at: number): number {
    for (let tried = 0; ; tried++) {
      try {
        if (!this.#socket.send(packets[at] as Uint8Array, packets[at + 1] as number, packets[at + 2] as string)) {
          return NoRoom;
        }
        this.#counters.sent++;
        return Sent;
      } catch (error) {
        this.#counters.errors++;
        const { code } = error as { code?: string };
        if (tried < TRIES && code !== undefined && LEFT_BEHIND.has(code)) continue;
        this.#counters.sendsDropped++;
        return Refused;
      }
    }
  }

  /** Keeps the batch from `at` on, as far as there is room; what does not fit is dropped. */
  #keep(at: number): void {
    const batch = this.#batch;
    for (let i = at; i < batch.length; i += 3) {
      if (this.waiting >= this.#bound) this.#counters.sendsDropped++;
      else {
        this.#waiting.push((batch[i] as Uint8Array).slice(), batch[i + 1]!, batch[i + 2]!);
        this.#counters.sendsDeferred++;
      }
    }
  }
}
