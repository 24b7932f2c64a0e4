/**
 * Users as settings hold them: a name with a password, or with a table of secrets.
 *
 *     [auth.users]
 *     alice = "a password"
 *     bob = { ha1-sha-256 = "5ea2...", aors = ["sip:sales@example.com"] }
 */

import { ALGORITHMS, HASH_NUMBERS, HASH_SIZES } from "../auth/algorithm.ts";
import { isHa1, type UserRecord, type UserSecrets } from "../auth/users.ts";
import { aorOf } from "../message/aor.ts";
import { nearest } from "./near.ts";

/** The keys of H(A1) with their algorithms: `ha1-md5`, `ha1-sha-256`, ... */
export const HA1_KEYS = new Map(ALGORITHMS.map((algorithm) => [`ha1-${algorithm.toLowerCase()}`, algorithm]));
const KEYS = ["password", ...HA1_KEYS.keys(), "aors"];

/** What a user may be, but for a password. */
export const USER_TABLE = `{ ${KEYS.join(", ")} }`;

/** What is wrong with a user, and where in it. The text names no secret. */
export interface UserFault {
  /** The key of the user's table; none for the user as a whole. */
  readonly path: readonly string[];
  /** To stand behind the name: "must be ...". */
  readonly message: string;
}

/** What is wrong with a user, or null. */
export function userFault(name: string, value: unknown): UserFault | null {
  if (name === "" || /[\p{Cc}]/u.test(name)) return fault("must have a name without control characters");
  if (typeof value === "string") return value === "" ? fault("must have a password that is not empty") : null;
  if (!isTable(value)) return fault(`must be a PASSWORD, or a table ${USER_TABLE}`);
  for (const [key, found] of Object.entries(value)) {
    const message = keyFault(key, found);
    if (message !== null) return { path: [key], message };
  }
  const isProvable = value.password !== undefined || [...HA1_KEYS.keys()].some((key) => value[key] !== undefined);
  return isProvable ? null : fault(`must have a password, or one of ${[...HA1_KEYS.keys()].join(", ")}`);
}

function keyFault(key: string, value: unknown): string | null {
  if (key === "password") return typeof value === "string" && value !== "" ? null : "must be a text that is not empty";
  if (key === "aors") return areAors(value) ? null : 'must be an array of addresses such as ["sip:sales@example.com"]';
  const algorithm = HA1_KEYS.get(key);
  if (algorithm === undefined) {
    const near = nearest(key, KEYS);
    return `is not known: ${near === undefined ? `a user may have ${KEYS.join(", ")}` : `did you mean ${near}?`}`;
  }
  const digits = HASH_SIZES[HASH_NUMBERS[algorithm]]! * 2;
  return isHa1(algorithm, value) ? null : `must be the ${digits} digits that viaduct hash-password prints`;
}

/** @param given with no fault by {@link userFault} */
export function toUsers(given: Readonly<Record<string, unknown>>): UserRecord {
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, toSecrets(value)]));
}

function toSecrets(value: unknown): UserSecrets {
  if (typeof value === "string") return { password: value };
  const { password, aors, ...hashes } = value as Record<string, string> & { aors?: string[] };
  const ha1 = Object.fromEntries(Object.entries(hashes).map(([key, digits]) => [HA1_KEYS.get(key)!, digits]));
  return {
    ...(password === undefined ? {} : { password }),
    ...(Object.keys(ha1).length === 0 ? {} : { ha1 }),
    ...(aors === undefined ? {} : { aors: aors.map((aor) => aorOf(aor)!) }),
  };
}

function areAors(value: unknown): boolean {
  return Array.isArray(value) && value.every((aor) => typeof aor === "string" && aorOf(aor) !== null);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fault(message: string): UserFault {
  return { path: [], message };
}
