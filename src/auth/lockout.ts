/**
 * Slows down and then shuts out who guesses passwords: failures are counted for the address they come from and for the
 * user they are tried on, whether there is such a user or not. Past one number the answers are held back, longer each
 * time; past another everything is refused for a while, without a look at the password.
 */
import { AddressList, networkOf } from "./network.ts";
import { Tally, type TallySettings, type TallyWatcher } from "./tally.ts";

/** How failures are answered. */
export interface LockoutSettings {
  /** Seconds that failures are counted from the first; then the count begins anew. Default 600. */
  readonly window: number;
  /** Failures of one user after which answers are held back. Default 5. */
  readonly slowUserAfter: number;
  /** Failures of one address after which answers are held back; more, since many users may share one. Default 20. */
  readonly slowAddressAfter: number;
  /** Milliseconds that the first such answer is held back; each further one twice as long. 0 for never. Default 500. */
  readonly firstDelay: number;
  /** Milliseconds that an answer is held back at most; past some 30 s clients give up waiting. Default 4,000. */
  readonly longestDelay: number;
  /**
   * Failures that shut a user out, from wherever they came; 0 for never. Whoever guesses on purpose can so shut out a
   * user, and the lower this is the easier. Default 30.
   */
  readonly refuseUserAfter: number;
  /** Failures that shut an address out; 0 for never. Default 100. */
  readonly refuseAddressAfter: number;
  /** Seconds that a user or an address is shut out. Default 300. */
  readonly refuseFor: number;
  /** Addresses, or networks such as `192.0.2.0/24`, whose failures are counted for users only: edge proxies. Default none. */
  readonly exempt: readonly string[];
  /** Users, and addresses, counted at once; past it the oldest count is forgotten. Default 65,536 each. */
  readonly max: number;
}

export const DEFAULT_LOCKOUT: LockoutSettings = {
  window: 600,
  slowUserAfter: 5,
  slowAddressAfter: 20,
  firstDelay: 500,
  longestDelay: 4000,
  refuseUserAfter: 30,
  refuseAddressAfter: 100,
  refuseFor: 300,
  exempt: [],
  max: 65_536,
};

/**
 * Answers that are held back in the time that one is held at most; those beyond are given at once. Each is a request in
 * memory and a timer, and whoever forges the addresses of datagrams could have any number of them.
 */
export const MOST_HELD = 10_000;

/** Where what happens is told; a server's log is one. */
export interface AuthLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What is counted of those shut out. */
export interface LockoutCounters {
  /** Addresses that were shut out. */
  lockedAddresses: number;
  /** Users that were shut out. */
  lockedUsers: number;
}

export class Lockout {
  readonly #exempt: AddressList;
  readonly #addresses: Tally;
  readonly #users: Tally;
  readonly #longestDelay: number;
  #held = 0;
  /** When {@link #held} begins anew. */
  #heldUntil = 0;

  /** @throws TypeError for an exempt address that is none, or a number that cannot be */
  constructor(settings: LockoutSettings, counters: LockoutCounters, log: AuthLog | undefined) {
    for (const [name, value] of Object.entries(settings)) {
      if (name !== "exempt" && !(Number.isFinite(value) && value >= 0))
        throw new TypeError(`${name} must be 0 or more`);
    }
    this.#exempt = new AddressList(settings.exempt);
    this.#longestDelay = settings.longestDelay;
    const { slowAddressAfter, refuseAddressAfter, slowUserAfter, refuseUserAfter, refuseFor } = settings;
    this.#addresses = new Tally(tallySettings(settings, slowAddressAfter, refuseAddressAfter), {
      began({ key, count }) {
        counters.lockedAddresses++;
        log?.warn(
          { address: key, failures: count, seconds: refuseFor },
          "an address is refused: too many failed logins",
        );
      },
      ended: ({ key, refused }) => log?.info({ address: key, refused }, "an address is no longer refused"),
    });
    this.#users = new Tally(tallySettings(settings, slowUserAfter, refuseUserAfter), {
      began({ key, isShown, count }) {
        counters.lockedUsers++;
        const fields = { user: shown(key, isShown), failures: count, seconds: refuseFor };
        log?.warn(fields, "a user is refused: too many failed logins");
      },
      ended({ key, isShown, refused }) {
        log?.info({ user: shown(key, isShown), refused }, "a user is no longer refused");
      },
    } satisfies TallyWatcher);
  }

  /** Milliseconds that an address is still shut out, 0 when it is not. The request is counted as refused. */
  addressLocked(address: string, now: number): number {
    this.#addresses.advance(now);
    return this.#addresses.size === 0 ? 0 : this.#addresses.locked(networkOf(address), now);
  }

  /** The same for a user. */
  userLocked(name: string, now: number): number {
    this.#users.advance(now);
    return this.#users.size === 0 ? 0 : this.#users.locked(name, now);
  }

  /**
   * Counts a failure.
   * @param isKnown whether there is such a user
   * @returns milliseconds that the answer is to be held back
   */
  failed(address: string, name: string, isKnown: boolean, now: number): number {
    const byUser = this.#users.fail(name, isKnown, now);
    const byAddress = this.#exempt.has(address) ? 0 : this.#addresses.fail(networkOf(address), true, now);
    return this.#hold(Math.max(byUser, byAddress), now);
  }

  /** @returns the delay, or 0 when too many answers are held back already */
  #hold(delay: number, now: number): number {
    if (delay === 0) return 0;
    if (now >= this.#heldUntil) {
      this.#held = 0;
      this.#heldUntil = now + this.#longestDelay;
    }
    return this.#held++ < MOST_HELD ? delay : 0;
  }

  /** A login that went well: the user's failures are forgotten, those of the address are not. */
  succeeded(name: string): void {
    this.#users.forget(name);
  }
}

/** Other names are not shown: one may be a password that was typed into the wrong field (RFC 7616 s3.4). */
function shown(name: string, isKnown: boolean): string | null {
  return isKnown ? name : null;
}

function tallySettings(settings: LockoutSettings, slowAfter: number, refuseAfter: number): TallySettings {
  const { window, firstDelay, longestDelay, refuseFor, max } = settings;
  return {
    window: window * 1000,
    slowAfter,
    firstDelay,
    longestDelay,
    refuseAfter,
    refuseFor: refuseFor * 1000,
    max: Math.max(1, max),
  };
}
