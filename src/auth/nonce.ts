/**
 * Nonces that need no table until they are used: each carries when it was made and a signature over that and the realm,
 * so that whoever has the key can tell its own from others (RFC 7616 s3.3, s5.12).
 *
 *     <time, 48 bits> <who made it, 24> <count, 24> <HMAC-SHA-256 of what stands before and the realm, cut to 96>
 *
 * in base64url, so that each 24 bits are four characters, and nothing needs quoting.
 */
import { ascii } from "../message/bytes.ts";
import type { RandomFill } from "../message/token-source.ts";

/** Characters of a nonce. */
export const NONCE_LENGTH = 32;
/** Words of 24 bits of a nonce that was read. */
export const NONCE_WORDS = 8;

const SIGNED = 16;
const SHARE = 2 ** 24;
const BLOCK = 64;

const LETTERS = ascii("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const VALUE = new Int32Array(256).fill(-1);
for (let i = 0; i < 64; i++) VALUE[LETTERS[i]!] = i;

export class NonceMaker {
  /** HMAC's inner block, the realm, and the signed characters: only these change (RFC 2104 s2). */
  readonly #inner: Uint8Array;
  readonly #outer = new Uint8Array(BLOCK + 32);
  readonly #signedAt: number;
  readonly #raw = new Uint8Array(32);
  readonly #maker: number;
  #count: number;

  /**
   * @param realm nonces of another realm are not ours
   * @param key any octets; those who share it know each other's nonces
   */
  constructor(realm: string, key: Uint8Array, random: RandomFill) {
    const realmOctets = ascii(realm);
    this.#signedAt = BLOCK + realmOctets.length;
    this.#inner = new Uint8Array(this.#signedAt + SIGNED);
    this.#inner.set(realmOctets, BLOCK);
    const block = new Uint8Array(BLOCK);
    Bun.SHA256.hash(key, this.#raw);
    block.set(this.#raw);
    for (let i = 0; i < BLOCK; i++) {
      this.#inner[i] = block[i]! ^ 0x36;
      this.#outer[i] = block[i]! ^ 0x5c;
    }
    const drawn = new Uint8Array(6);
    random(drawn);
    this.#maker = (drawn[0]! << 16) | (drawn[1]! << 8) | drawn[2]!;
    this.#count = (drawn[3]! << 16) | (drawn[4]! << 8) | drawn[5]!;
  }

  /** Writes a new nonce, {@link NONCE_LENGTH} octets. @param now milliseconds since 1970 */
  write(into: Uint8Array, at: number, now: number): void {
    this.#count = (this.#count + 1) % SHARE;
    putWord(into, at, Math.floor(now / SHARE));
    putWord(into, at + 4, now % SHARE);
    putWord(into, at + 8, this.#maker);
    putWord(into, at + 12, this.#count);
    this.#sign(into, at);
    for (let i = 0; i < 4; i++) putWord(into, at + SIGNED + i * 4, this.#word(i));
  }

  /** Whether a nonce's signature is ours. @param words what {@link readNonce} gave for the nonce that begins at `start` */
  isOurs(words: Int32Array, bytes: Uint8Array, start: number): boolean {
    this.#sign(bytes, start);
    let differing = 0;
    for (let i = 0; i < 4; i++) differing |= words[4 + i]! ^ this.#word(i);
    return differing === 0;
  }

  #sign(bytes: Uint8Array, start: number): void {
    for (let i = 0; i < SIGNED; i++) this.#inner[this.#signedAt + i] = bytes[start + i]!;
    Bun.SHA256.hash(this.#inner, this.#raw);
    this.#outer.set(this.#raw, BLOCK);
    Bun.SHA256.hash(this.#outer, this.#raw);
  }

  #word(index: number): number {
    const raw = this.#raw;
    const at = index * 3;
    return (raw[at]! << 16) | (raw[at + 1]! << 8) | raw[at + 2]!;
  }
}

/**
 * Reads a nonce into its {@link NONCE_WORDS} words.
 * @returns false when it has not the form of ours
 */
export function readNonce(bytes: Uint8Array, start: number, end: number, words: Int32Array): boolean {
  if (end - start !== NONCE_LENGTH) return false;
  let wrong = 0;
  for (let i = 0, at = start; i < NONCE_WORDS; i++, at += 4) {
    const first = VALUE[bytes[at]!]!;
    const second = VALUE[bytes[at + 1]!]!;
    const third = VALUE[bytes[at + 2]!]!;
    const fourth = VALUE[bytes[at + 3]!]!;
    wrong |= first | second | third | fourth;
    words[i] = (first << 18) | (second << 12) | (third << 6) | fourth;
  }
  return wrong >= 0;
}

/** When a nonce was made, in milliseconds since 1970. @param at where its words begin */
export function nonceTime(words: Int32Array, at = 0): number {
  return words[at]! * SHARE + words[at + 1]!;
}

function putWord(into: Uint8Array, at: number, word: number): void {
  into[at] = LETTERS[(word >> 18) & 63]!;
  into[at + 1] = LETTERS[(word >> 12) & 63]!;
  into[at + 2] = LETTERS[(word >> 6) & 63]!;
  into[at + 3] = LETTERS[word & 63]!;
}
