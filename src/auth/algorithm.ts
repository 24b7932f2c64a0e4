/**
 * The algorithms of digest authentication (RFC 7616 s6.1, RFC 8760 s2.1): their names, which of two is the stronger, their
 * hashes, and the values that are hashed out of one another: H(A1), H(A2) and the response. Both sides compute with this.
 *
 * The functions here take and give text, for what is done once a user or a challenge; `digest-input.ts` does the same on
 * octets for what is done once a message.
 */
import { ascii, equalsLower } from "../message/bytes.ts";

/** A hash that digest authentication may stand on. */
export type Algorithm = "MD5" | "SHA-256" | "SHA-512-256";
/** A value of the `algorithm` parameter: `-sess` makes a session's key of H(A1), nonce and cnonce (RFC 7616 s3.4.2). */
export type AlgorithmName = Algorithm | `${Algorithm}-sess`;

/** A quality of protection: `auth-int` covers the body too (RFC 7616 s3.4.3). */
export type Qop = "auth" | "auth-int";

/** The hashes, the strongest first. */
export const ALGORITHMS: readonly Algorithm[] = ["SHA-512-256", "SHA-256", "MD5"];

/** Every name with its number, the weakest first: {@link hashOf} and {@link isSession} read the number. */
export const ALGORITHM_NAMES: readonly AlgorithmName[] = [
  "MD5",
  "MD5-sess",
  "SHA-256",
  "SHA-256-sess",
  "SHA-512-256",
  "SHA-512-256-sess",
];
const LOWER_NAMES = ALGORITHM_NAMES.map((name) => ascii(name.toLowerCase()));

/** The number of MD5, which is meant where no algorithm is named (RFC 7616 s3.3). */
export const MD5 = 0;

/** The number of an algorithm's name in any letter case, or -1. */
export function algorithmNumber(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  for (let i = 0; i < LOWER_NAMES.length; i++) {
    const name = LOWER_NAMES[i]!;
    if (name.length === length && equalsLower(bytes, start, end, name)) return i;
  }
  return -1;
}

/** The number of an algorithm's name given as text, in any letter case, or -1. */
export function algorithmNumberOf(name: string): number {
  const octets = ascii(name);
  return algorithmNumber(octets, 0, octets.length);
}

/** The number of the hash under an algorithm's number: 0 MD5, 1 SHA-256, 2 SHA-512-256. */
export function hashOf(algorithm: number): number {
  return algorithm >> 1;
}

/** Whether an algorithm's number is that of a `-sess` variant. */
export function isSession(algorithm: number): boolean {
  return (algorithm & 1) === 1;
}

/** The hash of an algorithm's name: the name without its `-sess`. */
export function baseOf(name: AlgorithmName): Algorithm {
  return (name.endsWith("-sess") ? name.slice(0, -5) : name) as Algorithm;
}

/** How strong an algorithm is: of two the greater is to be preferred; a `-sess` variant comes before its plain form. */
export function strengthOf(name: AlgorithmName): number {
  return ALGORITHM_NAMES.indexOf(name);
}

/** The same names in order of strength, the strongest first, none twice. */
export function strongestFirst(names: readonly AlgorithmName[]): AlgorithmName[] {
  return [...new Set(names)].sort((a, b) => strengthOf(b) - strengthOf(a));
}

/** The number of each hash: what {@link hashOf} gives for its names. */
export const HASH_NUMBERS: Readonly<Record<Algorithm, number>> = { MD5: 0, "SHA-256": 1, "SHA-512-256": 2 };
/** The name of each hash, by its number. */
export const HASH_NAMES: readonly Algorithm[] = ["MD5", "SHA-256", "SHA-512-256"];
/** Octets of each hash, by its number. In hexadecimal they are twice as many digits. */
export const HASH_SIZES: readonly number[] = [16, 32, 32];

/** Hashes octets into `out`, which holds 32 at least, by the number of the hash. */
export function hashInto(hash: number, octets: Uint8Array, out: Uint8Array): void {
  // These take half the time of a Bun.CryptoHasher, new or used again, on the few octets that are hashed here.
  if (hash === 1) Bun.SHA256.hash(octets, out);
  else if (hash === 0) Bun.MD5.hash(octets, out);
  else Bun.SHA512_256.hash(octets, out);
}

/** The hash of octets, or of text as UTF-8, in lower-case hexadecimal (RFC 8760 s2.2). */
export function hash(algorithm: Algorithm, octets: Uint8Array | string): string {
  if (algorithm === "SHA-256") return Bun.SHA256.hash(octets, "hex");
  return algorithm === "MD5" ? Bun.MD5.hash(octets, "hex") : Bun.SHA512_256.hash(octets, "hex");
}

/** H(A1) without a session: what may be stored in a password's place (RFC 7616 s3.4.2, s5.2). */
export function ha1Of(algorithm: Algorithm, user: string, realm: string, password: string): string {
  return hash(algorithm, `${user}:${realm}:${password}`);
}

/**
 * H(A1) of a `-sess` algorithm (RFC 7616 s3.4.2).
 * @param ha1 what {@link ha1Of} gives
 * @param nonce that of the challenge
 * @param cnonce that of the first request answering the challenge
 */
export function sessionHa1Of(algorithm: Algorithm, ha1: string, nonce: string, cnonce: string): string {
  return hash(algorithm, `${ha1}:${nonce}:${cnonce}`);
}

/**
 * H(A2) (RFC 7616 s3.4.3).
 * @param method the request's, or the empty string for `rspauth` (s3.5)
 * @param uri the value of the `uri` parameter
 * @param body the message's body for `auth-int`, empty where it has none (RFC 8760 s2.6); undefined for `auth`
 */
export function ha2Of(algorithm: Algorithm, method: string, uri: string, body?: Uint8Array): string {
  return hash(algorithm, body === undefined ? `${method}:${uri}` : `${method}:${uri}:${hash(algorithm, body)}`);
}

/** What a response is computed from, besides the two hashes. */
export interface ResponseInput {
  readonly nonce: string;
  /** Undefined for a challenge without `qop`, as of RFC 2069: `nc` and `cnonce` are then not hashed. */
  readonly qop?: Qop | undefined;
  /** Eight hexadecimal digits. */
  readonly nc?: string | undefined;
  readonly cnonce?: string | undefined;
}

/**
 * The value of `response`, or of `rspauth` with the H(A2) of one (RFC 7616 s3.4.1).
 * @param ha1 what {@link ha1Of} gives, or {@link sessionHa1Of} for a `-sess` algorithm
 */
export function responseOf(algorithm: Algorithm, ha1: string, input: ResponseInput, ha2: string): string {
  const { nonce, qop, nc, cnonce } = input;
  return hash(
    algorithm,
    qop === undefined ? `${ha1}:${nonce}:${ha2}` : `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`,
  );
}
