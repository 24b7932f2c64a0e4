/**
 * The descriptions of one session from our side, for users of the library: offers and answers whose origin stays and whose
 * version counts up (RFC 3264 s5, s6, s8).
 */
import { ascii } from "../message/bytes.ts";
import { mismatch, mismatchText, NO_ANSWER, writeAnswer, writeOffer } from "./answer.ts";
import { faultText } from "./fault.ts";
import { LocalMedia, type LocalMediaOptions } from "./local.ts";
import { SdpScan } from "./scan.ts";

/** Which way media is to go: to hold a call is to offer `sendonly` or `inactive` (RFC 3264 s8.4). */
export type MediaDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** An offer that cannot be answered. */
export class SdpRefused extends Error {
  /** 488 for one that does not fit, 400 for one that is malformed. */
  readonly status: number;
  /** The warn-code of RFC 3261 s20.43 that says why; null for 400. */
  readonly warnCode: number | null;

  constructor(status: number, warnCode: number | null, message: string) {
    super(message);
    this.name = "SdpRefused";
    this.status = status;
    this.warnCode = warnCode;
  }
}

/** An answer is as long as its offer and a few lines more. */
const ROOM = 128 * 1024;
const room = new Uint8Array(ROOM);
const scan = new SdpScan();
/** Session ids count up from the time of the start (RFC 8866 s5.2). */
let nextId = Math.floor(Date.now() / 1000) * 1000;

export class SdpSession {
  readonly #local: LocalMedia;

  /** @throws RangeError when an option is outside its range */
  constructor(options: LocalMediaOptions = {}) {
    this.#local = new LocalMedia({ sessionId: nextId++, ...options });
  }

  /** An offer of one audio stream. */
  offer(direction: MediaDirection = "sendrecv"): Uint8Array {
    const end = writeOffer(room, 0, this.#local);
    this.#local.version++;
    if (direction === "sendrecv") return room.slice(0, end);
    const line = ascii(`a=${direction}\r\n`);
    room.set(line, end);
    return room.slice(0, end + line.length);
  }

  /**
   * The answer to an offer: its first audio stream with a codec of ours is accepted, its direction mirrored.
   * @throws SdpRefused when there is none
   */
  answer(offer: Uint8Array): Uint8Array {
    scan.scan(offer, 0, offer.length);
    const end = writeAnswer(scan, room, 0, this.#local);
    if (end < 0) throw refusal(end);
    this.#local.version++;
    return room.slice(0, end);
  }
}

function refusal(code: number): SdpRefused {
  if (code === NO_ANSWER.MALFORMED) return new SdpRefused(400, null, `Bad SDP: ${faultText(scan.fault)}`);
  if (code === NO_ANSWER.NO_ROOM) return new SdpRefused(413, null, "The offer is too long");
  const why = mismatch(scan);
  return new SdpRefused(488, why, mismatchText(why));
}
