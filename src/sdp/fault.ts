/**
 * What can be wrong with a session description (RFC 8866 s9, as far as RFC 3264 needs it). A fault is a number on the
 * hot path; {@link faultText} words it for the reason phrase of a 400 or for a log line.
 */

/** The faults that a scan tells apart; `NONE` is 0. */
export const FAULT = {
  NONE: 0,
  /** No line at all. */
  EMPTY: 1,
  /** A line that does not begin with a letter and `=`. */
  LINE: 2,
  /** The first line is not `v=0`. */
  VERSION: 3,
  /** `o=` missing, or fewer than its six fields. */
  ORIGIN: 4,
  /** `v=`, `o=`, `s=`, `t=` and `m=` not in that order, or one of the first three twice. */
  ORDER: 5,
  /** `t=` without its two numbers, or an ill-formed `r=` or `z=` below it. */
  TIME: 6,
  /** `c=` without network type, address type and address. */
  CONNECTION: 7,
  /** An `m=` line in use that no `c=` line gives an address (RFC 8866 s5.7). */
  UNCONNECTED: 8,
  /** `m=` without media, port, protocol and one format. */
  MEDIA: 9,
  /** The port of an `m=` line is not 0 to 65535, or its number of ports not 1 to 65535. */
  PORT: 10,
  /** More `m=` lines than a scan holds. */
  TOO_MANY_MEDIA: 11,
  /** More `a=rtpmap` lines than a scan holds. */
  TOO_MANY_RTPMAPS: 12,
} as const;

/** One of the values of {@link FAULT}. */
export type Fault = (typeof FAULT)[keyof typeof FAULT];

const TEXT: readonly string[] = [
  "No fault",
  "Empty session description",
  "Line without a type in session description",
  "Session description does not begin with v=0",
  "Missing or malformed o= line",
  "Session description lines out of order",
  "Malformed t= line",
  "Malformed c= line",
  "Media without a c= line",
  "Malformed m= line",
  "Malformed port in m= line",
  "Too many m= lines",
  "Too many rtpmap attributes",
];

/** The fault in words, fit for a reason phrase: ASCII, no line break. */
export function faultText(fault: Fault): string {
  return TEXT[fault]!;
}
