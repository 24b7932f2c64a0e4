/** Media types: the values of Content-Type (RFC 3261 s20.15) and Accept (s20.1). */
import {
  CLASS,
  COMMA,
  DOT,
  DQUOTE,
  EQUAL,
  equalsLower,
  LOWER,
  latin1,
  SEMI,
  SLASH,
  STAR,
  skipQuoted,
  skipWhite,
  TOKEN,
  trimEnd,
  utf8,
  ZERO,
} from "./bytes.ts";

/** A media type. Its names are case-insensitive and come in lower case. */
export interface MediaType {
  readonly type: string;
  readonly subtype: string;
  /** Lower-case names to values, quotes and backslashes taken off; the first of two of the same name. */
  readonly params: ReadonlyMap<string, string>;
}

/**
 * Reads a `media-type` (RFC 3261 s25.1), such as `multipart/mixed;boundary="a b"`.
 * @returns `null` when the range is not just one well-formed media type.
 */
export function parseMediaType(bytes: Uint8Array, start: number, end: number): MediaType | null {
  const typeStart = skipWhite(bytes, start, end);
  const typeEnd = skipToken(bytes, typeStart, end);
  const subtypeStart = afterMark(bytes, typeEnd, end, SLASH);
  const subtypeEnd = skipToken(bytes, subtypeStart, end);
  if (typeEnd === typeStart || subtypeEnd === subtypeStart) return null;
  const params = new Map<string, string>();
  let i = skipWhite(bytes, subtypeEnd, end);
  while (i < end) {
    const nameStart = afterMark(bytes, i, end, SEMI);
    const nameEnd = skipToken(bytes, nameStart, end);
    const valueStart = afterMark(bytes, nameEnd, end, EQUAL);
    const valueEnd = skipValue(bytes, valueStart, end);
    if (nameEnd === nameStart || valueEnd <= valueStart) return null;
    const name = latin1(bytes, nameStart, nameEnd).toLowerCase();
    if (!params.has(name)) params.set(name, unquoted(bytes, valueStart, valueEnd));
    i = skipWhite(bytes, valueEnd, end);
  }
  return {
    type: latin1(bytes, typeStart, typeEnd).toLowerCase(),
    subtype: latin1(bytes, subtypeStart, subtypeEnd).toLowerCase(),
    params,
  };
}

/**
 * Whether the value is of this media type, whatever its parameters. White space around the parts is passed over.
 * Nothing is allocated; the parameters are not checked.
 * @param lower the type in lower case, as the octets of `application/sdp`.
 */
export function isMediaType(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): boolean {
  let i = skipWhite(bytes, start, end);
  for (let n = 0; n < lower.length; n++) {
    if (lower[n] === SLASH) {
      i = afterMark(bytes, i, end, SLASH);
    } else {
      if (i >= end || LOWER[bytes[i]!] !== lower[n]) return false;
      i++;
    }
  }
  i = skipWhite(bytes, i, end);
  return i === end || bytes[i] === SEMI;
}

/**
 * Whether the value of one Accept header field allows a media type (RFC 3261 s20.1). Of the ranges that match, the most
 * specific decides, and `q=0` forbids. Other parameters are not looked at, and a range that is not well formed is passed
 * over. An empty value allows nothing. A message without Accept is the caller's case: it allows `application/sdp`.
 * @param type in lower case, as the octets of `application`.
 * @param subtype in lower case, as the octets of `sdp`.
 */
export function acceptsMediaType(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: Uint8Array,
  subtype: Uint8Array,
): boolean {
  let best = 0;
  let accepted = false;
  for (let i = start; i < end; i++) {
    const itemEnd = skipItem(bytes, i, end, COMMA);
    const matched = matchRange(bytes, i, itemEnd, type, subtype);
    if (matched > 0 && matched >= best) {
      const allowed = !hasZeroQ(bytes, i, itemEnd);
      accepted = matched > best ? allowed : accepted || allowed;
      best = matched;
    }
    i = itemEnd;
  }
  return accepted;
}

/** 3 when the range names the type itself, 2 for `type/*`, 1 for a match of everything, 0 for no match. */
function matchRange(bytes: Uint8Array, start: number, end: number, type: Uint8Array, subtype: Uint8Array): number {
  const typeStart = skipWhite(bytes, start, end);
  const typeEnd = skipToken(bytes, typeStart, end);
  const subtypeStart = afterMark(bytes, typeEnd, end, SLASH);
  const subtypeEnd = skipToken(bytes, subtypeStart, end);
  const next = skipWhite(bytes, subtypeEnd, end);
  if (subtypeEnd === subtypeStart || (next < end && bytes[next] !== SEMI)) return 0;
  const anySubtype = isStar(bytes, subtypeStart, subtypeEnd);
  if (isStar(bytes, typeStart, typeEnd)) return anySubtype ? 1 : 0;
  if (!equalsLower(bytes, typeStart, typeEnd, type)) return 0;
  if (anySubtype) return 2;
  return equalsLower(bytes, subtypeStart, subtypeEnd, subtype) ? 3 : 0;
}

/** Whether the parameters say `q=0`, or `0.` and zeros. */
function hasZeroQ(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = skipItem(bytes, start, end, SEMI); i < end; ) {
    const next = skipItem(bytes, i + 1, end, SEMI);
    const name = skipWhite(bytes, i + 1, next);
    const value = afterMark(bytes, name + 1, next, EQUAL);
    if (name < next && LOWER[bytes[name]!] === 0x71 && value < next) {
      let j = value;
      const last = trimEnd(bytes, value, next);
      if (bytes[j++] === ZERO && (j === last || bytes[j++] === DOT)) {
        while (j < last && bytes[j] === ZERO) j++;
        if (j === last) return true;
      }
    }
    i = next;
  }
  return false;
}

/** The index of `mark` outside quotes, or `end`. A quoted string that never closes reaches to the end. */
function skipItem(bytes: Uint8Array, start: number, end: number, mark: number): number {
  let i = start;
  while (i < end && bytes[i] !== mark) {
    if (bytes[i] !== DQUOTE) i++;
    else {
      const after = skipQuoted(bytes, i, end);
      i = after < 0 ? end : after;
    }
  }
  return i;
}

function skipToken(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && CLASS[bytes[i]!]! & TOKEN) i++;
  return i;
}

/** Behind a token or a quoted string at `start`; -1 for a quoted string that never closes. */
function skipValue(bytes: Uint8Array, start: number, end: number): number {
  return start < end && bytes[start] === DQUOTE ? skipQuoted(bytes, start, end) : skipToken(bytes, start, end);
}

/** Behind `mark` and the white space on both its sides, or `end` when it is not there. */
function afterMark(bytes: Uint8Array, start: number, end: number, mark: number): number {
  const i = skipWhite(bytes, start, end);
  return i < end && bytes[i] === mark ? skipWhite(bytes, i + 1, end) : end;
}

function isStar(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 1 && bytes[start] === STAR;
}

function unquoted(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] !== DQUOTE) return latin1(bytes, start, end);
  return utf8(bytes, start + 1, end - 1).replace(/\\([\s\S])/g, "$1");
}
