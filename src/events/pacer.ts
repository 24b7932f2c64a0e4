/**
 * Spreads the NOTIFYs of a change that many subscribe to over time: so many a tick, the rest in a queue. A burst would
 * hold up everything else and overrun the peers' sockets.
 */
import type { Alarms } from "../time/alarms.ts";

const INTERVAL_MS = 10;
/** How many that have gone may lie before those that wait. */
const COMPACT_AT = 4096;

/** What waits for its turn. */
export interface Paced {
  /** Its turn has come. */
  go(): void;
}

export class Pacer {
  readonly #alarms: Alarms;
  readonly #burst: number;
  #budget: number;
  #queue: Paced[] = [];
  #next = 0;
  #isTicking = false;

  /** @param burst how many go in 10 ms */
  constructor(alarms: Alarms, burst: number) {
    this.#alarms = alarms;
    this.#burst = burst;
    this.#budget = burst;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#queue.length - this.#next;
  }

  /** Lets it go now, or in its turn. It must not be added again before. */
  add(paced: Paced): void {
    if (!this.#isTicking) {
      this.#isTicking = true;
      this.#alarms.set(INTERVAL_MS, () => this.#tick());
    }
    if (this.#budget > 0) {
      this.#budget--;
      paced.go();
    } else this.#queue.push(paced);
  }

  #tick(): void {
    this.#budget = this.#burst;
    while (this.#budget > 0 && this.#next < this.#queue.length) {
      this.#budget--;
      this.#queue[this.#next++]!.go();
    }
    if (this.#next >= Math.min(this.#queue.length, COMPACT_AT)) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
    this.#isTicking = this.#budget < this.#burst;
    if (this.#isTicking) this.#alarms.set(INTERVAL_MS, () => this.#tick());
  }
}
