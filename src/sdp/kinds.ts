/**
 * The words of a session description that an answer turns on, as numbers, and their recognition in bytes. Media types,
 * protocols and address types are compared without regard to case; attribute names exactly (RFC 8866 s5.13).
 */

import { ascii, equalsLower } from "../message/bytes.ts";

/** Media types (RFC 8866 s5.14); any but these is `OTHER`. */
export const MEDIA_KIND = { OTHER: 0, AUDIO: 1, VIDEO: 2, TEXT: 3, APPLICATION: 4, MESSAGE: 5, IMAGE: 6 } as const;
/** One of the values of {@link MEDIA_KIND}. */
export type MediaKind = (typeof MEDIA_KIND)[keyof typeof MEDIA_KIND];

/** The transport protocols of `m=` that matter to an answer; any but these is `OTHER`. */
export const PROTO = { OTHER: 0, RTP_AVP: 1, RTP_AVPF: 2, RTP_SAVP: 3, RTP_SAVPF: 4 } as const;
/** One of the values of {@link PROTO}. */
export type Proto = (typeof PROTO)[keyof typeof PROTO];

/** Direction attributes (RFC 8866 s6.7). `UNSTATED` means sendrecv. */
export const DIRECTION = { UNSTATED: 0, SENDRECV: 1, SENDONLY: 2, RECVONLY: 3, INACTIVE: 4 } as const;
/** One of the values of {@link DIRECTION}. */
export type Direction = (typeof DIRECTION)[keyof typeof DIRECTION];

/** Address types of `c=`. `NONE`: there is no `c=` line. */
export const ADDRESS_TYPE = { NONE: 0, IP4: 4, IP6: 6, OTHER: 1 } as const;
/** One of the values of {@link ADDRESS_TYPE}. */
export type AddressType = (typeof ADDRESS_TYPE)[keyof typeof ADDRESS_TYPE];

const AUDIO = ascii("audio");
const VIDEO = ascii("video");
const TEXT = ascii("text");
const APPLICATION = ascii("application");
const MESSAGE = ascii("message");
const IMAGE = ascii("image");

/** The media type that `[start, end)` names. */
export function mediaKind(bytes: Uint8Array, start: number, end: number): MediaKind {
  if (equalsLower(bytes, start, end, AUDIO)) return MEDIA_KIND.AUDIO;
  if (equalsLower(bytes, start, end, VIDEO)) return MEDIA_KIND.VIDEO;
  if (equalsLower(bytes, start, end, TEXT)) return MEDIA_KIND.TEXT;
  if (equalsLower(bytes, start, end, APPLICATION)) return MEDIA_KIND.APPLICATION;
  if (equalsLower(bytes, start, end, MESSAGE)) return MEDIA_KIND.MESSAGE;
  if (equalsLower(bytes, start, end, IMAGE)) return MEDIA_KIND.IMAGE;
  return MEDIA_KIND.OTHER;
}

const RTP_AVP = ascii("rtp/avp");
const RTP_AVPF = ascii("rtp/avpf");
const RTP_SAVP = ascii("rtp/savp");
const RTP_SAVPF = ascii("rtp/savpf");

/** The transport protocol that `[start, end)` names. */
export function protoOf(bytes: Uint8Array, start: number, end: number): Proto {
  if (equalsLower(bytes, start, end, RTP_AVP)) return PROTO.RTP_AVP;
  if (equalsLower(bytes, start, end, RTP_AVPF)) return PROTO.RTP_AVPF;
  if (equalsLower(bytes, start, end, RTP_SAVP)) return PROTO.RTP_SAVP;
  if (equalsLower(bytes, start, end, RTP_SAVPF)) return PROTO.RTP_SAVPF;
  return PROTO.OTHER;
}

const IP4 = ascii("ip4");
const IP6 = ascii("ip6");

/** The address type that `[start, end)` names. */
export function addressTypeOf(bytes: Uint8Array, start: number, end: number): AddressType {
  if (equalsLower(bytes, start, end, IP4)) return ADDRESS_TYPE.IP4;
  if (equalsLower(bytes, start, end, IP6)) return ADDRESS_TYPE.IP6;
  return ADDRESS_TYPE.OTHER;
}

const SENDRECV = ascii("sendrecv");
const SENDONLY = ascii("sendonly");
const RECVONLY = ascii("recvonly");
const INACTIVE = ascii("inactive");

/** The direction that the eight octets at `start` name, `UNSTATED` for any other attribute. All four have eight. */
export function directionOf(bytes: Uint8Array, start: number): Direction {
  if (startsWith(bytes, start, SENDRECV)) return DIRECTION.SENDRECV;
  if (startsWith(bytes, start, SENDONLY)) return DIRECTION.SENDONLY;
  if (startsWith(bytes, start, RECVONLY)) return DIRECTION.RECVONLY;
  if (startsWith(bytes, start, INACTIVE)) return DIRECTION.INACTIVE;
  return DIRECTION.UNSTATED;
}

/** Whether the octets at `at` are those of `prefix`. The caller knows that so many follow. */
export function startsWith(bytes: Uint8Array, at: number, prefix: Uint8Array): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false;
  return true;
}
