/**
 * The pool of transactions. A transaction is a slot: sixteen words, one line of the processor's cache, in one large
 * array. Millions of them wait for their last timer at any time; there they are nothing that the garbage collector walks
 * over, and ending one touches one place in memory.
 *
 *     word 0    kind, state, status and port
 *     word 1-7  timers, interval, what is sent again, generation, free list
 *     word 8-11, 12-15  the links of the two key tables
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

/** A record is 2^4 words. */
export const RECORD_SHIFT = 4;
/** Where the key tables have their words in a record. */
export const TABLE_WORDS = 8;
export const MERGED_WORDS = 12;

const KIND_STATE = 0;
const RETRANSMIT_TIMER = 1;
const END_TIMER = 2;
const INTERVAL = 3;
const BLOCK = 4;
const BLOCK_LENGTH = 5;
const GENERATION = 6;
const NEXT_FREE = 7;

// Word 0: three bits of kind, three of state, ten of status, sixteen of port.
const STATE_SHIFT = 3;
const THREE_BITS = 7;
const STATUS_SHIFT = 6;
const TEN_BITS = 1023;
const PORT_SHIFT = 16;

/** Where a transaction's messages go. */
interface Peer {
  readonly channel: Channel;
  readonly address: string;
}

export class TransactionPool {
  /** Slots in use. */
  live = 0;
  /** The most slots that will ever be in use at once. */
  readonly ceiling: number;
  /** The records; memory is touched only as slots come into use. */
  readonly records: Int32Array;
  readonly #peer: (Peer | null)[] = [];
  readonly #user: (object | null)[] = [];
  #lastPeer: Peer | null = null;
  #free = -1;

  /** @param ceiling the most transactions at once */
  constructor(ceiling: number) {
    this.ceiling = ceiling;
    this.records = new Int32Array(ceiling << RECORD_SHIFT);
  }

  /** Slots that are or were in use: all numbers below this. */
  get used(): number {
    return this.#peer.length;
  }

  /** A free slot, or -1 when the ceiling is reached. */
  take(kind: number, state: number, channel: Channel, address: string, port: number): number {
    // Every datagram brings a string of its own for its address; those of one peer are kept once.
    let peer = this.#lastPeer;
    if (peer === null || peer.channel !== channel || peer.address !== address) {
      this.#lastPeer = peer = { channel, address };
    }
    let slot = this.#free;
    if (slot >= 0) {
      this.#free = this.records[(slot << RECORD_SHIFT) + NEXT_FREE]!;
      this.#peer[slot] = peer;
      if (this.#user[slot] !== null) this.#user[slot] = null;
    } else {
      slot = this.#peer.length;
      if (slot >= this.ceiling) return -1;
      this.#peer.push(peer);
      this.#user.push(null);
    }
    this.records[slot << RECORD_SHIFT] = kind | (state << STATE_SHIFT) | (port << PORT_SHIFT);
    this.live++;
    return slot;
  }

  /** Gives a slot back. Its timers and its block must be gone. */
  give(slot: number): void {
    const at = slot << RECORD_SHIFT;
    this.records[at] = 0;
    this.records[at + GENERATION]!++;
    this.records[at + NEXT_FREE] = this.#free;
    // A connection that is gone must not be kept in memory by a slot that nobody uses.
    if (this.#peer[slot]!.channel.reliable) this.#peer[slot] = null;
    this.#free = slot;
    this.live--;
  }

  generation(slot: number): number {
    return this.records[(slot << RECORD_SHIFT) + GENERATION]!;
  }

  /** Whether the slot still holds the transaction it held when its generation was read. */
  isLive(slot: number, generation: number): boolean {
    return this.generation(slot) === generation && this.kind(slot) !== Kind.Free;
  }

  kind(slot: number): number {
    return this.records[slot << RECORD_SHIFT]! & THREE_BITS;
  }

  state(slot: number): number {
    return (this.records[slot << RECORD_SHIFT]! >>> STATE_SHIFT) & THREE_BITS;
  }

  setState(slot: number, state: number): void {
    const at = (slot << RECORD_SHIFT) + KIND_STATE;
    this.records[at] = (this.records[at]! & ~(THREE_BITS << STATE_SHIFT)) | (state << STATE_SHIFT);
  }

  /** The last status sent or received. */
  status(slot: number): number {
    return (this.records[slot << RECORD_SHIFT]! >>> STATUS_SHIFT) & TEN_BITS;
  }

  setStatus(slot: number, status: number): void {
    const at = (slot << RECORD_SHIFT) + KIND_STATE;
    this.records[at] = (this.records[at]! & ~(TEN_BITS << STATUS_SHIFT)) | (status << STATUS_SHIFT);
  }

  /** What this transaction's messages are sent on. */
  channel(slot: number): Channel {
    return this.#peer[slot]!.channel;
  }

  /** Where they go. */
  address(slot: number): string {
    return this.#peer[slot]!.address;
  }

  port(slot: number): number {
    return this.records[slot << RECORD_SHIFT]! >>> PORT_SHIFT;
  }

  /** What the transaction user hangs on the slot; it takes it off when it is done with it, not to keep it in memory. */
  user(slot: number): object | null {
    return this.#user[slot]!;
  }

  setUser(slot: number, user: object | null): void {
    this.#user[slot] = user;
  }

  /** The retransmission timer in the wheel; 0 when it does not run. */
  retransmitTimer(slot: number): number {
    return this.records[(slot << RECORD_SHIFT) + RETRANSMIT_TIMER]!;
  }

  setRetransmitTimer(slot: number, timer: number): void {
    this.records[(slot << RECORD_SHIFT) + RETRANSMIT_TIMER] = timer;
  }

  /** The timer that ends the present state; 0 when it does not run. */
  endTimer(slot: number): number {
    return this.records[(slot << RECORD_SHIFT) + END_TIMER]!;
  }

  setEndTimer(slot: number, timer: number): void {
    this.records[(slot << RECORD_SHIFT) + END_TIMER] = timer;
  }

  /** The present retransmission interval, in milliseconds. */
  interval(slot: number): number {
    return this.records[(slot << RECORD_SHIFT) + INTERVAL]!;
  }

  setInterval(slot: number, interval: number): void {
    this.records[(slot << RECORD_SHIFT) + INTERVAL] = interval;
  }

  /** What is sent again, as a block of the store; 0 for nothing. */
  block(slot: number): number {
    return this.records[(slot << RECORD_SHIFT) + BLOCK]!;
  }

  /** The kept message's length in octets. */
  blockLength(slot: number): number {
    return this.records[(slot << RECORD_SHIFT) + BLOCK_LENGTH]!;
  }

  setBlock(slot: number, block: number, length: number): void {
    const at = slot << RECORD_SHIFT;
    this.records[at + BLOCK] = block;
    this.records[at + BLOCK_LENGTH] = length;
  }
}
