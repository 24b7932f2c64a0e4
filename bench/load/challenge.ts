/** What the generator reads from a 401, and what of it goes back in Authorization (RFC 7616 s3.4). */

const LF = 0x0a;
const CR = 0x0d;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const LETTER_W = 0x77;
const encoder = new TextEncoder();
const NAME = encoder.encode("www-authenticate");
const NONCE = encoder.encode("nonce");
const OPAQUE = encoder.encode("opaque");
const SEPARATOR = encoder.encode(", ");

/**
 * Copies `nonce="..."` and, where there is one, `, opaque="..."` from the first WWW-Authenticate of a response.
 * @param room octets there are in `into` from `at` on
 * @returns how many octets it came to; 0 when there is no challenge or no room for it
 */
export function copyChallenge(response: Uint8Array, into: Uint8Array, at: number, room: number): number {
  const line = challengeLine(response);
  if (line < 0) return 0;
  const nonce = parameter(response, line, NONCE);
  if (nonce < 0) return 0;
  const end = at + room;
  const to = copy(response, nonce, into, at, end);
  const opaque = parameter(response, line, OPAQUE);
  if (to < 0 || opaque < 0) return Math.max(0, to - at);
  if (to + SEPARATOR.length > end) return 0;
  into.set(SEPARATOR, to);
  return Math.max(0, copy(response, opaque, into, to + SEPARATOR.length, end) - at);
}

/** The index behind the name of the first WWW-Authenticate, or -1. */
function challengeLine(bytes: Uint8Array): number {
  const last = bytes.length - NAME.length - 1;
  for (let i = 12; i < last; i++) {
    if (bytes[i] !== LF || (bytes[i + 1]! | 0x20) !== LETTER_W) continue;
    let k = 1;
    while (k < NAME.length && (bytes[i + 1 + k]! | 0x20) === NAME[k]!) k++;
    if (k === NAME.length) return i + 1 + k;
  }
  return -1;
}

/** The index of `name="`, as a word of its own, in the line from `from` on, or -1. */
function parameter(bytes: Uint8Array, from: number, name: Uint8Array): number {
  for (let i = from; i < bytes.length - name.length - 2 && bytes[i] !== CR; i++) {
    if (bytes[i] !== name[0] || isLetter(bytes[i - 1]!)) continue;
    let k = 1;
    while (k < name.length && bytes[i + k] === name[k]) k++;
    if (k === name.length && bytes[i + k] === EQUALS && bytes[i + k + 1] === QUOTE) return i;
  }
  return -1;
}

function isLetter(octet: number): boolean {
  return (octet | 0x20) >= 0x61 && (octet | 0x20) <= 0x7a;
}

/** Copies up to and with the second quotation mark. @returns the end in `into`, or -1 when that is beyond `end` */
function copy(bytes: Uint8Array, from: number, into: Uint8Array, at: number, end: number): number {
  let to = at;
  for (let i = from, quotes = 0; quotes < 2 && i < bytes.length; i++) {
    if (to >= end) return -1;
    if (bytes[i] === QUOTE) quotes++;
    into[to++] = bytes[i]!;
  }
  return to;
}
