/**
 * Failures counted by whom they belong to, in a table that is bounded and has no timer: what is over is removed as other
 * failures come.
 */

/** When answers are held back, and when refused. Times in milliseconds. */
export interface TallySettings {
  readonly window: number;
  readonly slowAfter: number;
  readonly firstDelay: number;
  readonly longestDelay: number;
  /** 0 never. */
  readonly refuseAfter: number;
  readonly refuseFor: number;
  readonly max: number;
}

/** Failures of one key. */
export interface Failures {
  readonly key: string;
  count: number;
  /** When the count is over. */
  until: number;
  /** When it is shut out no longer; 0 while it is not. */
  lockedUntil: number;
  /** Requests refused meanwhile. */
  refused: number;
  /** Whether the key may be shown to people. */
  isShown: boolean;
}

/** Whom a tally tells that a key is shut out, and that it no longer is. */
export interface TallyWatcher {
  began(failures: Failures): void;
  ended(failures: Failures): void;
}

/** How many of the oldest entries a new one looks at: more than one, so that removal outruns insertion. */
const SWEEP = 4;

export class Tally {
  readonly #settings: TallySettings;
  readonly #watcher: TallyWatcher;
  /** In the order of their first failure, but for those that are shut out. */
  readonly #entries = new Map<string, Failures>();
  /** Those shut out, in the order they will no longer be. */
  readonly #locked: Failures[] = [];

  constructor(settings: TallySettings, watcher: TallyWatcher) {
    this.#settings = settings;
    this.#watcher = watcher;
  }

  /** Keys held. */
  get size(): number {
    return this.#entries.size;
  }

  /** Ends what is over. To be called before {@link locked}, which then finds only what holds. */
  advance(now: number): void {
    while (this.#locked.length > 0 && this.#locked[0]!.lockedUntil <= now) {
      const failures = this.#locked.shift()!;
      if (this.#entries.get(failures.key) === failures) this.#entries.delete(failures.key);
      this.#watcher.ended(failures);
    }
  }

  /** Milliseconds that a key is still shut out, 0 when it is not. Another request is counted as refused. */
  locked(key: string, now: number): number {
    const failures = this.#entries.get(key);
    if (failures === undefined || failures.lockedUntil <= now) return 0;
    failures.refused++;
    return failures.lockedUntil - now;
  }

  /**
   * Counts a failure.
   * @param isShown whether the key may be shown to people
   * @returns milliseconds that the answer is to be held back
   */
  fail(key: string, isShown: boolean, now: number): number {
    const { slowAfter, firstDelay, longestDelay, refuseAfter, refuseFor } = this.#settings;
    const failures = this.#entryOf(key, now);
    failures.count++;
    failures.isShown ||= isShown;
    if (refuseAfter > 0 && failures.count >= refuseAfter && failures.lockedUntil === 0) {
      failures.lockedUntil = now + refuseFor;
      this.#locked.push(failures);
      this.#watcher.began(failures);
    }
    const slowed = failures.count - slowAfter;
    return slowed <= 0 ? 0 : Math.min(firstDelay * 2 ** Math.min(slowed - 1, 30), longestDelay);
  }

  /** Forgets the failures of a key. */
  forget(key: string): void {
    if (this.#entries.size > 0) this.#entries.delete(key);
  }

  #entryOf(key: string, now: number): Failures {
    const known = this.#entries.get(key);
    if (known !== undefined && (known.lockedUntil > 0 || now < known.until)) return known;
    // Deleted first: a map leaves a key that is set again in its old place.
    this.#entries.delete(key);
    this.#makeRoom(now);
    const { window } = this.#settings;
    const failures = { key, count: 0, until: now + window, lockedUntil: 0, refused: 0, isShown: false };
    this.#entries.set(key, failures);
    return failures;
  }

  #makeRoom(now: number): void {
    const { max } = this.#settings;
    let looked = 0;
    for (const [key, { until, lockedUntil }] of this.#entries) {
      if (lockedUntil === 0 && (until <= now || this.#entries.size >= max)) this.#entries.delete(key);
      if (++looked === SWEEP) break;
    }
    if (this.#entries.size < max) return;
    // The oldest are all shut out.
    const oldest = this.#entries.keys().next().value!;
    this.#entries.delete(oldest);
  }
}
