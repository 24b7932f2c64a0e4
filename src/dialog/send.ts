/** Sends a request inside a dialog (RFC 3261 s12.2.1.1). */
import { ascii } from "../message/bytes.ts";
import { checkedReason, type HeaderFields, headerLines, joinedLines } from "../message/header-lines.ts";
import { Uri } from "../message/uri.ts";
import type { Way } from "../outgoing/challenges.ts";
import type { HeaderWriter, OutgoingRequest, RequestDraft, RequestUser } from "../outgoing/outgoing-request.ts";
import type { Sender } from "../outgoing/sender.ts";
import type { AnswerOffer } from "./answering.ts";
import type { Dialog } from "./dialog.ts";
import type { TimerOffer } from "./session-timer.ts";
import { wayOf } from "./way.ts";

/** What a request in a dialog carries. */
export interface InDialogOptions {
  headers?: HeaderFields | undefined;
  body?: string | Uint8Array | undefined;
  /** Default `application/sdp`. */
  contentType?: string | undefined;
  /**
   * For an INVITE without an offer: makes the answer to the one that comes in the 2xx or before it, in a reliable
   * provisional response; it goes in the ACK or PRACK.
   */
  answer?: AnswerOffer | undefined;
}

/** The same with what it says of the session's timer (RFC 4028 s7.4). */
export function withTimer(options: InDialogOptions, timer: TimerOffer | null): InDialogOptions {
  return timer === null ? options : { ...options, headers: { ...timer.fields, ...options.headers } };
}

/**
 * Sends a request in a transaction of its own for each server that is tried.
 * @param contact writes the Contact of a request that refreshes the target, for the channel it goes over
 */
export function sendInDialog(
  sender: Sender,
  dialog: Dialog,
  method: string,
  options: InDialogOptions,
  contact: HeaderWriter | undefined,
  user: RequestUser,
): OutgoingRequest {
  const { draft, way } = draftInDialog(dialog, method, dialog.nextCSeq(), options);
  return sender.send({ ...draft, contact }, way.hop, way.flow, user, dialog);
}

/** A request in a dialog and where it goes. @param cseq that of the INVITE for an ACK, else the next one */
export function draftInDialog(
  dialog: Dialog,
  method: string,
  cseq: number,
  { headers, body, contentType = "application/sdp" }: InDialogOptions,
): { draft: RequestDraft; way: Way } {
  const routes = dialog.routeSet;
  const isRouted = routes.length > 0;
  let uri = dialog.remoteTarget;
  const first = routes[0] === undefined ? null : Uri.parse(routes[0]);
  // A strict router as first hop takes its own URI as Request-URI and finds the target last in Route.
  if (first !== null && !first.lr) {
    routes.push(uri);
    uri = routes.shift()!;
  }
  const routeLines = ascii(routes.map((route) => `Route: <${route}>\r\n`).join(""));
  const lines = headers === undefined ? routeLines : joinedLines(routeLines, headerLines(headers));
  const draft = {
    method,
    uri,
    from: dialog.localAddress,
    to: dialog.remoteAddress,
    callId: dialog.callIdOctets,
    cseq,
    headers: lines.length === 0 ? undefined : lines,
    contentType: checkedReason(contentType),
    body: typeof body === "string" ? ascii(body) : body,
  };
  return { draft, way: wayOf(dialog, first ?? Uri.parse(uri), isRouted) };
}
