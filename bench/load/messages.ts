/**
 * The three requests of a benchmark call as bytes that are patched in place, and the little that has to be read from a
 * response. A call is known by two numbers of fixed width, its slot and its call number, which stand in every branch.
 *
 * A {@link CallSlot} owns one INVITE, one ACK and one BYE. Starting the next call in a slot rewrites eight digits in
 * nine places; answering a 200 copies its To tag to the end of ACK and BYE, where To is the last header but one.
 */
import type { TransportName } from "../../src/transport/kinds.ts";

/** Digits of a slot in a branch: at most 10,000 calls in flight. */
export const SLOT_DIGITS = 4;
/** Digits of a call number: at most 100 million calls a run. */
export const CALL_DIGITS = 8;

/** Where the media would go; nothing is sent there. */
const MEDIA = "127.0.0.1";

/** What a branch says its request is: the octet after the branch's prefix. */
export const KIND = { invite: 0x49, ack: 0x41, bye: 0x42 } as const;

const encoder = new TextEncoder();
const PREFIX = "z9hG4bK-vl-";
const PREFIX_BYTES = encoder.encode(PREFIX);
const ZERO = 0x30;
const LF = 0x0a;
const CR = 0x0d;
const SEMI = 0x3b;
const ZEROS = "0".repeat(CALL_DIGITS);
/** After To in ACK and BYE; short enough to move for every call. */
const TAIL = encoder.encode("\r\nContent-Length: 0\r\n\r\n");
/** Room kept for a To tag; a longer one is cut and its call fails, which the benchmark reports. */
const TAG_ROOM = 256;

/** Where a call goes and where it says it comes from. */
export interface Endpoints {
  /** Host and port of the server, for the Request-URI and To. */
  readonly server: string;
  /** Host and port of the generator's socket, for Via, From and Contact. */
  readonly local: string;
  readonly transport: TransportName;
  /** A word that makes Call-IDs of this run unlike those of another. */
  readonly run: string;
}

/** The text of a request up to the point where its template ends, with zeros for the call number. */
function head(kind: "INVITE" | "ACK" | "BYE", slot: number, at: Endpoints): string {
  const place = String(slot).padStart(SLOT_DIGITS, "0");
  const branch = `${PREFIX}${kind[0]}${place}${ZEROS}`;
  return [
    `${kind} sip:service@${at.server} SIP/2.0`,
    `Via: SIP/2.0/${at.transport.toUpperCase()} ${at.local};branch=${branch}`,
    "Max-Forwards: 70",
    `From: "Load" <sip:load@${at.local}>;tag=f${ZEROS}`,
    `Call-ID: ${ZEROS}-${place}-${at.run}@${at.local}`,
    `CSeq: ${kind === "BYE" ? 2 : 1} ${kind}`,
  ].join("\r\n");
}

function inviteText(slot: number, at: Endpoints): string {
  const sdp = [
    "v=0",
    `o=load 53655765 2353687637 IN IP4 ${MEDIA}`,
    "s=-",
    `c=IN IP4 ${MEDIA}`,
    "t=0 0",
    "m=audio 6000 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "",
  ].join("\r\n");
  return [
    head("INVITE", slot, at),
    `To: <sip:service@${at.server}>`,
    `Contact: <sip:load@${at.local}${transportParameter(at.transport)}>`,
    "Content-Type: application/sdp",
    `Content-Length: ${sdp.length}`,
    "",
    sdp,
  ].join("\r\n");
}

/** Nothing for UDP, which is the default of a SIP URI; `ws` for both kinds of WebSocket (RFC 7118 s5.3). */
function transportParameter(transport: TransportName): string {
  if (transport === "udp") return "";
  return `;transport=${transport === "wss" ? "ws" : transport}`;
}

/** The indexes of the call number in a template: branch, From tag, Call-ID. */
function numberPlaces(text: string): number[] {
  return [
    text.indexOf(PREFIX) + PREFIX.length + 1 + SLOT_DIGITS,
    text.indexOf(";tag=f") + 6,
    text.indexOf("Call-ID: ") + 9,
  ];
}

/** ACK or BYE of one slot: a fixed part, then the tag of the other side, then the tail. */
class InDialog {
  bytes: Uint8Array;
  readonly #room: Uint8Array;
  readonly #tagAt: number;
  readonly places: number[];
  #tagLength = -1;

  constructor(kind: "ACK" | "BYE", slot: number, at: Endpoints) {
    const text = `${head(kind, slot, at)}\r\nTo: <sip:service@${at.server}>;tag=`;
    this.#tagAt = text.length;
    this.places = numberPlaces(text);
    this.#room = new Uint8Array(text.length + TAG_ROOM + TAIL.length);
    this.#room.set(encoder.encode(text));
    this.bytes = this.#room;
  }

  /** Puts the tag `[start, end)` of `from` in. The tail moves only when the length differs from the last call's. */
  setTag(from: Uint8Array, start: number, end: number): void {
    const room = this.#room;
    const length = Math.min(end - start, TAG_ROOM);
    let to = this.#tagAt;
    for (let i = start, stop = start + length; i < stop; i++) room[to++] = from[i]!;
    if (length === this.#tagLength) return;
    room.set(TAIL, to);
    this.#tagLength = length;
    this.bytes = room.subarray(0, to + TAIL.length);
  }
}

/** The requests of one call in flight. Each is valid until {@link CallSlot.next}. */
export class CallSlot {
  readonly invite: Uint8Array;
  readonly #ack: InDialog;
  readonly #bye: InDialog;
  readonly #targets: [Uint8Array, number[]][];

  constructor(slot: number, at: Endpoints) {
    const text = inviteText(slot, at);
    this.invite = encoder.encode(text);
    this.#ack = new InDialog("ACK", slot, at);
    this.#bye = new InDialog("BYE", slot, at);
    this.#targets = [
      [this.invite, numberPlaces(text)],
      [this.#ack.bytes, this.#ack.places],
      [this.#bye.bytes, this.#bye.places],
    ];
  }

  get ack(): Uint8Array {
    return this.#ack.bytes;
  }

  get bye(): Uint8Array {
    return this.#bye.bytes;
  }

  /** Makes the three requests those of call `number`. */
  next(number: number): void {
    for (let t = 0; t < 3; t++) {
      const [bytes, places] = this.#targets[t]!;
      for (let p = 0; p < 3; p++) {
        let i = places[p]! + CALL_DIGITS;
        for (let rest = number, d = 0; d < CALL_DIGITS; d++) {
          const tenth = (rest / 10) | 0;
          bytes[--i] = ZERO + rest - tenth * 10;
          rest = tenth;
        }
      }
    }
  }

  /** Takes the To tag of the response to INVITE into ACK and BYE. */
  setTag(from: Uint8Array, start: number, end: number): void {
    this.#ack.setTag(from, start, end);
    this.#bye.setTag(from, start, end);
  }
}

/** What the generator reads from a response. One object, filled again by every {@link readResponse}. */
export interface Response {
  status: number;
  /** One of {@link KIND}: which request is answered. */
  kind: number;
  slot: number;
  call: number;
}

/**
 * Reads the status and, from the first branch that is one of ours, the kind, slot and call number.
 * @returns `false` for anything that is not a response to one of ours.
 */
export function readResponse(bytes: Uint8Array, into: Response): boolean {
  if (bytes.length < 64 || bytes[0] !== 0x53 || bytes[3] !== 0x2f) return false;
  into.status = (bytes[8]! - ZERO) * 100 + (bytes[9]! - ZERO) * 10 + bytes[10]! - ZERO;
  // Via comes first in every server's response, so the prefix is met within some 70 octets.
  let at = branchAfter(bytes, 12);
  if (at < 0) return false;
  into.kind = bytes[at++]!;
  into.slot = digits(bytes, at, SLOT_DIGITS);
  into.call = digits(bytes, at + SLOT_DIGITS, CALL_DIGITS);
  return into.slot >= 0 && into.call >= 0;
}

/** The index after our branch prefix at or after `from`, or -1. */
function branchAfter(bytes: Uint8Array, from: number): number {
  const length = PREFIX_BYTES.length;
  const last = bytes.length - length - 1 - SLOT_DIGITS - CALL_DIGITS;
  const first = PREFIX_BYTES[0];
  for (let i = from; i <= last; i++) {
    if (bytes[i] !== first) continue;
    let k = 1;
    while (k < length && bytes[i + k] === PREFIX_BYTES[k]) k++;
    if (k === length) return i + length;
  }
  return -1;
}

function digits(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    const digit = bytes[i]! - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** `[start, end)` of the To tag of a response. */
export const toTag = { start: 0, end: 0 };

/**
 * Finds the To tag, in {@link toTag}. Only what the servers measured here write is looked for: `To` or `t` unfolded.
 * @returns `false` when there is none.
 */
export function findToTag(bytes: Uint8Array): boolean {
  const length = bytes.length - 8;
  for (let i = 12; i < length; i++) {
    if (bytes[i] !== LF) continue;
    const c = bytes[i + 1]! | 0x20;
    if (c !== 0x74) continue;
    const second = bytes[i + 2]! | 0x20;
    if (second !== 0x3a && !(second === 0x6f && bytes[i + 3] === 0x3a)) continue;
    return findTag(bytes, i + 3);
  }
  return false;
}

/** Finds `;tag=` in the line from `from` on. */
function findTag(bytes: Uint8Array, from: number): boolean {
  for (let i = from; i < bytes.length - 5 && bytes[i] !== CR; i++) {
    if (bytes[i] !== SEMI || bytes[i + 1] !== 0x74 || bytes[i + 2] !== 0x61 || bytes[i + 3] !== 0x67) continue;
    let end = i + 5;
    while (end < bytes.length && bytes[end] !== CR && bytes[end] !== SEMI) end++;
    toTag.start = i + 5;
    toTag.end = end;
    return true;
  }
  return false;
}

/**
 * The ACK for a response to INVITE that no slot waits for any more, made from the response itself: RFC 3261 s17.1.1.3
 * when `sameBranch` (a status of 300 or more), s13.2.2.4 otherwise. Slow, for the rare case.
 */
export function ackFor(response: Uint8Array, sameBranch: boolean, server: string): Uint8Array {
  const text = new TextDecoder("latin1").decode(response);
  const header = (name: string): string => new RegExp(`\\r\\n${name}: *([^\\r]*)`, "i").exec(text)?.[1] ?? "";
  const via = header("Via");
  return encoder.encode(
    [
      `ACK sip:service@${server} SIP/2.0`,
      `Via: ${sameBranch ? via : via.replace(`${PREFIX}I`, `${PREFIX}A`)}`,
      "Max-Forwards: 70",
      `From: ${header("From")}`,
      `Call-ID: ${header("Call-ID")}`,
      "CSeq: 1 ACK",
      `To: ${header("To")}`,
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n"),
  );
}
