/**
 * Cuts what arrives on a connection into responses by their Content-Length (RFC 3261 s18.3). It is the generator's own
 * and reads only what the servers measured here write, so that it costs the measurement little.
 */

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
const SPACE = 0x20;
const ZERO = 0x30;
const NAME = new TextEncoder().encode("content-length");
const NONE = new Uint8Array(0);
/** A head longer than this is no response of ours: the stream is out of step. */
const MAX_HEAD = 64 * 1024;

export class ResponseFramer {
  readonly #each: (message: Uint8Array) => void;
  /** The beginning of a message whose end has not arrived. */
  #rest: Uint8Array = NONE;

  /** @param each given every message, a view on what arrived */
  constructor(each: (message: Uint8Array) => void) {
    this.#each = each;
  }

  /**
   * Takes what arrived. Line ends between messages are left out (RFC 3261 s7.5).
   * @throws Error when a message has no Content-Length; the stream cannot be read any further then
   */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let start = 0;
    while (start < bytes.length) {
      if (bytes[start] === CR || bytes[start] === LF) {
        start++;
        continue;
      }
      const end = messageEnd(bytes, start);
      if (end < 0 || end > bytes.length) break;
      this.#each(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
      start = end;
    }
    this.#rest = start < bytes.length ? bytes.subarray(start) : NONE;
  }
}

/** The index behind the message that begins at `start`, or -1 while its head is not whole. */
function messageEnd(bytes: Uint8Array, start: number): number {
  let length = -1;
  for (let i = start; i < bytes.length - 1; i++) {
    if (bytes[i] !== LF) continue;
    if (bytes[i + 1] === CR) {
      if (i + 2 >= bytes.length) return -1;
      if (length < 0) throw new Error("a response without Content-Length");
      return i + 3 + length;
    }
    const first = bytes[i + 1]! | 0x20;
    if (first === 0x63 || first === 0x6c) {
      const value = contentLength(bytes, i + 1);
      if (value >= 0) length = value;
    }
  }
  if (bytes.length - start > MAX_HEAD) throw new Error("a response without an end to its head");
  return -1;
}

/** The value of the header line at `at` when it is Content-Length or `l` and whole, or -1. */
function contentLength(bytes: Uint8Array, at: number): number {
  let i = at + 1;
  if ((bytes[at]! | 0x20) === NAME[0]) {
    while (i - at < NAME.length && (bytes[i]! | 0x20) === NAME[i - at]) i++;
    if (i - at < NAME.length) return -1;
  }
  while (bytes[i] === SPACE) i++;
  if (bytes[i++] !== COLON) return -1;
  while (bytes[i] === SPACE) i++;
  let value = -1;
  for (; i < bytes.length; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) break;
    value = Math.max(value, 0) * 10 + digit;
  }
  // The line may go on in the next chunk; its end is what makes the number whole.
  return i < bytes.length ? value : -1;
}
