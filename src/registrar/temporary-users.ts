/**
 * The users of temporary GRUUs (RFC 5627 s5.4): sixteen octets that only this server can read, encrypted as one block.
 *
 *     octets 0-7   a handle, which says whose it is. Of what was not made here it is none that anybody knows
 *     octets 8-15  a number that no other one has, higher in the later of two
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { ascii } from "../message/bytes.ts";

const CIPHER = "aes-128-ecb";
/** Octets of the key, and of a block. */
export const BLOCK = 16;
const MARK = "tgruu.";
const MARK_OCTETS = ascii(MARK);
const DIGITS = ascii("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const TWO_32 = 2 ** 32;
/** Octets of a user: those of the mark, and the digits of a block. */
export const USER_LENGTH = MARK.length + Math.ceil((BLOCK * 8) / 6);

export class TemporaryUsers {
  // What `read` has found: the handle, and the number.
  low = 0;
  high = 0;
  number = 0;
  // Blocks of this mode know nothing of each other: these are never at their end.
  readonly #encrypting: ReturnType<typeof createCipheriv>;
  readonly #decrypting: ReturnType<typeof createDecipheriv>;
  readonly #block = new Int32Array(BLOCK / 4);
  readonly #octets = new Uint8Array(this.#block.buffer);

  /** @param key {@link BLOCK} octets */
  constructor(key: Uint8Array) {
    this.#encrypting = createCipheriv(CIPHER, key, null).setAutoPadding(false);
    this.#decrypting = createDecipheriv(CIPHER, key, null).setAutoPadding(false);
  }

  /** Writes the user of a handle. @param number below 2^53 @returns its end, {@link USER_LENGTH} from `at` */
  write(low: number, high: number, number: number, out: Uint8Array, at: number): number {
    const block = this.#block;
    block[0] = low;
    block[1] = high;
    block[2] = number;
    block[3] = number / TWO_32;
    const sealed = this.#encrypting.update(this.#octets);
    let end = at;
    for (let i = 0; i < MARK_OCTETS.length; i++) out[end++] = MARK_OCTETS[i]!;
    // Base64 for URLs (RFC 4648 s5), the last octet's digits with zeros behind it.
    for (let i = 0; i < BLOCK; i += 3) {
      const three = (sealed[i]! << 16) | ((sealed[i + 1] ?? 0) << 8) | (sealed[i + 2] ?? 0);
      const digits = Math.min(4, BLOCK - i + 1);
      for (let k = 0; k < digits; k++) out[end++] = DIGITS[(three >>> (18 - 6 * k)) & 63]!;
    }
    return end;
  }

  /** Reads a user: {@link low}, {@link high} and {@link number} are its own then. @returns false when it is none */
  read(user: string): boolean {
    if (!user.startsWith(MARK)) return false;
    const sealed = Buffer.from(user.slice(MARK.length), "base64url");
    if (sealed.length !== BLOCK) return false;
    this.#octets.set(this.#decrypting.update(sealed));
    const block = this.#block;
    this.low = block[0]!;
    this.high = block[1]!;
    this.number = (block[3]! >>> 0) * TWO_32 + (block[2]! >>> 0);
    return true;
  }
}

/** Whether a user that begins here looks like that of a temporary GRUU. @param start -1 when there is none */
export function isTemporary(bytes: Uint8Array, start: number): boolean {
  if (start < 0) return false;
  for (let i = 0; i < MARK_OCTETS.length; i++) if (bytes[start + i] !== MARK_OCTETS[i]) return false;
  return true;
}
