/** What digest authentication is set up with, and what it says of a request. */
import type { Message } from "../message/message.ts";
import type { RandomFill } from "../message/token-source.ts";
import type { AlgorithmName, Qop } from "./algorithm.ts";
import type { AuthLog, LockoutCounters, LockoutSettings } from "./lockout.ts";
import type { FoundUser, UserLookup, UserRecord, UserSource } from "./users.ts";

export interface DigestOptions {
  /** The protection domain: users have their secrets in it, so it should hold a name of its own (RFC 3261 s22.1). */
  readonly realm: string;
  /** Where users come from: a source, names with their secrets, or a function that finds the secrets of a name. */
  readonly users: UserSource | UserRecord | UserLookup;
  /**
   * Milliseconds that a user may take to be found, where that is by a promise; then the answer is 503, and what is found
   * later is dropped. Default 5,000.
   */
  readonly lookupTimeout?: number;
  /**
   * What is offered, the strongest first whatever the order here, but for what the users' secrets do not serve. Default
   * SHA-512-256, SHA-256 and MD5. With `["MD5"]` there is one challenge, as clients of RFC 2617 want.
   */
  readonly algorithms?: readonly AlgorithmName[];
  /**
   * Clients that are challenged with MD5 alone where that is offered, by what their User-Agent begins with: such as read
   * the first challenge only, or give up on seeing another algorithm. Default those known to: sipsak, SIPp (which says so
   * only in a scenario that does), baresip before 2.0.
   */
  readonly md5Agents?: readonly string[];
  /** What is offered; `auth-int` covers bodies, which servers on the way may change. Default `auth`. */
  readonly qop?: Qop | readonly Qop[];
  /**
   * Whether credentials without `qop` are taken, as of RFC 2069: nothing counts their requests, so a nonce serves one.
   * Default false: who was offered a `qop` must send one (RFC 3261 s22.4).
   */
  readonly allowWithoutQop?: boolean;
  /** Whether clients are asked to hash the user's name, where users are found so. They may always. Default false. */
  readonly userhash?: boolean;
  /** Whether answers carry Authentication-Info with the server's own proof (RFC 7616 s3.5). Default true. */
  readonly authenticationInfo?: boolean;
  /** Seconds that a nonce is good for. Default 300. */
  readonly nonceLifetime?: number;
  /**
   * What nonces are signed with, 16 octets at least: servers that share it know each other's nonces, but each counts for
   * itself which requests it has seen. Default drawn anew at every start.
   */
  readonly nonceSecret?: string | Uint8Array;
  /** Nonces in use at once, 64 octets each; past it the oldest must be asked for again. Default 131,072. */
  readonly maxNonces?: number;
  /** How failures are slowed and refused; false for not at all. */
  readonly failures?: Partial<LockoutSettings> | false;
  /**
   * Whether a `uri` that is not the Request-URI will do: behind a proxy that put another in its place (RFC 8760 s2.6).
   * Default none does, and the answer is 400.
   */
  readonly acceptUri?: (uri: string, message: Message) => boolean;
  readonly log?: AuthLog;
  /** Milliseconds since 1970, never fewer than before. Default the system's, which may be set back: it is then not followed. */
  readonly now?: () => number;
  /** Default the system's cryptographic source. */
  readonly random?: RandomFill;
}

/** What was said of requests: each is counted once, in one of the first eight. */
export interface DigestCounters extends LockoutCounters {
  accepted: number;
  /** Came without credentials for the realm. */
  challenged: number;
  /** Wrong password, no such user, or an algorithm or quality of protection that was not offered. */
  rejected: number;
  /** The password was right, but the nonce over or not ours. */
  stale: number;
  /** The password was right, but this count of the nonce was used before. */
  replayed: number;
  /** Shut out after failures: not looked at. */
  refused: number;
  /** Credentials that cannot be read, or are for another Request-URI. */
  malformed: number;
  /** The user was not found in time. */
  late: number;
}

/** A request that may pass. */
export interface Allowed {
  readonly isAllowed: true;
  readonly user: FoundUser;
  /** The user's name. */
  readonly name: string;
  /**
   * Lines with their CRLF for the answer: Authentication-Info or Proxy-Authentication-Info; null when there are none. With
   * `auth-int` they are for an answer without a body.
   */
  readonly headers: Uint8Array | null;
  /** With `auth-int` only: the lines for an answer with this body. */
  readonly headersFor?: (body: Uint8Array) => Uint8Array | null;
}

/** A request that may not. */
export interface Denied {
  readonly isAllowed: false;
  readonly status: 400 | 401 | 403 | 407 | 503;
  /** A reason phrase that names the fault; undefined for the status's own. */
  readonly reason?: string | undefined;
  /** Lines with their CRLF: challenges, Retry-After. */
  readonly headers?: Uint8Array | undefined;
  /** Milliseconds that the answer is to be held back. */
  readonly delay: number;
}

/** What a check says. */
export type Verdict = Allowed | Denied;
