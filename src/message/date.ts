/** The Date header's value: an RFC 1123 date in GMT (RFC 3261 s20.17). */
import { CLASS, COLON, COMMA, DIGIT, latin1, skipWhite, trimEnd, ZERO } from "./bytes.ts";

const DAYS = "SunMonTueWedThuFriSat";
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const SHORTEST = "Fri, 01 Jan 2010 16:00:00 GMT".length;
const DAY_MS = 86_400_000;

/**
 * Reads a date such as `Fri, 01 Jan 2010 16:00:00 GMT`. White space around it and more than one between its words is
 * passed over. The day's name must be one, but need not fit the date.
 * @returns milliseconds since 1970, or `null` for anything else, such as another time zone (RFC 4475 s3.1.2.12) or a
 * day that the month does not have.
 */
export function parseDate(bytes: Uint8Array, start: number, end: number): number | null {
  const from = skipWhite(bytes, start, end);
  const to = trimEnd(bytes, from, end);
  if (to - from < SHORTEST || nameIndex(bytes, from, DAYS) < 0 || bytes[from + 3] !== COMMA) return null;
  let i = nextWord(bytes, from + 4, to);
  const day = number(bytes, i, 2);
  i = nextWord(bytes, i + 2, to);
  const month = nameIndex(bytes, i, MONTHS);
  i = nextWord(bytes, i + 3, to);
  const year = number(bytes, i, 4);
  i = nextWord(bytes, i + 4, to);
  const hour = number(bytes, i, 2);
  const minute = number(bytes, i + 3, 2);
  const second = number(bytes, i + 6, 2);
  if (bytes[i + 2] !== COLON || bytes[i + 5] !== COLON) return null;
  i = nextWord(bytes, i + 8, to);
  if (to - i !== 3 || latin1(bytes, i, to) !== "GMT") return null;
  if (month < 0 || year < 0 || hour < 0 || hour > 23) return null;
  if (minute < 0 || minute > 59 || second < 0 || second > 59) return null;
  if (day < 1 || day > monthLength(year, month)) return null;
  return daysSince1970(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000;
}

/**
 * The instant as an RFC 1123 date of 29 characters; fractions of a second are dropped.
 * @param ms milliseconds since 1970.
 * @throws RangeError outside the years 0 to 9999, which four digits cannot name.
 */
export function formatDate(ms: number): string {
  const date = new Date(ms);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new RangeError(`no RFC 1123 date for ${ms}`);
  return date.toUTCString();
}

/** The word behind the white space at `i`, or `end` when there is none: a place where no field can be read. */
function nextWord(bytes: Uint8Array, i: number, end: number): number {
  const next = skipWhite(bytes, i, end);
  return next > i ? next : end;
}

/** The index of the three letters at `i` in a list of such names, or -1. An RFC 1123 date is case-sensitive. */
function nameIndex(bytes: Uint8Array, i: number, names: string): number {
  for (let n = 0; n < names.length; n += 3) {
    if (
      bytes[i] === names.charCodeAt(n) &&
      bytes[i + 1] === names.charCodeAt(n + 1) &&
      bytes[i + 2] === names.charCodeAt(n + 2)
    ) {
      return n / 3;
    }
  }
  return -1;
}

/** The value of just `count` digits at `i`, or -1. */
function number(bytes: Uint8Array, i: number, count: number): number {
  let value = 0;
  for (let j = i; j < i + count; j++) {
    const c = bytes[j];
    if (c === undefined || !(CLASS[c]! & DIGIT)) return -1;
    value = value * 10 + c - ZERO;
  }
  return value;
}

function monthLength(year: number, month: number): number {
  const leap = month === 1 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return leap ? 29 : MONTH_LENGTHS[month]!;
}

/** Days of the proleptic Gregorian calendar; `Date.UTC` would take the years 0 to 99 for 1900 to 1999. */
function daysSince1970(year: number, month: number, day: number): number {
  const shifted = month < 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + day - 1;
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400);
  return shifted * 365 + leapDays + dayOfYear - 719_468;
}
