/**
 * Sends 2xx responses to INVITE again until their ACK comes (RFC 3261 s13.3.1.4). The transaction does not do this: a 2xx
 * is acknowledged end to end, by the core.
 *
 * T1 doubling to T2, whatever the transport; after 64*T1 without an ACK the dialog is given up.
 */

import type { ByteStore } from "../memory/byte-store.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { Timers } from "../transaction/timers.ts";
import type { Channel } from "../transport/channel.ts";

/** Counts kept since the start. */
export class SuccessCounters {
  /** 2xx responses sent again. */
  retransmissions = 0;
  /** 2xx responses whose ACK never came. */
  unacknowledged = 0;
}

export class SuccessRetransmitter {
  readonly counters = new SuccessCounters();
  readonly #wheel: TimerWheel;
  readonly #timers: Timers;
  readonly #store: ByteStore;
  readonly #giveUp: (slot: number) => void;
  readonly #kind: number;
  // By dialog slot. A timer of 0: nothing waits for an ACK.
  readonly #timer: Int32Array;
  readonly #cseq: Int32Array;
  readonly #interval: Int32Array;
  readonly #elapsed: Int32Array;
  readonly #block: Int32Array;
  readonly #length: Int32Array;
  readonly #port: Uint16Array;
  readonly #channel: (Channel | undefined)[] = [];
  readonly #address: string[] = [];

  /** @param giveUp told the dialog slot when no ACK came */
  constructor(wheel: TimerWheel, timers: Timers, store: ByteStore, slots: number, giveUp: (slot: number) => void) {
    this.#wheel = wheel;
    this.#timers = timers;
    this.#store = store;
    this.#giveUp = giveUp;
    this.#kind = wheel.register((slot) => this.#onTimer(slot));
    this.#timer = new Int32Array(slots);
    this.#cseq = new Int32Array(slots);
    this.#interval = new Int32Array(slots);
    this.#elapsed = new Int32Array(slots);
    this.#block = new Int32Array(slots);
    this.#length = new Int32Array(slots);
    this.#port = new Uint16Array(slots);
  }

  /** Whether a 2xx of this dialog waits for its ACK. */
  isWaiting(slot: number): boolean {
    return this.#timer[slot] !== 0;
  }

  /** Keeps the 2xx that the channel's arena holds from `start` and has just been sent. */
  begin(slot: number, cseq: number, channel: Channel, start: number, address: string, port: number): void {
    this.stop(slot);
    const { arena } = channel;
    const length = arena.at - start;
    this.#block[slot] = this.#store.keep(arena.words, start >>> 2, length);
    this.#length[slot] = length;
    this.#cseq[slot] = cseq;
    this.#channel[slot] = channel;
    this.#address[slot] = address;
    this.#port[slot] = port;
    this.#elapsed[slot] = 0;
    this.#interval[slot] = this.#timers.t1;
    this.#timer[slot] = this.#wheel.insert(this.#timers.t1, this.#kind, slot);
  }

  /** An ACK came. @returns whether it was waited for; a repeated one is not */
  acknowledge(slot: number, cseq: number): boolean {
    if (this.#timer[slot] === 0 || this.#cseq[slot] !== cseq) return false;
    this.stop(slot);
    return true;
  }

  /** Ends the retransmission; nothing happens when there is none. */
  stop(slot: number): void {
    const timer = this.#timer[slot]!;
    if (timer === 0) return;
    this.#wheel.cancel(timer);
    this.#clear(slot);
  }

  #clear(slot: number): void {
    this.#timer[slot] = 0;
    this.#store.give(this.#block[slot]!, this.#length[slot]!);
    this.#channel[slot] = undefined;
  }

  #onTimer(slot: number): void {
    const { t2, transaction } = this.#timers;
    const elapsed = this.#elapsed[slot]! + this.#interval[slot]!;
    if (elapsed >= transaction) {
      this.#clear(slot);
      this.counters.unacknowledged++;
      this.#giveUp(slot);
      return;
    }
    const interval = Math.min(this.#interval[slot]! * 2, t2, transaction - elapsed);
    this.#elapsed[slot] = elapsed;
    this.#interval[slot] = interval;
    this.#timer[slot] = this.#wheel.insert(interval, this.#kind, slot);

    const channel = this.#channel[slot]!;
    const start = this.#store.copyTo(channel.arena, this.#block[slot]!, this.#length[slot]!);
    this.counters.retransmissions++;
    channel.send(start, this.#address[slot]!, this.#port[slot]!);
  }
}
