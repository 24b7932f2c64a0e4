/**
 * Writes a response by copying ranges of its request (RFC 3261 s8.2.6): every Via, From, To, Call-ID and CSeq octet for
 * octet in the request's order, a tag on the To where it has none, `received` and `rport` on the top Via (RFC 3261
 * s18.2.1, RFC 3581 s4), Record-Route where a dialog may come of it (s12.1.1), Timestamp in a 100 (s8.2.6.1).
 */
import type { Arena } from "./arena.ts";
import { ascii, CR, equalsText, LBRACKET, LF } from "./bytes.ts";
import { Header } from "./header.ts";
import {
  FIRST,
  HEADER_COUNT,
  RECORD_ID,
  RECORD_NAME,
  RECORD_SIZE,
  RECORD_VALUE_END,
  RECORDS,
  START,
  TO_TAG_START,
  VIA_END,
  VIA_HOST_END,
  VIA_HOST_START,
  VIA_RECEIVED_END,
  VIA_RECEIVED_START,
  VIA_RPORT_END,
  VIA_RPORT_START,
} from "./layout.ts";
import type { Message } from "./message.ts";
import { statusLine } from "./status.ts";

/** What a response carries beside what its request gives. */
export interface ResponseParts {
  status: number;
  /** The reason phrase; the registered one when left out. */
  reason?: string | undefined;
  /** Added to a To without a tag; null leaves the To as it is. */
  toTag: Uint8Array | null;
  /** Whole header lines, each with its CRLF. */
  headers?: Uint8Array | undefined;
  /** The value of Content-Type; goes with a body. */
  contentType?: string | undefined;
  body?: Uint8Array | undefined;
  /** Whether to copy Record-Route: 101 to 299 to a request that may form a dialog. */
  recordRoute?: boolean;
}

const VERSION = ascii("SIP/2.0 ");
const CRLF = ascii("\r\n");
const TAG = ascii(";tag=");
const RECEIVED = ascii(";received=");
const RPORT = ascii("rport=");
const CONTENT_TYPE = ascii("Content-Type: ");
const CONTENT_LENGTH = ascii("Content-Length: ");
const NO_BODY = ascii("Content-Length: 0\r\n\r\n");

const EVERY = 1;
const FIRST_ONLY = 2;
/** The headers every response copies: all Vias, and of those that must be single the first, however many there are. */
const COPIED = new Uint8Array(64);
COPIED[Header.Via] = EVERY;
for (const id of [Header.From, Header.To, Header.CallId, Header.CSeq]) COPIED[id] = FIRST_ONLY;

/**
 * Writes a response to `request` into the arena.
 * @param address where the request came from: what `received` says
 * @param port the port it came from: what `rport` says
 * @returns where the response begins; it ends at `arena.at`
 */
export function writeResponse(
  arena: Arena,
  request: Message,
  parts: ResponseParts,
  address: string,
  port: number,
): number {
  const { status, reason, headers, body, toTag } = parts;
  const { table } = request;
  const extra = (headers?.length ?? 0) + (body?.length ?? 0) + (parts.contentType?.length ?? 0) * 3;
  const room = table[VIA_END]! + headLength(table) + extra + (reason?.length ?? 0) * 3 + 512;
  const start = arena.openWith(request.bytes, room);

  if (reason === undefined) arena.put(statusLine(status));
  else {
    arena.put(VERSION);
    arena.decimal(status);
    arena.octet(0x20);
    arena.text(reason);
    arena.put(CRLF);
  }
  copyHeaders(arena, request, parts, toTag, address, port);
  if (headers !== undefined) arena.put(headers);
  if (body === undefined || body.length === 0) arena.put(NO_BODY);
  else {
    if (parts.contentType !== undefined) {
      arena.put(CONTENT_TYPE);
      arena.text(parts.contentType);
      arena.put(CRLF);
    }
    arena.put(CONTENT_LENGTH);
    arena.decimal(body.length);
    arena.put(CRLF);
    arena.put(CRLF);
    arena.put(body);
  }
  return start;
}

/** What the request's head takes at most when it is copied: a line end may grow by an octet. */
function headLength(table: Int32Array): number {
  const count = table[HEADER_COUNT]!;
  return count === 0 ? 0 : table[RECORDS + (count - 1) * RECORD_SIZE + RECORD_VALUE_END]! - table[START]! + count;
}

function copyHeaders(
  arena: Arena,
  request: Message,
  parts: ResponseParts,
  toTag: Uint8Array | null,
  address: string,
  port: number,
): void {
  const { bytes, table } = request;
  const count = table[HEADER_COUNT]!;
  const recordRoute = parts.recordRoute === true;
  let topVia = true;
  // Lines that stand together in the request are copied together.
  let runStart = -1;
  let runEnd = 0;
  for (let i = 0, record = RECORDS; i < count; i++, record += RECORD_SIZE) {
    const id = table[record + RECORD_ID]!;
    if (
      COPIED[id] === 0 &&
      !(recordRoute && id === Header.RecordRoute) &&
      !(parts.status === 100 && id === Header.Timestamp)
    ) {
      continue;
    }
    if (COPIED[id] === FIRST_ONLY && table[FIRST + id] !== record) continue;
    const lineStart = table[record + RECORD_NAME]!;
    const lineEnd = table[record + RECORD_VALUE_END]!;
    if (runStart >= 0 && lineStart !== runEnd + 2) {
      copyRun(arena, runStart, runEnd);
      runStart = -1;
    }
    if (id === Header.Via && topVia) {
      topVia = false;
      if (runStart >= 0) copyRun(arena, runStart, runEnd);
      const at = writeTopVia(arena, request, lineStart, address, port);
      runStart = at;
      runEnd = lineEnd;
    } else {
      if (runStart < 0) runStart = lineStart;
      runEnd = lineEnd;
    }
    if (id === Header.To && toTag !== null && table[TO_TAG_START] === 0) {
      arena.copyStaged(runStart, runEnd);
      arena.put(TAG);
      arena.put(toTag);
      arena.put(CRLF);
      runStart = -1;
    } else if (bytes[lineEnd] !== CR || bytes[lineEnd + 1] !== LF) {
      // White space or a bare LF ends the line: the run ends here and the line gets a CRLF.
      copyRun(arena, runStart, runEnd);
      runStart = -1;
    }
  }
  if (runStart >= 0) copyRun(arena, runStart, runEnd);
}

function copyRun(arena: Arena, start: number, end: number): void {
  arena.copyStaged(start, end);
  arena.put(CRLF);
}

/**
 * Writes the top Via up to the point from which it can be copied as it stands.
 * @returns that point in the request
 */
function writeTopVia(arena: Arena, request: Message, lineStart: number, address: string, port: number): number {
  const { bytes, table } = request;
  const rportStart = table[VIA_RPORT_START]!;
  const receivedStart = table[VIA_RECEIVED_START]!;
  // RFC 3581 s4: with rport, received is added even where it says what sent-by says.
  const wantsReceived = rportStart !== 0 || !isHost(bytes, table[VIA_HOST_START]!, table[VIA_HOST_END]!, address);
  if (!wantsReceived && receivedStart === 0) return lineStart;

  let from = lineStart;
  const firstParam =
    rportStart !== 0 && (receivedStart === 0 || rportStart < receivedStart) ? RPORT_FIRST : RECEIVED_FIRST;
  for (const which of firstParam) {
    if (which === RPORT_PARAM && rportStart !== 0) {
      arena.copyStaged(from, rportStart);
      arena.put(RPORT);
      arena.decimal(port);
      from = table[VIA_RPORT_END]!;
    } else if (which === RECEIVED_PARAM && receivedStart !== 0) {
      // What the sender wrote there is not ours: it goes, with its semicolon.
      let semicolon = receivedStart - 1;
      while (bytes[semicolon] !== 0x3b) semicolon--;
      arena.copyStaged(from, semicolon);
      from = table[VIA_RECEIVED_END]!;
    }
  }
  arena.copyStaged(from, table[VIA_END]!);
  if (wantsReceived) {
    arena.put(RECEIVED);
    arena.text(address);
  }
  return table[VIA_END]!;
}

const RPORT_PARAM = 0;
const RECEIVED_PARAM = 1;
const RPORT_FIRST = [RPORT_PARAM, RECEIVED_PARAM] as const;
const RECEIVED_FIRST = [RECEIVED_PARAM, RPORT_PARAM] as const;

/** Whether sent-by names just this address. */
function isHost(bytes: Uint8Array, start: number, end: number, address: string): boolean {
  const bracket = bytes[start] === LBRACKET ? 1 : 0;
  return equalsText(bytes, start + bracket, end - bracket, address);
}
