/** What the four machines share: the pool, the wheel, the store of sent messages, and how one is sent again. */

import { ByteStore } from "../memory/byte-store.ts";
import type { TimerWheel } from "../time/wheel.ts";
import { TransactionPool } from "./pool.ts";
import type { Timers } from "./timers.ts";
import type { TransactionUser } from "./user.ts";

/** Counts kept by the transaction layer since its start. */
export class TransactionCounters {
  serverTransactions = 0;
  clientTransactions = 0;
  /** Messages sent again by a timer or in answer to a retransmission. */
  retransmissionsSent = 0;
  /** Requests and final responses that had come before. */
  retransmissionsReceived = 0;
  /** Timers B, F and H, and requests never answered. */
  timeouts = 0;
  /** Client transactions whose connection was lost or could not be made. */
  transportFailures = 0;
  merged = 0;
  overloaded = 0;
  strayResponses = 0;
}

export class TransactionContext {
  readonly pool: TransactionPool;
  readonly store = new ByteStore();
  readonly wheel: TimerWheel;
  readonly timers: Timers;
  readonly user: TransactionUser;
  readonly counters = new TransactionCounters();
  /** Takes a terminated slot out of the key tables and gives it back; set by the layer. */
  forget: (slot: number) => void = () => {};

  constructor(wheel: TimerWheel, timers: Timers, user: TransactionUser, ceiling: number) {
    this.wheel = wheel;
    this.timers = timers;
    this.user = user;
    this.pool = new TransactionPool(ceiling);
  }

  /** Whether this transaction's transport delivers by itself. */
  isReliable(slot: number): boolean {
    return this.pool.channel(slot).reliable;
  }

  /** Sends what the transaction's channel has in its arena from `start`. */
  transmit(slot: number, start: number): void {
    const { pool } = this;
    pool.channel(slot).send(start, pool.address(slot), pool.port(slot));
  }

  /** The same, and keeps a copy to send again. */
  transmitAndKeep(slot: number, start: number): void {
    const { pool, store } = this;
    const { arena } = pool.channel(slot);
    const length = arena.at - start;
    this.dropKept(slot);
    pool.setBlock(slot, store.keep(arena.words, start >>> 2, length), length);
    this.transmit(slot, start);
  }

  /** Sends the kept message again; nothing when none is kept. */
  retransmit(slot: number): void {
    const { pool, store } = this;
    const block = pool.block(slot);
    if (block === 0) return;
    this.counters.retransmissionsSent++;
    this.transmit(slot, store.copyTo(pool.channel(slot).arena, block, pool.blockLength(slot)));
  }

  /** Forgets the kept message. */
  dropKept(slot: number): void {
    const { pool } = this;
    if (pool.block(slot) === 0) return;
    this.store.give(pool.block(slot), pool.blockLength(slot));
    pool.setBlock(slot, 0, 0);
  }

  /** Starts the retransmission timer. */
  startRetransmit(slot: number, delay: number, kind: number): void {
    this.pool.setInterval(slot, delay);
    this.pool.setRetransmitTimer(slot, this.wheel.insert(delay, kind, slot));
  }

  stopRetransmit(slot: number): void {
    const timer = this.pool.retransmitTimer(slot);
    if (timer !== 0) this.wheel.cancel(timer);
    this.pool.setRetransmitTimer(slot, 0);
  }

  /** Starts the timer that ends the present state, in place of the one before. */
  startEnd(slot: number, delay: number, kind: number): void {
    this.stopEnd(slot);
    this.pool.setEndTimer(slot, this.wheel.insert(delay, kind, slot));
  }

  stopEnd(slot: number): void {
    const timer = this.pool.endTimer(slot);
    if (timer !== 0) this.wheel.cancel(timer);
    this.pool.setEndTimer(slot, 0);
  }

  /** Ends a transaction: its timers, its kept message, its place in the tables. */
  terminate(slot: number): void {
    this.stopRetransmit(slot);
    this.stopEnd(slot);
    this.dropKept(slot);
    this.forget(slot);
  }

  /** Tells the user that time ran out, and ends the transaction. */
  timeOut(slot: number): void {
    this.counters.timeouts++;
    this.user.timeout(slot);
    this.terminate(slot);
  }
}
