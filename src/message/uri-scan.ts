/**
 * One pass over a URI: is it well formed, and where do its parts lie. Nothing is allocated and nothing becomes a string,
 * so every Request-URI can be checked on the way in. RFC 3261 s25.1 with the address grammar of RFC 5954 s4.1, and
 * RFC 3966 s3 for `tel`.
 */
import {
  ALPHA,
  AMP,
  AT,
  ascii,
  CLASS,
  COLON,
  DASH,
  DIGIT,
  DOT,
  EQUAL,
  equalsLower,
  HEX,
  PERCENT,
  PLUS,
  QUESTION,
  SEMI,
  TOKEN,
  UNRESERVED,
  ZERO,
} from "./bytes.ts";
import { scanHost, scanHostname } from "./host-scan.ts";

/** What {@link scanUri} found. */
export const UriResult = {
  /** A well-formed `sip`, `sips` or `tel` URI. */
  OK: 0,
  /** A well-formed URI of another scheme (RFC 3261 s25.1 `absoluteURI`): 416 territory, not 400. */
  UNKNOWN_SCHEME: 1,
  /** Not a URI by the grammar. */
  BAD: 2,
} as const;
export type UriResult = (typeof UriResult)[keyof typeof UriResult];

/** Slot of the scheme: {@link SCHEME_SIP}, {@link SCHEME_SIPS}, {@link SCHEME_TEL} or {@link SCHEME_OTHER}. */
export const URI_SCHEME = 0;
/** Slot where the user begins, -1 when there is none. For `tel`, the number up to its first `;`. */
export const URI_USER_START = 1;
export const URI_USER_END = 2;
/** Slot where the password begins, -1 when there is none. It may be present and empty. */
export const URI_PASSWORD_START = 3;
export const URI_PASSWORD_END = 4;
/** Slot where the host begins, -1 when there is none (`tel` and unknown schemes). An IPv6 host keeps its brackets. */
export const URI_HOST_START = 5;
export const URI_HOST_END = 6;
/** Slot of the port's value, -1 when there is none. */
export const URI_PORT = 7;
/** Slot of the first `;` of the uri-parameters, -1 when there are none. */
export const URI_PARAMS_START = 8;
export const URI_PARAMS_END = 9;
/** Slot of the `?` before the headers, -1 when there are none. */
export const URI_HEADERS_START = 10;
export const URI_HEADERS_END = 11;
/** How many slots `out` must have. */
export const URI_SIZE = 12;

export const SCHEME_SIP = 1;
export const SCHEME_SIPS = 2;
export const SCHEME_TEL = 3;
export const SCHEME_OTHER = 4;

const USER = 1;
const PASSWORD = 2;
const PARAM = 4;
const HEADER = 8;
const URIC = 16;
const ALNUM = 32;
const PHONE = 64;
const SEPARATOR = 128;

/** What each octet may stand for unescaped, a bit for each part of a URI. */
const PART = new Uint8Array(256);
for (let i = 0; i < 256; i++) {
  const c = String.fromCharCode(i);
  let bits = 0;
  if (CLASS[i]! & UNRESERVED) bits |= USER | PASSWORD | PARAM | HEADER | URIC;
  if ("&=+$,;?/".includes(c)) bits |= USER;
  if ("&=+$,".includes(c)) bits |= PASSWORD;
  if ("[]/:&+$".includes(c)) bits |= PARAM;
  if ("[]/?:+$".includes(c)) bits |= HEADER;
  // RFC 2732 added the brackets to RFC 2396's reserved set, for IPv6 literals in http URIs.
  if (";/?:@&=+$,[]".includes(c)) bits |= URIC;
  if (CLASS[i]! & (ALPHA | DIGIT)) bits |= ALNUM;
  if (CLASS[i]! & HEX || c === "*" || c === "#") bits |= PHONE;
  if ("-.()".includes(c)) bits |= SEPARATOR;
  PART[i] = bits;
}

const TRANSPORT = ascii("transport");
const USER_PARAM = ascii("user");
const METHOD = ascii("method");
const PHONE_CONTEXT = ascii("phone-context");
const EXT = ascii("ext");
const ISUB = ascii("isub");

/**
 * Checks the URI that fills `[start, end)` and writes where its parts lie into `out`, by the `URI_*` slots.
 * @param out at least {@link URI_SIZE} slots; what it holds after {@link UriResult.BAD} means nothing.
 */
export function scanUri(bytes: Uint8Array, start: number, end: number, out: Int32Array): UriResult {
  if (end - start > 4) {
    const first = bytes[start]! | 0x20;
    const second = bytes[start + 1]! | 0x20;
    const third = bytes[start + 2]! | 0x20;
    const fourth = bytes[start + 3]!;
    if (first === 0x73 && second === 0x69 && third === 0x70) {
      if (fourth === COLON) return scanSip(bytes, start + 4, end, SCHEME_SIP, out);
      if ((fourth | 0x20) === 0x73 && bytes[start + 4] === COLON) {
        return scanSip(bytes, start + 5, end, SCHEME_SIPS, out);
      }
    } else if (first === 0x74 && second === 0x65 && third === 0x6c && fourth === COLON) {
      return scanTel(bytes, start + 4, end, out);
    }
  }
  return scanOther(bytes, start, end, out);
}

/** RFC 3261 s25.1 `SIP-URI` and `SIPS-URI`, from behind the scheme's colon. */
function scanSip(bytes: Uint8Array, start: number, end: number, scheme: number, out: Int32Array): UriResult {
  let host = start;
  let userEnd = -1;
  let passwordStart = -1;
  let passwordEnd = -1;
  // Only an "@" tells a user from a host: read on as if there was one, and come back when there is none.
  let i = skipPart(bytes, start, end, USER);
  if (i < end && i > start) {
    if (bytes[i] === AT) {
      userEnd = i;
      host = i + 1;
    } else if (bytes[i] === COLON) {
      const at = skipPart(bytes, i + 1, end, PASSWORD);
      if (at < end && bytes[at] === AT) {
        userEnd = i;
        passwordStart = i + 1;
        passwordEnd = at;
        host = at + 1;
      }
    }
  }
  i = scanHost(bytes, host, end);
  if (i < 0) return UriResult.BAD;
  out[URI_SCHEME] = scheme;
  out[URI_USER_START] = userEnd < 0 ? -1 : start;
  out[URI_USER_END] = userEnd;
  out[URI_PASSWORD_START] = passwordStart;
  out[URI_PASSWORD_END] = passwordEnd;
  out[URI_HOST_START] = host;
  out[URI_HOST_END] = i;
  let port = -1;
  if (i < end && bytes[i] === COLON) {
    const first = ++i;
    port = 0;
    for (; i < end; i++) {
      const digit = bytes[i]! - ZERO;
      if (digit < 0 || digit > 9) break;
      port = port * 10 + digit;
      if (port > 65535) return UriResult.BAD;
    }
    if (i === first) return UriResult.BAD;
  }
  out[URI_PORT] = port;
  return scanParamsAndHeaders(bytes, i, end, out);
}

function scanParamsAndHeaders(bytes: Uint8Array, start: number, end: number, out: Int32Array): UriResult {
  let i = start;
  while (i < end && bytes[i] === SEMI) {
    i = scanParam(bytes, i + 1, end);
    if (i < 0) return UriResult.BAD;
  }
  out[URI_PARAMS_START] = i > start ? start : -1;
  out[URI_PARAMS_END] = i > start ? i : -1;
  if (i === end) {
    out[URI_HEADERS_START] = -1;
    out[URI_HEADERS_END] = -1;
    return UriResult.OK;
  }
  if (bytes[i] !== QUESTION) return UriResult.BAD;
  out[URI_HEADERS_START] = i;
  out[URI_HEADERS_END] = end;
  do {
    const name = i + 1;
    i = skipPart(bytes, name, end, HEADER);
    if (i === name || i >= end || bytes[i] !== EQUAL) return UriResult.BAD;
    i = skipPart(bytes, i + 1, end, HEADER);
  } while (i < end && bytes[i] === AMP);
  return i === end ? UriResult.OK : UriResult.BAD;
}

/** RFC 3261 s25.1 `uri-parameter`. Returns the index behind it, or -1. */
function scanParam(bytes: Uint8Array, start: number, end: number): number {
  const nameEnd = skipPart(bytes, start, end, PARAM);
  if (nameEnd === start) return -1;
  if (nameEnd >= end || bytes[nameEnd] !== EQUAL) return nameEnd;
  const value = nameEnd + 1;
  let i = skipPart(bytes, value, end, PARAM);
  if (i < end && bytes[i] !== SEMI && bytes[i] !== QUESTION && isTokenParam(bytes, start, nameEnd)) {
    i = value;
    while (i < end && CLASS[bytes[i]!]! & TOKEN) i++;
  }
  return i === value ? -1 : i;
}

/** The parameters whose value is a `token`, which knows a backquote and a "%" that escapes nothing. */
function isTokenParam(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    equalsLower(bytes, start, end, TRANSPORT) ||
    equalsLower(bytes, start, end, METHOD) ||
    equalsLower(bytes, start, end, USER_PARAM)
  );
}

/** The index of the first octet that is neither in `part` nor a whole escape. */
function skipPart(bytes: Uint8Array, start: number, end: number, part: number): number {
  let i = start;
  for (; i < end; i++) {
    const c = bytes[i]!;
    if (PART[c]! & part) continue;
    if (c !== PERCENT || i + 2 >= end) break;
    if (!(CLASS[bytes[i + 1]!]! & CLASS[bytes[i + 2]!]! & HEX)) break;
    i += 2;
  }
  return i;
}

/** RFC 3966 s3 `telephone-subscriber`, from behind the scheme's colon. */
function scanTel(bytes: Uint8Array, start: number, end: number, out: Int32Array): UriResult {
  const numberEnd = scanSubscriber(bytes, start, end);
  if (numberEnd < 0) return UriResult.BAD;
  out.fill(-1, 0, URI_SIZE);
  out[URI_SCHEME] = SCHEME_TEL;
  out[URI_USER_START] = start;
  out[URI_USER_END] = numberEnd;
  if (numberEnd < end) {
    out[URI_PARAMS_START] = numberEnd;
    out[URI_PARAMS_END] = end;
  }
  return UriResult.OK;
}

/**
 * Checks a `telephone-subscriber` (RFC 3966 s3) that fills the range. A local number must have a `phone-context`;
 * `phone-context`, `ext` and `isub` may come once, and not both of the last two (s5.3).
 * @returns the index behind the number, where the first `;` or the end is, or -1.
 */
export function scanSubscriber(bytes: Uint8Array, start: number, end: number): number {
  const global = start < end && bytes[start] === PLUS;
  const numberEnd = global ? skipGlobalNumber(bytes, start, end) : skipLocalNumber(bytes, start, end);
  let context = false;
  let extended = false;
  let i = numberEnd;
  while (i >= 0 && i < end) {
    if (bytes[i] !== SEMI) return -1;
    const name = i + 1;
    let nameEnd = name;
    while (nameEnd < end && (PART[bytes[nameEnd]!]! & ALNUM || bytes[nameEnd] === DASH)) nameEnd++;
    if (nameEnd === name) return -1;
    const value = nameEnd < end && bytes[nameEnd] === EQUAL ? nameEnd + 1 : -1;
    const isub = equalsLower(bytes, name, nameEnd, ISUB);
    if (isub || equalsLower(bytes, name, nameEnd, EXT)) {
      if (extended || value < 0) return -1;
      extended = true;
      i = isub ? skipSubaddress(bytes, value, end) : skipPhoneDigits(bytes, value, end);
    } else if (equalsLower(bytes, name, nameEnd, PHONE_CONTEXT)) {
      if (context || value < 0) return -1;
      context = true;
      const number = value < end && bytes[value] === PLUS;
      i = number ? skipGlobalNumber(bytes, value, end) : scanHostname(bytes, value, end);
    } else {
      i = value < 0 ? nameEnd : skipPart(bytes, value, end, PARAM);
    }
    if (i === value) return -1;
  }
  return i < 0 || !(global || context) ? -1 : numberEnd;
}

/** `global-number-digits`: behind the "+", at least one digit. */
function skipGlobalNumber(bytes: Uint8Array, start: number, end: number): number {
  const i = skipPhoneDigits(bytes, start + 1, end);
  for (let j = start + 1; j < i; j++) if (CLASS[bytes[j]!]! & DIGIT) return i;
  return -1;
}

/** `local-number-digits`: at least one that is not a visual separator. */
function skipLocalNumber(bytes: Uint8Array, start: number, end: number): number {
  let seen = 0;
  let i = start;
  for (; i < end; i++) {
    const part = PART[bytes[i]!]! & (PHONE | SEPARATOR);
    if (part === 0) break;
    seen |= part;
  }
  return seen & PHONE ? i : -1;
}

function skipPhoneDigits(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && (CLASS[bytes[i]!]! & DIGIT || PART[bytes[i]!]! & SEPARATOR)) i++;
  return i;
}

/** `1*uric`, but a ";" ends it: RFC 3966 s3 wants the delimiters escaped inside a value. */
function skipSubaddress(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  for (;;) {
    i = skipPart(bytes, i, end, PARAM);
    const c = i < end ? bytes[i] : SEMI;
    if (c === SEMI || !(PART[c!]! & URIC)) return i;
    i++;
  }
}

/** RFC 3261 s25.1 `absoluteURI`: a scheme, a colon and at least one octet that a URI may hold. */
function scanOther(bytes: Uint8Array, start: number, end: number, out: Int32Array): UriResult {
  if (start >= end || !(CLASS[bytes[start]!]! & ALPHA)) return UriResult.BAD;
  let i = start + 1;
  while (i < end && (PART[bytes[i]!]! & ALNUM || bytes[i] === PLUS || bytes[i] === DASH || bytes[i] === DOT)) i++;
  if (i + 1 >= end || bytes[i] !== COLON) return UriResult.BAD;
  if (skipPart(bytes, i + 1, end, URIC) !== end) return UriResult.BAD;
  out.fill(-1, 0, URI_SIZE);
  out[URI_SCHEME] = SCHEME_OTHER;
  return UriResult.UNKNOWN_SCHEME;
}

/** Whether a SIP or SIPS URI is the latter, by its fourth letter. */
export function isSipsAt(bytes: Uint8Array, start: number): boolean {
  return (bytes[start + 3]! | 32) === 0x73;
}
