/**
 * Builds the octets a transaction or dialog is known by, and hashes them.
 *
 * The hash is HalfSipHash-1-3 with a key drawn at start, so that nobody outside can choose branches or Call-IDs that
 * fall into one chain. Parts are joined with their lengths, so that no two lists of parts give the same octets.
 */
import { LOWER } from "../message/bytes.ts";

export class KeyBuilder {
  /** The octets of the key. */
  octets: Uint8Array;
  /** The same memory as words; {@link words} of them count, the last filled up with zeros. */
  view: Int32Array;
  /** Octets in the key. */
  length = 0;
  readonly #k0: number;
  readonly #k1: number;

  /** @param seed two random 32-bit words */
  constructor(seed: readonly [number, number]) {
    this.#k0 = seed[0] | 0;
    this.#k1 = seed[1] | 0;
    this.octets = new Uint8Array(4096);
    this.view = new Int32Array(this.octets.buffer);
  }

  /** Words the key takes. */
  get words(): number {
    return (this.length + 3) >>> 2;
  }

  /** Begins a key. @param first any octet: what kind of key it is */
  begin(first: number): this {
    this.octets[0] = first;
    this.length = 1;
    return this;
  }

  /** Adds a number of 32 bits. */
  number(value: number): this {
    const at = this.length;
    this.#room(4);
    const { octets } = this;
    octets[at] = value;
    octets[at + 1] = value >>> 8;
    octets[at + 2] = value >>> 16;
    octets[at + 3] = value >>> 24;
    this.length = at + 4;
    return this;
  }

  /** Adds a range as it stands. */
  part(bytes: Uint8Array, start: number, end: number): this {
    let at = this.#open(end - start);
    const { octets } = this;
    for (let i = start; i < end; i++) octets[at++] = bytes[i]!;
    this.length = at;
    return this;
  }

  /** Adds a range in lower case. */
  lowerPart(bytes: Uint8Array, start: number, end: number): this {
    let at = this.#open(end - start);
    const { octets } = this;
    for (let i = start; i < end; i++) octets[at++] = LOWER[bytes[i]!]!;
    this.length = at;
    return this;
  }

  /** Ends the key and gives its hash, 32 bits. */
  hash(): number {
    const { length, octets, view } = this;
    for (let i = length; i & 3; i++) octets[i] = 0;
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    const words = (length + 3) >>> 2;
    for (let i = 0; i <= words; i++) {
      const m = i < words ? view[i]! : length;
      v3 ^= m;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= m;
    }
    v2 ^= 0xff;
    for (let i = 0; i < 3; i++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    return v1 ^ v3;
  }

  #open(length: number): number {
    this.#room(length + 2);
    const at = this.length;
    this.octets[at] = length;
    this.octets[at + 1] = length >>> 8;
    return at + 2;
  }

  /** Call-IDs and branches have no limit of length, so the room grows; it never shrinks below what was needed once. */
  #room(more: number): void {
    // Four more, for the zeros that fill the last word.
    if (this.length + more + 4 <= this.octets.length) return;
    const larger = new Uint8Array(2 ** Math.ceil(Math.log2(this.length + more + 4)));
    larger.set(this.octets);
    this.octets = larger;
    this.view = new Int32Array(larger.buffer);
  }
}
