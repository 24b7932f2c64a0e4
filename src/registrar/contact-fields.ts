/**
 * The Contacts of a REGISTER (RFC 3261 s10.2.1) as offsets: URI, parameters, and what a registrar looks at in them.
 */

import { type BindingPacker, Section } from "../location/packed.ts";
import {
  ascii,
  BACKSLASH,
  DOT,
  DQUOTE,
  equalsLower,
  LAQUOT,
  parseUint32,
  RAQUOT,
  STAR,
  ZERO,
} from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import {
  ADDR_DISPLAY_END,
  ADDR_DISPLAY_START,
  ADDR_END,
  ADDR_PARAMS_START,
  ADDR_SIZE,
  ADDR_URI_END,
  ADDR_URI_START,
  scanNameAddr,
} from "../message/name-addr.ts";
import { nextParam, ParamStep, paramCursor } from "../message/params.ts";
import { scanUri, URI_HOST_END, URI_HOST_START, URI_PORT, URI_SIZE, UriResult } from "../message/uri-scan.ts";

// The words of a contact in the table.
export const NAME_START = 0;
export const NAME_END = 1;
export const CONTACT_START = 2;
export const CONTACT_END = 3;
const PARAMS_START = 4;
const PARAMS_END = 5;
/** Seconds; {@link NO_EXPIRES} when it has none of its own. */
export const EXPIRES = 6;
/** In thousandths, 0 to 1000. */
export const Q = 7;
/** The instance-id without its quotes; equal ends when there is none. */
export const INSTANCE_START = 8;
export const INSTANCE_END = 9;
/** 0 when there is none, or one that is none. */
export const REG_ID = 10;
/** Two words for whoever works with the contacts: the binding that it is, and bits of `BindingFlag`. */
export const MATCH = 11;
export const FLAGS = 12;
/** The URI's host, -1 for a URI without one (`sip` and `sips` have one), and its port, -1 when none is written. */
export const HOST_START = 13;
export const HOST_END = 14;
export const PORT = 15;
export const WORDS = 16;

export const NO_EXPIRES = -1;
/** RFC 3261 s10.2.1.1: what a malformed expiry stands for. */
const MALFORMED_EXPIRES = 3600;
/** What is longer is as good as for ever. */
const LONGEST = 0x7fffffff;
/** Contacts in one request. */
export const MAX_CONTACTS = 64;
/** Octets of an instance-id with its brackets; a URN of a UUID has 47. What is longer is none. */
export const MAX_INSTANCE = 256;

/** What {@link ContactFields.scan} finds beside contacts. */
export const ContactFault = { None: 0, Malformed: 1, Uri: 2, Q: 3, StarWithOthers: 4, TooMany: 5 } as const;

const EXPIRES_NAME = ascii("expires");
const Q_NAME = ascii("q");
const INSTANCE_NAME = ascii("+sip.instance");
const REG_ID_NAME = ascii("reg-id");
const PUB_GRUU = ascii("pub-gruu");
const TEMP_GRUU = ascii("temp-gruu");

const address = new Int32Array(ADDR_SIZE);
const uri = new Int32Array(URI_SIZE);
const cursor = paramCursor();

export class ContactFields {
  /** {@link WORDS} words a contact. */
  readonly table = new Int32Array(MAX_CONTACTS * WORDS);
  count = 0;
  /** Whether the only Contact is `*` (s10.2.2). */
  isStar = false;

  /** Whether one of them is this binding, once that was looked for. */
  isMatched(slot: number): boolean {
    for (let i = 0; i < this.count; i++) if (this.table[i * WORDS + MATCH] === slot) return true;
    return false;
  }

  /** Reads the Contacts of a message. @returns one of {@link ContactFault} */
  scan(message: Message): number {
    this.count = 0;
    this.isStar = false;
    const { bytes } = message;
    for (let record = message.first(Header.Contact); record !== 0; record = message.next(record)) {
      const end = message.valueEnd(record);
      if (message.valueStart(record) === end) return ContactFault.Malformed;
      for (let at = message.valueStart(record); at < end; ) {
        if (this.isStar) return ContactFault.StarWithOthers;
        if (bytes[at] === STAR && at + 1 === end) {
          if (this.count > 0) return ContactFault.StarWithOthers;
          this.isStar = true;
          break;
        }
        if (this.count === MAX_CONTACTS) return ContactFault.TooMany;
        const fault = this.#scanOne(bytes, at, end, this.count * WORDS);
        if (fault !== ContactFault.None) return fault;
        this.count++;
        at = address[ADDR_END]! + 1;
        while (at < end && bytes[at]! <= 0x20) at++;
      }
    }
    return this.isStar && this.count > 0 ? ContactFault.StarWithOthers : ContactFault.None;
  }

  #scanOne(bytes: Uint8Array, start: number, end: number, at: number): number {
    const { table } = this;
    if (!scanNameAddr(bytes, start, end, address)) return ContactFault.Malformed;
    const uriStart = address[ADDR_URI_START]!;
    const uriEnd = address[ADDR_URI_END]!;
    const result = scanUri(bytes, uriStart, uriEnd, uri);
    if (result === UriResult.BAD) return ContactFault.Uri;
    if (result === UriResult.UNKNOWN_SCHEME) uri[URI_HOST_START] = -1;
    table[at + NAME_START] = address[ADDR_DISPLAY_START]!;
    table[at + NAME_END] = address[ADDR_DISPLAY_END]!;
    table[at + CONTACT_START] = uriStart;
    table[at + CONTACT_END] = uriEnd;
    table[at + PARAMS_START] = address[ADDR_PARAMS_START]!;
    table[at + PARAMS_END] = address[ADDR_END]!;
    table[at + HOST_START] = uri[URI_HOST_START]!;
    table[at + HOST_END] = uri[URI_HOST_END]!;
    table[at + PORT] = uri[URI_PORT]!;
    table[at + EXPIRES] = NO_EXPIRES;
    table[at + Q] = 1000;
    table[at + INSTANCE_START] = table[at + INSTANCE_END] = table[at + REG_ID] = 0;
    return this.#scanParams(bytes, at);
  }

  #scanParams(bytes: Uint8Array, at: number): number {
    const { table } = this;
    const end = table[at + PARAMS_END]!;
    cursor.at = table[at + PARAMS_START]!;
    while (nextParam(bytes, end, cursor) === ParamStep.Found) {
      const { nameStart, nameEnd, valueStart, valueEnd } = cursor;
      if (valueStart < 0) {
        if (equalsLower(bytes, nameStart, nameEnd, EXPIRES_NAME)) table[at + EXPIRES] = MALFORMED_EXPIRES;
        continue;
      }
      switch (nameEnd - nameStart) {
        case 1:
          if (equalsLower(bytes, nameStart, nameEnd, Q_NAME)) {
            const q = thousandths(bytes, valueStart, valueEnd);
            if (q < 0) return ContactFault.Q;
            table[at + Q] = q;
          }
          break;
        case 6:
          if (equalsLower(bytes, nameStart, nameEnd, REG_ID_NAME)) {
            const regId = parseUint32(bytes, valueStart, valueEnd);
            table[at + REG_ID] = regId > LONGEST || regId < 0 ? 0 : regId;
          }
          break;
        case 7:
          if (equalsLower(bytes, nameStart, nameEnd, EXPIRES_NAME)) {
            table[at + EXPIRES] = secondsAt(bytes, valueStart, valueEnd);
          }
          break;
        case 13:
          if (equalsLower(bytes, nameStart, nameEnd, INSTANCE_NAME) && isInstance(bytes, valueStart, valueEnd)) {
            table[at + INSTANCE_START] = valueStart + 1;
            table[at + INSTANCE_END] = valueEnd - 1;
          }
          break;
      }
    }
    return ContactFault.None;
  }

  /**
   * Packs name, URI and parameters of a contact, less what is the registrar's to say: `expires`, `pub-gruu`, `temp-gruu`.
   * @returns false when they are too long to be kept
   */
  pack(index: number, bytes: Uint8Array, packer: BindingPacker): boolean {
    const { table } = this;
    const at = index * WORDS;
    if (!packer.add(Section.Name, bytes, table[at + NAME_START]!, table[at + NAME_END]!)) return false;
    if (!packer.add(Section.Uri, bytes, table[at + CONTACT_START]!, table[at + CONTACT_END]!)) return false;
    const end = table[at + PARAMS_END]!;
    const paramsAt = packer.length;
    cursor.at = table[at + PARAMS_START]!;
    while (nextParam(bytes, end, cursor) === ParamStep.Found) {
      const { nameStart, nameEnd, valueStart, valueEnd } = cursor;
      if (isRegistrars(bytes, nameStart, nameEnd)) continue;
      let ok = packer.text(Section.Params, ";") && packer.add(Section.Params, bytes, nameStart, nameEnd);
      if (valueStart >= 0) {
        ok &&= packer.text(Section.Params, "=");
        if (valueStart + 1 === table[at + INSTANCE_START] && table[at + INSTANCE_END]! > 0) {
          packer.instance(packer.length + 1 - paramsAt, table[at + INSTANCE_END]! - table[at + INSTANCE_START]!);
        }
        ok &&= packer.add(Section.Params, bytes, valueStart, valueEnd);
      }
      if (!ok) return false;
    }
    return true;
  }
}

/** Whether a value is a URN in brackets and quotes (RFC 5626 s4.1): no white space in it, and no escape. */
function isInstance(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > MAX_INSTANCE + 2 || bytes[start] !== DQUOTE) return false;
  if (bytes[start + 1] !== LAQUOT || bytes[end - 2] !== RAQUOT) return false;
  for (let i = start + 2; i < end - 2; i++) {
    const c = bytes[i]!;
    if (c <= 0x20 || c >= 0x7f || c === BACKSLASH) return false;
  }
  return end - start > 4;
}

function isRegistrars(bytes: Uint8Array, start: number, end: number): boolean {
  switch (end - start) {
    case 7:
      return equalsLower(bytes, start, end, EXPIRES_NAME);
    case 8:
      return equalsLower(bytes, start, end, PUB_GRUU);
    case 9:
      return equalsLower(bytes, start, end, TEMP_GRUU);
    default:
      return false;
  }
}

/** Seconds; {@link MALFORMED_EXPIRES} for what is no number. Digits without end stand for a long time. */
export function secondsAt(bytes: Uint8Array, start: number, end: number): number {
  const seconds = parseUint32(bytes, start, end);
  if (seconds >= 0) return Math.min(seconds, LONGEST);
  if (start === end) return MALFORMED_EXPIRES;
  for (let i = start; i < end; i++) if (bytes[i]! < ZERO || bytes[i]! > ZERO + 9) return MALFORMED_EXPIRES;
  return LONGEST;
}

/** A qvalue (RFC 3261 s25.1) in thousandths; -1 for what is none. */
function thousandths(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start]! - ZERO;
  if ((first !== 0 && first !== 1) || end - start > 5) return -1;
  if (end - start === 1) return first * 1000;
  if (bytes[start + 1] !== DOT) return -1;
  let value = first;
  for (let i = 0; i < 3; i++) {
    const at = start + 2 + i;
    const digit = at < end ? bytes[at]! - ZERO : 0;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value > 1000 ? -1 : value;
}
