/** How long a subscription or publication is granted (RFC 6665 s4.2.1.1, RFC 3903 s6). */
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import type { ReplyOptions } from "../server/incoming-request.ts";
import { deltaSecondsOf } from "./fields.ts";

/** In seconds. */
export interface Intervals {
  /** Shorter ones are refused with 423. */
  readonly min: number;
  /** Longer ones are cut to it. */
  readonly max: number;
  /** What one that does not say gets. */
  readonly default: number;
}

/** A refusal as {@link IncomingRequest.reply} takes it. */
export interface Refused extends ReplyOptions {
  readonly status: number;
}

/** No interval of an hour or more may be refused as too brief (RFC 6665 s4.2.1.1). */
const NEVER_BRIEF = 3600;

/** @returns the seconds granted, 0 for an end; or why the request is refused */
export function grantedSeconds(message: Message, { min, max, default: usual }: Intervals): number | Refused {
  const asked = deltaSecondsOf(message, Header.Expires);
  if (asked === "malformed") return { status: 400, reason: "Bad Expires" };
  if (asked === null) return Math.min(usual, max);
  if (asked > 0 && asked < min && asked < NEVER_BRIEF) {
    return { status: 423, headers: { "Min-Expires": String(min) } };
  }
  return Math.min(asked, max);
}
