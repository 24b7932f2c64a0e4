/** PRACK and UPDATE as they come in a dialog (RFC 3262 s3, s5; RFC 3311 s5.2). */
import type { Dialog } from "../dialog/dialog.ts";
import { descriptionOf, type Session } from "../dialog/offer-answer.ts";
import { rackOf } from "../dialog/rack.ts";
import type { Message } from "../message/message.ts";
import type { DialogHandlers } from "./call.ts";
import type { RequestHandler } from "./options.ts";
import type { Refusal } from "./screening.ts";
import type { SessionRequest } from "./session-request.ts";

/** What this needs of the core. */
export interface MidCallHost {
  /** Answers without a handler. */
  refuse(refusal: Refusal): void;
  /** Answers without a body. */
  accept(): void;
  /** Makes the request one that a handler can be given. */
  open(): SessionRequest;
  run(request: SessionRequest, handler: RequestHandler): void;
  /** Retry-After of 0 to 10 s. */
  later(): Refusal;
}

const NO_RACK: Refusal = { status: 400, reason: "Missing Or Malformed RAck" };
const UNMATCHED: Refusal = { status: 481 };
const OUT_OF_TURN: Refusal = { status: 400, reason: "Offer Out Of Turn" };
const GLARE: Refusal = { status: 491 };
const NO_OFFERS: Refusal = { status: 488 };

/** A PRACK has come. */
export function takePrack(message: Message, dialog: Dialog, host: MidCallHost): void {
  const rack = rackOf(message);
  const { reliable } = dialog;
  if (rack === null) host.refuse(NO_RACK);
  else if (reliable === null || !reliable.acknowledge(rack)) host.refuse(UNMATCHED);
  else answerPrack(message, dialog, host, () => reliable.release());
}

/**
 * It matches: the response it speaks of is acknowledged, whatever becomes of what it carries.
 * @param release lets go what waits for the PRACK, once that is answered
 */
function answerPrack(message: Message, dialog: Dialog, host: MidCallHost, release: () => void): void {
  const { session } = dialog;
  const description = dialog.isTerminated ? null : descriptionOf(message);
  if (description === null || session.expects("INVITE", "remote")) {
    // The answer to the offer in the reliable response, which may stand nowhere else (RFC 3262 s5).
    session.say("INVITE", "remote", description === null ? null : new Uint8Array(description));
    host.accept();
    release();
    return;
  }
  const handler = (dialog.handlers as DialogHandlers | null)?.prack;
  if (session.turn !== null || handler === undefined) {
    host.refuse(session.turn === null ? NO_OFFERS : OUT_OF_TURN);
    release();
    return;
  }
  session.begin("PRACK", "remote", description);
  const request = host.open();
  request.onOver = release;
  host.run(request, (given) => handler(given as SessionRequest, dialog));
}

/** An UPDATE has come. @param fallback the server's own handler, asked when the dialog has none */
export function takeUpdate(
  message: Message,
  dialog: Dialog,
  fallback: RequestHandler | undefined,
  host: MidCallHost,
): void {
  const { session } = dialog;
  const offer = descriptionOf(message);
  const refusal = session.isUpdating ? host.later() : offer === null ? null : outOfTurn(session, host);
  if (refusal !== null) {
    host.refuse(refusal);
    return;
  }
  const handlers = dialog.handlers as DialogHandlers | null;
  const own = handlers?.update ?? handlers?.request;
  if (own === undefined && fallback === undefined && offer !== null) {
    host.refuse(NO_OFFERS);
    return;
  }
  if (offer !== null) session.begin("UPDATE", "remote", offer);
  session.isUpdating = true;
  const request = host.open();
  request.onOver = () => {
    session.isUpdating = false;
  };
  if (own !== undefined) host.run(request, (given) => own(given as SessionRequest, dialog));
  else if (fallback !== undefined) host.run(request, fallback);
  else request.reply(200);
}

/**
 * Why an offer is refused now: 491 where this side waits for an answer or an offer of the peer's, 500 where the peer waits
 * for this side's (RFC 3311 s5.2; the same for re-INVITE); null when it is not.
 */
export function outOfTurn({ turn }: Session, host: Pick<MidCallHost, "later">): Refusal | null {
  return turn === null ? null : turn === "remote" ? GLARE : host.later();
}
