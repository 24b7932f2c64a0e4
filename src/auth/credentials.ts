/**
 * Reads the value of an Authorization or Proxy-Authorization header field (RFC 3261 s20.7, s25.1, RFC 7616 s3.4): where
 * each parameter of Digest credentials lies. Nothing is decoded and nothing becomes a string, so that a request that is
 * refused for another reason costs no more than the walk.
 *
 * Wider than the grammar where peers are: a value may be quoted or not whatever its parameter, and empty list elements
 * are passed over.
 */
import {
  ascii,
  BACKSLASH,
  CLASS,
  COMMA,
  CR,
  DQUOTE,
  EQUAL,
  equalsLower,
  LF,
  SP,
  skipToken,
  skipWhite,
  TAB,
  utf8,
  WHITE,
} from "../message/bytes.ts";
import { isHex, unquote } from "./digest-input.ts";

/** The parameters that are looked at, each with its slot. */
export const Param = {
  Username: 0,
  Realm: 1,
  Nonce: 2,
  Uri: 3,
  Response: 4,
  Algorithm: 5,
  Cnonce: 6,
  Qop: 7,
  Nc: 8,
  Userhash: 9,
  UsernameStar: 10,
} as const;
export type Param = (typeof Param)[keyof typeof Param];

const NAMES = [
  "username",
  "realm",
  "nonce",
  "uri",
  "response",
  "algorithm",
  "cnonce",
  "qop",
  "nc",
  "userhash",
  "username*",
] as const;
const NAME_OCTETS = NAMES.map((name) => ascii(name));
const COUNT = NAMES.length;
const LONGEST = 9;
/** The name of each length and sum of its first and last letters, which no two share; -1 where there is none. */
const BY_SHAPE = new Int8Array((LONGEST + 1) * 32).fill(-1);
NAME_OCTETS.forEach((name, param) => {
  BY_SHAPE[shapeOf(name, 0, name.length)] = param;
});

function shapeOf(bytes: Uint8Array, start: number, end: number): number {
  return (end - start) * 32 + ((bytes[start]! + bytes[end - 1]!) & 31);
}

/** What {@link Credentials.scan} found. */
export const Found = {
  /** Another scheme: not ours to judge. */
  Other: 0,
  Digest: 1,
  /** Digest credentials that cannot be read; {@link Credentials.fault} names the fault. */
  Malformed: 2,
} as const;

const DIGEST = ascii("digest");
const TRUE = ascii("true");
const FALSE = ascii("false");
/** A user's name longer than this is nobody's, and would only fill tables. */
const MAX_NAME = 256;

/** Set for what needs a look inside a quoted string: its end, a backslash, and control characters. */
const STOP = new Uint8Array(256);
for (let i = 0; i < 0x20; i++) STOP[i] = 1;
STOP[TAB] = 0;
STOP[DQUOTE] = STOP[BACKSLASH] = STOP[0x7f] = 1;

/** The credentials of one header field. Reused: a scan overwrites what the one before found. */
export class Credentials {
  /** The octets that the ranges point into. */
  bytes: Uint8Array = new Uint8Array();
  /** What is wrong, to be followed by the header field's name; the empty string while nothing is. */
  fault = "";
  /** Where each parameter's value begins, without its quotes; and behind them where it ends, 0 where it is absent. */
  readonly #at = new Int32Array(COUNT * 2);
  /** A bit for each parameter whose value holds quoted pairs or folds. */
  #quotedPairs = 0;

  /** Whether a parameter is there. */
  has(param: Param): boolean {
    return this.#at[COUNT + param] !== 0;
  }

  /** Where a parameter's value begins. */
  start(param: Param): number {
    return this.#at[param]!;
  }

  /** Where it ends; 0 when it is absent. */
  end(param: Param): number {
    return this.#at[COUNT + param]!;
  }

  /** Whether a parameter's value holds quoted pairs or folds: what it stands for is not what lies there. */
  isQuoted(param: Param): boolean {
    return ((this.#quotedPairs >> param) & 1) !== 0;
  }

  /** The octets a parameter's value stands for, as a copy; for the cold paths. */
  octets(param: Param): Uint8Array {
    const { bytes } = this;
    if (!this.isQuoted(param)) return bytes.slice(this.start(param), this.end(param));
    const octets: number[] = [];
    unquote(bytes, this.start(param), this.end(param), (octet) => octets.push(octet));
    return Uint8Array.from(octets);
  }

  /** What a parameter's value stands for, decoded as UTF-8. */
  text(param: Param): string {
    if (!this.isQuoted(param)) return utf8(this.bytes, this.start(param), this.end(param));
    const octets = this.octets(param);
    return utf8(octets, 0, octets.length);
  }

  /** Whether a parameter's value stands for just these octets. */
  equals(param: Param, octets: Uint8Array): boolean {
    const { bytes } = this;
    const start = this.start(param);
    const length = this.end(param) - start;
    if (this.isQuoted(param)) return Buffer.compare(this.octets(param), octets) === 0;
    if (length !== octets.length) return false;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== octets[i]) return false;
    return true;
  }

  /** Whether the user's name was sent as a hash (RFC 7616 s3.4.4). */
  get isUserHashed(): boolean {
    return this.has(Param.Userhash) && this.#is(Param.Userhash, TRUE);
  }

  /**
   * The user's name as it was sent, or its hash (RFC 7616 s3.4); null when `username*` is none in UTF-8 (RFC 5987 s3.2).
   */
  username(): string | null {
    return this.has(Param.Username) ? this.text(Param.Username) : extendedValue(this.text(Param.UsernameStar));
  }

  /**
   * Whether there is nothing to judge: a client that knows its user but was not challenged yet sends an empty nonce or
   * response (RFC 8760 s2.7).
   */
  get isBlank(): boolean {
    return this.#isEmpty(Param.Nonce) || this.#isEmpty(Param.Response);
  }

  #isEmpty(param: Param): boolean {
    return this.has(param) && this.start(param) === this.end(param);
  }

  #is(param: Param, lower: Uint8Array): boolean {
    return equalsLower(this.bytes, this.start(param), this.end(param), lower);
  }

  /**
   * Reads one header field's value.
   * @returns one of {@link Found}; the parameters read before a fault are there
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    this.bytes = bytes;
    this.fault = "";
    const ends = this.#at;
    for (let i = COUNT; i < COUNT * 2; i++) ends[i] = 0;
    this.#quotedPairs = 0;
    const scheme = skipWhite(bytes, start, end);
    let at = skipToken(bytes, scheme, end);
    if (!equalsLower(bytes, scheme, at, DIGEST)) return Found.Other;
    if (at === end || !(CLASS[bytes[at]!]! & WHITE)) return this.#malformed("Malformed");
    for (;;) {
      while (at < end && (bytes[at] === COMMA || CLASS[bytes[at]!]! & WHITE)) at++;
      if (at === end) return Found.Digest;
      at = this.#parameter(bytes, at, end);
      if (at < 0) return this.#malformed("Malformed");
      if (this.fault !== "") return Found.Malformed;
    }
  }

  #malformed(fault: string): number {
    this.fault = fault;
    return Found.Malformed;
  }

  /** @returns the offset behind the parameter: its comma or the end; -1 when it is none */
  #parameter(bytes: Uint8Array, start: number, end: number): number {
    const nameEnd = skipToken(bytes, start, end);
    if (nameEnd === start) return -1;
    let at = bytes[nameEnd] === EQUAL ? nameEnd : skipWhite(bytes, nameEnd, end);
    if (at >= end || bytes[at] !== EQUAL) return -1;
    at++;
    if (at < end && CLASS[bytes[at]!]! & WHITE) at = skipWhite(bytes, at, end);
    const param = paramOf(bytes, start, nameEnd);
    if (at < end && bytes[at] === DQUOTE) at = this.#quoted(bytes, at + 1, end, param);
    else at = this.#unquoted(bytes, at, end, param);
    if (at < 0) return -1;
    if (at < end && CLASS[bytes[at]!]! & WHITE) at = skipWhite(bytes, at, end);
    return at < end && bytes[at] !== COMMA ? -1 : at;
  }

  /** @returns the offset behind the closing quote, or -1 */
  #quoted(bytes: Uint8Array, start: number, end: number, param: number): number {
    let hasPairs = false;
    const last = end - 4;
    for (let at = start; ; at++) {
      // Four at a time, as in `skipToken`.
      while (
        at <= last &&
        (STOP[bytes[at]!]! | STOP[bytes[at + 1]!]! | STOP[bytes[at + 2]!]! | STOP[bytes[at + 3]!]!) === 0
      ) {
        at += 4;
      }
      while (at < end && STOP[bytes[at]!] === 0) at++;
      if (at >= end) return -1;
      const octet = bytes[at]!;
      if (octet === DQUOTE) {
        if (param >= 0) this.#keep(param as Param, start, at, hasPairs);
        return at + 1;
      }
      if (octet === BACKSLASH && at + 1 < end && bytes[at + 1]! >= SP) at++;
      else if (octet !== CR && octet !== LF) return -1;
      hasPairs = true;
    }
  }

  /** @returns the offset behind the value, or -1 */
  #unquoted(bytes: Uint8Array, start: number, end: number, param: number): number {
    let at = start;
    while (at < end && bytes[at] !== COMMA && bytes[at]! > SP && STOP[bytes[at]!] === 0) at++;
    if (at === start) return -1;
    if (param >= 0) this.#keep(param as Param, start, at, false);
    return at;
  }

  #keep(param: Param, start: number, end: number, isQuoted: boolean): void {
    // RFC 3261 s7.3.1: no parameter twice. Which of the two was meant cannot be known.
    if (this.has(param)) this.fault = `Repeated ${NAMES[param]} In`;
    this.#at[param] = start;
    this.#at[COUNT + param] = end;
    if (isQuoted) this.#quotedPairs |= 1 << param;
  }

  /**
   * Looks whether all is there that a digest is computed from, in a form it can have (RFC 7616 s3.4); the response's
   * length is the algorithm's affair.
   * @returns false with {@link fault} set
   */
  isComplete(): boolean {
    for (let param = Param.Realm as number; param <= Param.Response; param++) {
      if (!this.has(param as Param)) return this.#lacks(param as Param);
    }
    if (this.has(Param.Username) === this.has(Param.UsernameStar)) {
      return this.has(Param.Username) ? this.#wrong("Repeated username In") : this.#lacks(Param.Username);
    }
    const name = this.has(Param.Username) ? Param.Username : Param.UsernameStar;
    if (this.end(name) - this.start(name) > MAX_NAME) return this.#isWrong(name);
    if (this.has(Param.Userhash) && !this.#is(Param.Userhash, TRUE) && !this.#is(Param.Userhash, FALSE)) {
      return this.#isWrong(Param.Userhash);
    }
    if (!isHex(this.bytes, this.start(Param.Response), this.end(Param.Response))) return this.#isWrong(Param.Response);
    return !this.has(Param.Qop) || this.#hasCount();
  }

  /** RFC 7616 s3.4: with a quality of protection there are a count and the client's own nonce. */
  #hasCount(): boolean {
    if (!this.has(Param.Cnonce)) return this.#lacks(Param.Cnonce);
    if (!this.has(Param.Nc)) return this.#lacks(Param.Nc);
    const start = this.start(Param.Nc);
    const end = this.end(Param.Nc);
    return (end - start <= 8 && isHex(this.bytes, start, end)) || this.#isWrong(Param.Nc);
  }

  #lacks(param: Param): false {
    return this.#wrong(`Missing ${NAMES[param]} In`);
  }

  #isWrong(param: Param): false {
    return this.#wrong(`Malformed ${NAMES[param]} In`);
  }

  #wrong(fault: string): false {
    this.fault = fault;
    return false;
  }
}

/** The number of a parameter's name, or -1 for one that is not looked at. */
function paramOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > LONGEST) return -1;
  const param = BY_SHAPE[shapeOf(bytes, start, end)]!;
  return param >= 0 && equalsLower(bytes, start, end, NAME_OCTETS[param]!) ? param : -1;
}

/** The text of a value such as `UTF-8''J%C3%A4s%C3%B8n%20Doe` (RFC 5987 s3.2.1), or null when it is none. */
function extendedValue(value: string): string | null {
  const coded = /^utf-8'[A-Za-z0-9-]*'((?:%[0-9A-Fa-f]{2}|[A-Za-z0-9!#$&+\-.^_`|~])*)$/i.exec(value)?.[1];
  if (coded === undefined) return null;
  try {
    return decodeURIComponent(coded);
  } catch {
    // Escapes that are no UTF-8.
    return null;
  }
}
