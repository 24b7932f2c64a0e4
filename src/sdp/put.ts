/**
 * Appending to a buffer that may be too small. Each function takes the index to write at and returns the index after
 * what it wrote. When the room does not suffice nothing is written and {@link OVERFLOW} comes back; passed on to the
 * next call it stays so. A writer checks once, at its end.
 */

import { ZERO } from "../message/bytes.ts";

/** The index that stands for "did not fit". No buffer is so long. */
export const OVERFLOW = 0x3fffffff;

/** Appends all of `source`. */
export function put(out: Uint8Array, at: number, source: Uint8Array): number {
  return putRange(out, at, source, 0, source.length);
}

/** Appends `[start, end)` of `source`. */
export function putRange(out: Uint8Array, at: number, source: Uint8Array, start: number, end: number): number {
  const stop = at + (end - start);
  if (stop > out.length) return OVERFLOW;
  // A plain loop: `set` of a `subarray` allocates, and its fixed cost is above that of the few dozen octets here.
  for (let i = start; at < stop; i++, at++) out[at] = source[i]!;
  return stop;
}

/** Appends one octet. */
export function putOctet(out: Uint8Array, at: number, octet: number): number {
  if (at >= out.length) return OVERFLOW;
  out[at] = octet;
  return at + 1;
}

/** Appends `value`, an integer in `[0, 1000)`, in decimal. Without a loop, for payload types. */
export function putSmall(out: Uint8Array, at: number, value: number): number {
  if (value < 10) return putOctet(out, at, ZERO + value);
  const tens = (value / 10) | 0;
  const end = value < 100 ? putOctet(out, at, ZERO + tens) : putSmall(out, at, tens);
  return putOctet(out, end, ZERO + value - tens * 10);
}

/** Appends `value`, an integer in `[0, 2^53)`, in decimal. */
export function putDecimal(out: Uint8Array, at: number, value: number): number {
  if (value < 100_000_000) return putDigits(out, at, value | 0, digitCount(value | 0));
  // Two halves that both fit 32-bit arithmetic: division of doubles is several times slower.
  const high = Math.floor(value / 100_000_000);
  const low = (value - high * 100_000_000) | 0;
  return putDigits(out, putDigits(out, at, high | 0, digitCount(high | 0)), low, 8);
}

function putDigits(out: Uint8Array, at: number, value: number, count: number): number {
  const stop = at + count;
  if (stop > out.length) return OVERFLOW;
  let rest = value;
  for (let i = stop - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    out[i] = ZERO + rest - next * 10;
    rest = next;
  }
  return stop;
}

// Compares in place of a loop: values of one field mostly have as many digits as the last one, so each is foreseen.
function digitCount(value: number): number {
  if (value < 10_000) {
    if (value < 100) return value < 10 ? 1 : 2;
    return value < 1_000 ? 3 : 4;
  }
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  return value < 10_000_000 ? 7 : 8;
}
