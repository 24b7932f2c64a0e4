/**
 * What a UAS looks at before a request is handed on (RFC 3261 s8.2): scheme, merged requests, required extensions, body
 * type. The method is looked at where it is known who handles it.
 */
import { ascii, equalsLower } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { BODY_END, BODY_START, URI_SCHEME_KIND } from "../message/layout.ts";
import { isMediaType } from "../message/media-type.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import { tokensOf } from "../message/tokens.ts";
import { UriResult } from "../message/uri-scan.ts";
import type { Capabilities } from "./capabilities.ts";

/** How a request is refused. */
export interface Refusal {
  status: number;
  reason?: string;
  /** Header lines, each with its CRLF. */
  headers?: Uint8Array;
}

/** RFC 3261 s10.3, s12.2.2. SIPp takes the first "CSeq" of a response for the header field, so the reason has none. */
export const OLD_CSEQ: Refusal = { status: 500, reason: "Sequence Number Out Of Order" };
/** In the place of a response that is longer than a datagram can be. */
export const TOO_LARGE = { status: 500, reason: "Response Too Large For UDP" } as const satisfies Refusal;
const SCHEME: Refusal = { status: 416 };
const MERGED: Refusal = { status: 482, reason: "Request Merged" };
const REPLACES: Refusal = { status: 400, reason: "Replaces Outside INVITE" };
const NO_TYPE: Refusal = { status: 400, reason: "Body Without Content-Type" };
/** Methods whose body describes the session. */
const OF_SESSIONS: ReadonlySet<number> = new Set([Method.INVITE, Method.UPDATE, Method.PRACK]);
const IDENTITY = ascii("identity");

/** @returns why the request is refused, or null when nothing is against it */
export function screen(message: Message, merged: boolean, capabilities: Capabilities): Refusal | null {
  const { table } = message;
  if (table[URI_SCHEME_KIND] === UriResult.UNKNOWN_SCHEME) return SCHEME;
  if (merged) return MERGED;
  if (message.first(Header.Require) !== 0) {
    // s8.2.2.3
    const unknown = tokensOf(message, Header.Require).filter((tag) => !capabilities.understood.has(tag.toLowerCase()));
    if (unknown.length > 0) return { status: 420, headers: ascii(`Unsupported: ${unknown.join(", ")}\r\n`) };
  }
  // RFC 3891 s3.
  if (
    message.first(Header.Replaces) !== 0 &&
    message.method !== Method.INVITE &&
    capabilities.understood.has("replaces")
  ) {
    return REPLACES;
  }
  return table[BODY_END] === table[BODY_START] || message.method === Method.BYE
    ? null
    : screenBody(message, capabilities);
}

/** s8.2.3: type and encoding of a body that has to be understood. */
function screenBody(message: Message, capabilities: Capabilities): Refusal | null {
  const { bytes } = message;
  const encoding = message.first(Header.ContentEncoding);
  if (encoding !== 0 && !equalsLower(bytes, message.valueStart(encoding), message.valueEnd(encoding), IDENTITY)) {
    return isOptional(message) ? null : { status: 415, headers: ascii("Accept-Encoding: identity\r\n") };
  }
  if (capabilities.accepted === null) return null;
  // What other methods carry is for their handlers to judge, unless the types that are read were named.
  if (!capabilities.isAcceptGiven && !OF_SESSIONS.has(message.method)) return null;
  const type = message.first(Header.ContentType);
  if (type === 0) return NO_TYPE;
  for (const accepted of capabilities.accepted) {
    if (isMediaType(bytes, message.valueStart(type), message.valueEnd(type), accepted)) return null;
  }
  return isOptional(message) ? null : { status: 415, headers: capabilities.accept };
}

/** A body may be ignored when its sender says so (s20.11). */
function isOptional(message: Message): boolean {
  const record = message.first(Header.ContentDisposition);
  return record !== 0 && /;\s*handling\s*=\s*"?optional\b/i.test(message.valueText(record));
}
