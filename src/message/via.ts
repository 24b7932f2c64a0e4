/**
 * Via (RFC 3261 s20.42, s25.1 `via-parm`; `rport` of RFC 3581). White space may stand around the slashes, the colon and
 * the parameters.
 */
import {
  ascii,
  CLASS,
  COLON,
  COMMA,
  equalsLower,
  LBRACKET,
  latin1,
  parseUint32,
  RBRACKET,
  SEMI,
  SLASH,
  skipToken,
  skipWhite,
  WHITE,
} from "./bytes.ts";
import { Header } from "./header.ts";
import {
  VIA_BRANCH_END,
  VIA_BRANCH_START,
  VIA_END,
  VIA_HOST_END,
  VIA_HOST_START,
  VIA_MADDR_END,
  VIA_MADDR_START,
  VIA_PORT,
  VIA_RECEIVED_END,
  VIA_RECEIVED_START,
  VIA_RPORT_END,
  VIA_RPORT_START,
  VIA_TRANSPORT,
} from "./layout.ts";
import type { Message } from "./message.ts";
import { nextParam, ParamStep, paramCursor } from "./params.ts";

/** Transports of a Via by number; `Other` is every token not listed. */
export const ViaTransport = { Other: 0, UDP: 1, TCP: 2, TLS: 3, WS: 4, WSS: 5, SCTP: 6 } as const;

const TRANSPORT_NAMES = ["", "udp", "tcp", "tls", "ws", "wss", "sctp"].map((name) => ascii(name));
const BRANCH = ascii("branch");
const RPORT = ascii("rport");
const RECEIVED = ascii("received");
const MADDR = ascii("maddr");
const cursor = paramCursor();

/**
 * Parses one Via value into `out` at the `VIA_` slots of `layout.ts`. What was found before a fault stands, so that the
 * fault can be reported to the sender.
 * @param start the value's first octet that is not white space
 * @returns false when the value is malformed.
 */
export function parseVia(bytes: Uint8Array, start: number, end: number, out: Int32Array): boolean {
  out[VIA_HOST_START] = out[VIA_HOST_END] = out[VIA_BRANCH_START] = out[VIA_BRANCH_END] = 0;
  out[VIA_RPORT_START] = out[VIA_RECEIVED_START] = out[VIA_MADDR_START] = 0;
  out[VIA_PORT] = -1;
  out[VIA_END] = end;

  // sent-protocol: three tokens with slashes between
  let at = start;
  if (isUsual(bytes, start, end)) {
    out[VIA_TRANSPORT] = ViaTransport.UDP;
    at = start + USUAL.length;
  } else {
    at = tokenAndSlash(bytes, start, end);
    if (at < 0) return false;
    at = tokenAndSlash(bytes, at, end);
    if (at < 0) return false;
    const transport = at;
    at = skipToken(bytes, at, end);
    out[VIA_TRANSPORT] = transportId(bytes, transport, at);
    if (at === transport || at === end || !(CLASS[bytes[at]!]! & WHITE)) return false;
  }
  at = skipWhite(bytes, at, end);

  // sent-by
  const host = at;
  if (bytes[at] === LBRACKET) {
    while (at < end && bytes[at] !== RBRACKET) at++;
    if (at === end) return false;
    at++;
  } else {
    at = skipToken(bytes, at, end);
    if (at < end) {
      const c = bytes[at]!;
      if (c !== COLON && c !== SEMI && c !== COMMA && !(CLASS[c]! & WHITE)) return false;
    }
  }
  if (at === host) return false;
  out[VIA_HOST_START] = host;
  out[VIA_HOST_END] = at;
  at = skipWhite(bytes, at, end);
  if (at < end && bytes[at] === COLON) {
    at = skipWhite(bytes, at + 1, end);
    const port = at;
    while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
    const value = parseUint32(bytes, port, at);
    if (value < 0 || value > 65535) return false;
    out[VIA_PORT] = value;
  }

  cursor.at = at;
  for (;;) {
    const step = nextParam(bytes, end, cursor);
    if (step === ParamStep.Malformed) return false;
    if (step === ParamStep.End) break;
    const { nameStart, nameEnd, valueStart } = cursor;
    // The first letter and the length pick the parameter; branch and rport are in nearly every Via.
    if (equalsLower(bytes, nameStart, nameEnd, BRANCH)) {
      if (valueStart < 0 || out[VIA_BRANCH_START] !== 0) return false;
      out[VIA_BRANCH_START] = valueStart;
      out[VIA_BRANCH_END] = cursor.valueEnd;
    } else if (equalsLower(bytes, nameStart, nameEnd, RPORT)) {
      if (out[VIA_RPORT_START] !== 0) return false;
      out[VIA_RPORT_START] = nameStart;
      out[VIA_RPORT_END] = valueStart < 0 ? nameEnd : cursor.valueEnd;
    } else if (equalsLower(bytes, nameStart, nameEnd, RECEIVED)) {
      if (out[VIA_RECEIVED_START] !== 0) return false;
      out[VIA_RECEIVED_START] = nameStart;
      out[VIA_RECEIVED_END] = valueStart < 0 ? nameEnd : cursor.valueEnd;
    } else if (equalsLower(bytes, nameStart, nameEnd, MADDR)) {
      if (valueStart < 0 || out[VIA_MADDR_START] !== 0) return false;
      out[VIA_MADDR_START] = valueStart;
      out[VIA_MADDR_END] = cursor.valueEnd;
    }
  }
  out[VIA_END] = cursor.at;
  return true;
}

const USUAL = ascii("SIP/2.0/UDP ");
function isUsual(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= 12) return false;
  return (
    bytes[start] === 0x53 &&
    bytes[start + 1] === 0x49 &&
    bytes[start + 2] === 0x50 &&
    bytes[start + 3] === 0x2f &&
    bytes[start + 4] === 0x32 &&
    bytes[start + 5] === 0x2e &&
    bytes[start + 6] === 0x30 &&
    bytes[start + 7] === 0x2f &&
    bytes[start + 8] === 0x55 &&
    bytes[start + 9] === 0x44 &&
    bytes[start + 10] === 0x50 &&
    bytes[start + 11] === 0x20
  );
}

function tokenAndSlash(bytes: Uint8Array, start: number, end: number): number {
  let at = skipToken(bytes, start, end);
  if (at === start) return -1;
  if (at < end && bytes[at] !== SLASH) at = skipWhite(bytes, at, end);
  if (at === end || bytes[at] !== SLASH) return -1;
  at++;
  return at < end && CLASS[bytes[at]!]! & WHITE ? skipWhite(bytes, at, end) : at;
}

function transportId(bytes: Uint8Array, start: number, end: number): number {
  for (let id = 1; id < TRANSPORT_NAMES.length; id++)
    if (equalsLower(bytes, start, end, TRANSPORT_NAMES[id]!)) return id;
  return ViaTransport.Other;
}

/** One Via value in words. */
export interface Via {
  /** One of {@link ViaTransport}. */
  transport: number;
  /** As sent; an IPv6 reference keeps its brackets. */
  host: string;
  port: number | undefined;
  branch: string | undefined;
  received: string | undefined;
  /** The number, true when the parameter has no value, undefined when it is absent. */
  rport: number | true | undefined;
}

/** Every Via of a message, top first. A malformed value ends the list. */
export function viasOf(message: Message): Via[] {
  const vias: Via[] = [];
  const { bytes } = message;
  const out = new Int32Array(VIA_MADDR_END + 1);
  for (let record = message.first(Header.Via); record !== 0; record = message.next(record)) {
    const end = message.valueEnd(record);
    let at = message.valueStart(record);
    while (at < end) {
      if (!parseVia(bytes, at, end, out)) return vias;
      vias.push({
        transport: out[VIA_TRANSPORT]!,
        host: latin1(bytes, out[VIA_HOST_START]!, out[VIA_HOST_END]!),
        port: out[VIA_PORT]! < 0 ? undefined : out[VIA_PORT],
        branch: out[VIA_BRANCH_START] ? latin1(bytes, out[VIA_BRANCH_START]!, out[VIA_BRANCH_END]!) : undefined,
        received: parameterValue(bytes, out[VIA_RECEIVED_START]!, out[VIA_RECEIVED_END]!),
        rport: rportValue(bytes, out[VIA_RPORT_START]!, out[VIA_RPORT_END]!),
      });
      at = skipWhite(bytes, out[VIA_END]! + 1, end);
    }
  }
  return vias;
}

/** Whether a request has come from its client itself, no proxy between: it has one Via value. Its fields have been read. */
export function cameDirectly(message: Message): boolean {
  const via = message.first(Header.Via);
  return message.table[VIA_END] === message.valueEnd(via) && message.next(via) === 0;
}

/** Whether the top Via offers the sender's connection for requests to it (RFC 5923 s8.1). */
export function offersAlias(message: Message): boolean {
  const record = message.first(Header.Via);
  if (record === 0) return false;
  return /^[^,]*;\s*alias\s*(?:[;=,]|$)/i.test(message.valueText(record));
}

function parameterValue(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (start === 0) return undefined;
  const text = latin1(bytes, start, end);
  const equal = text.indexOf("=");
  return equal < 0 ? "" : text.slice(equal + 1).trim();
}

function rportValue(bytes: Uint8Array, start: number, end: number): number | true | undefined {
  const text = parameterValue(bytes, start, end);
  return text === undefined ? undefined : text === "" ? true : Number(text);
}
