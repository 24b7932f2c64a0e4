/**
 * The output arena: one large buffer that messages are written into, end to end, and sent from. It is emptied when all
 * that lies in it was handed to the kernel, so that writing allocates nothing.
 *
 * A writer calls {@link open} with an upper bound of what it will write; the puts after that check nothing.
 */
import { ZERO } from "./bytes.ts";

const CHUNK = 256 * 1024;
/** Up to so many octets a loop is quicker than a call. */
const LOOP = 40;
/** The same where the call wants a view made first: costly for a buffer that never had one. */
const LONG_LOOP = 400;
const encoder = new TextEncoder();

export class Arena {
  /** The buffer being written to. Replaced by {@link open} when it is full; views on the old one stay good. */
  bytes = new Uint8Array(CHUNK);
  /** The same memory as words; messages begin at a word. */
  words = new Int32Array(this.bytes.buffer);
  /** Where the next octet goes. */
  at = 0;
  #staged: Uint8Array | null = null;
  #stagedAt = 0;

  /** Makes sure that `atMost` octets fit. @returns where the message begins, a multiple of four */
  open(atMost: number): number {
    this.at = (this.at + 3) & ~3;
    if (this.at + atMost > this.bytes.length) this.#renew(atMost);
    return this.at;
  }

  /**
   * Has the octets of a request lie in the arena too, so that {@link copyStaged} can move ranges of them without a view
   * for each. Responses to the same request share one copy.
   * @param room what the message to be written takes at most
   * @returns where the message begins, a multiple of four
   */
  openWith(request: Uint8Array, room: number): number {
    this.at = (this.at + 3) & ~3;
    if (this.#staged !== request || this.at + room > this.bytes.length) {
      const length = (request.length + 3) & ~3;
      if (this.at + length + room > this.bytes.length) this.#renew(length + room);
      this.bytes.set(request, this.at);
      this.#staged = request;
      this.#stagedAt = this.at;
      this.at += length;
    }
    return this.at;
  }

  /** Forgets what was written. Only when nothing that lies here is still to be sent. */
  reset(): void {
    this.at = 0;
    this.#staged = null;
  }

  #renew(atLeast: number): void {
    this.bytes = new Uint8Array(Math.max(CHUNK, (atLeast + 3) & ~3));
    this.words = new Int32Array(this.bytes.buffer);
    this.at = 0;
    this.#staged = null;
  }

  /** Puts a range of the request given to {@link openWith}. */
  copyStaged(start: number, end: number): void {
    const { bytes } = this;
    const from = this.#stagedAt + start;
    const length = end - start;
    let at = this.at;
    if (length > LOOP) bytes.copyWithin(at, from, from + length);
    else for (let i = from; i < from + length; i++) bytes[at++] = bytes[i]!;
    this.at += length;
  }

  /** Puts all of `from`. */
  put(from: Uint8Array): void {
    const { bytes, at } = this;
    const { length } = from;
    if (length > LOOP) bytes.set(from, at);
    else for (let i = 0; i < length; i++) bytes[at + i] = from[i]!;
    this.at = at + length;
  }

  /** Puts a range. */
  copy(from: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let at = this.at;
    this.at += end - start;
    if (end - start > LONG_LOOP) bytes.set(from.subarray(start, end), at);
    else for (let i = start; i < end; i++) bytes[at++] = from[i]!;
  }

  /** Puts one octet. */
  octet(value: number): void {
    this.bytes[this.at++] = value;
  }

  /** Puts text as UTF-8; the bound given to {@link open} counts three octets for a character that is not ASCII. */
  text(text: string): void {
    const { bytes } = this;
    const start = this.at;
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      if (c > 0x7f) {
        this.at = start + encoder.encodeInto(text, bytes.subarray(start)).written;
        return;
      }
      bytes[start + i] = c;
    }
    this.at = start + text.length;
  }

  /** Puts a whole number in decimal, 0 to 2^53. */
  decimal(value: number): void {
    const { bytes } = this;
    let digits = 1;
    for (let bound = 10; bound <= value; bound *= 10) digits++;
    let rest = value;
    for (let at = this.at + digits - 1; at >= this.at; at--) {
      const tenth = Math.floor(rest / 10);
      bytes[at] = ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    this.at += digits;
  }
}
