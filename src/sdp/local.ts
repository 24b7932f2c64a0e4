/**
 * Our side of a session description: what this server offers and accepts, where its media would go, and whose session it
 * is. The parts that stay from call to call are kept as octets.
 */

import { ascii, equalsLower, SP } from "../message/bytes.ts";
import { type Codec, G722, OPUS, PCMA, PCMU } from "./codec.ts";
import { put, putDecimal, putOctet } from "./put.ts";

/** The settings of a {@link LocalMedia}. */
export interface LocalMediaOptions {
  /** The codecs accepted. Default: PCMU, PCMA, G722, opus. */
  codecs?: readonly Codec[];
  /** The codecs of an offer of ours, best first. Default: `codecs` if given, else PCMU and PCMA. */
  offered?: readonly Codec[];
  /** Whether RFC 4733 telephone events are offered, and accepted beside a codec. Default: true. */
  telephoneEvents?: boolean;
  /** An IPv4 or IPv6 address, without brackets, or a host name. Default: `127.0.0.1`. */
  address?: string;
  /** `IP4` or `IP6`. Default: by whether the address holds a colon. */
  addressType?: "IP4" | "IP6";
  /** The RTP port, 1 to 65535. Default: 9, the discard port. */
  port?: number;
  /** An integer below 2^53. Default: 0. */
  sessionId?: number;
  /** An integer below 2^53. Default: 0. */
  version?: number;
  /** The user name of `o=`. Default: `-`. */
  username?: string;
}

const EVENT = ascii("telephone-event");
/** The payload type of telephone events in our offers: what most phones use. */
const EVENT_PAYLOAD = 101;

/**
 * What {@link writeAnswer} and {@link writeOffer} say of this side. One object serves many calls: set `port`,
 * `sessionId` and `version` before each description, all integers in the ranges of {@link LocalMediaOptions}. RFC 3264
 * s8 wants `sessionId` kept and `version` raised by one for each changed description within a dialog.
 */
export class LocalMedia {
  readonly codecs: readonly Codec[];
  readonly telephoneEvents: boolean;
  port: number;
  sessionId: number;
  version: number;

  /** For each payload type the codec in {@link codecs} that has it fixed, or undefined. */
  readonly fixed: readonly (Codec | undefined)[];
  /** The body of an offer after the port of its `m=` line. */
  readonly offerTail: Uint8Array;
  readonly #head: Uint8Array;
  readonly #middle: Uint8Array;

  /** @throws RangeError when an option is outside its range or would break a line of the description. */
  constructor(options: LocalMediaOptions = {}) {
    const { address = "127.0.0.1", username = "-", port = 9, sessionId = 0, version = 0 } = options;
    const addressType = options.addressType ?? (address.includes(":") ? "IP6" : "IP4");
    if (!/^[0-9A-Za-z.:-]+$/.test(address)) throw new RangeError(`Not an address: ${address}`);
    if (!/^[!-~]+$/.test(username)) throw new RangeError(`Not a user name: ${username}`);
    if (!Number.isInteger(port) || port < 1 || port > 0xffff) throw new RangeError(`Not a port: ${port}`);
    for (const number of [sessionId, version]) {
      if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`Not a session id or version: ${number}`);
    }
    for (const { lower } of [...(options.codecs ?? []), ...(options.offered ?? [])]) {
      if (equalsLower(lower, 0, lower.length, EVENT)) throw new RangeError("telephone-event is an option, not a codec");
    }
    this.codecs = options.codecs ?? [PCMU, PCMA, G722, OPUS];
    this.telephoneEvents = options.telephoneEvents ?? true;
    this.port = port;
    this.sessionId = sessionId;
    this.version = version;

    const fixed: (Codec | undefined)[] = new Array(128).fill(undefined);
    for (const one of this.codecs) if (one.payload >= 0) fixed[one.payload] = one;
    this.fixed = fixed;
    this.offerTail = ascii(offerTail(options.offered ?? options.codecs ?? [PCMU, PCMA], this.telephoneEvents));
    this.#head = ascii(`v=0\r\no=${username} `);
    this.#middle = ascii(` IN ${addressType} ${address}\r\ns=-\r\nc=IN ${addressType} ${address}\r\n`);
  }

  /** Appends the lines `v=`, `o=`, `s=` and `c=`; returns the index after them, or OVERFLOW of `put.ts`. */
  putSession(out: Uint8Array, at: number): number {
    let end = put(out, at, this.#head);
    end = putDecimal(out, end, this.sessionId);
    end = putOctet(out, end, SP);
    end = putDecimal(out, end, this.version);
    return put(out, end, this.#middle);
  }
}

function offerTail(codecs: readonly Codec[], telephoneEvents: boolean): string {
  if (codecs.length === 0) throw new RangeError("An offer needs a codec");
  const formats: string[] = [];
  const attributes: string[] = [];
  // RFC 3551 s3: 96 to 127 are for dynamic assignment.
  let dynamic = 96;
  for (const { name, clock, channels, payload } of codecs) {
    if (dynamic === EVENT_PAYLOAD) dynamic++;
    if (payload < 0 && dynamic > 127) throw new RangeError("More codecs than dynamic payload types");
    const number = payload >= 0 ? payload : dynamic++;
    formats.push(` ${number}`);
    attributes.push(`a=rtpmap:${number} ${name}/${clock}${channels > 1 ? `/${channels}` : ""}\r\n`);
  }
  if (telephoneEvents) {
    formats.push(` ${EVENT_PAYLOAD}`);
    attributes.push(`a=rtpmap:${EVENT_PAYLOAD} telephone-event/8000\r\na=fmtp:${EVENT_PAYLOAD} 0-15\r\n`);
  }
  return ` RTP/AVP${formats.join("")}\r\n${attributes.join("")}`;
}
