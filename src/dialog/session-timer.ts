/**
 * Session timers (RFC 4028) as rules: what a message says of them, what a UAS answers (s9), what a UAC asks for (s7) and
 * what has been agreed then. Nothing here knows a clock; `session-timers.ts` does.
 *
 *     UAC supports it   refresher asked for   refresher answered     (Table 2)
 *     no                whatever              uas
 *     yes               none                  uas or uac: ours to choose
 *     yes               uac                   uac
 *     yes               uas                   uas
 */
import {
  ascii,
  CLASS,
  DIGIT,
  EQUAL,
  equalRanges,
  equalsLower,
  indexOfLf,
  parseUint32,
  skipWhite,
  trimEnd,
} from "../message/bytes.ts";
import { hasToken } from "../message/has-token.ts";
import { Header } from "../message/header.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import type { Message } from "../message/message.ts";
import { nextParam, ParamStep, paramCursor } from "../message/params.ts";

/** No session interval is shorter, in seconds (s4, s5); what Min-SE is where there is none. */
export const MIN_INTERVAL = 90;
/** The interval that s4 recommends, in seconds. */
const RECOMMENDED = 1800;
const MOST = 0xffffffff;
/** The status that says so. */
export const INTERVAL_TOO_SMALL = 422;

/** Who refreshes the session: the one who sent the request that agreed on it, or the one who answered. */
export type Refresher = "uac" | "uas";

/** How session timers are used at this end. */
export interface TimerPolicy {
  /** The interval that is asked for, and the longest that is agreed to, in seconds. Default 1,800, or `minSE`. */
  readonly expires: number;
  /** The shortest that is agreed to, in seconds. Default 90, which is the least. */
  readonly minSE: number;
  /**
   * Who is to refresh, where the choice is ours: the side that sent the request, or the one that answers. `auto`, the
   * default, leaves it to the peer; a peer that leaves it to us refreshes what it asked for, and we what we asked for.
   */
  readonly refresher: Refresher | "auto";
}

/** Settings with their defaults. @throws RangeError for an interval below 90 s, or `expires` below `minSE` */
export function timerPolicy({ expires, minSE = MIN_INTERVAL, refresher = "auto" }: Partial<TimerPolicy>): TimerPolicy {
  for (const [name, value] of Object.entries({ minSE, expires: expires ?? minSE })) {
    if (!Number.isInteger(value) || value < MIN_INTERVAL || value > MOST) {
      throw new RangeError(`sessionTimers.${name} is whole seconds from ${MIN_INTERVAL} on, not ${value}`);
    }
  }
  if (expires !== undefined && expires < minSE) {
    throw new RangeError(`sessionTimers.expires (${expires}) is below minSE (${minSE})`);
  }
  return { expires: expires ?? Math.max(RECOMMENDED, minSE), minSE, refresher };
}

/** What a message says of its session's timer. */
export interface TimerFields {
  /** Session-Expires in seconds; -1 where there is none. Over 2^32-1 is read as that. */
  readonly interval: number;
  /** Null where none is named, or one that is neither. */
  readonly refresher: Refresher | null;
  /** Min-SE in seconds; 0 where there is none. */
  readonly minSE: number;
}

/** What {@link readTimer} gives for a header field that cannot be read. */
export type MalformedTimer = "Session-Expires" | "Min-SE";

const SMALL_O = 0x6f;
const TIMER = ascii("timer");
const REFRESHER = ascii("refresher");
const ROLES = [
  ["uac", ascii("uac")],
  ["uas", ascii("uas")],
] as const;
const NOTHING: TimerFields = { interval: -1, refresher: null, minSE: 0 };
const cursor = paramCursor();

/** Reads Session-Expires and Min-SE. @returns the name of the one that is malformed or repeated, else what they say */
export function readTimer(message: Message): TimerFields | MalformedTimer {
  const expires = message.first(Header.SessionExpires);
  const least = message.first(Header.MinSE);
  if (expires === 0 && least === 0) return NOTHING;
  let interval = -1;
  let refresher: Refresher | null = null;
  let minSE = 0;
  if (expires !== 0) {
    if (message.next(expires) !== 0 || !readDelta(message, expires)) return "Session-Expires";
    interval = seconds;
    refresher = role;
  }
  if (least !== 0) {
    if (message.next(least) !== 0 || !readDelta(message, least)) return "Min-SE";
    minSE = seconds;
  }
  return { interval, refresher, minSE };
}

// What readDelta has found.
let seconds = 0;
let role: Refresher | null = null;

/** `delta-seconds *( ";" param )`. @returns whether it is well formed */
function readDelta(message: Message, record: number): boolean {
  const { bytes } = message;
  const end = message.valueEnd(record);
  const start = skipWhite(bytes, message.valueStart(record), end);
  let at = start;
  while (at < end && CLASS[bytes[at]!]! & DIGIT) at++;
  if (at === start) return false;
  const value = parseUint32(bytes, start, at);
  seconds = value < 0 ? MOST : value;
  role = null;
  let isNamed = false;
  cursor.at = at;
  for (;;) {
    const step = nextParam(bytes, end, cursor);
    if (step === ParamStep.End) return cursor.at === end;
    if (step === ParamStep.Malformed) return false;
    if (!equalsLower(bytes, cursor.nameStart, cursor.nameEnd, REFRESHER)) continue;
    // RFC 3261 s7.3.1: no parameter twice.
    if (isNamed || cursor.valueStart < 0) return false;
    isNamed = true;
    for (const [name, octets] of ROLES) {
      if (equalsLower(bytes, cursor.valueStart, cursor.valueEnd, octets)) role = name;
    }
  }
}

/** Whether the sender of a message refreshes sessions, or would end them. */
export function supportsTimer(message: Message): boolean {
  return hasToken(message, Header.Supported, TIMER) || hasToken(message, Header.Require, TIMER);
}

/** Why a request is refused. */
export interface TimerRefusal {
  status: number;
  reason?: string;
  /** Header lines, each with its CRLF. */
  headers?: Uint8Array;
}

/** Looks at an INVITE or UPDATE that came. @returns why it is refused, 400 or 422 with Min-SE; null when it is not */
export function screenTimer(message: Message, policy: TimerPolicy): TimerRefusal | null {
  const fields = readTimer(message);
  if (typeof fields === "string") return { status: 400, reason: `Malformed ${fields}` };
  const least = Math.max(policy.minSE, fields.minSE);
  // s9: only who supports the timer knows what to do with a 422.
  if (fields.interval < 0 || fields.interval >= least || !supportsTimer(message)) return null;
  return { status: INTERVAL_TOO_SMALL, headers: ascii(`Min-SE: ${least}\r\n`) };
}

/** A session's timer as it stands. */
export interface TimerState {
  /** In seconds. */
  readonly interval: number;
  /** Whether this end refreshes. */
  readonly isRefresher: boolean;
}

/** What the 2xx to a request of the peer's says. */
export interface TimerAnswer {
  /** In seconds. */
  readonly interval: number;
  readonly refresher: Refresher;
  /** Its header lines, each with its CRLF. */
  readonly lines: Uint8Array;
}

/**
 * The answer to an INVITE or UPDATE that {@link screenTimer} let pass (s9).
 * @param standing the timer that the session has now
 * @returns null for none: the session does not expire
 */
export function answerTimer(message: Message, policy: TimerPolicy, standing: TimerState | null): TimerAnswer | null {
  const fields = readTimer(message);
  if (typeof fields === "string") return null;
  const isSupported = supportsTimer(message);
  const least = Math.max(MIN_INTERVAL, fields.minSE);
  let { interval } = fields;
  const isAsked = interval >= 0;
  if (isAsked) {
    // Nobody could be told that this is too short: the session goes without.
    if (interval < Math.max(least, policy.minSE)) return null;
    interval = Math.min(interval, Math.max(policy.expires, least));
  } else {
    if (!isSupported) return null;
    interval = Math.max(standing?.interval ?? policy.expires, least);
  }
  const refresher = isSupported ? (fields.refresher ?? chosen(policy, standing, isAsked)) : "uas";
  // Required where the UAC has to do something; one that does not know the word would have to fail the call.
  const lines = `Session-Expires: ${interval};refresher=${refresher}\r\n${isSupported ? "Require: timer\r\n" : ""}`;
  return { interval, refresher, lines: ascii(lines) };
}

function chosen({ refresher }: TimerPolicy, standing: TimerState | null, isAsked: boolean): Refresher {
  if (standing !== null) return standing.isRefresher ? "uas" : "uac";
  if (refresher !== "auto") return refresher;
  return isAsked ? "uac" : "uas";
}

/** What a request of ours says. */
export interface TimerOffer {
  /** In seconds; 0 when no timer is asked for. */
  readonly interval: number;
  /** Min-SE in seconds; 0 for none. */
  readonly minSE: number;
  readonly refresher: Refresher | null;
  readonly fields: HeaderFields;
}

/** What our INVITE that makes a dialog says (s7.1). @param minSE the largest that a 422 to it named, 0 for none */
export function firstOffer(policy: TimerPolicy, minSE = 0): TimerOffer {
  const least = Math.max(minSE, policy.minSE === MIN_INTERVAL ? 0 : policy.minSE);
  return offer(Math.max(policy.expires, least), least, policy.refresher === "auto" ? null : policy.refresher);
}

/**
 * What our INVITE or UPDATE in a dialog says (s7.4): the roles stay as they are.
 * @param minSE the largest that was named in this dialog, by a 422 or in a request of the peer's; 0 for none
 */
export function refreshOffer(standing: TimerState | null, minSE = 0): TimerOffer {
  if (standing === null) return offer(0, minSE, null);
  const interval = Math.max(standing.interval, minSE || MIN_INTERVAL);
  return offer(interval, minSE, standing.isRefresher ? "uac" : "uas");
}

/**
 * The same after a 422 (s7.3): the interval is what that asks for at least.
 * @returns null when it does not say, or asks for nothing that was not offered: another try would fare no better
 */
export function raisedOffer(before: TimerOffer, refusal: Message): TimerOffer | null {
  const fields = readTimer(refusal);
  if (before.interval === 0 || typeof fields === "string" || fields.minSE <= before.interval) return null;
  return offer(fields.minSE, fields.minSE, before.refresher);
}

function offer(interval: number, minSE: number, refresher: Refresher | null): TimerOffer {
  const fields: Record<string, string> = {};
  if (interval > 0)
    fields["Session-Expires"] = refresher === null ? `${interval}` : `${interval};refresher=${refresher}`;
  if (minSE > 0) fields["Min-SE"] = `${minSE}`;
  return { interval, minSE, refresher, fields };
}

/** What the 2xx to a request of ours has settled. */
export interface TimerAgreement {
  /** In seconds, 90 at least. */
  readonly interval: number;
  readonly refresher: Refresher;
  /** False when nobody answered to the timer: it is kept up for our own benefit (s7.2). */
  readonly isAgreed: boolean;
}

/** Reads a 2xx (s7.2). @returns null when the session does not expire */
export function agreedTimer(success: Message, { interval }: TimerOffer): TimerAgreement | null {
  const fields = readTimer(success);
  if (typeof fields !== "string" && fields.interval >= 0) {
    // s11.1: nobody makes us refresh more often than the protocol allows.
    const agreed = Math.max(fields.interval, MIN_INTERVAL);
    return { interval: agreed, refresher: fields.refresher ?? "uac", isAgreed: true };
  }
  return interval === 0 ? null : { interval, refresher: "uac", isAgreed: false };
}

/** How long before its end a session that was not refreshed is hung up, in seconds (s10). */
export function leadOf(interval: number): number {
  return Math.min(32, interval / 3);
}

/**
 * Whether an offer changes nothing: its origin is that of the description before (s7.4, RFC 3264 s8).
 * @param before null: there was none
 */
export function isUnchanged(offer: Uint8Array, before: Uint8Array | null): boolean {
  if (before === null) return false;
  const [start, end] = originOf(offer);
  const [startBefore, endBefore] = originOf(before);
  return end > start && equalRanges(offer, start, end, before, startBefore, endBefore);
}

/** The `o=` line of a description; an empty range where there is none. */
function originOf(sdp: Uint8Array): [start: number, end: number] {
  for (let line = 0; line < sdp.length; ) {
    const end = indexOfLf(sdp, line, sdp.length);
    if (sdp[line] === SMALL_O && sdp[line + 1] === EQUAL) return [line, trimEnd(sdp, line, end)];
    line = end + 1;
  }
  return [0, 0];
}
