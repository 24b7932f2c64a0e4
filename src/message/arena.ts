/**
 * The output arena: one large buffer that messages are written into, end to end, and sent from. It is emptied when all
 * that lies in it was handed to the kernel, so that writing allocates nothing.
 *
 * A writer calls {@link open} with an upper bound of what it will write; the puts after that check nothing.
 */
import { ZERO } from "./bytes.ts";

const CHUNK = 256 * 1024;
const encoder = new TextEncoder();

export class Arena {
  /** The buffer being written to. Replaced by {@link open} when it is full; views on the old one stay good. */
  bytes = new Uint8Array(CHUNK);
  /** Where the next octet goes. */
  at = 0;

  /** Makes sure that `atMost` octets fit. @returns where the message begins */
  open(atMost: number): number {
    if (this.at + atMost > this.bytes.length) {
      this.bytes = new Uint8Array(Math.max(CHUNK, atMost));
      this.at = 0;
    }
    return this.at;
  }

  /** Forgets what was written. Only when nothing that lies here is still to be sent. */
  reset(): void {
    this.at = 0;
  }

  /** Puts all of `from`. */
  put(from: Uint8Array): void {
    this.copy(from, 0, from.length);
  }

  /** Puts a range. Short ones octet by octet: a view costs more than the loop. */
  copy(from: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let at = this.at;
    if (end - start > 96) {
      bytes.set(start === 0 && end === from.length ? from : from.subarray(start, end), at);
      this.at = at + end - start;
      return;
    }
    for (let i = start; i < end; i++) bytes[at++] = from[i]!;
    this.at = at;
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
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.at += digits;
  }
}
