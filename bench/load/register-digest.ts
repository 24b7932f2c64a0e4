/**
 * The client's side of a digest (RFC 7616, RFC 8760) for the generator: octets in, octets out. What every user's digest
 * begins with, HA1, is kept, so that a request costs one hash.
 */
import { DOMAIN, PASSWORD, userName } from "./register-users.ts";

export const ALGORITHMS = ["MD5", "SHA-256"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const CNONCE = "0a4f113b";
const COLON = 0x3a;
const QUOTE = 0x22;
const HEX = Uint8Array.from("0123456789abcdef", (c) => c.charCodeAt(0));
const encoder = new TextEncoder();
/** Before a nonce in what is answered to a challenge. */
const NONCE_PREFIX = 'nonce="';
/** Between the nonce count and HA2. */
const MIDDLE = encoder.encode(`:${CNONCE}:auth:`);
/** Room for what is hashed: two hashes in hexadecimal, a nonce and what stands between them. */
const ROOM = 512;

type Hash = (octets: Uint8Array) => Uint8Array;

/** The result is overwritten by the next hash. */
function hasher(algorithm: Algorithm): Hash {
  const into = new Uint8Array(algorithm === "MD5" ? 16 : 32);
  return algorithm === "MD5"
    ? (octets) => Bun.MD5.hash(octets, into) as Uint8Array
    : (octets) => Bun.SHA256.hash(octets, into) as Uint8Array;
}

export class DigestWriter {
  readonly algorithm: Algorithm;
  readonly cnonce = CNONCE;
  /** Octets of a digest in hexadecimal. */
  readonly length: number;
  readonly #hash: Hash;
  /** HA1 of each user one after the other, and whether it is there. */
  readonly #ha1: Uint8Array;
  readonly #known: Uint8Array;
  readonly #ha2: Uint8Array;
  readonly #hashed = new Uint8Array(ROOM);
  #view: Uint8Array = this.#hashed;

  /** @param users whose HA1 is computed once; that of a user beyond them is computed whenever it is asked for */
  constructor(algorithm: Algorithm, users: number) {
    this.algorithm = algorithm;
    this.length = algorithm === "MD5" ? 32 : 64;
    this.#hash = hasher(algorithm);
    this.#ha1 = new Uint8Array(users * this.length);
    this.#known = new Uint8Array(users);
    this.#ha2 = encoder.encode(this.#hash(encoder.encode(`REGISTER:sip:${DOMAIN}`)).toHex());
  }

  /**
   * Writes the response to a challenge (RFC 7616 s3.4.1, with qop=auth).
   * @param challenge `nonce="..."` begins at `start`
   * @param request the eight digits of the nonce count begin at `countAt`, the {@link length} digits go to `at`
   */
  write(user: number, challenge: Uint8Array, start: number, request: Uint8Array, countAt: number, at: number): void {
    const hashed = this.#hashed;
    let to = this.#putHa1(user);
    hashed[to++] = COLON;
    for (let i = start + NONCE_PREFIX.length; challenge[i] !== QUOTE; i++) hashed[to++] = challenge[i]!;
    hashed[to++] = COLON;
    for (let i = 0; i < 8; i++) hashed[to++] = request[countAt + i]!;
    for (let i = 0; i < MIDDLE.length; i++) hashed[to++] = MIDDLE[i]!;
    for (let i = 0; i < this.#ha2.length; i++) hashed[to++] = this.#ha2[i]!;
    if (this.#view.length !== to) this.#view = hashed.subarray(0, to);
    hex(this.#hash(this.#view), request, at);
  }

  /** Puts HA1 where the hashed octets begin. @returns its end */
  #putHa1(user: number): number {
    const { length } = this;
    const from = user * length;
    if (user < this.#known.length && this.#known[user] === 1) {
      for (let i = 0; i < length; i++) this.#hashed[i] = this.#ha1[from + i]!;
      return length;
    }
    hex(this.#hash(encoder.encode(`${userName(user)}:${DOMAIN}:${PASSWORD}`)), this.#hashed, 0);
    if (user < this.#known.length) {
      this.#ha1.set(this.#hashed.subarray(0, length), from);
      this.#known[user] = 1;
    }
    return length;
  }
}

function hex(octets: Uint8Array, into: Uint8Array, at: number): void {
  for (let i = 0; i < octets.length; i++) {
    const octet = octets[i]!;
    into[at + 2 * i] = HEX[octet >> 4]!;
    into[at + 2 * i + 1] = HEX[octet & 15]!;
  }
}
