/** Whose name and secret answers a challenge: one user, several, or whoever a function names. */
import {
  ALGORITHMS,
  type Algorithm,
  type AlgorithmName,
  baseOf,
  HASH_NUMBERS,
  HASH_SIZES,
  ha1Of,
} from "./algorithm.ts";
import { isPromise } from "./users.ts";

/** A user's name and secret for a realm. */
export interface Credentials {
  /** As the server writes it, octet for octet. Left out: any realm, whoever asks. */
  readonly realm?: string | undefined;
  /** Sent as UTF-8. */
  readonly user: string;
  /** Any characters; hashed as UTF-8, never sent. */
  readonly password?: string | undefined;
  /** H(A1) in hexadecimal digits, in the password's place: H(user:realm:password), by the hash (RFC 7616 s3.4.2). */
  readonly ha1?: Readonly<Partial<Record<Algorithm, string>>> | undefined;
}

/**
 * Finds the credentials for a challenge.
 * @param host of the server that the request went to: the one in its route, else in its URI; IPv6 without brackets
 * @returns null for none
 */
export type CredentialsFor = (realm: string, host: string) => Credentials | null | Promise<Credentials | null>;

/** One user, several, or a function that is asked at each challenge. Of several the one with just this realm goes first. */
export type CredentialsOption = Credentials | readonly Credentials[] | CredentialsFor;

/** Functions have no names of their own that could be compared. */
const functionTags = new WeakMap<CredentialsFor, string>();
let functions = 0;

export class CredentialSource {
  /** What sessions made with its credentials are kept under, so that they are found again: by user, or by function. */
  readonly tags: readonly string[];
  readonly #list: readonly Credentials[];
  readonly #find: CredentialsFor | null;

  /** @throws TypeError for a user or a secret that cannot be used; it does not show the secret */
  constructor(given: CredentialsOption) {
    this.#find = typeof given === "function" ? given : null;
    const list = typeof given === "function" ? [] : isList(given) ? given : [given];
    this.#list = list.map(checkedCredentials);
    this.tags = this.#find === null ? [...new Set(this.#list.map(userTag))] : [functionTag(this.#find)];
  }

  /** The credentials for a realm, those a function gives checked; null for none. Rejects or throws as the function does. */
  find(realm: string, host: string): Credentials | null | Promise<Credentials | null> {
    if (this.#find === null) return this.#listed(realm);
    const found = this.#find(realm, host);
    // Whatever has a `then`, as queries of databases do.
    return isPromise(found) ? Promise.resolve(found).then(checkedOrNull) : checkedOrNull(found);
  }

  /** Whether it may have credentials for a realm. A function is not asked for that. */
  mightGive(realm: string): boolean {
    return this.#find !== null || this.#listed(realm) !== null;
  }

  /** Under which of {@link tags} a session made with these credentials is kept. */
  tagOf(credentials: Credentials): string {
    return this.#find === null ? userTag(credentials) : this.tags[0]!;
  }

  /** Whether credentials found before would be found again. A function is not asked for that. */
  stillGives(credentials: Credentials, realm: string): boolean {
    if (this.#find !== null) return true;
    const now = this.#listed(realm);
    return now !== null && isSame(now, credentials);
  }

  #listed(realm: string): Credentials | null {
    const exact = this.#list.find((one) => one.realm === realm);
    return exact ?? this.#list.find((one) => one.realm === undefined) ?? null;
  }
}

/** Whether two are the same user with the same secrets. */
export function isSame(one: Credentials, other: Credentials): boolean {
  if (one.user !== other.user || one.password !== other.password) return false;
  return ALGORITHMS.every((algorithm) => one.ha1?.[algorithm] === other.ha1?.[algorithm]);
}

/** H(A1) of a user in a realm, not yet that of a `-sess` algorithm; null where neither it nor the password is known. */
export function ha1For(credentials: Credentials, name: AlgorithmName, realm: string): string | null {
  const { user, password, ha1 } = credentials;
  const algorithm = baseOf(name);
  const known = ha1?.[algorithm];
  if (known !== undefined) return known.toLowerCase();
  return password === undefined ? null : ha1Of(algorithm, user, realm, password);
}

/** Whether a challenge with this algorithm can be answered. */
export function canHash({ password, ha1 }: Credentials, name: AlgorithmName): boolean {
  return password !== undefined || ha1?.[baseOf(name)] !== undefined;
}

function isList(given: Credentials | readonly Credentials[]): given is readonly Credentials[] {
  return Array.isArray(given);
}

function checkedOrNull(found: Credentials | null): Credentials | null {
  return found === null || found === undefined ? null : checkedCredentials(found);
}

/** A copy: what is changed later in the user's own object changes no session. */
function checkedCredentials(given: Credentials): Credentials {
  const { realm, user, password, ha1 } = given;
  if (typeof user !== "string" || /\p{Cc}/u.test(user)) {
    throw new TypeError(`No user's name in credentials: ${JSON.stringify(user)}`);
  }
  if (typeof password !== "string" && (ha1 === undefined || Object.keys(ha1).length === 0)) {
    throw new TypeError(`Credentials of ${JSON.stringify(user)} without a password or ha1`);
  }
  for (const [algorithm, digits] of Object.entries(ha1 ?? {})) {
    const size = HASH_SIZES[HASH_NUMBERS[algorithm as Algorithm]];
    if (size === undefined) throw new TypeError(`No algorithm of ha1: ${JSON.stringify(algorithm)}`);
    if (!/^[0-9a-f]+$/i.test(digits) || digits.length !== size * 2) {
      throw new TypeError(`The ha1 for ${algorithm} of ${JSON.stringify(user)} is not ${size * 2} hexadecimal digits`);
    }
  }
  return { realm, user, password, ha1: ha1 === undefined ? undefined : { ...ha1 } };
}

function userTag({ user }: Credentials): string {
  return `user ${user}`;
}

function functionTag(find: CredentialsFor): string {
  const tag = functionTags.get(find) ?? `function ${++functions}`;
  functionTags.set(find, tag);
  return tag;
}
