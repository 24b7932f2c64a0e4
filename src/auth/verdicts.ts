/** What is said of requests: each kind of verdict with its counter, and with the lines that the request is answered with. */
import { ascii } from "../message/bytes.ts";
import type { Message } from "../message/message.ts";
import type { Role } from "./challenge.ts";
import type { Denied, DigestCounters } from "./digest-options.ts";
import type { NonceMaker } from "./nonce.ts";
import type { Offer } from "./offer.ts";

const LATE_HEADERS = ascii("Retry-After: 5\r\n");
const HEADER_NAMES = { uas: "Authorization", proxy: "Proxy-Authorization" } as const;

export class Verdicts {
  readonly counters: DigestCounters = {
    accepted: 0,
    challenged: 0,
    rejected: 0,
    stale: 0,
    replayed: 0,
    refused: 0,
    malformed: 0,
    late: 0,
    lockedAddresses: 0,
    lockedUsers: 0,
  };
  readonly #offer: Offer;
  readonly #nonces: NonceMaker;

  constructor(offer: Offer, nonces: NonceMaker) {
    this.#offer = offer;
    this.#nonces = nonces;
  }

  /** It has no credentials for the realm. */
  challenged(message: Message, role: Role, now: number): Denied {
    this.counters.challenged++;
    return this.#challenge(message, role, false, now, 0);
  }

  /** Its credentials are wrong. @param delay milliseconds that the answer is held back */
  rejected(message: Message, role: Role, now: number, delay: number): Denied {
    this.counters.rejected++;
    return this.#challenge(message, role, false, now, delay);
  }

  /** Its credentials are right, but not their nonce. */
  stale(message: Message, role: Role, now: number): Denied {
    this.counters.stale++;
    return this.#challenge(message, role, true, now, 0);
  }

  /** Its credentials are right, but were used before. */
  replayed(message: Message, role: Role, now: number): Denied {
    this.counters.replayed++;
    return this.#challenge(message, role, true, now, 0);
  }

  /** Its credentials cannot be read, or are not for it. @param fault to be followed by the header field's name */
  malformed(role: Role, fault: string): Denied {
    this.counters.malformed++;
    return { isAllowed: false, status: 400, reason: `${fault} ${HEADER_NAMES[role]}`, delay: 0 };
  }

  /** It comes from, or for, who is shut out. @param milliseconds for how long yet */
  refused(milliseconds: number): Denied {
    this.counters.refused++;
    const headers = ascii(`Retry-After: ${Math.ceil(milliseconds / 1000)}\r\n`);
    return { isAllowed: false, status: 403, reason: "Too Many Failed Logins", headers, delay: 0 };
  }

  /** Its user was not found in time. */
  late(): Denied {
    this.counters.late++;
    return { isAllowed: false, status: 503, reason: "User Not Looked Up In Time", headers: LATE_HEADERS, delay: 0 };
  }

  #challenge(message: Message, role: Role, isStale: boolean, now: number, delay: number): Denied {
    const headers = this.#offer.challenges(message).write(role, isStale, this.#nonces, now);
    return { isAllowed: false, status: role === "proxy" ? 407 : 401, headers, delay };
  }
}
