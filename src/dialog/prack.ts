/**
 * Acknowledges the reliable provisional responses to INVITEs of ours (RFC 3262 s4), and answers the offer in one where the
 * INVITE had none (s5).
 */
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { isChallenge } from "../outgoing/challenges.ts";
import type { Sender } from "../outgoing/sender.ts";
import { type AnswerOffer, answerTo } from "./answering.ts";
import type { Dialog } from "./dialog.ts";
import { descriptionOf } from "./offer-answer.ts";
import { has100rel, rseqOf } from "./rack.ts";
import { sendInDialog } from "./send.ts";

/** Keeps the order of the reliable provisional responses to one INVITE in one dialog. */
export class ProvisionalOrder {
  /** The RSeq of the last one that was taken; 0 before the first. */
  #last = 0;

  /**
   * @returns `plain` for a response that is not reliable, `next` for one to be acknowledged; `drop` for one that came before
   *   or too soon, which is neither acknowledged nor looked at
   */
  take(response: Message): "plain" | "next" | "drop" {
    if (response.status === 100 || !has100rel(response, Header.Require)) return "plain";
    const rseq = rseqOf(response);
    // Nothing to acknowledge it by: whoever sent it will hear of it no more than of one that was never reliable.
    if (rseq === 0) return "plain";
    if (this.#last !== 0 && rseq !== this.#last + 1) return "drop";
    this.#last = rseq;
    return "next";
  }
}

/** What a PRACK may need, and who is told when the callee does not take it. */
export interface PrackOptions {
  answer?: AnswerOffer | undefined;
  /**
   * The callee will not go on from here, or the answer could not be made.
   * @param status of its response; 408 or 503 where there was none, 488 for an answer that was not made
   * @param why one sentence
   */
  failed(status: number, why: string): void;
}

const GONE: ReadonlySet<number> = new Set([408, 481]);

/** Sends the PRACK for a provisional response. @param response kept @param cseq the INVITE's */
export function acknowledgeProvisional(
  sender: Sender,
  dialog: Dialog,
  response: Message,
  cseq: number,
  options: PrackOptions,
): void {
  const { session } = dialog;
  const description = descriptionOf(response);
  let answer: Uint8Array | null = null;
  let error: Error | null = null;
  if (description !== null && session.say("INVITE", "remote", description) === "offer") {
    ({ answer, error } = answerTo(description, options.answer));
    session.say("INVITE", "local", answer);
  }
  send(sender, dialog, `${rseqOf(response)} ${cseq} INVITE`, answer, options);
  if (error !== null) options.failed(488, `An offer could not be answered: ${error.message}`);
}

function send(sender: Sender, dialog: Dialog, rack: string, answer: Uint8Array | null, { failed }: PrackOptions): void {
  const parts = { headers: { RAck: rack }, body: answer ?? undefined };
  sendInDialog(sender, dialog, "PRACK", parts, undefined, {
    response({ status }) {
      if (status < 300) return;
      // Credentials that were refused, or could not be made, will not be better for the next PRACK.
      const isUnanswered = isChallenge(status) && dialog.challenges !== null;
      // RFC 3261 s12.2.1.2. Any other refusal leaves it to the callee what becomes of its INVITE, and so does one of an
      // answer: it may still send another final response.
      if (GONE.has(status) || isUnanswered) failed(status, `PRACK was refused: ${status}`);
    },
    failed(failure) {
      if (failure.cause !== "closed" && !dialog.isTerminated) failed(failure.status, failure.message);
    },
  });
}
