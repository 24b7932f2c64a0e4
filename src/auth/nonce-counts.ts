/**
 * The nonces in use, and which counts were used with each (RFC 7616 s3.4 `nc`): the greatest, and which of those shortly
 * below it, so that requests that overtook each other on the way are told from one that is played again.
 *
 * A nonce comes here with the first request that proves to know a password, never before. The table is a ring: when it is
 * full the nonce that came first falls out, and from then on no nonce made before that one is taken for an unused one.
 * So the ceiling costs a peer another challenge, but never lets a request through twice.
 *
 * An entry is one cache line:
 *
 *     0 .. 7   the nonce, 24 bits a word      8   the greatest count      9   the next entry of its bucket
 *     10 .. 13 a bit for each of the 128 counts up to the greatest
 *     14 .. 15 who used it: a hash of the name, and the generation of the users with the algorithm
 */
import { NONCE_WORDS, nonceTime } from "./nonce.ts";
import type { FoundUser } from "./users.ts";

const SIZE = 16;
const GREATEST = NONCE_WORDS;
const NEXT = 9;
const WINDOW = 10;
const WORDS = 4;
const USED_BY = 14;
const USED_WITH = 15;
/** Bits of the number of a hash, one more so that 0 is none. */
const HASH_BITS = 2;
const HASH_MASK = (1 << HASH_BITS) - 1;
/** Counts up to the greatest that are told apart; a lower one is taken for used. */
export const COUNT_WINDOW = WORDS * 32;

/** Entries that are over and removed for each that comes: more than one, so that removal outruns insertion. */
const SWEEP = 2;

/** The key of a nonce's session, for `-sess` algorithms: RFC 7616 s3.4.2 makes it of the first request's cnonce. */
export interface SessionKey {
  readonly algorithm: number;
  /** The H(A1) that it was made of, which is that of one user; both in hexadecimal digits. */
  readonly secret: Uint8Array;
  readonly ha1: Uint8Array;
}

export class NonceCounts {
  readonly #max: number;
  readonly #lifetime: number;
  readonly #entries: Int32Array;
  /** The entry of each bucket's chain, plus one. */
  readonly #buckets: Int32Array;
  /** Only where a `-sess` algorithm is used. */
  readonly #sessions: (SessionKey | undefined)[] = [];
  /** Who used each, and the H(A1) it was used with. */
  readonly #users: (FoundUser | undefined)[] = [];
  readonly #keys: (Uint8Array | undefined)[] = [];
  #newest = 0;
  #count = 0;
  #floor: number;

  /**
   * @param max nonces at once
   * @param lifetime milliseconds that a nonce is good for
   * @param start nonces made before this are not taken for unused ones: before it there was no table
   */
  constructor(max: number, lifetime: number, start: number) {
    this.#max = max;
    this.#lifetime = lifetime;
    this.#floor = start;
    this.#entries = new Int32Array(max * SIZE);
    let buckets = 16;
    while (buckets < max) buckets *= 2;
    this.#buckets = new Int32Array(buckets);
  }

  /** Nonces held. */
  get size(): number {
    return this.#count;
  }

  /** A nonce that is not here and was made before this may have been used: when the table began, or lost its last. */
  get floor(): number {
    return this.#floor;
  }

  /** The entry of a nonce, or -1. @param words as `readNonce` gives them */
  find(words: Int32Array): number {
    const entries = this.#entries;
    for (
      let entry = this.#buckets[this.#bucketOf(words, 0)]! - 1;
      entry >= 0;
      entry = entries[entry * SIZE + NEXT]! - 1
    ) {
      const at = entry * SIZE;
      let i = 0;
      while (i < NONCE_WORDS && entries[at + i] === words[i]) i++;
      if (i === NONCE_WORDS) return entry;
    }
    return -1;
  }

  /** Takes in a nonce that is not here, with no count used. @returns its entry */
  add(words: Int32Array, now: number): number {
    for (let i = 0; i < SWEEP && this.#count > 0 && now - this.#timeOf(this.#oldest()) > this.#lifetime; i++) {
      this.#removeOldest();
    }
    if (this.#count === this.#max) {
      this.#floor = Math.max(this.#floor, this.#timeOf(this.#oldest()) + 1);
      this.#removeOldest();
    }
    const entry = this.#newest;
    this.#newest = (entry + 1) % this.#max;
    this.#count++;
    const entries = this.#entries;
    const at = entry * SIZE;
    for (let i = 0; i < NONCE_WORDS; i++) entries[at + i] = words[i]!;
    for (let i = NONCE_WORDS; i < SIZE; i++) entries[at + i] = 0;
    const bucket = this.#bucketOf(words, 0);
    entries[at + NEXT] = this.#buckets[bucket]!;
    this.#buckets[bucket] = entry + 1;
    return entry;
  }

  /**
   * Uses a count of a nonce.
   * @param count 0 to 2^32-1
   * @returns false when it was used before, or lies so far below the greatest that this is not known
   */
  use(entry: number, count: number): boolean {
    const entries = this.#entries;
    const at = entry * SIZE;
    const ahead = count - (entries[at + GREATEST]! >>> 0);
    if (ahead > 0) {
      this.#shift(at + WINDOW, ahead);
      entries[at + GREATEST] = count | 0;
      entries[at + WINDOW]! |= 1;
      return true;
    }
    const behind = -ahead;
    if (behind >= COUNT_WINDOW) return false;
    const word = at + WINDOW + (behind >> 5);
    const bit = 1 << (behind & 31);
    if ((entries[word]! & bit) !== 0) return false;
    entries[word]! |= bit;
    return true;
  }

  /**
   * Keeps who has used a nonce, as long as the nonce.
   * @param name a hash of the user's name
   * @param generation of the users, see `UserSource`
   * @param hash the number of the hash that `ha1` is of
   */
  remember(entry: number, name: number, generation: number, hash: number, user: FoundUser, ha1: Uint8Array): void {
    while (this.#users.length <= entry) {
      this.#users.push(undefined);
      this.#keys.push(undefined);
    }
    this.#users[entry] = user;
    this.#keys[entry] = ha1;
    this.#entries[entry * SIZE + USED_BY] = name;
    this.#entries[entry * SIZE + USED_WITH] = (generation << HASH_BITS) | (hash + 1);
  }

  /** Who has used a nonce, where the name's hash and the generation are still the same; else undefined. */
  userOf(entry: number, name: number, generation: number): FoundUser | undefined {
    const entries = this.#entries;
    const used = entries[entry * SIZE + USED_WITH]!;
    const isSame = used !== 0 && (used & ~HASH_MASK) === generation << HASH_BITS;
    return isSame && entries[entry * SIZE + USED_BY] === name ? this.#users[entry] : undefined;
  }

  /** The H(A1) that a nonce was used with; undefined where that was of another hash. */
  keyOf(entry: number, hash: number): Uint8Array | undefined {
    return (this.#entries[entry * SIZE + USED_WITH]! & HASH_MASK) === hash + 1 ? this.#keys[entry] : undefined;
  }

  /** The key of the nonce's session; undefined when there is none yet. */
  session(entry: number): SessionKey | undefined {
    return this.#sessions[entry];
  }

  /** Keeps the key of the nonce's session as long as the nonce. */
  setSession(entry: number, key: SessionKey): void {
    while (this.#sessions.length <= entry) this.#sessions.push(undefined);
    this.#sessions[entry] = key;
  }

  /** Moves a window's bits up by `by`: what was the count itself is then `by` behind. */
  #shift(window: number, by: number): void {
    const entries = this.#entries;
    const words = by >= COUNT_WINDOW ? WORDS : by >> 5;
    const bits = by & 31;
    for (let i = WORDS - 1; i >= 0; i--) {
      const from = i - words;
      let word = from >= 0 ? entries[window + from]! << bits : 0;
      if (bits > 0 && from >= 1) word |= entries[window + from - 1]! >>> (32 - bits);
      entries[window + i] = word;
    }
  }

  #oldest(): number {
    return (this.#newest - this.#count + this.#max) % this.#max;
  }

  #timeOf(entry: number): number {
    return nonceTime(this.#entries, entry * SIZE);
  }

  #removeOldest(): void {
    const entries = this.#entries;
    const entry = this.#oldest();
    this.#count--;
    if (entry < this.#sessions.length) this.#sessions[entry] = undefined;
    if (entry < this.#users.length) this.#users[entry] = this.#keys[entry] = undefined;
    const bucket = this.#bucketOf(entries, entry * SIZE);
    if (this.#buckets[bucket] === entry + 1) {
      this.#buckets[bucket] = entries[entry * SIZE + NEXT]!;
      return;
    }
    let before = this.#buckets[bucket]! - 1;
    while (entries[before * SIZE + NEXT] !== entry + 1) before = entries[before * SIZE + NEXT]! - 1;
    entries[before * SIZE + NEXT] = entries[entry * SIZE + NEXT]!;
  }

  #bucketOf(words: Int32Array, at: number): number {
    // Time, maker and count: peers choose none of them, so there is nothing to defend against.
    const mixed = Math.imul(words[at + 3]! ^ Math.imul(words[at + 1]! ^ words[at + 2]!, 0x9e3779b1), 0x85ebca6b);
    return (mixed ^ (mixed >>> 15)) & (this.#buckets.length - 1);
  }
}
