/**
 * Reads from a scanned message the fields that every request and response must carry and that the transaction layer
 * matches on: top Via, From and To tags, Call-ID, CSeq (RFC 3261 s8.1.1, s8.2, s17.2.3). The offsets go into the message's
 * own table.
 *
 * A wrong field is noted as the message's fault; reading goes on, so that as much of the message as can be trusted is
 * there for the answer that names the fault.
 */
import { CLASS, COMMA, DQUOTE, LAQUOT, parseUint32, RAQUOT, skipQuoted, skipToken, skipWhite, WHITE } from "./bytes.ts";
import { Fault } from "./fault.ts";
import { Header } from "./header.ts";
import {
  CSEQ_METHOD_END,
  CSEQ_METHOD_START,
  CSEQ_NUMBER,
  FAULT,
  FROM_TAG_END,
  FROM_TAG_START,
  METHOD_END,
  METHOD_START,
  RECORD_VALUE,
  RECORD_VALUE_END,
  TO_TAG_END,
  TO_TAG_START,
  URI_END,
  URI_SCHEME_KIND,
  URI_START,
  VIA_BRANCH_END,
  VIA_BRANCH_START,
  VIA_HOST_START,
  VIA_RECEIVED_START,
} from "./layout.ts";
import type { Limits } from "./limits.ts";
import type { Message } from "./message.ts";

import { ADDR_END, ADDR_SIZE, ADDR_TAG_END, ADDR_TAG_START, scanNameAddr } from "./name-addr.ts";
import { scanUri, URI_HEADERS_START, URI_SIZE, UriResult } from "./uri-scan.ts";
import { parseVia } from "./via.ts";

/** What begins a branch that follows RFC 3261 (s8.1.1.7). */
const COOKIE = [0x7a, 0x39, 0x68, 0x47, 0x34, 0x62, 0x4b];
/** `a/b/c h,`: no Via value is shorter with its comma, so that fewer octets cannot hold too many values. */
const SHORTEST_VIA = 8;

const address = new Int32Array(ADDR_SIZE);
const uri = new Int32Array(URI_SIZE);

/**
 * Fills the message's table.
 * @returns whether the top Via tells where an answer goes; false also when there is no Via.
 */
export function readFields(message: Message, limits: Limits): boolean {
  const { bytes, table } = message;
  const via = message.first(Header.Via);
  if (via === 0) {
    note(table, Fault.NoVia);
    return false;
  }
  const start = table[via + RECORD_VALUE]!;
  const end = table[via + RECORD_VALUE_END]!;
  if (!parseVia(bytes, start, end, table)) {
    note(table, Fault.Via);
    // Where a malformed value's received ends cannot be trusted: the answer carries the Via whole.
    table[VIA_RECEIVED_START] = 0;
    if (table[VIA_HOST_START] === 0) return false;
  }
  if (isBareCookie(bytes, table)) note(table, Fault.Branch);
  checkViaCount(message, limits);

  tagOf(message, Header.From, FROM_TAG_START, FROM_TAG_END, Fault.From, Fault.NoFrom);
  tagOf(message, Header.To, TO_TAG_START, TO_TAG_END, Fault.To, Fault.NoTo);
  readCallId(message);
  readCSeq(message);
  if (message.isRequest) {
    readMaxForwards(message);
    if (table[FAULT] === 0) readRequestUri(message);
  }
  return true;
}

function note(table: Int32Array, fault: number): void {
  if (table[FAULT] === 0) table[FAULT] = fault;
}

/** A branch that is nothing but the cookie identifies no transaction (RFC 4475 s3.2.1). */
function isBareCookie(bytes: Uint8Array, table: Int32Array): boolean {
  return table[VIA_BRANCH_END]! - table[VIA_BRANCH_START]! === COOKIE.length && hasCookie(bytes, table);
}

/** Whether the top Via's branch begins with the magic cookie (RFC 3261 s8.1.1.7). */
export function hasCookie(bytes: Uint8Array, table: Int32Array): boolean {
  const start = table[VIA_BRANCH_START]!;
  if (table[VIA_BRANCH_END]! - start < COOKIE.length) return false;
  for (let i = 0; i < COOKIE.length; i++) if (bytes[start + i] !== COOKIE[i]) return false;
  return true;
}

function checkViaCount(message: Message, limits: Limits): void {
  let octets = 0;
  let lines = 0;
  for (let record = message.first(Header.Via); record !== 0; record = message.next(record)) {
    lines++;
    octets += message.valueEnd(record) - message.valueStart(record) + 1;
  }
  if (lines > limits.vias) note(message.table, Fault.TooManyVias);
  else if (octets > limits.vias * SHORTEST_VIA) {
    let values = 0;
    for (let record = message.first(Header.Via); record !== 0; record = message.next(record)) {
      values += countValues(message.bytes, message.valueStart(record), message.valueEnd(record));
    }
    if (values > limits.vias) note(message.table, Fault.TooManyVias);
  }
}

function countValues(bytes: Uint8Array, start: number, end: number): number {
  let values = 1;
  for (let at = start; at < end; at++) {
    const c = bytes[at]!;
    if (c === COMMA) values++;
    else if (c === DQUOTE) {
      at = skipQuoted(bytes, at, end) - 1;
      if (at < 0) break;
    }
  }
  return values;
}

function tagOf(
  message: Message,
  id: Header,
  tagStart: number,
  tagEnd: number,
  malformed: number,
  missing: number,
): void {
  const { table } = message;
  const record = message.first(id);
  if (record === 0) {
    note(table, missing);
    return;
  }
  if (message.next(record) !== 0) note(table, Fault.Repeated);
  const end = table[record + RECORD_VALUE_END]!;
  const fine = scanNameAddr(message.bytes, table[record + RECORD_VALUE]!, end, address);
  if (!fine || address[ADDR_END] !== end) note(table, malformed);
  else {
    table[tagStart] = address[ADDR_TAG_START]!;
    table[tagEnd] = address[ADDR_TAG_END]!;
  }
}

/** RFC 3261 s25.1: `word [ "@" word ]`; a word takes nearly every printable octet. */
function readCallId(message: Message): void {
  const { bytes, table } = message;
  const record = message.first(Header.CallId);
  if (record === 0) {
    note(table, Fault.NoCallId);
    return;
  }
  if (message.next(record) !== 0) note(table, Fault.Repeated);
  const start = table[record + RECORD_VALUE]!;
  const end = table[record + RECORD_VALUE_END]!;
  if (start === end) note(table, Fault.CallId);
  for (let at = start; at < end; at++) {
    if (bytes[at]! <= 0x20) {
      note(table, Fault.CallId);
      return;
    }
  }
}

/** RFC 3261 s8.1.1.5: a number below 2^31 and the request's own method. */
function readCSeq(message: Message): void {
  const { bytes, table } = message;
  const record = message.first(Header.CSeq);
  if (record === 0) {
    note(table, Fault.NoCSeq);
    return;
  }
  if (message.next(record) !== 0) note(table, Fault.Repeated);
  const start = table[record + RECORD_VALUE]!;
  const end = table[record + RECORD_VALUE_END]!;
  let at = start;
  while (at < end && !(CLASS[bytes[at]!]! & WHITE)) at++;
  const number = parseUint32(bytes, start, at);
  const method = skipWhite(bytes, at, end);
  at = skipToken(bytes, method, end);
  if (number < 0 || number > 0x7fffffff || at !== end || method === end) {
    note(table, Fault.CSeq);
    return;
  }
  table[CSEQ_NUMBER] = number;
  table[CSEQ_METHOD_START] = method;
  table[CSEQ_METHOD_END] = end;
  if (!message.isRequest) return;
  const name = table[METHOD_START]!;
  if (table[METHOD_END]! - name !== end - method) note(table, Fault.CSeqMethod);
  else for (let i = 0; i < end - method; i++) if (bytes[name + i] !== bytes[method + i]) note(table, Fault.CSeqMethod);
}

/** RFC 3261 s20.22. Absent is fine: RFC 2543 did not have it. Over 255 is read as many hops, not as an error. */
function readMaxForwards(message: Message): void {
  const { bytes, table } = message;
  const record = message.first(Header.MaxForwards);
  if (record === 0) return;
  if (message.next(record) !== 0) note(table, Fault.Repeated);
  const value = parseUint32(bytes, table[record + RECORD_VALUE]!, table[record + RECORD_VALUE_END]!);
  if (value < 0) note(table, Fault.MaxForwards);
}

function readRequestUri(message: Message): void {
  const { bytes, table } = message;
  const start = table[URI_START]!;
  if (bytes[start] === LAQUOT || bytes[table[URI_END]! - 1] === RAQUOT) {
    note(table, Fault.RequestUri);
    return;
  }
  const result = scanUri(bytes, start, table[URI_END]!, uri);
  table[URI_SCHEME_KIND] = result;
  if (result === UriResult.BAD) note(table, Fault.RequestUri);
  // RFC 3261 s19.1.1: headers are not allowed in a Request-URI.
  else if (result === UriResult.OK && uri[URI_HEADERS_START]! > 0) note(table, Fault.UriHeaders);
}

/** The value of Max-Forwards, or -1 when the message has none. */
export function maxForwardsOf(message: Message): number {
  const record = message.first(Header.MaxForwards);
  return record === 0 ? -1 : parseUint32(message.bytes, message.valueStart(record), message.valueEnd(record));
}
