/**
 * The REGISTER of the generator as octets that are patched in place. Everything that changes has a fixed width: the
 * transaction, the user, the CSeq, the nonce count and the digest; only what the server challenged with, which stands
 * last in Authorization, may be of another length than the time before.
 *
 * A {@link RegisterSlot} owns one request without Authorization and, for a digest, one with it. Its branch is that of
 * {@link readResponse}, so the same reader tells which slot a response is for.
 */
import type { TransportName } from "../../src/transport/kinds.ts";
import { CALL_DIGITS, SLOT_DIGITS } from "./messages.ts";
import type { DigestWriter } from "./register-digest.ts";
import { DOMAIN, USER_DIGITS, userName } from "./register-users.ts";

/** What stands after our branch's prefix: no kind of a call's request. */
export const REGISTER_KIND = 0x52;
/** The CSeq begins here, so that it has nine digits and no leading zero for a billion of them. */
export const FIRST_CSEQ = 100_000_000;
/** Room for what is answered to a challenge, `nonce="..."` and `opaque="..."`. */
export const CHALLENGE_ROOM = 192;
/** Seconds a binding is asked for. */
const EXPIRES = 3600;

const encoder = new TextEncoder();
const PREFIX = "z9hG4bK-vl-";
const ZERO = 0x30;
const USER = userName(0);
const ZEROS = "0".repeat(CALL_DIGITS);
const TAIL = encoder.encode("\r\nContent-Length: 0\r\n\r\n");

/** Where a REGISTER goes, where it says it comes from. */
export interface RegisterEnds {
  readonly transport: TransportName;
  /** Host and port of the generator's socket, for Via and Contact. */
  readonly local: string;
  /** A word that makes Call-IDs of this run unlike those of another. */
  readonly run: string;
}

function head(slot: number, { transport, local, run }: RegisterEnds): string {
  const branch = `${PREFIX}R${String(slot).padStart(SLOT_DIGITS, "0")}${ZEROS}`;
  const parameter = transport === "udp" ? "" : `;transport=${transport}`;
  return [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/${transport.toUpperCase()} ${local};branch=${branch}`,
    "Max-Forwards: 70",
    `From: <sip:${USER}@${DOMAIN}>;tag=r${ZEROS}`,
    `To: <sip:${USER}@${DOMAIN}>`,
    `Call-ID: ${USER}-${run}@${local}`,
    `CSeq: ${FIRST_CSEQ} REGISTER`,
    `Contact: <sip:${USER}@${local}${parameter}>`,
    `Expires: ${EXPIRES}`,
  ].join("\r\n");
}

function authorization(digest: DigestWriter): string {
  const fields = [
    `username="${USER}"`,
    `realm="${DOMAIN}"`,
    `uri="sip:${DOMAIN}"`,
    `algorithm=${digest.algorithm}`,
    "qop=auth",
    `cnonce="${digest.cnonce}"`,
    "nc=00000000",
    `response="${"0".repeat(digest.length)}"`,
    "",
  ];
  return `\r\nAuthorization: Digest ${fields.join(", ")}`;
}

/** Octets with the places of what changes in them. */
class Template {
  /** The request; another view of the same octets when the challenge's length changes. */
  bytes: Uint8Array;
  readonly #room: Uint8Array;
  readonly #numbers: readonly number[];
  readonly #users: readonly number[];
  readonly #cseq: number;
  readonly #nc: number;
  readonly #response: number;
  readonly #challengeAt: number;
  #challengeLength = -1;

  constructor(text: string) {
    const after = (what: string): number => text.indexOf(what) + what.length;
    const room = new Uint8Array(text.length + CHALLENGE_ROOM + TAIL.length);
    room.set(encoder.encode(text));
    room.set(TAIL, text.length);
    this.#room = room;
    this.#numbers = [after(`${PREFIX}R`) + SLOT_DIGITS, after(";tag=r")];
    this.#users = [...text.matchAll(new RegExp(USER, "g"))].map(({ index }) => index + 4);
    this.#cseq = after("CSeq: ");
    this.#nc = after("nc=");
    this.#response = after('response="');
    this.#challengeAt = text.length;
    this.bytes = room.subarray(0, text.length + TAIL.length);
  }

  write(number: number, user: number, cseq: number): void {
    const room = this.#room;
    for (let p = 0; p < this.#numbers.length; p++) decimal(room, this.#numbers[p]!, CALL_DIGITS, number);
    const first = this.#users[0]!;
    decimal(room, first, USER_DIGITS, user);
    for (let p = 1; p < this.#users.length; p++) {
      const to = this.#users[p]!;
      for (let i = 0; i < USER_DIGITS; i++) room[to + i] = room[first + i]!;
    }
    decimal(room, this.#cseq, 9, FIRST_CSEQ + cseq);
  }

  /** Answers the challenge `[start, end)` of `from`, `nonce="..."` and what follows it. */
  authorize(user: number, nc: number, digest: DigestWriter, from: Uint8Array, start: number, end: number): void {
    const room = this.#room;
    hexadecimal(room, this.#nc, nc);
    let to = this.#challengeAt;
    for (let i = start; i < end; i++) room[to++] = from[i]!;
    if (end - start !== this.#challengeLength) {
      room.set(TAIL, to);
      this.#challengeLength = end - start;
      this.bytes = room.subarray(0, to + TAIL.length);
    }
    digest.write(user, from, start, room, this.#nc, this.#response);
  }
}

/** The requests of one registration in flight. Each is valid until the next is asked for. */
export class RegisterSlot {
  readonly #plain: Template;
  readonly #authorized: Template | undefined;
  readonly #digest: DigestWriter | undefined;

  constructor(slot: number, ends: RegisterEnds, digest?: DigestWriter) {
    const text = head(slot, ends);
    this.#digest = digest;
    this.#plain = new Template(text);
    if (digest) this.#authorized = new Template(text + authorization(digest));
  }

  /**
   * @param number of the transaction, up to eight digits
   * @param cseq counted from {@link FIRST_CSEQ}
   */
  plain(number: number, user: number, cseq: number): Uint8Array {
    this.#plain.write(number, user, cseq);
    return this.#plain.bytes;
  }

  /** The same with Authorization, for the challenge `[start, end)` of `from`. Only where there is a digest. */
  authorized(
    number: number,
    user: number,
    cseq: number,
    nc: number,
    from: Uint8Array,
    start: number,
    end: number,
  ): Uint8Array {
    const template = this.#authorized!;
    template.write(number, user, cseq);
    template.authorize(user, nc, this.#digest!, from, start, end);
    return template.bytes;
  }
}

function decimal(into: Uint8Array, at: number, digits: number, value: number): void {
  for (let rest = value, i = at + digits - 1; i >= at; i--) {
    const tenth = (rest / 10) | 0;
    into[i] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
}

/** Eight digits, as a nonce count has. */
function hexadecimal(into: Uint8Array, at: number, value: number): void {
  for (let rest = value, i = at + 7; i >= at; i--) {
    const digit = rest & 15;
    into[i] = digit < 10 ? ZERO + digit : 87 + digit;
    rest >>>= 4;
  }
}
