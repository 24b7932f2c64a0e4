/**
 * A host as a URI or a phone context names it (RFC 3261 s25.1, addresses by RFC 5954 s4.1): where it ends, without a string
 * made.
 */
import { ALPHA, CLASS, COLON, DASH, DIGIT, DOT, HEX, LBRACKET, RBRACKET, ZERO } from "./bytes.ts";

const ALNUM = ALPHA | DIGIT;
const UNDERSCORE = 0x5f;

/**
 * Reads a `host` (RFC 3261 s25.1, addresses by RFC 5954 s4.1) at `start`. Inside brackets any mix of hexadecimal digits,
 * dots and at least two colons will do: the RFC 3261 grammar itself made addresses with a colon too many (RFC 5118 s4.10).
 * @returns the index behind the host, or -1. What follows is for the caller to judge.
 */
export function scanHost(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end) return -1;
  const first = bytes[start]!;
  if (first === LBRACKET) return scanBracketed(bytes, start, end);
  if (CLASS[first]! & DIGIT) {
    const i = scanIPv4(bytes, start, end);
    if (i > 0) return i;
  }
  return scanHostname(bytes, start, end);
}

function scanBracketed(bytes: Uint8Array, start: number, end: number): number {
  let colons = 0;
  for (let i = start + 1; i < end; i++) {
    const c = bytes[i]!;
    if (c === COLON) colons++;
    else if (c === RBRACKET) return colons < 2 ? -1 : i + 1;
    else if (!(CLASS[c]! & HEX) && c !== DOT) return -1;
  }
  return -1;
}

/** Four `dec-octet`s (RFC 5954 s4.1) that no further label follows. Returns the index behind them, or -1. */
function scanIPv4(bytes: Uint8Array, start: number, end: number): number {
  let octets = 1;
  let value = 0;
  let digits = 0;
  let i = start;
  for (; i < end; i++) {
    const c = bytes[i]!;
    if (CLASS[c]! & DIGIT) {
      if (digits > 0 && value === 0) return -1;
      value = value * 10 + c - ZERO;
      if (value > 255) return -1;
      digits++;
    } else if (c === DOT) {
      if (digits === 0 || octets === 4) return -1;
      octets++;
      value = 0;
      digits = 0;
    } else if (c === DASH || CLASS[c]! & ALNUM) {
      return -1;
    } else {
      break;
    }
  }
  return octets === 4 && digits > 0 ? i : -1;
}

/** Reads a `hostname` (RFC 3261 s25.1): its last label begins with a letter. @returns the index behind it, or -1 */
export function scanHostname(bytes: Uint8Array, start: number, end: number): number {
  let label = start;
  let top = start;
  let i = start;
  for (; i < end; i++) {
    const c = bytes[i]!;
    // The grammar has no underscore; names inside many networks do.
    if (CLASS[c]! & ALNUM || c === UNDERSCORE) continue;
    if (c === DASH) {
      if (i === label) return -1;
    } else if (c === DOT) {
      if (i === label || bytes[i - 1] === DASH) return -1;
      top = label;
      label = i + 1;
    } else {
      break;
    }
  }
  if (i === start || bytes[i - 1] === DASH) return -1;
  if (i > label) top = label;
  return CLASS[bytes[top]!]! & ALPHA ? i : -1;
}
