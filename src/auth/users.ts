/**
 * Who may log in: where users come from, and what is kept of each. A secret is a password or, better, the H(A1) of each
 * algorithm, which says nothing of the password but is good for this realm only (RFC 7616 s5.2).
 */
import { aorOf } from "../message/aor.ts";
import { ascii } from "../message/bytes.ts";
import { ALGORITHMS, type Algorithm, HASH_NAMES, HASH_NUMBERS, HASH_SIZES, hash, hashInto } from "./algorithm.ts";
import { toHex } from "./digest-input.ts";

/** What proves that somebody is a user. */
export interface UserSecrets {
  /** In clear: serves every algorithm. Not empty. */
  readonly password?: string;
  /** H(A1) in hexadecimal by algorithm, as `viaduct hash-password` makes them; taken before the password. */
  readonly ha1?: Partial<Readonly<Record<Algorithm, string>>>;
  /** The realm that `ha1` was made for; in another this user is unknown. Default: whichever asks. */
  readonly realm?: string;
  /** Further addresses-of-record that the user may register, in any spelling. */
  readonly aors?: readonly string[];
}

/** A user as a source found it. What is computed of the secrets is kept with it, so sources should keep it too. */
export class FoundUser {
  readonly name: string;
  readonly #secrets: UserSecrets;
  readonly #ha1: (Uint8Array | undefined)[] = [];
  #realm: string | undefined;

  /** @throws TypeError when the secrets cannot be a user's */
  constructor(name: string, secrets: UserSecrets) {
    const fault = secretsFault(secrets);
    if (fault !== null) throw new TypeError(`user ${JSON.stringify(name)}: ${fault}`);
    this.name = name;
    const { aors } = secrets;
    // By one name each, as they are compared.
    this.#secrets = aors === undefined ? secrets : { ...secrets, aors: aors.map((aor) => aorOf(aor) ?? aor) };
  }

  /** No property of the object, so that whoever logs a user logs no password. */
  get secrets(): UserSecrets {
    return this.#secrets;
  }

  /** Whether {@link ha1} has what it gives at hand. */
  isReady(hash: number, realm: string): boolean {
    return this.#realm === realm && this.#ha1[hash] !== undefined;
  }

  /** H(A1) in hexadecimal digits, or null when the secrets do not serve the algorithm. @param hash its number */
  ha1(hash: number, realm: string): Uint8Array | null {
    if (this.#realm !== realm) this.forget(realm);
    const known = this.#ha1[hash];
    if (known !== undefined) return known;
    const made = makeHa1(this, hash, realm);
    if (made !== null) this.#ha1[hash] = made;
    return made;
  }

  /** Forgets what was computed. */
  forget(realm?: string): void {
    this.#ha1.length = 0;
    this.#realm = realm;
  }
}

const raw = new Uint8Array(32);

function makeHa1({ name, secrets }: FoundUser, hash: number, realm: string): Uint8Array | null {
  const given = secrets.ha1?.[HASH_NAMES[hash]!];
  if (given !== undefined) return ascii(given.toLowerCase());
  if (secrets.password === undefined) return null;
  hashInto(hash, ascii(`${name}:${realm}:${secrets.password}`), raw);
  return toHex(raw, HASH_SIZES[hash]!);
}

/** What is wrong with secrets that came from outside, or null. */
export function secretsFault(secrets: UserSecrets): string | null {
  if (typeof secrets !== "object" || secrets === null) return "neither a password nor an object";
  const { password, ha1, realm, aors } = secrets;
  if (password !== undefined && typeof password !== "string") return "password is not a string";
  // What a missing one becomes on its way here; it would let everybody in.
  if (password === "") return "password is empty";
  if (realm !== undefined && typeof realm !== "string") return "realm is not a string";
  if (aors !== undefined && !(Array.isArray(aors) && aors.every((aor) => typeof aor === "string"))) {
    return "aors is not a list of strings";
  }
  if (ha1 !== undefined && (typeof ha1 !== "object" || ha1 === null)) return "ha1 is not an object";
  const hashes = Object.entries(ha1 ?? {});
  for (const [algorithm, value] of hashes) {
    if (!ALGORITHMS.includes(algorithm as Algorithm)) return `ha1 of an unknown algorithm ${algorithm}`;
    if (!isHa1(algorithm as Algorithm, value)) return `ha1 of ${algorithm} is not its digits in hexadecimal`;
  }
  return password === undefined && hashes.length === 0 ? "neither a password nor an ha1" : null;
}

/** Whether text can be the H(A1) of an algorithm. */
export function isHa1(algorithm: Algorithm, text: unknown): boolean {
  const digits = HASH_SIZES[HASH_NUMBERS[algorithm]]! * 2;
  return typeof text === "string" && text.length === digits && /^[0-9a-f]+$/i.test(text);
}

/**
 * Where users come from. One that is asked often should keep the {@link FoundUser}s it gives.
 *
 * What is thrown, or a promise that is rejected, comes out of the check: the request is answered 500, and the log says so once
 * a minute at most.
 */
export interface UserSource {
  /** At once, which is the quick way, or by a promise, which is waited for as long as `lookupTimeout` says. */
  find(name: string, realm: string): FoundUser | null | Promise<FoundUser | null>;
  /** The user whose hash of name and realm this is, in lower-case hexadecimal (RFC 7616 s3.4.4). Absent: none is found so. */
  findHashed?(hash: string, algorithm: Algorithm, realm: string): FoundUser | null | Promise<FoundUser | null>;
  /** The algorithms that every secret here can serve: only those are offered. Default all. The same list while it is the same. */
  readonly algorithms?: readonly Algorithm[];
  /**
   * Another whole number whenever users may have changed. While it is the same, a user who comes again with a nonce used
   * before is not asked for again. Absent: users are asked for each time.
   */
  readonly generation?: number;
  close?(): void;
}

/** The algorithms that every one of these secrets serves. */
export function commonAlgorithms(all: Iterable<UserSecrets>): readonly Algorithm[] {
  let common = ALGORITHMS;
  for (const { password, ha1 } of all) {
    if (password === undefined) common = common.filter((algorithm) => ha1?.[algorithm] !== undefined);
  }
  return common;
}

/** Users in memory. A name may be there once in each realm, and once for any. */
export class UserTable implements UserSource {
  readonly algorithms: readonly Algorithm[];
  readonly generation = 0;
  readonly #ofRealm = new Map<string, Map<string, FoundUser>>();
  readonly #ofAny = new Map<string, FoundUser>();
  readonly #hashes = new Map<string, Map<string, FoundUser>>();

  /** @throws TypeError naming the user whose secrets cannot be any's */
  constructor(users: Iterable<readonly [name: string, secrets: UserSecrets]>) {
    const all: UserSecrets[] = [];
    for (const [name, secrets] of users) {
      const user = new FoundUser(name, secrets);
      all.push(secrets);
      this.#tableOf(secrets.realm).set(name, user);
    }
    this.algorithms = commonAlgorithms(all);
  }

  #tableOf(realm: string | undefined): Map<string, FoundUser> {
    if (realm === undefined) return this.#ofAny;
    let table = this.#ofRealm.get(realm);
    if (table === undefined) {
      table = new Map();
      this.#ofRealm.set(realm, table);
    }
    return table;
  }

  /** Whether there is anybody who can log in to a realm. */
  hasRealm(realm: string): boolean {
    return this.#ofAny.size > 0 || this.#ofRealm.has(realm);
  }

  find(name: string, realm: string): FoundUser | null {
    return this.#ofRealm.get(realm)?.get(name) ?? this.#ofAny.get(name) ?? null;
  }

  findHashed(wanted: string, algorithm: Algorithm, realm: string): FoundUser | null {
    const key = `${algorithm} ${realm}`;
    let table = this.#hashes.get(key);
    if (table === undefined) {
      table = new Map();
      for (const users of [this.#ofAny, this.#ofRealm.get(realm) ?? []]) {
        for (const [name, user] of users) table.set(hash(algorithm, `${name}:${realm}`), user);
      }
      this.#hashes.set(key, table);
    }
    return table.get(wanted) ?? null;
  }
}

/** Users as settings hold them: a name with its password in clear, or its secrets. */
export type UserRecord = Readonly<Record<string, string | UserSecrets>>;

/** @throws TypeError naming the user whose secrets cannot be any's */
export function usersOf(record: UserRecord): UserTable {
  const entries = Object.entries(record);
  return new UserTable(entries.map(([name, value]) => [name, typeof value === "string" ? { password: value } : value]));
}

/** Finds a user's secrets, at once or by a promise; null where there is no such user. */
export type UserLookup = (name: string, realm: string) => UserSecrets | null | Promise<UserSecrets | null>;

/** Users from a function. Nothing is kept between two calls. */
export function usersBy(lookup: UserLookup): UserSource {
  const made = (name: string, secrets: UserSecrets | null): FoundUser | null =>
    (secrets ?? null) === null ? null : new FoundUser(name, secrets!);
  return {
    find(name, realm) {
      const found = lookup(name, realm);
      return isPromise(found) ? found.then((secrets) => made(name, secrets)) : made(name, found);
    },
  };
}

/** The source that is meant: one, or names with their secrets, or a function. @throws TypeError for wrong secrets */
export function sourceOf(users: UserSource | UserRecord | UserLookup): UserSource {
  if (typeof users === "function") return usersBy(users);
  return typeof users.find === "function" ? (users as UserSource) : usersOf(users as UserRecord);
}

/** Whether a source answers later. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Promise<T> | null)?.then === "function";
}
