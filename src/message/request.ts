/** Writes requests (RFC 3261 s8.1.1, s17.1.1.3). */
import type { Arena } from "./arena.ts";
import { ascii } from "./bytes.ts";
import { Header } from "./header.ts";
import { BODY_END, RECORD_NAME, RECORD_VALUE_END, START, URI_END, URI_START } from "./layout.ts";
import type { Message } from "./message.ts";
import { Scanner } from "./scanner.ts";

/** Text, or octets that hold it already. */
export type Text = string | Uint8Array;

/** What a request is made of. The writer checks nothing: values come from a parsed message or from checked input. */
export interface RequestParts {
  method: string;
  uri: Text;
  /** The Via's transport: `UDP`, `TCP`, ... */
  transport: string;
  /** The Via's `host:port`. */
  sentBy: string;
  branch: Uint8Array;
  /** Offers the connection for requests to this end (RFC 5923 s8.1). */
  alias?: boolean;
  /** Values of From and To, tags included. */
  from: Text;
  to: Text;
  callId: Text;
  cseq: number;
  /** Default 70 (s8.1.1.6). */
  maxForwards?: number;
  /** Whole header lines, each with its CRLF: Route, Contact and others. */
  headers?: Uint8Array | undefined;
  contentType?: string | undefined;
  body?: Uint8Array | undefined;
}

const SIP = ascii(" SIP/2.0\r\n");
const VIA = ascii("Via: SIP/2.0/");
const BRANCH = ascii(";rport;branch=");
const ALIAS = ascii(";alias");
const MAX_FORWARDS = ascii("\r\nMax-Forwards: ");
const FROM = ascii("\r\nFrom: ");
const TO = ascii("\r\nTo: ");
const CALL_ID = ascii("\r\nCall-ID: ");
const CSEQ = ascii("\r\nCSeq: ");
const CONTENT_TYPE = ascii("Content-Type: ");
const CONTENT_LENGTH = ascii("Content-Length: ");
const CRLF = ascii("\r\n");
const ACK = ascii("ACK");
const CANCEL = ascii("CANCEL");
const MAX_FORWARDS_70 = ascii("Max-Forwards: 70\r\n");
const CSEQ_LINE = ascii("CSeq: ");
const END = ascii("\r\nContent-Length: 0\r\n\r\n");

function put(arena: Arena, text: Text): void {
  if (typeof text === "string") arena.text(text);
  else arena.put(text);
}

/** Writes a request into the arena. @returns where it begins; it ends at `arena.at` */
export function writeRequest(arena: Arena, parts: RequestParts): number {
  const { body, headers } = parts;
  const texts = parts.uri.length + parts.from.length + parts.to.length + parts.callId.length + parts.sentBy.length;
  const start = arena.open(texts * 3 + parts.method.length * 6 + (headers?.length ?? 0) + (body?.length ?? 0) + 512);
  arena.text(parts.method);
  arena.octet(0x20);
  put(arena, parts.uri);
  arena.put(SIP);
  arena.put(VIA);
  arena.text(parts.transport);
  arena.octet(0x20);
  arena.text(parts.sentBy);
  arena.put(BRANCH);
  arena.put(parts.branch);
  if (parts.alias) arena.put(ALIAS);
  arena.put(MAX_FORWARDS);
  arena.decimal(parts.maxForwards ?? 70);
  arena.put(FROM);
  put(arena, parts.from);
  arena.put(TO);
  put(arena, parts.to);
  arena.put(CALL_ID);
  put(arena, parts.callId);
  arena.put(CSEQ);
  arena.decimal(parts.cseq);
  arena.octet(0x20);
  arena.text(parts.method);
  arena.put(CRLF);
  if (headers !== undefined) arena.put(headers);
  if (body !== undefined && body.length > 0 && parts.contentType !== undefined) {
    arena.put(CONTENT_TYPE);
    arena.text(parts.contentType);
    arena.put(CRLF);
  }
  arena.put(CONTENT_LENGTH);
  arena.decimal(body?.length ?? 0);
  arena.put(CRLF);
  arena.put(CRLF);
  if (body !== undefined) arena.put(body);
  return start;
}

const scanner = new Scanner();

/**
 * The CANCEL for an INVITE (s9.1): its Request-URI, top Via, From, To, Call-ID, CSeq number and Routes.
 * @param request the octets of the INVITE as it was sent
 * @returns where it begins
 */
export function writeCancel(arena: Arena, request: Uint8Array): number {
  return writeDerived(arena, CANCEL, request, null);
}

/**
 * The ACK for a final response that is not a 2xx (s17.1.1.3): the request's Request-URI, top Via, From, Call-ID, CSeq
 * number and Routes, the response's To.
 * @param request the octets of the INVITE as it was sent
 * @returns where it begins
 */
export function writeAckForFailure(arena: Arena, request: Uint8Array, response: Message): number {
  return writeDerived(arena, ACK, request, response);
}

/** A request of an INVITE's own transaction. @param response whose To is taken; null for the INVITE's */
function writeDerived(arena: Arena, method: Uint8Array, request: Uint8Array, response: Message | null): number {
  const invite = scanner.scanDatagram(request);
  const { table } = invite;
  const start = arena.open(request.length + (response?.bytes.length ?? 0) + 256);
  arena.put(method);
  arena.octet(0x20);
  arena.copy(request, table[URI_START]!, table[URI_END]!);
  arena.put(SIP);
  copyLine(arena, invite, invite.first(Header.Via));
  arena.put(MAX_FORWARDS_70);
  copyLine(arena, invite, invite.first(Header.From));
  const answered = response ?? invite;
  copyLine(arena, answered, answered.first(Header.To));
  copyLine(arena, invite, invite.first(Header.CallId));
  for (let route = invite.first(Header.Route); route !== 0; route = invite.next(route)) copyLine(arena, invite, route);
  arena.put(CSEQ_LINE);
  const cseq = invite.first(Header.CSeq);
  for (let at = invite.valueStart(cseq); request[at]! > 0x20; at++) arena.octet(request[at]!);
  arena.octet(0x20);
  arena.put(method);
  arena.put(END);
  return start;
}

function copyLine(arena: Arena, message: Message, record: number): void {
  if (record === 0) return;
  arena.copy(message.bytes, message.table[record + RECORD_NAME]!, message.table[record + RECORD_VALUE_END]!);
  arena.put(CRLF);
}

/** Writes a message again as it was scanned: the same octets from the start line to the end of the body. */
export function writeCopy(arena: Arena, message: Message): number {
  const { bytes, table } = message;
  const start = arena.open(bytes.length);
  arena.copy(bytes, table[START]!, table[BODY_END]!);
  return start;
}
