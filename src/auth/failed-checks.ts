/** Logins that cannot be judged, as their users' source fails: with a database that is down that is every one of them. */
import { QuietLine } from "./quiet-line.ts";

/** A login could not be judged; its `cause` says why. The log was told. */
export class CheckFailed extends Error {
  override readonly name = "CheckFailed";

  constructor(cause: unknown) {
    super("The login cannot be checked", { cause });
  }
}

/** Where errors are told. */
export interface ErrorLog {
  error(fields: object, message: string): void;
}

export class FailedChecks {
  readonly #realm: string;
  readonly #line: QuietLine;

  /** @param now milliseconds of any steady clock */
  constructor(realm: string, now: () => number) {
    this.#realm = realm;
    this.#line = new QuietLine(now);
  }

  /** One has failed. @returns what is to be thrown */
  tell(err: unknown, log: ErrorLog): CheckFailed {
    const requests = this.#line.happened();
    if (requests > 0) {
      log.error({ realm: this.#realm, requests, err }, "users cannot be looked up: who asks gets 500");
    }
    return new CheckFailed(err);
  }
}
