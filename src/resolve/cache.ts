/**
 * A bounded map whose entries live for a time. When it is full the oldest goes; those that are over are removed a few at
 * a time as others come, so that no call has much to do.
 */

/** How many of the oldest entries each new one looks at: more than one, so that removal outruns insertion. */
const SWEEP = 4;

interface Entry<V> {
  value: V;
  /** The clock's reading from which the entry is no longer there. */
  until: number;
}

export class TtlCache<V> {
  readonly #max: number;
  /** In order of insertion, the oldest first. */
  readonly #entries = new Map<string, Entry<V>>();

  /** @param max how many entries at most, at least 1 */
  constructor(max: number) {
    this.#max = max;
  }

  /** Entries held, those included that are over and not removed yet. */
  get size(): number {
    return this.#entries.size;
  }

  /** @param now the clock's reading, in milliseconds */
  get(key: string, now: number): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (now < entry.until) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Keeps `value` for `ms` milliseconds from `now`; with 0 or less, what was there under `key` is gone. */
  set(key: string, value: V, ms: number, now: number): void {
    // Deleted first: a map leaves a key that is set again in its old place.
    this.#entries.delete(key);
    if (!(ms > 0)) return;
    let looked = 0;
    for (const [old, entry] of this.#entries) {
      if (now >= entry.until || this.#entries.size >= this.#max) this.#entries.delete(old);
      if (++looked === SWEEP) break;
    }
    this.#entries.set(key, { value, until: now + ms });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
