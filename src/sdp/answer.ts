/**
 * Offer and answer (RFC 3264) for an endpoint that takes one audio stream: the answer to a scanned offer and an offer of
 * our own, written as octets into the caller's buffer.
 *
 * The answer accepts the first audio stream that shares a codec with us, with the first such codec in the offer's order
 * and under the offer's payload type, and telephone events beside it when they are offered. All other streams are
 * refused with port 0, each in its place.
 */

import { ascii, CLASS, CR, DOT, equalsLower, HEX, LF, LOWER, parseUint32, SP } from "../message/bytes.ts";
import type { Codec } from "./codec.ts";
import { FAULT } from "./fault.ts";
import { ADDRESS_TYPE, DIRECTION, MEDIA_KIND, PROTO } from "./kinds.ts";
import type { LocalMedia } from "./local.ts";
import { put, putDecimal, putOctet, putRange, putSmall } from "./put.ts";
import { type SdpScan, TYPE_R, TYPE_T, TYPE_Z } from "./scan.ts";

/**
 * Why there is no answer. Negative, so that an index can be told from it.
 * - `NO_COMMON_CODEC`: no stream can be accepted; the request is for 488 (RFC 3261 s21.4.26) with {@link mismatch}.
 * - `MALFORMED`: the offer's scan found a fault; the request is for 400 with its text.
 * - `NO_ROOM`: the buffer is too short. The octets after `at` are then undefined.
 */
export const NO_ANSWER = { NO_COMMON_CODEC: -1, MALFORMED: -2, NO_ROOM: -3 } as const;

/** Warn-codes of RFC 3261 s20.43 that tell why an offer was refused. */
export const MISMATCH = { TRANSPORT: 302, MEDIA_TYPE: 304, MEDIA_FORMAT: 305, MULTICAST: 330 } as const;
/** One of the values of {@link MISMATCH}. */
export type Mismatch = (typeof MISMATCH)[keyof typeof MISMATCH];

/** The reason in words, fit for the warn-text of a Warning header: no quotes in it, none around it. */
export function mismatchText(code: Mismatch): string {
  if (code === MISMATCH.TRANSPORT) return "Incompatible transport protocol";
  if (code === MISMATCH.MEDIA_TYPE) return "Media type not available";
  if (code === MISMATCH.MULTICAST) return "Multicast not available";
  return "Incompatible media format";
}

const NOW = ascii("t=0 0\r\n");
const AUDIO = ascii("m=audio ");
const REFUSED_PORT = ascii(" 0");
const RTPMAP = ascii("\r\na=rtpmap:");
const FMTP = ascii("\r\na=fmtp:");
const EVENT = ascii("telephone-event");
const EVENT_RTPMAP = ascii(" telephone-event/");
// RFC 4733: the sixteen keys of a telephone, which is also what no fmtp at all would mean.
const EVENT_RANGE = ascii(" 0-15");

/** What is written for each direction offered (RFC 3264 s6.1). Unstated stays unstated: it means sendrecv. */
const MIRRORED: readonly Uint8Array[] = [
  ascii("\r\n"),
  ascii("\r\na=sendrecv\r\n"),
  ascii("\r\na=recvonly\r\n"),
  ascii("\r\na=sendonly\r\n"),
  ascii("\r\na=inactive\r\n"),
];

/** What {@link choose} found, valid until its next call; in one object so that nothing is allocated for it. */
const chosen = { codec: undefined as Codec | undefined, payload: 0, event: -1, eventClock: 0 };
/** For each payload type the rtpmap line that maps it, good where {@link stamps} holds the stamp of the stream at hand. */
const mapped = new Int16Array(128);
const stamps = new Int32Array(128);
let stamp = 0;

/**
 * Writes the answer to `offer` into `out` from index `at`.
 *
 * Its `t=` lines are the offer's (RFC 3264 s6). The accepted stream has the offered one's payload types and protocol
 * (RTP/AVP or RTP/AVPF), our port, and its direction mirrored. An offer of no streams, or of none but such with port 0,
 * is answered in kind.
 * @param offer a scan whose buffer still holds the offer; `out` must be another buffer, or another part of it
 * @returns the index after the answer, or a negative {@link NO_ANSWER}
 */
export function writeAnswer(offer: SdpScan, out: Uint8Array, at: number, local: LocalMedia): number {
  if (offer.fault !== FAULT.NONE) return NO_ANSWER.MALFORMED;
  const streams = offer.mediaCount;
  let accepted = -1;
  let wanted = false;
  for (let i = 0; i < streams && accepted < 0; i++) {
    if (offer.port(i) === 0) continue;
    wanted = true;
    if (isOurKind(offer, i) && choose(offer, i, local)) accepted = i;
  }
  if (wanted && accepted < 0) return NO_ANSWER.NO_COMMON_CODEC;

  let end = putTimes(out, local.putSession(out, at), offer);
  for (let i = 0; i < streams; i++) {
    end = i === accepted ? putAccepted(out, end, offer, i, local) : putRefused(out, end, offer, i);
  }
  return end > out.length ? NO_ANSWER.NO_ROOM : end;
}

/**
 * Writes an offer of ours into `out` from index `at`: one audio stream, sendrecv, with the codecs that `local` offers.
 * @returns the index after the offer, or {@link NO_ANSWER}.NO_ROOM
 */
export function writeOffer(out: Uint8Array, at: number, local: LocalMedia): number {
  let end = local.putSession(out, at);
  end = put(out, end, NOW);
  end = put(out, end, AUDIO);
  end = putDecimal(out, end, local.port);
  end = put(out, end, local.offerTail);
  return end > out.length ? NO_ANSWER.NO_ROOM : end;
}

/**
 * Why an offer found no common codec, for the Warning of the 488. The reason that came nearest to an answer is told: a
 * stream that lacked only the codec before one over the wrong transport, and that before no audio at all.
 */
export function mismatch(offer: SdpScan): Mismatch {
  let code: Mismatch = MISMATCH.MEDIA_TYPE;
  for (let i = 0; i < offer.mediaCount; i++) {
    if (offer.port(i) === 0 || offer.kind(i) !== MEDIA_KIND.AUDIO) continue;
    if (!isPlainRtp(offer, i)) {
      if (code === MISMATCH.MEDIA_TYPE) code = MISMATCH.TRANSPORT;
    } else if (isMulticast(offer, i)) {
      code = MISMATCH.MULTICAST;
    } else {
      return MISMATCH.MEDIA_FORMAT;
    }
  }
  return code;
}

function isOurKind(offer: SdpScan, media: number): boolean {
  return offer.kind(media) === MEDIA_KIND.AUDIO && isPlainRtp(offer, media) && !isMulticast(offer, media);
}

/** Whether a stream's media is RTP in the clear: keys for SRTP are none of ours. */
function isPlainRtp(offer: SdpScan, media: number): boolean {
  const proto = offer.proto(media);
  return proto === PROTO.RTP_AVP || proto === PROTO.RTP_AVPF;
}

/** RFC 3264 s6.2: a multicast stream would be answered with its own address; it is refused instead. */
function isMulticast(offer: SdpScan, media: number): boolean {
  const { bytes } = offer;
  const start = offer.addressStart(media);
  const end = offer.addressEnd(media);
  const type = offer.addressType(media);
  if (type === ADDRESS_TYPE.IP4) {
    // 224.0.0.0/4
    if (end - start < 4 || bytes[start + 3] !== DOT) return false;
    const first = parseUint32(bytes, start, start + 3);
    return first >= 224 && first <= 239;
  }
  if (type !== ADDRESS_TYPE.IP6 || end - start < 4) return false;
  // ff00::/8, which is never written short.
  const isFf = LOWER[bytes[start]!] === 0x66 && LOWER[bytes[start + 1]!] === 0x66;
  return isFf && (CLASS[bytes[start + 2]!]! & CLASS[bytes[start + 3]!]! & HEX) !== 0;
}

/** Finds the first codec of the stream that `local` has, and the telephone events to go with it, into `chosen`. */
function choose(offer: SdpScan, media: number, local: LocalMedia): boolean {
  mapPayloads(offer, media);
  chosen.codec = undefined;
  const { bytes } = offer;
  const end = offer.formatsEnd(media);
  for (let at = offer.formatsStart(media), stop = at; at < end; at = stop + 1) {
    stop = formatEnd(bytes, at, end);
    const payload = payloadType(bytes, at, stop);
    if (payload < 0) continue;
    const row = rtpmapOf(payload);
    const found = row < 0 ? local.fixed[payload] : codecOf(offer, row, local.codecs);
    if (found === undefined) continue;
    chosen.codec = found;
    chosen.payload = payload;
    chosen.event = -1;
    // Events never come without an rtpmap line of their own.
    const others = offer.rtpmapEnd(media) - offer.rtpmapFirst(media) - (row < 0 ? 0 : 1);
    if (local.telephoneEvents && others > 0) chooseEvent(offer, media, found.clock);
    return true;
  }
  return false;
}

/** Stamps instead of clearing the table: for the few rtpmap lines of an offer, clearing costs as much as all the rest. */
function mapPayloads(offer: SdpScan, media: number): void {
  if (++stamp === 0x7fffffff) {
    stamps.fill(0);
    stamp = 1;
  }
  const end = offer.rtpmapEnd(media);
  for (let i = offer.rtpmapFirst(media); i < end; i++) {
    const payload = offer.payload(i);
    mapped[payload] = i;
    stamps[payload] = stamp;
  }
}

/** The rtpmap line of the stream at hand for a payload type, or -1. */
function rtpmapOf(payload: number): number {
  return stamps[payload] === stamp ? mapped[payload]! : -1;
}

/**
 * RFC 4733 recommends events on the codec's own clock, and the first such format is chosen; phones that know only 8000
 * offer that with any codec, so it is second best.
 */
function chooseEvent(offer: SdpScan, media: number, clock: number): void {
  const { bytes } = offer;
  const end = offer.formatsEnd(media);
  for (let at = offer.formatsStart(media), stop = at; at < end; at = stop + 1) {
    stop = formatEnd(bytes, at, end);
    const payload = payloadType(bytes, at, stop);
    const row = payload < 0 ? -1 : rtpmapOf(payload);
    if (row < 0 || offer.channels(row) !== 1) continue;
    const eventClock = offer.clock(row);
    if (eventClock !== clock && (eventClock !== 8000 || chosen.event >= 0)) continue;
    if (!equalsLower(bytes, offer.encodingStart(row), offer.encodingEnd(row), EVENT)) continue;
    chosen.event = payload;
    chosen.eventClock = eventClock;
    if (eventClock === clock) return;
  }
}

function codecOf(offer: SdpScan, row: number, codecs: readonly Codec[]): Codec | undefined {
  const clock = offer.clock(row);
  const channels = offer.channels(row);
  const start = offer.encodingStart(row);
  const end = offer.encodingEnd(row);
  for (let i = 0; i < codecs.length; i++) {
    const codec = codecs[i]!;
    if (codec.clock !== clock || codec.channels !== channels) continue;
    if (equalsLower(offer.bytes, start, end, codec.lower)) return codec;
  }
  return undefined;
}

function formatEnd(bytes: Uint8Array, at: number, end: number): number {
  let i = at;
  while (i < end && bytes[i] !== SP) i++;
  return i;
}

/** The payload type that the format is, or -1: RTP has 0 to 127. */
function payloadType(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 3) return -1;
  const payload = parseUint32(bytes, start, end);
  return payload > 127 ? -1 : payload;
}

/** RFC 3264 s6: the answer's `t=` lines equal the offer's, and so their `r=` and `z=`. */
function putTimes(out: Uint8Array, at: number, offer: SdpScan): number {
  const { bytes, timesStart, timesEnd } = offer;
  if (timesStart === timesEnd) return put(out, at, NOW);
  if (offer.timesLines === 1) return putLineEnd(out, putRange(out, at, bytes, timesStart, timesEnd));
  let index = at;
  for (let start = timesStart, next = start; start < timesEnd; start = next) {
    let stop = start;
    while (stop < timesEnd && bytes[stop] !== LF && bytes[stop] !== CR) stop++;
    next = stop;
    while (next < timesEnd && bytes[next++] !== LF);
    const type = bytes[start];
    if (type !== TYPE_T && type !== TYPE_R && type !== TYPE_Z) continue;
    index = putLineEnd(out, putRange(out, index, bytes, start, stop));
  }
  return index;
}

function putAccepted(out: Uint8Array, at: number, offer: SdpScan, media: number, local: LocalMedia): number {
  const { codec, payload, event, eventClock } = chosen;
  let end = put(out, at, AUDIO);
  end = putDecimal(out, end, local.port);
  // With the space before it and the one after.
  end = putRange(out, end, offer.bytes, offer.protoStart(media) - 1, offer.protoEnd(media) + 1);
  end = putSmall(out, end, payload);
  if (event >= 0) {
    end = putOctet(out, end, SP);
    end = putSmall(out, end, event);
  }
  end = put(out, end, RTPMAP);
  end = putSmall(out, end, payload);
  end = put(out, end, codec!.rtpmap);
  if (event >= 0) {
    end = put(out, end, RTPMAP);
    end = putSmall(out, end, event);
    end = put(out, end, EVENT_RTPMAP);
    end = putDecimal(out, end, eventClock);
    end = put(out, end, FMTP);
    end = putSmall(out, end, event);
    end = put(out, end, EVENT_RANGE);
  }
  const direction = offer.direction(media);
  return direction === DIRECTION.UNSTATED ? putLineEnd(out, end) : put(out, end, MIRRORED[direction]!);
}

/** RFC 3264 s6: port 0, and the rest, formats included of which SDP wants one at least, as it came. */
function putRefused(out: Uint8Array, at: number, offer: SdpScan, media: number): number {
  const { bytes } = offer;
  let end = putRange(out, at, bytes, offer.nameStart(media) - 2, offer.nameEnd(media));
  end = put(out, end, REFUSED_PORT);
  end = putRange(out, end, bytes, offer.protoStart(media) - 1, offer.formatsEnd(media));
  return putLineEnd(out, end);
}

function putLineEnd(out: Uint8Array, at: number): number {
  return putOctet(out, putOctet(out, at, CR), LF);
}
