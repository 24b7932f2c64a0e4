/**
 * Audio codecs as a session description names them: encoding name, clock rate and channels (RFC 8866 s6.6), and for some
 * a payload type that RFC 3551 s6 fixed. A codec whose `fmtp` parameters must agree on both sides, as AMR's, is more than
 * these three and is not for the answerer here.
 */

import { ascii } from "../message/bytes.ts";

/** One codec. Make it with {@link codec}. */
export interface Codec {
  /** The encoding name as written, `PCMU`. */
  readonly name: string;
  /** The encoding name's octets in lower case. */
  readonly lower: Uint8Array;
  /** RTP clock rate in Hz: 8000 even for G722, which samples at 16000 (RFC 3551 s4.5.2). */
  readonly clock: number;
  /** Channels, 1 or more. */
  readonly channels: number;
  /** The payload type fixed by RFC 3551, or -1 for one that is mapped anew in each session. */
  readonly payload: number;
  /** What follows the payload type in an rtpmap line: ` PCMU/8000`, ` opus/48000/2`. */
  readonly rtpmap: Uint8Array;
}

/** RFC 3551 table 4: the audio payload types with a fixed number. */
const FIXED: readonly (readonly [payload: number, name: string, clock: number, channels: number])[] = [
  [0, "PCMU", 8000, 1],
  [3, "GSM", 8000, 1],
  [4, "G723", 8000, 1],
  [5, "DVI4", 8000, 1],
  [6, "DVI4", 16000, 1],
  [7, "LPC", 8000, 1],
  [8, "PCMA", 8000, 1],
  [9, "G722", 8000, 1],
  [10, "L16", 44100, 2],
  [11, "L16", 44100, 1],
  [12, "QCELP", 8000, 1],
  [13, "CN", 8000, 1],
  [14, "MPA", 90000, 1],
  [15, "G728", 8000, 1],
  [16, "DVI4", 11025, 1],
  [17, "DVI4", 22050, 1],
  [18, "G729", 8000, 1],
];

/**
 * A codec by its encoding name in any letter case, clock rate in Hz and channels (1 by default).
 * @throws RangeError when the name is not a token of RFC 8866 s9 or a number is not a positive 31-bit integer.
 */
export function codec(name: string, clock: number, channels = 1): Codec {
  if (!/^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+$/.test(name)) throw new RangeError(`Not an encoding name: ${name}`);
  for (const number of [clock, channels]) {
    if (!Number.isInteger(number) || number < 1 || number > 0x7fffffff) {
      throw new RangeError(`Not a clock rate or number of channels: ${number}`);
    }
  }
  const lower = name.toLowerCase();
  const fixed = FIXED.find((row) => row[1].toLowerCase() === lower && row[2] === clock && row[3] === channels);
  return {
    name,
    lower: ascii(lower),
    clock,
    channels,
    payload: fixed === undefined ? -1 : fixed[0],
    rtpmap: ascii(` ${name}/${clock}${channels > 1 ? `/${channels}` : ""}`),
  };
}

/** G.711 mu-law, payload type 0. */
export const PCMU = codec("PCMU", 8000);
/** G.711 A-law, payload type 8. */
export const PCMA = codec("PCMA", 8000);
/** G.722, payload type 9. */
export const G722 = codec("G722", 8000);
/** Opus, always written with two channels (RFC 7587 s7). */
export const OPUS = codec("opus", 48000, 2);
