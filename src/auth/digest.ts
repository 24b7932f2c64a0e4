/**
 * The server's side of digest authentication (RFC 3261 s22, RFC 7616, RFC 8760): looks at a request's credentials and
 * says whether it may pass, and with which lines it is to be answered if not.
 *
 * The password is looked at before the nonce. So `stale=true` is told only to those who know the password (RFC 7616 s3.3:
 * they need not be asked for it again), and a wrong password counts as a failure whatever its nonce.
 */
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import { systemRandom } from "../message/token-source.ts";
import { steadyTime } from "../time/clock.ts";
import { algorithmNumber, HASH_NAMES, HASH_SIZES, hashOf, isSession, MD5 } from "./algorithm.ts";
import type { Role } from "./challenge.ts";
import { Credentials, Found, Param } from "./credentials.ts";
import { hexNumber } from "./digest-input.ts";
import type { Allowed, Denied, DigestCounters, DigestOptions, Verdict } from "./digest-options.ts";
import { namesRequestUri } from "./digest-uri.ts";
import { FailedChecks } from "./failed-checks.ts";
import { writeInfo } from "./info.ts";
import { LATE, LateUsers, type Waiting } from "./late-users.ts";
import { DEFAULT_LOCKOUT, Lockout } from "./lockout.ts";
import type { NonceMaker } from "./nonce.ts";
import { Nonces } from "./nonces.ts";
import { Offer } from "./offer.ts";
import { PROTECTION_NAMES, Protection, ResponseComputer } from "./response.ts";
import { FoundUser, isPromise, sourceOf, type UserSource } from "./users.ts";
import { Verdicts } from "./verdicts.ts";

export type { Role } from "./challenge.ts";
export type { Allowed, Denied, DigestCounters, DigestOptions, Verdict } from "./digest-options.ts";
export { FoundUser, type UserSecrets, type UserSource } from "./users.ts";

const DEFAULT_LIFETIME = 300;
const DEFAULT_MAX_NONCES = 131_072;
const DEFAULT_LOOKUP_TIMEOUT = 5000;
const SHORTEST_SECRET = 16;
/** What is used of a nonce without `nc`: all of it. */
const WHOLE_NONCE = 0xffffffff;
const NO_BODY = new Uint8Array();

const HEADERS = { uas: Header.Authorization, proxy: Header.ProxyAuthorization } as const;

/** Digest authentication for one realm. */
export function digest(options: DigestOptions): Digest {
  return new Digest(options);
}

export class Digest {
  readonly realm: string;
  readonly counters: DigestCounters;
  readonly #realmOctets: Uint8Array;
  readonly #users: UserSource;
  readonly #late: LateUsers;
  readonly #failed: FailedChecks;
  readonly #offer: Offer;
  readonly #lockout: Lockout | null;
  readonly #nonces: Nonces;
  readonly #verdicts: Verdicts;
  readonly #withInfo: boolean;
  readonly #allowWithoutQop: boolean;
  readonly #acceptUri: DigestOptions["acceptUri"];
  readonly #now: () => number;
  /** In the place of a user that is not there: as much work as for one that is. */
  readonly #nobody: FoundUser;
  /** Whether the last user found came without a computed H(A1), as those that are not kept do. */
  #isComputing = false;

  readonly #computer = new ResponseComputer();
  // What #read found of the request at hand.
  #credentials = new Credentials();
  #spare = new Credentials();
  #name = "";
  #algorithm = 0;
  #protection: Protection = Protection.None;
  /** Who has used the nonce before, where that is known. */
  #recalled: FoundUser | null = null;
  /** A hash of the name that was sent, and the generation of the users before they were asked; undefined: nothing is kept. */
  #nameHash = 0;
  #generation: number | undefined;

  /** @throws TypeError for options that cannot be */
  constructor(options: DigestOptions) {
    const { realm, nonceLifetime = DEFAULT_LIFETIME, maxNonces = DEFAULT_MAX_NONCES, nonceSecret } = options;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what may not be there
    if (!/^[^\x00-\x1f\x7f]+$/.test(realm)) throw new TypeError("realm must be a text without control characters");
    if (!(nonceLifetime > 0)) throw new TypeError("nonceLifetime must be more than 0");
    if (!(Number.isInteger(maxNonces) && maxNonces > 0)) throw new TypeError("maxNonces must be a whole number over 0");
    const random = options.random ?? systemRandom;
    const drawn = new Uint8Array(64);
    random(drawn);
    const secret = typeof nonceSecret === "string" ? ascii(nonceSecret) : (nonceSecret ?? drawn.slice(0, 32));
    if (secret.length < SHORTEST_SECRET)
      throw new TypeError(`nonceSecret must have ${SHORTEST_SECRET} octets at least`);
    this.realm = realm;
    this.#realmOctets = ascii(realm);
    this.#users = sourceOf(options.users);
    this.#offer = new Offer(options, this.#users);
    this.#now = options.now ?? steadyTime();
    this.#late = new LateUsers(realm, options.lookupTimeout ?? DEFAULT_LOOKUP_TIMEOUT, this.#now);
    this.#failed = new FailedChecks(realm, this.#now);
    const [lifetime, start] = [nonceLifetime * 1000, this.#now()];
    this.#nonces = new Nonces({ realm, secret, max: maxNonces, lifetime, start, random });
    this.#verdicts = new Verdicts(this.#offer, this.#nonces.maker);
    this.counters = this.#verdicts.counters;
    this.#withInfo = options.authenticationInfo ?? true;
    this.#allowWithoutQop = options.allowWithoutQop ?? false;
    this.#acceptUri = options.acceptUri;
    const { failures } = options;
    this.#lockout =
      failures === false ? null : new Lockout({ ...DEFAULT_LOCKOUT, ...failures }, this.counters, options.log);
    this.#nobody = new FoundUser("", { password: drawn.toHex() });
  }

  /**
   * Judges a request by its message: credentials of this realm in Authorization for a `uas`, in Proxy-Authorization for a
   * `proxy`; those of other realms are another's. At once where the users are found at once.
   *
   * ACK and CANCEL cannot be sent again with credentials and must not be challenged (RFC 3261 s22.1): not to be asked
   * about; they get 403 here.
   * @param address the numeric address that the request came from
   * @param waiting what `lookupTimeout` is measured by, and is told when users cannot be looked up; left out, a look-up
   *   takes as long as it takes
   * @throws CheckFailed when the users' source threw, or a promise of it was rejected: the log was told. Without `waiting`,
   *   what the source threw
   */
  check(message: Message, address: string, role: Role, waiting?: Waiting): Verdict | Promise<Verdict> {
    if (waiting === undefined) return this.#check(message, address, role, waiting);
    try {
      const verdict = this.#check(message, address, role, waiting);
      return isPromise(verdict) ? verdict.catch((error) => this.#fault(error, waiting)) : verdict;
    } catch (error) {
      return this.#fault(error, waiting);
    }
  }

  #fault(error: unknown, { log }: Waiting): never {
    throw this.#failed.tell(error, log);
  }

  #check(message: Message, address: string, role: Role, waiting?: Waiting): Verdict | Promise<Verdict> {
    const now = this.#now();
    const denied = this.#read(message, address, role, now);
    if (denied !== null) return denied;
    const user = this.#recalled ?? this.#find();
    if (!isPromise(user)) return this.#judge(message, user, address, role, now);
    // The scanner's message is overwritten by the next one, and so is what was read of it here.
    const kept = message.keep();
    const generation = this.#generation;
    const inTime = waiting === undefined ? Promise.resolve(user) : this.#late.wait(user, waiting);
    return inTime.then((found) => {
      if (found === LATE) return this.#verdicts.late();
      const later = this.#now();
      const refused = this.#read(kept, address, role, later);
      // Who was found is of the users as they were when they were asked.
      this.#generation = generation;
      return refused ?? this.#judge(kept, found, address, role, later);
    });
  }

  /** Closes the source of users. */
  close(): void {
    this.#users.close?.();
  }

  /** Reads the credentials. @returns null when there are some that can be judged */
  #read(message: Message, address: string, role: Role, now: number): Denied | null {
    const lockedOut = this.#lockout?.addressLocked(address, now) ?? 0;
    if (lockedOut > 0) return this.#verdicts.refused(lockedOut);
    const { method } = message;
    if (method === Method.ACK || method === Method.CANCEL) return { isAllowed: false, status: 403, delay: 0 };
    this.#offer.refresh();
    const found = this.#select(message, HEADERS[role]);
    if (found === Found.Malformed) return this.#verdicts.malformed(role, this.#credentials.fault);
    const credentials = this.#credentials;
    if (found === Found.Other || credentials.isBlank) return this.#verdicts.challenged(message, role, now);
    if (!credentials.isComplete()) return this.#verdicts.malformed(role, credentials.fault);
    this.#recall();
    const name = this.#recalled?.name ?? credentials.username();
    if (name === null) return this.#verdicts.malformed(role, "Malformed username* In");
    this.#name = name;
    const locked = this.#lockout?.userLocked(name, now) ?? 0;
    if (locked > 0) return this.#verdicts.refused(locked);
    return this.#readParameters(message, address, role, now);
  }

  /** What depends on the algorithm and the quality of protection. */
  #readParameters(message: Message, address: string, role: Role, now: number): Denied | null {
    const credentials = this.#credentials;
    const { bytes } = credentials;
    // RFC 7616 s3.3: MD5 where none is named.
    const algorithm = credentials.has(Param.Algorithm)
      ? algorithmNumber(bytes, credentials.start(Param.Algorithm), credentials.end(Param.Algorithm))
      : MD5;
    const protection = protectionOf(credentials);
    if (protection === Protection.Unknown) return this.#verdicts.malformed(role, "Unknown qop In");
    if (protection === Protection.None && !this.#allowWithoutQop) return this.#withoutQop(message, role, now);
    // RFC 8760 s3: what was not offered is a step down.
    if (!this.#offer.has(algorithm) || !this.#offer.protects(protection)) {
      return this.#fail(message, address, this.#name, false, role, now);
    }
    const digits = credentials.end(Param.Response) - credentials.start(Param.Response);
    if (digits !== HASH_SIZES[hashOf(algorithm)]! * 2) return this.#verdicts.malformed(role, "Malformed response In");
    // RFC 3261 s22.4 point 8: a session's key is made of the cnonce.
    if (isSession(algorithm) && !credentials.has(Param.Cnonce)) {
      return this.#verdicts.malformed(role, "Missing cnonce In");
    }
    if (!namesRequestUri(message, credentials) && !this.#acceptUri?.(credentials.text(Param.Uri), message)) {
      return this.#verdicts.malformed(role, "Request-URI Differs From uri In");
    }
    this.#algorithm = algorithm;
    this.#protection = protection;
    return null;
  }

  /**
   * Credentials of RFC 2069. Every challenge of ours has a `qop`, and who was offered one must send one (RFC 3261 s22.4
   * point 8): a client that answers our nonce without is told so. With another's nonce it may not have seen a challenge
   * of ours yet, so it gets one.
   */
  #withoutQop(message: Message, role: Role, now: number): Denied {
    if (this.#nonces.isOurs(this.#credentials)) return this.#verdicts.malformed(role, "Missing qop In");
    return this.#verdicts.challenged(message, role, now);
  }

  /**
   * Finds the credentials of this realm among the header fields. Of several (RFC 3261 s22.3: other servers of this realm
   * may have asked too) those count that answer a nonce of ours, else the first; never more than one, or a request could
   * try many passwords.
   */
  #select(message: Message, header: Header): number {
    const { bytes } = message;
    let result: number = Found.Other;
    for (let record = message.first(header); record !== 0; record = message.next(record)) {
      const scanned = this.#spare;
      const found = scanned.scan(bytes, message.valueStart(record), message.valueEnd(record));
      if (found === Found.Other) continue;
      // Others' credentials are not ours to find fault with.
      if (scanned.has(Param.Realm) && !scanned.equals(Param.Realm, this.#realmOctets)) continue;
      if (result === Found.Digest) {
        if (found === Found.Malformed) continue;
        if (this.#nonces.isOurs(this.#credentials) || !this.#nonces.isOurs(scanned)) continue;
      }
      if (result === Found.Malformed && found === Found.Malformed) continue;
      result = found;
      this.#spare = this.#credentials;
      this.#credentials = scanned;
    }
    return result;
  }

  /**
   * Looks the nonce up, and whether the user of this name has used it before: then the user need not be looked for. Should
   * two names have one hash, the secret of the first tells them apart.
   */
  #recall(): void {
    const credentials = this.#credentials;
    const { bytes } = credentials;
    this.#recalled = null;
    this.#nonces.look(credentials);
    const isPlain = credentials.has(Param.Username) && !credentials.isUserHashed;
    this.#generation = isPlain ? this.#users.generation : undefined;
    if (this.#generation === undefined) return;
    this.#nameHash = hashOfRange(bytes, credentials.start(Param.Username), credentials.end(Param.Username));
    const { entry, counts } = this.#nonces;
    if (entry >= 0) this.#recalled = counts.userOf(entry, this.#nameHash, this.#generation) ?? null;
  }

  #find(): FoundUser | null | Promise<FoundUser | null> {
    if (!this.#credentials.isUserHashed) return this.#users.find(this.#name, this.realm);
    const algorithm = HASH_NAMES[hashOf(this.#algorithm)]!;
    return this.#users.findHashed?.(this.#name.toLowerCase(), algorithm, this.realm) ?? null;
  }

  /** Judges what was read, now that it is known who the user is. */
  #judge(message: Message, user: FoundUser | null, address: string, role: Role, now: number): Verdict {
    const credentials = this.#credentials;
    const hash = hashOf(this.#algorithm);
    const secret = this.#secretOf(user, hash);
    const name = user?.name ?? this.#name;
    // A name that was sent as a hash is known only now.
    if (credentials.isUserHashed && user !== null) {
      const locked = this.#lockout?.userLocked(name, now) ?? 0;
      if (locked > 0) return this.#verdicts.refused(locked);
    }

    const ha1 = this.#rightKey(message, secret ?? this.#nobody.ha1(hash, this.realm)!);
    if (ha1 === null || secret === null || user === null) {
      return this.#fail(message, address, name, user !== null, role, now);
    }

    const nonces = this.#nonces;
    const use = nonces.use(credentials, this.#count(), now);
    if (use !== "good") return this.#verdicts[use](message, role, now);
    const { entry, counts } = nonces;
    if (isSession(this.#algorithm) && counts.session(entry) === undefined) {
      counts.setSession(entry, { algorithm: this.#algorithm, secret, ha1 });
    }
    if (this.#generation !== undefined && user !== this.#recalled) {
      counts.remember(entry, this.#nameHash, this.#generation, hash, user, secret);
    }
    return this.#allow(message, user, ha1, role, now);
  }

  /** H(A1) of a user, or null where there is none. */
  #secretOf(user: FoundUser | null, hash: number): Uint8Array | null {
    if (user === null) {
      if (this.#isComputing) this.#nobody.forget();
      return null;
    }
    const { entry, counts } = this.#nonces;
    const known = user === this.#recalled ? counts.keyOf(entry, hash) : undefined;
    if (known !== undefined) return known;
    this.#isComputing = !user.isReady(hash, this.realm);
    return user.ha1(hash, this.realm);
  }

  /** H(A1) with which the response is right, or null when it is wrong. */
  #rightKey(message: Message, secret: Uint8Array): Uint8Array | null {
    const credentials = this.#credentials;
    const hash = hashOf(this.#algorithm);
    const protection = this.#protection;
    const computer = this.#computer;
    if (!isSession(this.#algorithm)) {
      return computer.isRight(message, credentials, hash, secret, protection) ? secret : null;
    }
    // RFC 7616 s3.4.2: the first request's cnonce makes the key of all that follow; many clients take each one's own. A
    // secret that has changed has no session.
    const { entry, counts } = this.#nonces;
    const session = entry < 0 ? undefined : counts.session(entry);
    if (session?.algorithm === this.#algorithm && Buffer.compare(session.secret, secret) === 0) {
      if (computer.isRight(message, credentials, hash, session.ha1, protection)) return session.ha1;
    }
    const key = computer.sessionKey(credentials, hash, secret);
    return computer.isRight(message, credentials, hash, key, protection) ? key : null;
  }

  #count(): number {
    if (this.#protection === Protection.None) return WHOLE_NONCE;
    const { bytes } = this.#credentials;
    return hexNumber(bytes, this.#credentials.start(Param.Nc), this.#credentials.end(Param.Nc));
  }

  #allow(message: Message, user: FoundUser, ha1: Uint8Array, role: Role, now: number): Allowed {
    this.counters.accepted++;
    this.#lockout?.succeeded(user.name);
    if (!this.#withInfo) return { isAllowed: true, user, name: user.name, headers: null };
    const isNext = this.#protection === Protection.None || this.#nonces.isEnding(now);
    const next = isNext ? this.#nonces.maker : undefined;
    const headers = this.#info(role, next, now, NO_BODY);
    if (this.#protection !== Protection.AuthInt) return { isAllowed: true, user, name: user.name, headers };
    const kept = message.keep();
    const algorithm = this.#algorithm;
    const headersFor = (body: Uint8Array): Uint8Array | null => {
      this.#select(kept, HEADERS[role]);
      this.#algorithm = algorithm;
      this.#protection = Protection.AuthInt;
      this.#computer.isRight(kept, this.#credentials, hashOf(algorithm), ha1, Protection.AuthInt);
      return this.#info(role, next, now, body);
    };
    return { isAllowed: true, user, name: user.name, headers, headersFor };
  }

  #info(role: Role, next: NonceMaker | undefined, now: number, body: Uint8Array): Uint8Array | null {
    const credentials = this.#credentials;
    const hash = hashOf(this.#algorithm);
    const protection = this.#protection;
    this.#computer.proof(credentials, hash, protection, body);
    return writeInfo({ role, credentials, protection, hash, proof: this.#computer.raw, next, now });
  }

  #fail(message: Message, address: string, name: string, isKnown: boolean, role: Role, now: number): Denied {
    const delay = this.#lockout?.failed(address, name, isKnown, now) ?? 0;
    return this.#verdicts.rejected(message, role, now, delay);
  }
}

/** The quality of protection that credentials claim. */
function protectionOf(credentials: Credentials): Protection {
  if (!credentials.has(Param.Qop)) return Protection.None;
  if (credentials.equals(Param.Qop, PROTECTION_NAMES[Protection.Auth]!)) return Protection.Auth;
  return credentials.equals(Param.Qop, PROTECTION_NAMES[Protection.AuthInt]!) ? Protection.AuthInt : Protection.Unknown;
}

/** FNV-1a, 32 bits. */
function hashOfRange(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return hash;
}
