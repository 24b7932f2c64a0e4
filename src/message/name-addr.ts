/**
 * `name-addr` and `addr-spec` with parameters: From, To, Contact, Route, Record-Route, Refer-To (RFC 3261 s20.10, s25.1).
 */
import {
  ascii,
  BRACKET_END,
  CLASS,
  COLON,
  COMMA,
  DQUOTE,
  EQUAL,
  equalsLower,
  LAQUOT,
  latin1,
  QUESTION,
  RAQUOT,
  SEMI,
  skipQuoted,
  skipWhite,
  TOKEN,
  trimEnd,
  utf8,
  VALUE_END,
  WHITE,
} from "./bytes.ts";
import type { Header } from "./header.ts";
import type { Message } from "./message.ts";
import { nextParam, ParamStep, paramCursor } from "./params.ts";
import { Uri } from "./uri.ts";

// Slots of the table that scanNameAddr fills.
export const ADDR_DISPLAY_START = 0;
export const ADDR_DISPLAY_END = 1;
export const ADDR_URI_START = 2;
export const ADDR_URI_END = 3;
/** Where the parameters after the address begin. */
export const ADDR_PARAMS_START = 4;
/** The value of the `tag` parameter; 0 when absent. */
export const ADDR_TAG_START = 5;
export const ADDR_TAG_END = 6;
/** The comma behind the value, or the end of the field. */
export const ADDR_END = 7;
export const ADDR_SIZE = 8;

const TAG = ascii("tag");
const cursor = paramCursor();

/**
 * Scans one address value without making anything.
 * @param out receives the `ADDR_` slots
 * @returns false when the value is malformed: unbalanced quotes, white space inside the brackets, a comma or semicolon
 *   in an unquoted display name, a `?` in an address without brackets.
 */
export function scanNameAddr(bytes: Uint8Array, start: number, end: number, out: Int32Array): boolean {
  let at = skipWhite(bytes, start, end);
  out[ADDR_DISPLAY_START] = at;
  out[ADDR_DISPLAY_END] = at;
  out[ADDR_TAG_START] = out[ADDR_TAG_END] = 0;
  out[ADDR_END] = end;
  if (at === end) return false;

  if (bytes[at] === DQUOTE) {
    at = skipQuoted(bytes, at, end);
    if (at < 0) return false;
    out[ADDR_DISPLAY_END] = at;
    at = skipWhite(bytes, at, end);
    if (at === end || bytes[at] !== LAQUOT) return false;
  } else {
    // Tokens and white space up to "<" are a display name; a colon means that this is a bare address.
    while (at < end && CLASS[bytes[at]!]! & (TOKEN | WHITE)) at++;
    if (at === end) return false;
    if (bytes[at] === LAQUOT) out[ADDR_DISPLAY_END] = trimEnd(bytes, out[ADDR_DISPLAY_START]!, at);
  }

  if (bytes[at] === LAQUOT) {
    at++;
    out[ADDR_URI_START] = at;
    while (at < end && !(CLASS[bytes[at]!]! & BRACKET_END)) at++;
    if (at === end || bytes[at] !== RAQUOT || at === out[ADDR_URI_START]) return false;
    out[ADDR_URI_END] = at;
    at++;
  } else {
    if (bytes[at] !== COLON || at === out[ADDR_DISPLAY_START]) return false;
    at = out[ADDR_URI_START] = out[ADDR_DISPLAY_START]!;
    while (at < end) {
      const c = bytes[at]!;
      if (c === SEMI || c === COMMA || CLASS[c]! & WHITE) break;
      // RFC 3261 s20.10: such an address must stand in brackets.
      if (c === QUESTION || c === LAQUOT || c === RAQUOT || c === DQUOTE) return false;
      at++;
    }
    out[ADDR_URI_END] = at;
  }

  out[ADDR_PARAMS_START] = at;
  // What nearly every From and To ends with, read without looking for the name's end.
  if (
    at + 5 < end &&
    bytes[at] === SEMI &&
    (bytes[at + 1]! | 32) === 0x74 &&
    (bytes[at + 2]! | 32) === 0x61 &&
    (bytes[at + 3]! | 32) === 0x67 &&
    bytes[at + 4] === EQUAL &&
    !(CLASS[bytes[at + 5]!]! & VALUE_END)
  ) {
    out[ADDR_TAG_START] = at += 5;
    while (at < end && !(CLASS[bytes[at]!]! & VALUE_END)) at++;
    out[ADDR_TAG_END] = at;
    if (at === end) return true;
  }
  cursor.at = at;
  for (;;) {
    const step = nextParam(bytes, end, cursor);
    if (step === ParamStep.Malformed) return false;
    if (step === ParamStep.End) break;
    if (equalsLower(bytes, cursor.nameStart, cursor.nameEnd, TAG)) {
      // RFC 3261 s7.3.1: no parameter twice.
      if (cursor.valueStart < 0 || out[ADDR_TAG_START] !== 0) return false;
      out[ADDR_TAG_START] = cursor.valueStart;
      out[ADDR_TAG_END] = cursor.valueEnd;
    }
  }
  out[ADDR_END] = cursor.at;
  return true;
}

/** An address with its display name and parameters, in words. */
export class NameAddr {
  /** The display name without quotes and escapes; empty when there is none. */
  readonly displayName: string;
  /** The address as it was sent, without brackets. */
  readonly uriText: string;
  /** Parameter names in lower case; values unquoted, true where there is none. */
  readonly params: ReadonlyMap<string, string | true>;
  #uri: Uri | null | undefined;

  constructor(displayName: string, uriText: string, params: ReadonlyMap<string, string | true>) {
    this.displayName = displayName;
    this.uriText = uriText;
    this.params = params;
  }

  /** The address parsed, of whatever scheme; null when it is malformed. */
  get uri(): Uri | null {
    if (this.#uri === undefined) this.#uri = Uri.parse(this.uriText);
    return this.#uri;
  }

  get tag(): string | undefined {
    return this.#text("tag");
  }

  /** The `q` of a Contact, 0 to 1; undefined when absent or malformed. */
  get q(): number | undefined {
    const text = this.#text("q");
    return text !== undefined && /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : undefined;
  }

  /** The `expires` of a Contact in seconds; undefined when absent or malformed. Values over 2^32-1 are cut to it. */
  get expires(): number | undefined {
    const text = this.#text("expires");
    return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), 0xffffffff) : undefined;
  }

  #text(name: string): string | undefined {
    const value = this.params.get(name);
    return value === true ? undefined : value;
  }

  /** The value as it would be written, always with brackets. */
  toString(): string {
    let text = this.displayName === "" ? "" : `"${this.displayName.replace(/["\\]/g, "\\$&")}" `;
    text += `<${this.uriText}>`;
    for (const [name, value] of this.params) text += value === true ? `;${name}` : `;${name}=${quoteIfNeeded(value)}`;
    return text;
  }
}

function quoteIfNeeded(value: string): string {
  return /^[A-Za-z0-9\-.!%*_+`'~[\]:]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

function unquote(bytes: Uint8Array, start: number, end: number): string {
  if (bytes[start] !== DQUOTE) return utf8(bytes, start, end);
  const text = utf8(bytes, start + 1, end - 1);
  if (!/[\\\r\n]/.test(text)) return text;
  // A fold counts as one space (RFC 3261 s7.3.1); a backslash takes the next character as it is.
  return text.replace(/[ \t]*\r?\n[ \t]+/g, " ").replace(/\\(.)/gs, "$1");
}

/**
 * One address value of a range.
 * @returns the value and the offset behind it, or null when it is malformed.
 */
export function parseNameAddr(bytes: Uint8Array, start: number, end: number): { value: NameAddr; end: number } | null {
  const out = new Int32Array(ADDR_SIZE);
  if (!scanNameAddr(bytes, start, end, out)) return null;
  const params = new Map<string, string | true>();
  const walk = paramCursor();
  walk.at = out[ADDR_PARAMS_START]!;
  while (nextParam(bytes, end, walk) === ParamStep.Found) {
    const name = latin1(bytes, walk.nameStart, walk.nameEnd).toLowerCase();
    params.set(name, walk.valueStart < 0 ? true : unquote(bytes, walk.valueStart, walk.valueEnd));
  }
  const display = unquote(bytes, out[ADDR_DISPLAY_START]!, out[ADDR_DISPLAY_END]!);
  const uri = utf8(bytes, out[ADDR_URI_START]!, out[ADDR_URI_END]!);
  return { value: new NameAddr(display, uri, params), end: out[ADDR_END]! };
}

/** All address values of a header: From, To, Route, Record-Route. Null when one is malformed. */
export function addressesOf(message: Message, id: Header): NameAddr[] | null {
  const values: NameAddr[] = [];
  for (let record = message.first(id); record !== 0; record = message.next(record)) {
    const end = message.valueEnd(record);
    let at = message.valueStart(record);
    while (at < end) {
      const parsed = parseNameAddr(message.bytes, at, end);
      if (parsed === null) return null;
      values.push(parsed.value);
      at = skipWhite(message.bytes, parsed.end + 1, end);
    }
  }
  return values;
}

/** The Contacts of a message; `"*"` for a lone star (RFC 3261 s10.2.2); null when one is malformed. */
export function contactsOf(message: Message, contact: Header): NameAddr[] | "*" | null {
  const record = message.first(contact);
  if (record !== 0 && message.valueText(record) === "*") return message.next(record) === 0 ? "*" : null;
  return addressesOf(message, contact);
}
