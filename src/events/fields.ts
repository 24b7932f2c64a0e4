/** The header fields of RFC 6665 s8.2 and RFC 3903 s11.3, read from messages whose sender may be anybody. */
import { COMMA, latin1, parseUint32, skipToken, skipWhite, trimEnd } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { nextParam, ParamStep, paramCursor } from "../message/params.ts";

/** The value of Event: a package with its templates, and the `id` that tells apart subscriptions of one dialog. */
export interface EventField {
  /** Octet for octet as it was sent: package names are case-sensitive (RFC 6665 s8.2.1). */
  readonly name: string;
  /** Empty when there is none. */
  readonly id: string;
}

/** The value of Subscription-State. */
export interface SubscriptionStateField {
  /** `active`, `pending`, `terminated` or an extension, in lower case. */
  readonly state: string;
  /** In lower case; empty when there is none. */
  readonly reason: string;
  /** Seconds; -1 when there is none. */
  readonly expires: number;
  /** Seconds; -1 when there is none. */
  readonly retryAfter: number;
}

/** What a header field that may stand once was found to be. */
export const FieldFault = { Missing: 0, Malformed: 1 } as const;
export type FieldFault = (typeof FieldFault)[keyof typeof FieldFault];

const walk = paramCursor();

/** The Event of a message; a fault when there is none, or more than one, or it cannot be read. */
export function eventOf(message: Message): EventField | FieldFault {
  let id = "";
  const name = readValue(message, Header.Event, (param, value) => {
    if (param === "id") id = value;
  });
  return typeof name === "string" ? { name, id } : name;
}

/** The Subscription-State of a NOTIFY; a fault as for {@link eventOf}. Numbers that are none count as not given. */
export function subscriptionStateOf(message: Message): SubscriptionStateField | FieldFault {
  let [reason, expires, retryAfter] = ["", -1, -1];
  const state = readValue(message, Header.SubscriptionState, (param, value) => {
    if (param === "reason") reason = value.toLowerCase();
    else if (param === "expires") expires = secondsOf(value);
    else if (param === "retry-after") retryAfter = secondsOf(value);
  });
  if (typeof state !== "string") return state;
  return { state: state.toLowerCase(), reason, expires, retryAfter };
}

/** The seconds in a header field that is a number; a fault when there is none, more than one, or no such number. */
export function deltaSecondsOf(message: Message, id: Header): number | null | "malformed" {
  const record = message.first(id);
  if (record === 0) return null;
  if (message.next(record) !== 0) return "malformed";
  const { bytes } = message;
  const start = message.valueStart(record);
  // RFC 3261 s20.33: Retry-After may have a comment and parameters behind its number.
  let end = start;
  const last = message.valueEnd(record);
  while (end < last && bytes[end]! >= 0x30 && bytes[end]! <= 0x39) end++;
  if (id !== Header.RetryAfter && trimEnd(bytes, start, last) !== end) return "malformed";
  if (end === start) return "malformed";
  // s25.1 sets no bound on the digits: what no clock holds is as good as forever.
  const value = parseUint32(bytes, start, end);
  return value < 0 ? 0xffffffff : value;
}

/** The entity-tag of a header field that may have just one (RFC 3903 s11.3). */
export function entityTagOf(message: Message, id: Header): string | FieldFault {
  const record = message.first(id);
  if (record === 0) return FieldFault.Missing;
  const { bytes } = message;
  const start = message.valueStart(record);
  const end = trimEnd(bytes, start, message.valueEnd(record));
  if (message.next(record) !== 0 || start === end || skipToken(bytes, start, end) !== end) return FieldFault.Malformed;
  return latin1(bytes, start, end);
}

/** The Subscription-State as it is written. Seconds below 0 are left out. */
export function subscriptionStateText(state: string, reason: string, expires: number, retryAfter: number): string {
  let text = state;
  if (reason !== "") text += `;reason=${reason}`;
  if (expires >= 0) text += `;expires=${expires}`;
  if (retryAfter >= 0) text += `;retry-after=${retryAfter}`;
  return text;
}

/** The Event as it is written. */
export function eventText(name: string, id: string): string {
  return id === "" ? name : `${name};id=${id}`;
}

/** Whether text can stand where the grammar wants a token. */
export function isToken(text: string): boolean {
  return /^[A-Za-z0-9\-.!%*_+`'~]+$/.test(text);
}

function readValue(message: Message, id: Header, param: (name: string, value: string) => void): string | FieldFault {
  const record = message.first(id);
  if (record === 0) return FieldFault.Missing;
  if (message.next(record) !== 0) return FieldFault.Malformed;
  const { bytes } = message;
  const start = message.valueStart(record);
  const end = message.valueEnd(record);
  const nameEnd = skipToken(bytes, start, end);
  if (nameEnd === start) return FieldFault.Malformed;
  walk.at = nameEnd;
  let step = nextParam(bytes, end, walk);
  for (; step === ParamStep.Found; step = nextParam(bytes, end, walk)) {
    if (walk.valueStart < 0) continue;
    const value = latin1(bytes, walk.valueStart, walk.valueEnd);
    if (isToken(value)) param(latin1(bytes, walk.nameStart, walk.nameEnd).toLowerCase(), value);
    else if (latin1(bytes, walk.nameStart, walk.nameEnd).toLowerCase() === "id") return FieldFault.Malformed;
  }
  const at = skipWhite(bytes, walk.at, end);
  if (step === ParamStep.Malformed || (at < end && bytes[at] === COMMA)) return FieldFault.Malformed;
  return latin1(bytes, start, nameEnd);
}

function secondsOf(text: string): number {
  return /^\d+$/.test(text) ? Math.min(Number(text), 0xffffffff) : -1;
}
