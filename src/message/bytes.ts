/**
 * Small tools over `Uint8Array` ranges. Every range is `[start, end)` in bytes.
 *
 * SIP is compared octet by octet, mostly without regard to ASCII case, so nothing here decodes text. A string is made
 * only by {@link latin1} and {@link utf8}, for callers who want one.
 */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const DQUOTE = 0x22;
export const PERCENT = 0x25;
export const AMP = 0x26;
export const LPAREN = 0x28;
export const RPAREN = 0x29;
export const STAR = 0x2a;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const DASH = 0x2d;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const NINE = 0x39;
export const COLON = 0x3a;
export const SEMI = 0x3b;
export const LAQUOT = 0x3c;
export const EQUAL = 0x3d;
export const RAQUOT = 0x3e;
export const QUESTION = 0x3f;
export const AT = 0x40;
export const LBRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const RBRACKET = 0x5d;

/** Bit set in {@link CLASS} for an RFC 3261 s25.1 `token` character. */
export const TOKEN = 1;
/** Bit set in {@link CLASS} for a decimal digit. */
export const DIGIT = 2;
/** Bit set in {@link CLASS} for a hexadecimal digit. */
export const HEX = 4;
/** Bit set in {@link CLASS} for space, tab, CR and LF: what folding may leave between two tokens. */
export const WHITE = 8;
/** Bit set in {@link CLASS} for an RFC 3261 s25.1 `unreserved` character. */
export const UNRESERVED = 16;
/** Bit set in {@link CLASS} for a letter. */
export const ALPHA = 32;

/** Bit set in {@link CLASS} for what ends a parameter's unquoted value: `;`, `,`, `"`, `<`, `>` and white space. */
export const VALUE_END = 64;
/** Bit set in {@link CLASS} for what may not stand inside angle brackets, and what closes them: `<`, `>`, white space. */
export const BRACKET_END = 128;

/** The classes of each octet, a bit for each. */
export const CLASS = new Uint8Array(256);
/** Each octet with A-Z made a-z. */
export const LOWER = new Uint8Array(256);

for (let i = 0; i < 256; i++) {
  const c = String.fromCharCode(i);
  let bits = 0;
  if (/[A-Za-z0-9\-.!%*_+`'~]/.test(c)) bits |= TOKEN;
  if (/[0-9]/.test(c)) bits |= DIGIT;
  if (/[0-9A-Fa-f]/.test(c)) bits |= HEX;
  if (/[ \t\r\n]/.test(c)) bits |= WHITE;
  if (/[A-Za-z0-9\-_.!~*'()]/.test(c)) bits |= UNRESERVED;
  if (/[A-Za-z]/.test(c)) bits |= ALPHA;
  if (/[;,"<> \t\r\n]/.test(c)) bits |= VALUE_END;
  if (/[<> \t\r\n]/.test(c)) bits |= BRACKET_END;
  CLASS[i] = bits;
  LOWER[i] = i >= 0x41 && i <= 0x5a ? i + 32 : i;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The UTF-8 octets of `text`. */
export function ascii(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * The range as a string of one character an octet. `latin1Slice` is the cheapest way to a string; it stands on Node's
 * Buffer prototype but works on any `Uint8Array`.
 */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return start < end ? latin1Slice.call(bytes, start, end) : "";
}
const latin1Slice = (Buffer.prototype as unknown as { latin1Slice(start: number, end: number): string }).latin1Slice;

/** The range decoded as UTF-8; ill-formed sequences become U+FFFD. */
export function utf8(bytes: Uint8Array, start: number, end: number): string {
  for (let i = start; i < end; i++) if (bytes[i]! > 0x7f) return decoder.decode(bytes.subarray(start, end));
  return latin1(bytes, start, end);
}

/** Whether the range holds just `other`, ASCII case ignored. `other` must be lower case. */
export function equalsLower(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  const length = other.length;
  if (end - start !== length) return false;
  for (let i = 0; i < length; i++) if (LOWER[bytes[start + i]!] !== other[i]) return false;
  return true;
}

/** Whether the range holds just this text, one octet a character. */
export function equalsText(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** Whether two ranges hold the same octets. */
export function equalRanges(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) if (a[i] !== b[j]) return false;
  return true;
}

/** The first index in `[start, end)` that holds no `token` character, or `end`. */
export function skipToken(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  // Four at a time: a loop of one costs up to twice as much, by how its code happens to lie.
  for (const last = end - 4; at <= last; at += 4) {
    if (!(CLASS[bytes[at]!]! & TOKEN)) return at;
    if (!(CLASS[bytes[at + 1]!]! & TOKEN)) return at + 1;
    if (!(CLASS[bytes[at + 2]!]! & TOKEN)) return at + 2;
    if (!(CLASS[bytes[at + 3]!]! & TOKEN)) return at + 3;
  }
  while (at < end && CLASS[bytes[at]!]! & TOKEN) at++;
  return at;
}

/** The index of the first LF in `[start, end)`, or `end`. */
export function indexOfLf(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  // Eight at a time, as above.
  for (const last = end - 8; at <= last; at += 8) {
    if (bytes[at] === LF) return at;
    if (bytes[at + 1] === LF) return at + 1;
    if (bytes[at + 2] === LF) return at + 2;
    if (bytes[at + 3] === LF) return at + 3;
    if (bytes[at + 4] === LF) return at + 4;
    if (bytes[at + 5] === LF) return at + 5;
    if (bytes[at + 6] === LF) return at + 6;
    if (bytes[at + 7] === LF) return at + 7;
  }
  while (at < end && bytes[at] !== LF) at++;
  return at;
}

/** The first index in `[start, end)` that is not white space, or `end`. */
export function skipWhite(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && CLASS[bytes[i]!]! & WHITE) i++;
  return i;
}

/** The index after the last octet in `[start, end)` that is not white space, or `start`. */
export function trimEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = end;
  while (i > start && CLASS[bytes[i - 1]!]! & WHITE) i--;
  return i;
}

/**
 * The range as an unsigned decimal number.
 * @returns the value, or -1 when the range is empty, holds anything but digits, or the value is over 2^32-1.
 */
export function parseUint32(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > 0xffffffff) return -1;
  }
  return value;
}

/**
 * The index after the quoted string that opens at `start` (RFC 3261 s25.1 `quoted-string`), or -1 when it never closes.
 */
export function skipQuoted(bytes: Uint8Array, start: number, end: number): number {
  for (let i = start + 1; i < end; i++) {
    const c = bytes[i];
    if (c === BACKSLASH) i++;
    else if (c === DQUOTE) return i + 1;
  }
  return -1;
}

/** A copy of the range in a buffer of its own. */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return bytes.slice(start, end);
}
