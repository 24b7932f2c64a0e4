/**
 * When two URIs are the same: RFC 3261 s19.1.4 with RFC 5954 s4.2 for SIP and SIPS, RFC 3966 s4 for tel. The relation is
 * reflexive and symmetric but, as s19.1.4 says itself, not transitive.
 */
import {
  AMP,
  CLASS,
  COLON,
  DASH,
  DIGIT,
  DOT,
  EQUAL,
  equalRanges,
  HEX,
  LBRACKET,
  LOWER,
  LPAREN,
  latin1,
  PERCENT,
  PLUS,
  RPAREN,
  SEMI,
  ZERO,
} from "./bytes.ts";
import { type Uri, unescapeAt } from "./uri.ts";
import {
  SCHEME_OTHER,
  SCHEME_TEL,
  URI_HEADERS_END,
  URI_HEADERS_START,
  URI_HOST_END,
  URI_HOST_START,
  URI_PARAMS_END,
  URI_PARAMS_START,
  URI_PASSWORD_END,
  URI_PASSWORD_START,
  URI_PORT,
  URI_SCHEME,
  URI_USER_END,
  URI_USER_START,
} from "./uri-scan.ts";

/** RFC 2396 s2.2 `reserved`: the octets that differ from their escapes. */
const RESERVED = new Uint8Array(256);
for (const c of ";/?:@&=+$,") RESERVED[c.charCodeAt(0)] = 1;
/** Added to an octet that was reserved and escaped, so that it equals no octet. */
const ESCAPED = 0x100;
/** Between the values of an item that comes more than once; no unit of {@link canonical} has this code. */
const BETWEEN = "\u0200";

/** RFC 3261 s19.1.4: these may not be in one URI only. */
export const MUST_BE_IN_BOTH = ["user", "ttl", "method", "maddr", "transport"];
/** Header values that are octets and not tokens: RFC 3261 s20.8, s20.21, and the message body of s19.1.1. */
const CASE_SENSITIVE = new Set(["call-id", "i", "in-reply-to", "body"]);

/** Whether two URIs are equal by the rules of their scheme. URIs of different schemes never are. */
export function equalUris(a: Uri, b: Uri): boolean {
  if (a === b || equalRanges(a.bytes, 0, a.bytes.length, b.bytes, 0, b.bytes.length)) return true;
  const scheme = a.at[URI_SCHEME]!;
  if (scheme !== b.at[URI_SCHEME]) return false;
  if (scheme === SCHEME_OTHER) return equalOther(a, b);
  if (scheme === SCHEME_TEL) return equalTel(a, b);
  return (
    a.at[URI_PORT] === b.at[URI_PORT] &&
    equalPart(a, b, URI_USER_START, URI_USER_END) &&
    equalPart(a, b, URI_PASSWORD_START, URI_PASSWORD_END) &&
    equalHosts(a, b) &&
    equalParams(paramsOf(a), paramsOf(b)) &&
    equalMaps(headersOf(a), headersOf(b))
  );
}

/** Any other scheme: nothing is known of its parts, so only the scheme's letter case is free. */
function equalOther(a: Uri, b: Uri): boolean {
  const colon = a.bytes.indexOf(COLON);
  if (colon !== b.bytes.indexOf(COLON) || a.scheme !== b.scheme) return false;
  return equalRanges(a.bytes, colon, a.bytes.length, b.bytes, colon, b.bytes.length);
}

/** User or password: letter case matters, escapes of what is not reserved do not. */
function equalPart(a: Uri, b: Uri, startSlot: number, endSlot: number): boolean {
  let i = a.at[startSlot]!;
  let j = b.at[startSlot]!;
  if (i < 0 || j < 0) return i === j;
  const aEnd = a.at[endSlot]!;
  const bEnd = b.at[endSlot]!;
  while (i < aEnd && j < bEnd) {
    if (unitAt(a.bytes, i, aEnd) !== unitAt(b.bytes, j, bEnd)) return false;
    i += widthAt(a.bytes, i, aEnd);
    j += widthAt(b.bytes, j, bEnd);
  }
  return i === aEnd && j === bEnd;
}

function equalHosts(a: Uri, b: Uri): boolean {
  const aStart = a.at[URI_HOST_START]!;
  const bStart = b.at[URI_HOST_START]!;
  const aEnd = a.at[URI_HOST_END]!;
  const bEnd = b.at[URI_HOST_END]!;
  // RFC 5954 s4.2: the address counts, not its text. An IPv4 address has one text only.
  if (a.bytes[aStart] === LBRACKET && b.bytes[bStart] === LBRACKET) {
    const known = readIPv6(a.bytes, aStart + 1, aEnd - 1, groupsA);
    if (known && readIPv6(b.bytes, bStart + 1, bEnd - 1, groupsB)) {
      return groupsA.every((group, i) => group === groupsB[i]);
    }
  }
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aStart, j = bStart; i < aEnd; i++, j++) {
    if (LOWER[a.bytes[i]!] !== LOWER[b.bytes[j]!]) return false;
  }
  return true;
}

const groupsA = new Uint16Array(8);
const groupsB = new Uint16Array(8);

/** Reads an IPv6 address without brackets (RFC 5954 s4.1) into eight groups; `false` when it is not one. */
export function readIPv6(bytes: Uint8Array, start: number, end: number, groups: Uint16Array): boolean {
  let count = 0;
  let gap = -1;
  let i = start;
  if (i + 1 < end && bytes[i] === COLON && bytes[i + 1] === COLON) {
    gap = 0;
    i += 2;
  }
  while (i < end) {
    if (count === 8) return false;
    const first = i;
    let group = 0;
    for (; i < end && CLASS[bytes[i]!]! & HEX; i++) {
      const c = bytes[i]!;
      group = (group << 4) | (CLASS[c]! & DIGIT ? c - ZERO : LOWER[c]! - 0x57);
    }
    if (i === first) return false;
    if (i < end && bytes[i] === DOT) {
      if (count > 6 || !readIPv4(bytes, first, end, groups, count)) return false;
      count += 2;
      break;
    }
    if (i - first > 4) return false;
    groups[count++] = group;
    if (i === end) break;
    if (bytes[i++] !== COLON || i === end) return false;
    if (bytes[i] === COLON) {
      if (gap >= 0) return false;
      gap = count;
      i++;
    }
  }
  if (gap < 0) return count === 8;
  if (count === 8) return false;
  groups.copyWithin(8 - (count - gap), gap, count);
  groups.fill(0, gap, 8 - (count - gap));
  return true;
}

/** The dotted tail of an IPv6 address, as two groups at `at`. */
function readIPv4(bytes: Uint8Array, start: number, end: number, groups: Uint16Array, at: number): boolean {
  let address = 0;
  let octets = 1;
  let value = 0;
  let digits = 0;
  for (let i = start; i <= end; i++) {
    const c = i < end ? bytes[i]! : DOT;
    if (c === DOT) {
      if (digits === 0 || value > 255 || octets > 4) return false;
      address = address * 256 + value;
      if (i < end) octets++;
      value = 0;
      digits = 0;
    } else if (CLASS[c]! & DIGIT && digits < 3) {
      value = value * 10 + c - ZERO;
      digits++;
    } else {
      return false;
    }
  }
  groups[at] = address >>> 16;
  groups[at + 1] = address & 0xffff;
  return octets === 4;
}

/** What is in both must match; what is in one only is ignored, but for {@link MUST_BE_IN_BOTH}. */
function equalParams(a: Map<string, string>, b: Map<string, string>): boolean {
  for (const name of MUST_BE_IN_BOTH) if (a.has(name) !== b.has(name)) return false;
  for (const [name, value] of a) if ((b.get(name) ?? value) !== value) return false;
  return true;
}

function equalMaps(a: Map<string, string>, b: Map<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) if (b.get(name) !== value) return false;
  return true;
}

/** RFC 3966 s4: the same digits, the same parameters, visual separators and letter case aside. */
function equalTel(a: Uri, b: Uri): boolean {
  return equalMaps(telParts(a), telParts(b));
}

/** The number of a tel URI, under no name, and its parameters: all in canonical form. */
export function telParts(uri: Uri): Map<string, string> {
  const { bytes, at } = uri;
  const parts = paramsOf(uri, (name, start, end) => {
    const digits = name === "ext" || (name === "phone-context" && bytes[start] === PLUS);
    return digits ? phoneDigits(bytes, start, end) : canonical(bytes, start, end, true);
  });
  return parts.set("", phoneDigits(bytes, at[URI_USER_START]!, at[URI_USER_END]!));
}

function phoneDigits(bytes: Uint8Array, start: number, end: number): string {
  let digits = "";
  for (let i = start; i < end; i++) {
    const c = bytes[i]!;
    if (c !== DASH && c !== DOT && c !== LPAREN && c !== RPAREN) digits += String.fromCharCode(LOWER[c]!);
  }
  return digits;
}

type ValueReader = (name: string, start: number, end: number) => string;

/** The uri-parameters, names and values in canonical form. */
export function paramsOf(uri: Uri, read: ValueReader = (_, start, end) => canonical(uri.bytes, start, end, true)) {
  return itemsOf(uri.bytes, uri.at[URI_PARAMS_START]!, uri.at[URI_PARAMS_END]!, SEMI, read);
}

/** The headers, names and values in canonical form. */
export function headersOf(uri: Uri): Map<string, string> {
  return itemsOf(uri.bytes, uri.at[URI_HEADERS_START]!, uri.at[URI_HEADERS_END]!, AMP, (name, start, end) =>
    canonical(uri.bytes, start, end, !CASE_SENSITIVE.has(name)),
  );
}

/** Names to values, both in canonical form. A map, so that a URI of a thousand parameters costs no million steps. */
function itemsOf(bytes: Uint8Array, start: number, end: number, separator: number, read: ValueReader) {
  const items = new Map<string, string>();
  for (let i = start; i >= 0 && i < end; ) {
    const nameStart = i + 1;
    let nameEnd = -1;
    for (i++; i < end && bytes[i] !== separator; i++) if (nameEnd < 0 && bytes[i] === EQUAL) nameEnd = i;
    if (nameEnd < 0) nameEnd = i;
    const name = canonical(bytes, nameStart, nameEnd, true);
    const value = read(name, Math.min(nameEnd + 1, i), i);
    const earlier = items.get(name);
    items.set(name, earlier === undefined ? value : earlier + BETWEEN + value);
  }
  return items;
}

/** A string that two ranges share just when they are equal but for escapes, and letter case if `fold`. */
export function canonical(bytes: Uint8Array, start: number, end: number, fold: boolean): string {
  if (!hasEscape(bytes, start, end)) {
    const text = latin1(bytes, start, end);
    return fold ? text.toLowerCase() : text;
  }
  let text = "";
  for (let i = start; i < end; i += widthAt(bytes, i, end)) {
    const unit = unitAt(bytes, i, end);
    text += String.fromCharCode(fold && unit < ESCAPED ? LOWER[unit]! : unit);
  }
  return text;
}

function hasEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === PERCENT) return true;
  return false;
}

function unitAt(bytes: Uint8Array, i: number, end: number): number {
  if (widthAt(bytes, i, end) === 1) return bytes[i]!;
  const octet = unescapeAt(bytes, i);
  return RESERVED[octet] ? octet | ESCAPED : octet;
}

/** 3 for an escape, 1 for anything else: a token may hold a "%" that escapes nothing. */
function widthAt(bytes: Uint8Array, i: number, end: number): number {
  if (bytes[i] !== PERCENT || i + 2 >= end) return 1;
  return CLASS[bytes[i + 1]!]! & CLASS[bytes[i + 2]!]! & HEX ? 3 : 1;
}
