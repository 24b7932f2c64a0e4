/**
 * Users that are looked up by a promise, and may not come: a database that hangs must not hold every request that asks for
 * a user. What comes after the time is up is dropped.
 */
import type { Alarms } from "../time/alarms.ts";
import type { ErrorLog } from "./failed-checks.ts";
import type { AuthLog } from "./lockout.ts";
import { QuietLine } from "./quiet-line.ts";

/** What a check that has to wait is timed by, and tells of it. A plugin's host is one. */
export interface Waiting {
  readonly alarms: Alarms;
  readonly log: AuthLog & ErrorLog;
}

/** In the place of what did not come in time. */
export const LATE = Symbol("late");

/** How long users are waited for, and who is told when they do not come. */
export class LateUsers {
  readonly #realm: string;
  readonly #patience: number;
  readonly #line: QuietLine;

  /**
   * @param patience milliseconds that a look-up may take
   * @param now milliseconds of any steady clock
   * @throws TypeError for a patience that cannot be
   */
  constructor(realm: string, patience: number, now: () => number) {
    if (!(Number.isFinite(patience) && patience > 0)) throw new TypeError("lookupTimeout must be more than 0");
    this.#realm = realm;
    this.#patience = patience;
    this.#line = new QuietLine(now);
  }

  /**
   * What a look-up comes to, when it does in time.
   * @returns {@link LATE} when it does not; rejects as the look-up does
   */
  wait<T>(found: PromiseLike<T>, { alarms, log }: Waiting): Promise<T | typeof LATE> {
    const { promise, resolve, reject } = Promise.withResolvers<T | typeof LATE>();
    let alarm = alarms.set(this.#patience, () => {
      alarm = -1;
      this.#tell(log);
      resolve(LATE);
    });
    const isInTime = (): boolean => {
      if (alarm < 0) return false;
      alarms.clear(alarm);
      return true;
    };
    // Whatever has a `then`, as queries of databases do. It holds on to nothing of a request that was given up.
    Promise.resolve(found).then(
      (value) => isInTime() && resolve(value),
      (error) => isInTime() && reject(error),
    );
    return promise;
  }

  #tell(log: AuthLog): void {
    const requests = this.#line.happened();
    if (requests === 0) return;
    const fields = { realm: this.#realm, milliseconds: this.#patience, requests };
    log.warn(fields, "users are not looked up in time: who asks gets 503");
  }
}
