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
  /** When it is shut out no longer; 0 before it was. */
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

/** How many of the oldest counts a new one looks at: more than one, so that removal outruns insertion. */
const SWEEP = 2;

export class Tally {
  readonly #settings: TallySettings;
  readonly #watcher: TallyWatcher;
  /** Those that are counted, in the order of their first failure. */
  readonly #counted = new Map<string, Failures>();
  /**
   * Those shut out, in the order that they will no longer be. Apart, so that no flood of failures of others lets one in: only
   * as many that are shut out too.
   */
  readonly #locked = new Map<string, Failures>();

  constructor(settings: TallySettings, watcher: TallyWatcher) {
    this.#settings = settings;
    this.#watcher = watcher;
  }

  /** Keys held. */
  get size(): number {
    return this.#counted.size + this.#locked.size;
  }

  /** Ends what is over. To be called before {@link locked}, which then finds only what holds. */
  advance(now: number): void {
    // No iterator where there is nothing, as in nearly every check.
    if (this.#locked.size === 0) return;
    for (const failures of this.#locked.values()) {
      if (failures.lockedUntil > now) return;
      this.#unlock(failures);
    }
  }

  /** Milliseconds that a key is still shut out, 0 when it is not. Another request is counted as refused. */
  locked(key: string, now: number): number {
    const failures = this.#locked.get(key);
    if (failures === undefined) return 0;
    failures.refused++;
    return failures.lockedUntil - now;
  }

  /**
   * Counts a failure.
   * @param isShown whether the key may be shown to people
   * @returns milliseconds that the answer is to be held back
   */
  fail(key: string, isShown: boolean, now: number): number {
    const { slowAfter, firstDelay, longestDelay, refuseAfter } = this.#settings;
    const failures = this.#locked.get(key) ?? this.#countOf(key, now);
    failures.count++;
    failures.isShown ||= isShown;
    if (refuseAfter > 0 && failures.count >= refuseAfter && failures.lockedUntil === 0) this.#lock(failures, now);
    const slowed = failures.count - slowAfter;
    return slowed <= 0 ? 0 : Math.min(firstDelay * 2 ** Math.min(slowed - 1, 30), longestDelay);
  }

  /** Forgets the failures of a key, unless it is shut out. */
  forget(key: string): void {
    if (this.#counted.size > 0) this.#counted.delete(key);
  }

  #lock(failures: Failures, now: number): void {
    const { refuseFor, max } = this.#settings;
    this.#counted.delete(failures.key);
    if (this.#locked.size >= max) this.#unlock(this.#locked.values().next().value!);
    failures.lockedUntil = now + refuseFor;
    this.#locked.set(failures.key, failures);
    this.#watcher.began(failures);
  }

  #unlock(failures: Failures): void {
    this.#locked.delete(failures.key);
    this.#watcher.ended(failures);
  }

  #countOf(key: string, now: number): Failures {
    const known = this.#counted.get(key);
    if (known !== undefined && now < known.until) return known;
    // Deleted first: a map leaves a key that is set again in its old place.
    this.#counted.delete(key);
    this.#makeRoom(now);
    const failures = { key, count: 0, until: now + this.#settings.window, lockedUntil: 0, refused: 0, isShown: false };
    this.#counted.set(key, failures);
    return failures;
  }

  #makeRoom(now: number): void {
    let looked = 0;
    for (const [key, { until }] of this.#counted) {
      if (until > now && this.#counted.size < this.#settings.max) return;
      this.#counted.delete(key);
      if (++looked === SWEEP) return;
    }
  }
}
