/**
 * One pass over a session description (RFC 8866) into offsets. Nothing is copied and no string is made: a scan holds
 * the caller's buffer and ranges in it, so it is good for as long as that buffer is left alone.
 *
 * Strict in what an answer is built from: `v=` first, `o=`, `t=`, `c=` and `m=` well formed, and those in order.
 * Liberal elsewhere, as phones are: CRLF or LF, blank lines, an empty or missing `s=`, a missing `t=`, other lines in
 * any order, unknown types and malformed attributes skipped (RFC 4475's own bodies need some of that).
 */

import { ascii, CR, EQUAL, LF, SP, ZERO } from "../message/bytes.ts";
import { FAULT, type Fault } from "./fault.ts";
import {
  ADDRESS_TYPE,
  type AddressType,
  DIRECTION,
  type Direction,
  directionOf,
  type MediaKind,
  type Proto,
  startsWith,
} from "./kinds.ts";
import {
  ADDRESS_END,
  ADDRESS_START,
  CHANNELS,
  CLOCK,
  CONNECTION_TYPE,
  DIRECTED,
  ENCODING_END,
  ENCODING_START,
  FORMATS_END,
  FORMATS_START,
  isLineEnd,
  KIND,
  MEDIA_WIDTH,
  NAME_END,
  NAME_START,
  nextField,
  PAYLOAD,
  PORT,
  PORTS,
  PROTO_END,
  PROTO_START,
  PROTOCOL,
  RTPMAP_END,
  RTPMAP_FIRST,
  RTPMAP_WIDTH,
  scanConnection,
  scanMedia,
  scanOrigin,
  scanRepeat,
  scanRtpmap,
  scanTimes,
} from "./rows.ts";

/** The most `m=` lines that a scan holds; one more is {@link FAULT}.TOO_MANY_MEDIA. */
export const MAX_MEDIA = 32;
/** The most `a=rtpmap` lines that a scan holds; one more is {@link FAULT}.TOO_MANY_RTPMAPS. */
export const MAX_RTPMAPS = 4096;

const TYPE_A = 0x61;
const TYPE_C = 0x63;
const TYPE_M = 0x6d;
const TYPE_O = 0x6f;
export const TYPE_R = 0x72;
const TYPE_S = 0x73;
export const TYPE_T = 0x74;
const TYPE_V = 0x76;
export const TYPE_Z = 0x7a;

// How far a body has come: the last of the lines v=, o=, s=, t= and m= that was met.
const BEFORE_V = 0;
const AFTER_V = 1;
const AFTER_O = 2;
const AFTER_S = 3;
const AFTER_T = 4;
const IN_MEDIA = 5;

const RTPMAP = ascii("rtpmap:");
/** The row of the session's own `c=` and direction, in the same columns as a stream's. */
const SESSION = MAX_MEDIA * MEDIA_WIDTH;

/**
 * A session description in numbers, made once and filled again and again by {@link scan}. Ranges are offsets into
 * {@link bytes}. Streams are numbered from 0 in the order of their `m=` lines; rtpmap lines from 0 through the body.
 */
export class SdpScan {
  /** The buffer scanned. */
  bytes: Uint8Array = new Uint8Array(0);
  /** What is wrong, or 0. When not 0 the rest may be half filled. */
  fault: Fault = FAULT.NONE;
  /** Where the faulty line begins, or the end of the body for something missing. */
  faultAt = 0;
  /** The value of `o=`. */
  originStart = 0;
  originEnd = 0;
  /** From the first `t=` to the end of the last `t=`, `r=` or `z=`, line breaks between included; empty without `t=`. */
  timesStart = 0;
  timesEnd = 0;
  /** How many `t=`, `r=` and `z=` lines there are. */
  timesLines = 0;
  /** How many `m=` lines there are. */
  mediaCount = 0;
  /** How many well-formed `a=rtpmap` lines stand below `m=` lines. */
  rtpmapCount = 0;

  readonly #media = new Int32Array((MAX_MEDIA + 1) * MEDIA_WIDTH);
  #rtpmaps = new Int32Array(64 * RTPMAP_WIDTH);

  /** What kind of media stream `media` is. */
  kind(media: number): MediaKind {
    return this.#media[media * MEDIA_WIDTH + KIND] as MediaKind;
  }
  /** The stream's port, 0 for a stream not wanted (RFC 3264 s5.1). */
  port(media: number): number {
    return this.#media[media * MEDIA_WIDTH + PORT]!;
  }
  /** The number after the port's slash, 1 without. */
  portCount(media: number): number {
    return this.#media[media * MEDIA_WIDTH + PORTS]!;
  }
  /** The stream's transport protocol. */
  proto(media: number): Proto {
    return this.#media[media * MEDIA_WIDTH + PROTOCOL] as Proto;
  }
  /** The range of the media type, as in `audio`. */
  nameStart(media: number): number {
    return this.#media[media * MEDIA_WIDTH + NAME_START]!;
  }
  nameEnd(media: number): number {
    return this.#media[media * MEDIA_WIDTH + NAME_END]!;
  }
  /** The range of the transport protocol, as in `RTP/AVP`. */
  protoStart(media: number): number {
    return this.#media[media * MEDIA_WIDTH + PROTO_START]!;
  }
  protoEnd(media: number): number {
    return this.#media[media * MEDIA_WIDTH + PROTO_END]!;
  }
  /** The range of the format list: one format or more, spaces between, no control characters. */
  formatsStart(media: number): number {
    return this.#media[media * MEDIA_WIDTH + FORMATS_START]!;
  }
  formatsEnd(media: number): number {
    return this.#media[media * MEDIA_WIDTH + FORMATS_END]!;
  }

  /** The stream's direction: its own, else the session's, else `UNSTATED`. The last of several at one level counts. */
  direction(media: number): Direction {
    const own = this.#media[media * MEDIA_WIDTH + DIRECTED]!;
    return (own || this.#media[SESSION + DIRECTED]!) as Direction;
  }

  /** The type of the stream's address: of its own `c=`, else the session's. The first of several `c=` lines counts. */
  addressType(media: number): AddressType {
    return this.#media[this.#connected(media) + CONNECTION_TYPE] as AddressType;
  }
  /** The range of the stream's address, with the TTL or count after a multicast address. */
  addressStart(media: number): number {
    return this.#media[this.#connected(media) + ADDRESS_START]!;
  }
  addressEnd(media: number): number {
    return this.#media[this.#connected(media) + ADDRESS_END]!;
  }

  /** The stream's rtpmap lines are those numbered `[rtpmapFirst, rtpmapEnd)`. */
  rtpmapFirst(media: number): number {
    return this.#media[media * MEDIA_WIDTH + RTPMAP_FIRST]!;
  }
  rtpmapEnd(media: number): number {
    return this.#media[media * MEDIA_WIDTH + RTPMAP_END]!;
  }
  /** The payload type that an rtpmap line maps, 0 to 127. */
  payload(rtpmap: number): number {
    return this.#rtpmaps[rtpmap * RTPMAP_WIDTH + PAYLOAD]!;
  }
  /** The range of an rtpmap line's encoding name, as in `PCMU`. */
  encodingStart(rtpmap: number): number {
    return this.#rtpmaps[rtpmap * RTPMAP_WIDTH + ENCODING_START]!;
  }
  encodingEnd(rtpmap: number): number {
    return this.#rtpmaps[rtpmap * RTPMAP_WIDTH + ENCODING_END]!;
  }
  /** An rtpmap line's clock rate in Hz; 0 when it has none, as in RFC 4475's `31 LPC`. */
  clock(rtpmap: number): number {
    return this.#rtpmaps[rtpmap * RTPMAP_WIDTH + CLOCK]!;
  }
  /** An rtpmap line's number of channels, 1 without. */
  channels(rtpmap: number): number {
    return this.#rtpmaps[rtpmap * RTPMAP_WIDTH + CHANNELS]!;
  }

  /**
   * Scans the session description in `[start, end)` of `bytes` into this, in place of what was there before. Never
   * throws.
   * @returns {@link FAULT}.NONE, or what is wrong; the same as {@link fault}.
   */
  scan(bytes: Uint8Array, start: number, end: number): Fault {
    this.bytes = bytes;
    this.originStart = this.originEnd = this.timesStart = this.timesEnd = 0;
    this.mediaCount = this.rtpmapCount = this.timesLines = 0;
    this.faultAt = start;
    this.#clear(SESSION);
    this.fault = this.#lines(bytes, start, end);
    return this.fault;
  }

  #lines(bytes: Uint8Array, start: number, end: number): Fault {
    const media = this.#media;
    let stage = BEFORE_V;
    let row = SESSION;
    for (let at = start; at < end; ) {
      const type = bytes[at]!;
      let i = at + 2;
      if (type === LF || type === CR) {
        i = at;
      } else {
        this.faultAt = at;
        if (type <= SP || i > end || bytes[at + 1] !== EQUAL) return FAULT.LINE;
        if (stage === BEFORE_V && type !== TYPE_V) return FAULT.VERSION;
        switch (type) {
          case TYPE_A:
            i = this.#attribute(bytes, i, end, row);
            break;
          case TYPE_M:
            if (stage < AFTER_O) return FAULT.ORIGIN;
            if (this.mediaCount === MAX_MEDIA) return FAULT.TOO_MANY_MEDIA;
            stage = IN_MEDIA;
            row = this.mediaCount++ * MEDIA_WIDTH;
            this.#clear(row);
            i = scanMedia(bytes, i, end, media, row);
            break;
          case TYPE_C:
            if (media[row + CONNECTION_TYPE] === ADDRESS_TYPE.NONE) i = scanConnection(bytes, i, end, media, row);
            break;
          case TYPE_T:
            if (stage < AFTER_O) return FAULT.ORIGIN;
            if (stage === IN_MEDIA) return FAULT.ORDER;
            i = scanTimes(bytes, i, end);
            if (stage !== AFTER_T) this.timesStart = at;
            this.timesEnd = i;
            this.timesLines++;
            stage = AFTER_T;
            break;
          case TYPE_R:
          case TYPE_Z:
            if (stage !== AFTER_T) break;
            i = scanRepeat(bytes, i, end);
            this.timesEnd = i;
            this.timesLines++;
            break;
          case TYPE_S:
            if (stage < AFTER_O) return FAULT.ORIGIN;
            if (stage > AFTER_O) return FAULT.ORDER;
            stage = AFTER_S;
            break;
          case TYPE_O:
            if (stage !== AFTER_V) return FAULT.ORDER;
            this.originStart = i;
            i = scanOrigin(bytes, i, end);
            this.originEnd = i;
            stage = AFTER_O;
            break;
          case TYPE_V:
            if (stage !== BEFORE_V) return FAULT.ORDER;
            if (i === end || bytes[i] !== ZERO || !isLineEnd(bytes, nextField(bytes, i + 1, end), end))
              return FAULT.VERSION;
            stage = AFTER_V;
            break;
        }
        if (i < 0) return -i as Fault;
      }
      while (i < end && bytes[i] !== LF) i++;
      at = i + 1;
    }
    if (stage < AFTER_O) {
      this.faultAt = end;
      return stage === BEFORE_V ? FAULT.EMPTY : FAULT.ORIGIN;
    }
    return this.#unconnected() ? FAULT.UNCONNECTED : FAULT.NONE;
  }

  /** RFC 8866 s5.7: a `c=` line for the session, or one for each stream. A stream not wanted needs none. */
  #unconnected(): boolean {
    if (this.#media[SESSION + CONNECTION_TYPE] !== ADDRESS_TYPE.NONE) return false;
    for (let i = 0; i < this.mediaCount; i++) {
      if (this.port(i) !== 0 && this.addressType(i) === ADDRESS_TYPE.NONE) {
        this.faultAt = this.nameStart(i) - 2;
        return true;
      }
    }
    return false;
  }

  /** Keeps a direction or an rtpmap line of the row's stream; returns as the functions of `rows.ts` do. */
  #attribute(bytes: Uint8Array, start: number, end: number, row: number): number {
    if (end - start < 8) return start;
    if (startsWith(bytes, start, RTPMAP)) return row === SESSION ? start : this.#rtpmap(bytes, start + 7, end, row);
    const direction = directionOf(bytes, start);
    if (direction === DIRECTION.UNSTATED) return start;
    if (isLineEnd(bytes, nextField(bytes, start + 8, end), end)) this.#media[row + DIRECTED] = direction;
    return start + 8;
  }

  #rtpmap(bytes: Uint8Array, start: number, end: number, row: number): number {
    if (this.rtpmapCount === MAX_RTPMAPS) return -FAULT.TOO_MANY_RTPMAPS;
    const at = this.rtpmapCount * RTPMAP_WIDTH;
    if (at === this.#rtpmaps.length) {
      const larger = new Int32Array(at * 2);
      larger.set(this.#rtpmaps);
      this.#rtpmaps = larger;
    }
    const stop = scanRtpmap(bytes, start, end, this.#rtpmaps, at);
    if (stop < 0) return start;
    this.#media[row + RTPMAP_END] = ++this.rtpmapCount;
    return stop;
  }

  #clear(row: number): void {
    const media = this.#media;
    media[row + CONNECTION_TYPE] = ADDRESS_TYPE.NONE;
    media[row + DIRECTED] = DIRECTION.UNSTATED;
    media[row + RTPMAP_FIRST] = this.rtpmapCount;
    media[row + RTPMAP_END] = this.rtpmapCount;
  }

  #connected(media: number): number {
    const row = media * MEDIA_WIDTH;
    return this.#media[row + CONNECTION_TYPE] === ADDRESS_TYPE.NONE ? SESSION : row;
  }
}
