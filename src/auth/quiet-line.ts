/** A log line for what may happen at every request: once a minute at most, with how often it did. */

/** Milliseconds between two log lines. */
const QUIET = 60_000;

export class QuietLine {
  readonly #now: () => number;
  #quietUntil = Number.NEGATIVE_INFINITY;
  #untold = 0;

  /** @param now milliseconds of any steady clock */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** It has happened once more. @returns how often since the last line, where it is time for one; else 0 */
  happened(): number {
    this.#untold++;
    const now = this.#now();
    if (now < this.#quietUntil) return 0;
    this.#quietUntil = now + QUIET;
    const times = this.#untold;
    this.#untold = 0;
    return times;
  }
}
