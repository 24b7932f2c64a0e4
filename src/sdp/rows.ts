/**
 * The lines of a session description that become numbers. Each function reads one line's value from `start`, just after
 * the `=`, and ends with the line: at CR, LF or `end`, where the body ends. It returns the index it stopped at, on the
 * same line, or a fault, negated. So that each octet is looked at once, the end of the line is not sought beforehand.
 */

import { CLASS, CR, DIGIT, LF, LOWER, parseUint32, SLASH, SP, ZERO } from "../message/bytes.ts";
import { FAULT } from "./fault.ts";
import { ADDRESS_TYPE, addressTypeOf, mediaKind, protoOf } from "./kinds.ts";

// The columns of a stream's row.
export const KIND = 0;
export const PORT = 1;
export const PORTS = 2;
export const PROTOCOL = 3;
export const NAME_START = 4;
export const NAME_END = 5;
export const PROTO_START = 6;
export const PROTO_END = 7;
export const FORMATS_START = 8;
export const FORMATS_END = 9;
export const CONNECTION_TYPE = 10;
export const ADDRESS_START = 11;
export const ADDRESS_END = 12;
export const DIRECTED = 13;
export const RTPMAP_FIRST = 14;
export const RTPMAP_END = 15;
export const MEDIA_WIDTH = 16;

// The columns of an rtpmap line's row.
export const PAYLOAD = 0;
export const ENCODING_START = 1;
export const ENCODING_END = 2;
export const CLOCK = 3;
export const CHANNELS = 4;
export const RTPMAP_WIDTH = 5;

/** RFC 8866 s5.14: `<media> <port>[/<number of ports>] <proto> <fmt> ...`, fills the columns from KIND to FORMATS_END. */
export function scanMedia(bytes: Uint8Array, start: number, end: number, rows: Int32Array, row: number): number {
  const nameEnd = fieldEnd(bytes, start, end);
  const portStart = nextField(bytes, nameEnd, end);
  const portEnd = fieldEnd(bytes, portStart, end);
  const protoStart = nextField(bytes, portEnd, end);
  const protoEnd = fieldEnd(bytes, protoStart, end);
  const formats = nextField(bytes, protoEnd, end);
  let stop = formats;
  let formatsEnd = formats;
  for (; stop < end && bytes[stop]! >= SP; stop++) if (bytes[stop] !== SP) formatsEnd = stop + 1;
  // A field that is missing, or set off by something other than spaces, begins where the one before it ends.
  if (nameEnd === start || portStart === nameEnd || protoStart === portEnd || formats === protoEnd) return -FAULT.MEDIA;
  // An answer repeats the formats, so no control character may stand in them.
  if (formatsEnd === formats || !isLineEnd(bytes, stop, end)) return -FAULT.MEDIA;

  let slash = portStart;
  while (slash < portEnd && bytes[slash] !== SLASH) slash++;
  const port = parseUint32(bytes, portStart, slash);
  const ports = slash < portEnd ? parseUint32(bytes, slash + 1, portEnd) : 1;
  if (port < 0 || port > 0xffff || ports < 1 || ports > 0xffff) return -FAULT.PORT;

  rows[row + KIND] = mediaKind(bytes, start, nameEnd);
  rows[row + PORT] = port;
  rows[row + PORTS] = ports;
  rows[row + PROTOCOL] = protoOf(bytes, protoStart, protoEnd);
  rows[row + NAME_START] = start;
  rows[row + NAME_END] = nameEnd;
  rows[row + PROTO_START] = protoStart;
  rows[row + PROTO_END] = protoEnd;
  rows[row + FORMATS_START] = formats;
  rows[row + FORMATS_END] = formatsEnd;
  return stop;
}

/** RFC 8866 s5.7: `<nettype> <addrtype> <address>`, fills the columns from CONNECTION_TYPE to ADDRESS_END. */
export function scanConnection(bytes: Uint8Array, start: number, end: number, rows: Int32Array, row: number): number {
  const netEnd = fieldEnd(bytes, start, end);
  const typeStart = nextField(bytes, netEnd, end);
  const typeEnd = fieldEnd(bytes, typeStart, end);
  const address = nextField(bytes, typeEnd, end);
  const addressEnd = fieldEnd(bytes, address, end);
  if (address === typeEnd || address === addressEnd) return -FAULT.CONNECTION;
  const stop = nextField(bytes, addressEnd, end);
  if (!isLineEnd(bytes, stop, end)) return -FAULT.CONNECTION;
  // IN is the one network type whose address types are known here.
  const internet = netEnd - start === 2 && LOWER[bytes[start]!] === 0x69 && LOWER[bytes[start + 1]!] === 0x6e;
  rows[row + CONNECTION_TYPE] = internet ? addressTypeOf(bytes, typeStart, typeEnd) : ADDRESS_TYPE.OTHER;
  rows[row + ADDRESS_START] = address;
  rows[row + ADDRESS_END] = addressEnd;
  return stop;
}

/**
 * RFC 8866 s6.6: `<payload> <encoding>[/<clock>[/<channels>]]`, fills the rtpmap columns.
 * @returns the index after the line's value, or -1 for one that is ill formed; then the row is as it was
 */
export function scanRtpmap(bytes: Uint8Array, start: number, end: number, rows: Int32Array, row: number): number {
  let i = start;
  let payload = 0;
  while (i < end && i < start + 3 && CLASS[bytes[i]!]! & DIGIT) payload = payload * 10 + bytes[i++]! - ZERO;
  const name = nextField(bytes, i, end);
  if (i === start || payload > 127 || name === i) return -1;
  let nameEnd = name;
  while (nameEnd < end && bytes[nameEnd]! > SP && bytes[nameEnd] !== SLASH) nameEnd++;
  let clock = 0;
  let channels = 1;
  let stop = nameEnd;
  if (stop < end && bytes[stop] === SLASH) {
    let clockEnd = nameEnd + 1;
    while (clockEnd < end && bytes[clockEnd]! > SP && bytes[clockEnd] !== SLASH) clockEnd++;
    clock = parseUint32(bytes, nameEnd + 1, clockEnd);
    stop = clockEnd;
    if (stop < end && bytes[stop] === SLASH) {
      stop = fieldEnd(bytes, clockEnd, end);
      channels = parseUint32(bytes, clockEnd + 1, stop);
    }
  }
  stop = nextField(bytes, stop, end);
  // The columns are signed.
  if (clock < 0 || clock > 0x7fffffff || channels < 1 || channels > 0x7fffffff) return -1;
  if (name === nameEnd || !isLineEnd(bytes, stop, end)) return -1;
  rows[row + PAYLOAD] = payload;
  rows[row + ENCODING_START] = name;
  rows[row + ENCODING_END] = nameEnd;
  rows[row + CLOCK] = clock;
  rows[row + CHANNELS] = channels;
  return stop;
}

/** RFC 8866 s5.2, `o=`: six fields; more are taken too, for user names with spaces in them exist. */
export function scanOrigin(bytes: Uint8Array, start: number, end: number): number {
  let fields = 0;
  let i = start;
  while (i < end && bytes[i]! > SP) {
    fields++;
    i = nextField(bytes, fieldEnd(bytes, i, end), end);
  }
  return fields >= 6 && isLineEnd(bytes, i, end) ? i : -FAULT.ORIGIN;
}

/** RFC 8866 s5.9, `t=`: two numbers. */
export function scanTimes(bytes: Uint8Array, start: number, end: number): number {
  const startEnd = digitsEnd(bytes, start, end);
  const stopStart = nextField(bytes, startEnd, end);
  const stopEnd = digitsEnd(bytes, stopStart, end);
  if (startEnd === start || stopStart === startEnd || stopEnd === stopStart) return -FAULT.TIME;
  const stop = nextField(bytes, stopEnd, end);
  return isLineEnd(bytes, stop, end) ? stop : -FAULT.TIME;
}

/** RFC 8866 s5.10 and s5.11, `r=` and `z=`: an answer repeats them, so they may hold no control character. */
export function scanRepeat(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i]! >= SP) i++;
  return isLineEnd(bytes, i, end) ? i : -FAULT.TIME;
}

/** Whether a line ends at `at`. A bare CR ends one too: what follows it, up to the LF, is then ignored. */
export function isLineEnd(bytes: Uint8Array, at: number, end: number): boolean {
  return at >= end || bytes[at] === CR || bytes[at] === LF;
}

function fieldEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && bytes[i]! > SP) i++;
  return i;
}

/** The index after the spaces at `at`. */
export function nextField(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i] === SP) i++;
  return i;
}

function digitsEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  while (i < end && CLASS[bytes[i]!]! & DIGIT) i++;
  return i;
}
