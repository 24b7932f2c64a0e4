/**
 * The users of temporary GRUUs (RFC 5627 s5.4): 24 octets that only this server can make and read, and of which nobody else
 * can tell whether two belong together.
 *
 *     octets 0-7    the mark, which is a hash of what the rest says
 *     octets 8-15   a handle, which says whose it is
 *     octets 16-23  a number that no other one has, higher in the later of two
 *
 * Handle and number are hidden by a hash of the mark, and both hashes are made with a key: nothing can be changed unnoticed
 * (a synthetic initialization vector, as in RFC 5297). A cipher would make a buffer for each, which is to be collected.
 */
import { ascii } from "../message/bytes.ts";

/** Octets of the key. */
export const KEY_OCTETS = 16;
const OCTETS = 24;
const TAG = "tgruu.";
const TAG_OCTETS = ascii(TAG);
const DIGITS = ascii("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const TWO_32 = 2 ** 32;
/** Octets of a user: those of the tag, and the digits of the rest. */
export const USER_LENGTH = TAG.length + (OCTETS * 4) / 3;

// Words of what is hashed, behind the key: which of the two hashes it is, and four of what it is of.
const KIND = KEY_OCTETS / 4;
const MARKED = 1;
const MASK = 2;

export class TemporaryUsers {
  // What `read` has found: the handle, and the number.
  low = 0;
  high = 0;
  number = 0;
  readonly #words = new Int32Array(OCTETS / 4);
  readonly #octets = new Uint8Array(this.#words.buffer);
  readonly #said = new Int32Array(KIND + 5);
  readonly #saidOctets = new Uint8Array(this.#said.buffer);
  readonly #hash = new Int32Array(8);
  readonly #hashOctets = new Uint8Array(this.#hash.buffer);

  /** @param key {@link KEY_OCTETS} octets */
  constructor(key: Uint8Array) {
    this.#saidOctets.set(key);
  }

  /** Writes the user of a handle. @param number below 2^53 @returns its end, {@link USER_LENGTH} from `at` */
  write(low: number, high: number, number: number, out: Uint8Array, at: number): number {
    const words = this.#words;
    words[2] = low;
    words[3] = high;
    words[4] = number;
    words[5] = number / TWO_32;
    this.#makeMark();
    words[0] = this.#hash[0]!;
    words[1] = this.#hash[1]!;
    this.#mask();
    let end = at;
    for (let i = 0; i < TAG_OCTETS.length; i++) out[end++] = TAG_OCTETS[i]!;
    // Base64 for URLs (RFC 4648 s5).
    const octets = this.#octets;
    for (let i = 0; i < OCTETS; i += 3) {
      const three = (octets[i]! << 16) | (octets[i + 1]! << 8) | octets[i + 2]!;
      for (let shift = 18; shift >= 0; shift -= 6) out[end++] = DIGITS[(three >>> shift) & 63]!;
    }
    return end;
  }

  /** Reads a user: {@link low}, {@link high} and {@link number} are its own then. @returns false when none was made here */
  read(user: string): boolean {
    if (user.length !== USER_LENGTH || !user.startsWith(TAG)) return false;
    const octets = Buffer.from(user.slice(TAG.length), "base64url");
    if (octets.length !== OCTETS) return false;
    this.#octets.set(octets);
    const words = this.#words;
    this.#mask();
    this.#makeMark();
    if (words[0] !== this.#hash[0] || words[1] !== this.#hash[1]) return false;
    this.low = words[2]!;
    this.high = words[3]!;
    this.number = (words[5]! >>> 0) * TWO_32 + (words[4]! >>> 0);
    return true;
  }

  /** Hashes what a user says. */
  #makeMark(): void {
    const words = this.#words;
    const said = this.#said;
    said[KIND] = MARKED;
    for (let i = 2; i < 6; i++) said[KIND - 1 + i] = words[i]!;
    Bun.SHA256.hash(this.#saidOctets, this.#hashOctets);
  }

  /** Hides what a user says by its mark, or shows it again. */
  #mask(): void {
    const words = this.#words;
    const said = this.#said;
    said[KIND] = MASK;
    said[KIND + 1] = words[0]!;
    said[KIND + 2] = words[1]!;
    said[KIND + 3] = said[KIND + 4] = 0;
    Bun.SHA256.hash(this.#saidOctets, this.#hashOctets);
    for (let i = 2; i < 6; i++) words[i]! ^= this.#hash[i - 2]!;
  }
}

/** Whether a user that begins here looks like that of a temporary GRUU. @param start -1 when there is none */
export function isTemporary(bytes: Uint8Array, start: number): boolean {
  if (start < 0) return false;
  for (let i = 0; i < TAG_OCTETS.length; i++) if (bytes[start + i] !== TAG_OCTETS[i]) return false;
  return true;
}
