/** The start line of a request or response (RFC 3261 s7.1, s7.2): exactly one space between its parts. */
import { CLASS, DIGIT, DOT, parseUint32, SLASH, SP, skipToken, trimEnd, ZERO } from "./bytes.ts";
import { Fault } from "./fault.ts";
import {
  HEADERS_START,
  KIND,
  METHOD,
  METHOD_END,
  METHOD_START,
  REASON_END,
  REASON_START,
  REQUEST,
  RESPONSE,
  STATUS,
  URI_END,
  URI_START,
} from "./layout.ts";
import { methodId } from "./method.ts";

const SIP_2_0 = 2;
const TWO = 0x32;

/**
 * Reads the line in `bytes[start, end)`, its line end left out, into a message's table.
 * @param uriLength the longest Request-URI allowed, in octets
 * @returns a number of `Fault`, 0 when the line is fine
 */
export function readStartLine(
  bytes: Uint8Array,
  start: number,
  end: number,
  table: Int32Array,
  uriLength: number,
): number {
  table[HEADERS_START] = end;
  let at = skipToken(bytes, start, end);
  if (at < end && bytes[at] === SLASH && isSipName(bytes, start, at)) return readStatusLine(bytes, start, end, table);

  table[METHOD_START] = start;
  table[METHOD_END] = at;
  if (at === start || at >= end || bytes[at] !== SP) return Fault.NotSip;
  table[METHOD] = methodId(bytes, start, at);
  const uriStart = at + 1;
  at = uriStart;
  while (at < end && bytes[at] !== SP) at++;
  table[URI_START] = uriStart;
  table[URI_END] = at;
  const version = versionOf(bytes, at + 1, end);
  if (version < 0) {
    // Where a version stands at the line's end all the same, as in "INVITE sip:a@b; lr SIP/2.0", it is a bad request.
    if (!endsWithVersion(bytes, at, end)) return Fault.NotSip;
    table[KIND] = REQUEST;
    return Fault.StartLine;
  }
  table[KIND] = REQUEST;
  if (version !== SIP_2_0) return Fault.Version;
  if (at === uriStart) return Fault.StartLine;
  return at - uriStart > uriLength ? Fault.UriTooLong : Fault.None;
}

function readStatusLine(bytes: Uint8Array, start: number, end: number, table: Int32Array): number {
  let at = start;
  while (at < end && bytes[at] !== SP) at++;
  if (versionOf(bytes, start, at) !== SIP_2_0) return Fault.NotSip;
  table[KIND] = RESPONSE;
  const code = at + 1;
  at = code;
  while (at < end && bytes[at] !== SP) at++;
  table[REASON_START] = at < end ? at + 1 : end;
  table[REASON_END] = end;
  const status = at - code === 3 ? parseUint32(bytes, code, at) : -1;
  if (status < 100 || status > 699) return Fault.StatusCode;
  table[STATUS] = status;
  return Fault.None;
}

function isSipName(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === 3 &&
    (bytes[start]! | 32) === 0x73 &&
    (bytes[start + 1]! | 32) === 0x69 &&
    (bytes[start + 2]! | 32) === 0x70
  );
}

/** 2.0 for `SIP/2.0`, another number for another `SIP/x.y`, -1 when the range is no version. */
function versionOf(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 7 || !isSipName(bytes, start, start + 3) || bytes[start + 3] !== SLASH) return -1;
  if (end - start === 7 && bytes[start + 4] === TWO && bytes[start + 5] === DOT && bytes[start + 6] === ZERO) return 2;
  let dots = 0;
  for (let at = start + 4; at < end; at++) {
    if (bytes[at] === DOT && at > start + 4 && at < end - 1) dots++;
    else if (!(CLASS[bytes[at]!]! & DIGIT)) return -1;
  }
  return dots === 1 ? 0 : -1;
}

/** Whether ` SIP/x.y` stands at the end of the range, spaces after it allowed. */
function endsWithVersion(bytes: Uint8Array, start: number, end: number): boolean {
  const last = trimEnd(bytes, start, end);
  let word = last;
  while (word > start && bytes[word - 1] !== SP) word--;
  return word > start && versionOf(bytes, word, last) >= 0;
}
