/**
 * The pool of transactions. A transaction is a slot: its fields stand at the same index of several columns, most of them
 * typed arrays, so that millions of them waiting for their last timer are nothing the garbage collector walks over.
 *
 * A slot is used again and again. Whoever keeps a slot's number beside work that takes time keeps its generation too and
 * asks {@link TransactionPool.isLive}.
 */
import type { Channel } from "../transport/channel.ts";

/** Which of the four machines of RFC 3261 s17 a slot is run by; 0 when it is free. */
export const Kind = { Free: 0, ServerInvite: 1, ServerNonInvite: 2, ClientInvite: 3, ClientNonInvite: 4 } as const;

/** The states of the four machines (RFC 3261 figures 5 to 8, RFC 6026 s7). */
export const State = {
  Terminated: 0,
  /** Client INVITE: sent, no answer yet. */
  Calling: 1,
  /** Non-INVITE, both sides: no answer yet. */
  Trying: 2,
  Proceeding: 3,
  Completed: 4,
  /** Server INVITE: the ACK for a non-2xx has come. */
  Confirmed: 5,
  /** INVITE, both sides: a 2xx has been sent or received (RFC 6026). */
  Accepted: 6,
} as const;

export class TransactionPool {
  /** Slots in use. */
  live = 0;
  /** The most slots that will ever be in use at once. */
  readonly ceiling: number;

  readonly kind: Uint8Array;
  readonly state: Uint8Array;
  /** The last status sent or received. */
  readonly status: Uint16Array;
  /** Timers in the wheel: the retransmission and the end; 0 when not running. */
  readonly retransmitTimer: Int32Array;
  readonly endTimer: Int32Array;
  /** The present retransmission interval, in milliseconds. */
  readonly interval: Int32Array;
  /** What is retransmitted, as a block of the store; 0 for nothing. */
  readonly block: Int32Array;
  readonly blockLength: Int32Array;
  /** Where this transaction's messages go. */
  readonly port: Uint16Array;
  readonly address: string[] = [];
  readonly channel: (Channel | null)[] = [];
  /** What the transaction user hangs on the slot. */
  readonly user: (object | null)[] = [];
  readonly #generation: Int32Array;
  /** Free slots that were used before, as a stack through #nextFree. */
  readonly #nextFree: Int32Array;
  #free = -1;

  /** @param ceiling the most transactions at once; the columns' memory is touched only as slots are used */
  constructor(ceiling: number) {
    this.ceiling = ceiling;
    this.kind = new Uint8Array(ceiling);
    this.state = new Uint8Array(ceiling);
    this.status = new Uint16Array(ceiling);
    this.retransmitTimer = new Int32Array(ceiling);
    this.endTimer = new Int32Array(ceiling);
    this.interval = new Int32Array(ceiling);
    this.block = new Int32Array(ceiling);
    this.blockLength = new Int32Array(ceiling);
    this.port = new Uint16Array(ceiling);
    this.#generation = new Int32Array(ceiling);
    this.#nextFree = new Int32Array(ceiling);
  }

  /** A free slot, or -1 when the ceiling is reached. */
  take(kind: number, state: number, channel: Channel, address: string, port: number): number {
    let slot = this.#free;
    if (slot >= 0) {
      this.#free = this.#nextFree[slot]!;
      this.channel[slot] = channel;
      this.address[slot] = address;
    } else {
      slot = this.address.length;
      if (slot >= this.ceiling) return -1;
      this.channel.push(channel);
      this.address.push(address);
      this.user.push(null);
    }
    this.kind[slot] = kind;
    this.state[slot] = state;
    this.status[slot] = 0;
    this.port[slot] = port;
    this.live++;
    return slot;
  }

  /** Gives a slot back. Its timers and its block must be gone. */
  give(slot: number): void {
    this.kind[slot] = Kind.Free;
    this.state[slot] = State.Terminated;
    this.#generation[slot]!++;
    this.channel[slot] = null;
    this.user[slot] = null;
    this.#nextFree[slot] = this.#free;
    this.#free = slot;
    this.live--;
  }

  generation(slot: number): number {
    return this.#generation[slot]!;
  }

  /** Whether the slot still holds the transaction it held when its generation was read. */
  isLive(slot: number, generation: number): boolean {
    return this.#generation[slot] === generation && this.kind[slot] !== Kind.Free;
  }
}
