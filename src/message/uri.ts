/**
 * A URI as a value that can be kept: SIP, SIPS, tel, or any other that is well formed. It owns its bytes, knows where
 * its parts lie, and makes a string of one only when asked.
 */
import { AMP, ascii, copyOf, EQUAL, LOWER, latin1, PERCENT, parseUint32, SEMI, ZERO } from "./bytes.ts";
import {
  SCHEME_SIP,
  SCHEME_SIPS,
  SCHEME_TEL,
  scanUri,
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
  URI_SIZE,
  URI_USER_END,
  URI_USER_START,
  UriResult,
} from "./uri-scan.ts";

/** What {@link Uri.with} may change. Text is given unescaped; what the grammar does not allow is escaped on the way in. */
export interface UriChanges {
  scheme?: "sip" | "sips";
  /** `null` takes the user away, and the password with it. */
  user?: string | null;
  password?: string | null;
  /** A host name, an IPv4 address, or an IPv6 address in brackets. */
  host?: string;
  /** 0 to 65535. */
  port?: number | null;
  /** `true` or `""` sets a flag, `null` removes a parameter, names not mentioned stay. `null` for the whole removes all. */
  params?: Readonly<Record<string, string | true | null>> | null;
  /** As for `params`, without flags. */
  headers?: Readonly<Record<string, string | null>> | null;
}

/** The fixed names of the scheme codes, by {@link URI_SCHEME}. */
const SCHEMES = ["", "sip", "sips", "tel"];
const LR = ascii("lr");
const TRANSPORT = ascii("transport");
const MADDR = ascii("maddr");
const TTL = ascii("ttl");
const METHOD = ascii("method");

// RFC 3261 s25.1: what must be escaped in each part.
const NOT_USER = /[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/gu;
const NOT_PASSWORD = /[^A-Za-z0-9\-_.!~*'()&=+$,]/gu;
const NOT_PARAM = /[^A-Za-z0-9\-_.!~*'()[\]/:&+$]/gu;
const NOT_HEADER = /[^A-Za-z0-9\-_.!~*'()[\]/?:+$]/gu;

const scratch = new Int32Array(URI_SIZE);

/** An immutable URI (RFC 3261 s19.1, RFC 3966). */
export class Uri {
  /** The URI's own octets, all of them ASCII. Not to be written to. */
  readonly bytes: Uint8Array;
  /** Where the parts lie in {@link bytes}, by the `URI_*` slots of `uri-scan.ts`. Not to be written to. */
  readonly at: Int32Array;
  #params: UriList | undefined;
  #headers: UriList | undefined;

  private constructor(bytes: Uint8Array, at: Int32Array) {
    this.bytes = bytes;
    this.at = at;
  }

  /**
   * Reads a URI that fills `[start, end)`; white space and angle brackets are not part of one. The octets are copied.
   * @returns `null` when it is not well formed. A well-formed URI of an unknown scheme is a `Uri` of that scheme.
   */
  static parse(source: string | Uint8Array, start = 0, end = source.length): Uri | null {
    const bytes = typeof source === "string" ? ascii(source.slice(start, end)) : copyOf(source, start, end);
    return scanUri(bytes, 0, bytes.length, scratch) === UriResult.BAD ? null : new Uri(bytes, scratch.slice());
  }

  /**
   * Builds a SIP or SIPS URI of its parts; the scheme is `sip` unless said otherwise.
   * @throws TypeError when the parts make no URI, as with a host that is none.
   */
  static from(parts: UriChanges & { host: string }): Uri {
    return BLANK.with(parts);
  }

  /** The scheme in lower case: `sip`, `sips`, `tel`, or another. */
  get scheme(): string {
    const code = this.at[URI_SCHEME]!;
    return SCHEMES[code] ?? latin1(this.bytes, 0, this.bytes.indexOf(0x3a)).toLowerCase();
  }

  /**
   * The user with its escapes undone as UTF-8, `undefined` when there is none. Other octets
   * always give another string: where they are not UTF-8, each one over 0x7F becomes a lone surrogate, U+DC00 plus it.
   * For `tel`, the number as written.
   */
  get user(): string | undefined {
    const start = this.at[URI_USER_START]!;
    return start < 0 ? undefined : decoded(this.bytes, start, this.at[URI_USER_END]!);
  }

  /** The user as written, escapes and all. */
  get rawUser(): string | undefined {
    const start = this.at[URI_USER_START]!;
    return start < 0 ? undefined : latin1(this.bytes, start, this.at[URI_USER_END]!);
  }

  /** The password with its escapes undone; `""` when it is present and empty. */
  get password(): string | undefined {
    const start = this.at[URI_PASSWORD_START]!;
    return start < 0 ? undefined : decoded(this.bytes, start, this.at[URI_PASSWORD_END]!);
  }

  /** The host in lower case, an IPv6 address in its brackets; `""` for `tel` and unknown schemes. */
  get host(): string {
    return latin1(this.bytes, this.at[URI_HOST_START]!, this.at[URI_HOST_END]!).toLowerCase();
  }

  /** The port, `undefined` when none is written: that is not the same as 5060 (RFC 3261 s19.1.4). */
  get port(): number | undefined {
    const port = this.at[URI_PORT]!;
    return port < 0 ? undefined : port;
  }

  /** The uri-parameters. */
  get params(): UriList {
    this.#params ??= new UriList(this.bytes, this.at[URI_PARAMS_START]!, this.at[URI_PARAMS_END]!, SEMI);
    return this.#params;
  }

  /** The headers behind the `?`, for a request to be made from the URI (RFC 3261 s19.1.5). */
  get headers(): UriList {
    this.#headers ??= new UriList(this.bytes, this.at[URI_HEADERS_START]!, this.at[URI_HEADERS_END]!, AMP);
    return this.#headers;
  }

  /** Whether the `lr` parameter is there, with or without a value: the element is a loose router (RFC 3261 s16.12). */
  get lr(): boolean {
    return this.#find(LR) >= 0;
  }

  /** The `transport` parameter in lower case. */
  get transport(): string | undefined {
    return this.#value(TRANSPORT)?.toLowerCase();
  }

  /** The `maddr` parameter in lower case: the host to send to instead of {@link host}. */
  get maddr(): string | undefined {
    return this.#value(MADDR)?.toLowerCase();
  }

  /** The `ttl` parameter, 0 to 255; `undefined` also when it is no such number. */
  get ttl(): number | undefined {
    const at = this.#find(TTL);
    if (at < 0) return undefined;
    const value = parseUint32(this.bytes, at + 1, endOfItem(this.bytes, at, this.at[URI_PARAMS_END]!, SEMI));
    return value < 0 || value > 255 ? undefined : value;
  }

  /** The `method` parameter. Methods are case-sensitive. */
  get method(): string | undefined {
    return this.#value(METHOD);
  }

  /** The URI as it was written, to the octet. */
  toString(): string {
    return latin1(this.bytes, 0, this.bytes.length);
  }

  toJSON(): string {
    return this.toString();
  }

  /**
   * A URI like this one but for the changes. What is not changed keeps its octets; a changed parameter goes last.
   * @throws TypeError when this is not a SIP or SIPS URI, or when the outcome would be none.
   */
  with(changes: UriChanges): Uri {
    const { bytes, at } = this;
    if (at[URI_SCHEME] !== SCHEME_SIP && at[URI_SCHEME] !== SCHEME_SIPS) {
      throw new TypeError(`a ${this.scheme} URI has no SIP parts to change: ${this}`);
    }
    const user = changes.user === undefined ? this.rawUser : escapeWhere(changes.user, NOT_USER);
    const oldPassword =
      at[URI_PASSWORD_START]! < 0 ? null : latin1(bytes, at[URI_PASSWORD_START]!, at[URI_PASSWORD_END]!);
    const password = changes.password === undefined ? oldPassword : escapeWhere(changes.password, NOT_PASSWORD);
    const port = changes.port === undefined ? this.port : changes.port;
    let text = `${changes.scheme ?? this.scheme}:`;
    if (user !== undefined && user !== null) text += password === null ? `${user}@` : `${user}:${password}@`;
    text += changes.host ?? latin1(bytes, at[URI_HOST_START]!, at[URI_HOST_END]!);
    if (port !== undefined && port !== null) text += `:${port}`;
    for (const item of this.params.changed(changes.params, NOT_PARAM)) text += `;${item}`;
    let mark = "?";
    for (const item of this.headers.changed(changes.headers, NOT_HEADER)) {
      text += mark + item;
      mark = "&";
    }
    const uri = Uri.parse(text);
    // A host such as "a@b" or "a;b" would move the borders between the parts.
    if (!uri || (changes.host !== undefined && uri.host !== changes.host.toLowerCase())) {
      throw new TypeError(`not a SIP URI: ${text}`);
    }
    return uri;
  }

  #find(lower: Uint8Array): number {
    // RFC 3966's parameters have other names: a tel URI has none of those that are looked for here.
    if (this.at[URI_SCHEME] === SCHEME_TEL) return -1;
    return findUriParam(this.bytes, this.at[URI_PARAMS_START]!, this.at[URI_PARAMS_END]!, lower);
  }

  #value(lower: Uint8Array): string | undefined {
    const at = this.#find(lower);
    if (at < 0) return undefined;
    return decoded(this.bytes, at + 1, endOfItem(this.bytes, at, this.at[URI_PARAMS_END]!, SEMI));
  }
}

/**
 * The uri-parameters or the headers of a URI, in the order written. Names match without regard to letter case or
 * escapes. It reads the URI's bytes at every call and keeps nothing.
 */
export class UriList implements Iterable<[name: string, value: string]> {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #separator: number;

  /** For {@link Uri}. The range begins with the mark before the first item; both ends are -1 when there is none. */
  constructor(bytes: Uint8Array, start: number, end: number, separator: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#separator = separator;
  }

  /** The value with escapes undone, `""` when it has none, `undefined` when the name is missing. The first of two. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    for (const [found, value] of this) if (found === wanted) return value;
    return undefined;
  }

  /** As {@link get}, but with the value as it is written. */
  raw(name: string): string | undefined {
    const wanted = name.toLowerCase();
    for (const item of this.#items()) if (nameOf(item) === wanted) return item.slice(nameLength(item) + 1);
    return undefined;
  }

  has(name: string): boolean {
    return this.raw(name) !== undefined;
  }

  /** Pairs of lower-case name and value, escapes undone in both. */
  *entries(): IterableIterator<[name: string, value: string]> {
    for (const item of this.#items()) yield [nameOf(item), unescapeText(item.slice(nameLength(item) + 1))];
  }

  [Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    return this.entries();
  }

  /** For {@link Uri.with}: the items as text after the changes. */
  changed(changes: Readonly<Record<string, string | true | null>> | null | undefined, escaped: RegExp): string[] {
    if (changes === null) return [];
    const kept = [...this.#items()];
    if (changes === undefined) return kept;
    const names = new Set(Object.keys(changes).map((name) => name.toLowerCase()));
    const items = kept.filter((item) => !names.has(nameOf(item)));
    for (const [name, value] of Object.entries(changes)) {
      if (value === true || (value === "" && this.#separator === SEMI)) items.push(escapeWhere(name, escaped)!);
      else if (value !== null) items.push(`${escapeWhere(name, escaped)}=${escapeWhere(value, escaped)}`);
    }
    return items;
  }

  *#items(): Generator<string> {
    for (let i = this.#start; i >= 0 && i < this.#end; ) {
      const end = endOfItem(this.#bytes, i + 1, this.#end, this.#separator);
      yield latin1(this.#bytes, i + 1, end);
      i = end;
    }
  }
}

/** What {@link Uri.from} starts with. */
const BLANK = Uri.parse("sip:blank.invalid")!;

/**
 * Looks for a parameter in the uri-parameters of a well-formed URI, without a string made.
 * @param start the first `;`, or -1 when there are no parameters: {@link URI_PARAMS_START}.
 * @param lower the name in lower case; letter case and escapes in the URI do not matter.
 * @returns the index behind the name, where an "=", a ";" or the end is, or -1. The first of two is found.
 */
export function findUriParam(bytes: Uint8Array, start: number, end: number, lower: Uint8Array): number {
  let i = start;
  while (i >= 0 && i < end) {
    let matched = 0;
    for (i++; i < end && bytes[i] !== EQUAL && bytes[i] !== SEMI; i++) {
      let c = bytes[i]!;
      if (c === PERCENT) {
        c = unescapeAt(bytes, i);
        i += 2;
      }
      if (matched >= 0) matched = LOWER[c] === lower[matched] ? matched + 1 : -1;
    }
    if (matched === lower.length) return i;
    i = endOfItem(bytes, i, end, SEMI);
  }
  return -1;
}

/** The octet that the escape at `i` stands for; the escape must be whole. */
export function unescapeAt(bytes: Uint8Array, i: number): number {
  return (hexValue(bytes[i + 1]!) << 4) | hexValue(bytes[i + 2]!);
}

function hexValue(c: number): number {
  return c <= 0x39 ? c - ZERO : (c | 0x20) - 0x57;
}

function endOfItem(bytes: Uint8Array, start: number, end: number, separator: number): number {
  let i = start;
  while (i < end && bytes[i] !== separator) i++;
  return i;
}

function nameLength(item: string): number {
  const equal = item.indexOf("=");
  return equal < 0 ? item.length : equal;
}

function nameOf(item: string): string {
  return unescapeText(item.slice(0, nameLength(item))).toLowerCase();
}

function decoded(bytes: Uint8Array, start: number, end: number): string {
  return start < end ? unescapeText(latin1(bytes, start, end)) : "";
}

function unescapeText(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Not UTF-8, or the bare "%" that a token may hold.
    return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => {
      const octet = Number.parseInt(hex, 16);
      return String.fromCharCode(octet > 0x7f ? 0xdc00 + octet : octet);
    });
  }
}

function escapeWhere(text: string | null, pattern: RegExp): string | null {
  return text === null ? null : text.replace(pattern, escapeCodePoint);
}

function escapeCodePoint(text: string): string {
  const code = text.codePointAt(0)!;
  if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16).toUpperCase()}`;
  return encodeURIComponent(text.toWellFormed());
}
