/**
 * Puts together on octets what is to be hashed, in one buffer that is used again, and hashes it in one call: three
 * updates of a hasher cost more than copying the octets.
 */
import { Arena } from "../message/arena.ts";
import { BACKSLASH, COLON, CR, LF, SP } from "../message/bytes.ts";
import { HASH_SIZES, hashInto } from "./algorithm.ts";

/** Inputs up to so many octets have a view ready: making one costs a third of an MD5. */
const VIEWS = 1024;
const DIGITS = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
/** Each octet's value as a hexadecimal digit of either case; 0xff for what is none. */
const VALUE = new Uint8Array(256).fill(0xff);
for (let i = 0; i < 256; i++) {
  const value = "0123456789abcdef".indexOf(String.fromCharCode(i).toLowerCase());
  if (value >= 0) VALUE[i] = value;
}

export class DigestInput {
  /** What the last {@link hash} gave; `HASH_SIZES` says how many octets of it. */
  readonly raw = new Uint8Array(32);
  readonly #arena = new Arena();
  readonly #views: Uint8Array[] = [];
  #viewed: Uint8Array = this.#arena.bytes;

  /** Begins anew. @param atMost octets that will be put at most */
  begin(atMost: number): void {
    this.#arena.reset();
    this.#arena.open(atMost);
  }

  /** Puts all of `octets`. */
  put(octets: Uint8Array): void {
    this.#arena.put(octets);
  }

  /** Puts a range. */
  copy(from: Uint8Array, start: number, end: number): void {
    this.#arena.copy(from, start, end);
  }

  /** Puts the range of a quoted string without the backslashes of its quoted pairs, and folds as a blank (RFC 3261 s25.1). */
  copyUnquoted(from: Uint8Array, start: number, end: number): void {
    unquote(from, start, end, (octet) => this.#arena.octet(octet));
  }

  /** How many octets were put since {@link begin}. */
  get length(): number {
    return this.#arena.at;
  }

  /** Forgets what was put behind so many octets. */
  cut(length: number): void {
    this.#arena.at = length;
  }

  colon(): void {
    this.#arena.octet(COLON);
  }

  /** Puts what the last {@link hash} gave as hexadecimal digits. */
  hex(hash: number): void {
    const arena = this.#arena;
    arena.at = putHex(this.raw, HASH_SIZES[hash]!, arena.bytes, arena.at);
  }

  /** Whether what was put since {@link begin} is just this. */
  holds(octets: Uint8Array): boolean {
    const { bytes, at } = this.#arena;
    const { length } = octets;
    if (at !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[i] !== octets[i]) return false;
    return true;
  }

  /** A copy of what was put since {@link begin}. */
  octets(): Uint8Array {
    return this.#arena.bytes.slice(0, this.#arena.at);
  }

  /** Hashes what was put since {@link begin} into {@link raw}. @param hash its number */
  hash(hash: number): void {
    hashInto(hash, this.#view(), this.raw);
  }

  /** Hashes octets that lie elsewhere into {@link raw}: a body. */
  hashOther(hash: number, octets: Uint8Array): void {
    hashInto(hash, octets, this.raw);
  }

  #view(): Uint8Array {
    const { bytes, at } = this.#arena;
    if (at > VIEWS) return bytes.subarray(0, at);
    if (bytes !== this.#viewed) {
      this.#views.length = 0;
      this.#viewed = bytes;
    }
    let view = this.#views[at];
    if (view === undefined) {
      view = bytes.subarray(0, at);
      this.#views[at] = view;
    }
    return view;
  }
}

/** Hands on each octet that a quoted string stands for. */
export function unquote(from: Uint8Array, start: number, end: number, take: (octet: number) => void): void {
  for (let i = start; i < end; i++) {
    const octet = from[i]!;
    if (octet === BACKSLASH && i + 1 < end) take(from[++i]!);
    else if (octet === CR || octet === LF) continue;
    else take(Math.max(octet, SP));
  }
}

/** Writes octets of a hash as hexadecimal digits. @returns the offset behind them */
export function putHex(raw: Uint8Array, length: number, into: Uint8Array, start: number): number {
  let at = start;
  for (let i = 0; i < length; i++) {
    const octet = raw[i]!;
    into[at++] = DIGITS[octet >> 4]!;
    into[at++] = DIGITS[octet & 15]!;
  }
  return at;
}

/** The octets of a hash as hexadecimal digits. */
export function toHex(raw: Uint8Array, length: number): Uint8Array {
  const hex = new Uint8Array(length * 2);
  putHex(raw, length, hex, 0);
  return hex;
}

/**
 * Whether hexadecimal digits, of either case, are those of a hash. The time does not tell where the first that differs
 * stands.
 * @param length octets of the hash
 */
export function equalsHex(raw: Uint8Array, length: number, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== length * 2) return false;
  let differing = 0;
  for (let i = 0, at = start; i < length; i++, at += 2) {
    const high = VALUE[bytes[at]!]!;
    const low = VALUE[bytes[at + 1]!]!;
    differing |= ((high << 4) | low) ^ raw[i]!;
  }
  return differing === 0;
}

/** Whether the range holds nothing but hexadecimal digits, and one at least. */
export function isHex(bytes: Uint8Array, start: number, end: number): boolean {
  let worst = start < end ? 0 : 0xff;
  for (let i = start; i < end; i++) worst |= VALUE[bytes[i]!]!;
  return worst < 16;
}

/** The range's hexadecimal digits as a number, or -1 when it holds another octet, none, or more than eight. */
export function hexNumber(bytes: Uint8Array, start: number, end: number): number {
  if (!isHex(bytes, start, end) || end - start > 8) return -1;
  let value = 0;
  for (let i = start; i < end; i++) value = value * 16 + VALUE[bytes[i]!]!;
  return value;
}
