/**
 * Content-Length (RFC 3261 s20.14): what all fields of a message say together, and whether a stream's message can be cut out
 * by it (s18.3). The slot of the table holds a length, or below 0 why there is none.
 */
import { equalRanges, parseUint32 } from "./bytes.ts";
import { Fault } from "./fault.ts";
import { CONTENT_LENGTH, RECORD_VALUE, RECORD_VALUE_END } from "./layout.ts";

/** What the slot holds before a field is read. */
export const NO_LENGTH = -1;
const MALFORMED = -2;
const DIFFERS = -3;

/**
 * Reads one more field into the slot.
 * @param before the record of the field before it; 0 for none
 * @returns its fault; 0 for none
 */
export function readContentLength(bytes: Uint8Array, table: Int32Array, record: number, before: number): number {
  const start = table[record + RECORD_VALUE]!;
  const end = table[record + RECORD_VALUE_END]!;
  const value = parseUint32(bytes, start, end);
  let fault = 0;
  if (value < 0 || value > 0x7fffffff) {
    fault = Fault.ContentLength;
    table[CONTENT_LENGTH] = MALFORMED;
  } else if (table[CONTENT_LENGTH]! >= NO_LENGTH) table[CONTENT_LENGTH] = value;
  if (before === 0) return fault;
  const otherStart = table[before + RECORD_VALUE]!;
  const otherEnd = table[before + RECORD_VALUE_END]!;
  if (equalRanges(bytes, start, end, bytes, otherStart, otherEnd)) return fault;
  if (table[CONTENT_LENGTH]! >= NO_LENGTH) table[CONTENT_LENGTH] = DIFFERS;
  return fault || Fault.ContentLengthDiffers;
}

/** What keeps a message from being cut out of a stream; 0 for nothing. */
export function framingFaultOf(table: Int32Array): number {
  const length = table[CONTENT_LENGTH]!;
  if (length >= 0) return 0;
  if (length === NO_LENGTH) return Fault.NoContentLength;
  return length === MALFORMED ? Fault.ContentLength : Fault.ContentLengthDiffers;
}
