/**
 * INVITEs that this side sends in a dialog (RFC 3261 s14.1), and the ACK of every 2xx (s13.2.2.4).
 *
 * Glare, a 491, is waited out. Any other refusal leaves the session as it was.
 */
import type { Message } from "../message/message.ts";
import { Acknowledgement } from "../outgoing/acknowledgement.ts";
import { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { RequestDraft } from "../outgoing/outgoing-request.ts";
import { RequestFailed } from "../outgoing/request-failed.ts";
import { answerTo } from "./answering.ts";
import type { Dialog } from "./dialog.ts";
import { REQUEST_PENDING, TRIES, waitOut } from "./glare.ts";
import { descriptionOf, ownDescription } from "./offer-answer.ts";
import { acknowledgeProvisional, ProvisionalOrder } from "./prack.ts";
import type { RenewalParts } from "./renewal.ts";
import { draftInDialog, type InDialogOptions, sendInDialog, withTimer } from "./send.ts";
import { INTERVAL_TOO_SMALL, type TimerOffer } from "./session-timer.ts";

/** Told how an INVITE in a dialog ended. */
interface Outcome {
  resolve(response: IncomingResponse): void;
  reject(failure: Error): void;
}

/** A 2xx has been acknowledged. */
export interface Acknowledged {
  readonly acknowledgement: Acknowledgement;
  /** What the user's function threw that was to answer the offer in the 2xx: the ACK went without an answer. */
  readonly error: Error | null;
}

export class Invites {
  readonly #parts: RenewalParts;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** See {@link Dialog.invite}. */
  invite(dialog: Dialog, options: InDialogOptions): Promise<IncomingResponse> {
    if (!dialog.isConfirmed) return Promise.reject(new RequestFailed("over", "The dialog does not stand"));
    if (dialog.isInviting || dialog.pending !== null) {
      return Promise.reject(new RequestFailed("pending", "An INVITE is under way in this dialog"));
    }
    if (dialog.session.turn !== null) {
      return Promise.reject(new RequestFailed("pending", "An offer is open in this dialog"));
    }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingResponse>();
    this.#try(dialog, options, { resolve, reject }, TRIES);
    return promise;
  }

  #try(
    dialog: Dialog,
    options: InDialogOptions,
    outcome: Outcome,
    tries: number,
    timer: TimerOffer | null = this.#parts.sessionTimers?.offerFor(dialog) ?? null,
  ): void {
    let acknowledgement: Acknowledgement | null = null;
    const { session } = dialog;
    let order = new ProvisionalOrder();
    const send = () =>
      sendInDialog(this.#parts.sender, dialog, "INVITE", withTimer(options, timer), this.#parts.contact(dialog), {
        response: (message, request) => {
          if (message.status < 200) {
            if (order.take(message) === "next") {
              const failed = () => this.#parts.gone(dialog);
              acknowledgeProvisional(this.#parts.sender, dialog, message.keep(), request.draft.cseq, {
                ...options,
                failed,
              });
            }
            return;
          }
          if (acknowledgement !== null) {
            acknowledgement.again();
            return;
          }
          dialog.isInviting = false;
          const { status } = message;
          if (status < 300) {
            const kept = message.keep();
            dialog.refreshTarget(kept, request);
            if (timer !== null) this.#parts.sessionTimers!.accepted(dialog, kept, timer);
            const acknowledged = this.acknowledge(dialog, request.draft, kept, options);
            acknowledgement = acknowledged.acknowledgement;
            if (acknowledged.error === null) outcome.resolve(new IncomingResponse(kept));
            else outcome.reject(acknowledged.error);
            return;
          }
          session.end("INVITE", "failed");
          if (status === INTERVAL_TOO_SMALL && timer !== null && !dialog.isTerminated) {
            const raised = this.#parts.sessionTimers!.raised(dialog, timer, message);
            if (raised !== null) {
              this.#try(dialog, options, outcome, tries, raised);
              return;
            }
          }
          if (status === REQUEST_PENDING && tries > 1 && !dialog.isTerminated) {
            this.#wait(dialog, options, outcome, tries - 1);
          } else {
            outcome.resolve(new IncomingResponse(message.keep()));
            if (status === 481 || status === 408) this.#parts.gone(dialog);
          }
        },
        again: () => {
          order = new ProvisionalOrder();
        },
        failed: (failure) => {
          dialog.isInviting = false;
          session.end("INVITE", "failed");
          outcome.reject(failure);
          if (failure.cause === "timeout") this.#parts.gone(dialog);
        },
      });
    session.begin("INVITE", "local", ownDescription(options));
    dialog.isInviting = true;
    try {
      send();
    } catch (error) {
      // Text that would not stand on its line: nothing was sent.
      dialog.isInviting = false;
      session.end("INVITE", "failed");
      throw error;
    }
  }

  #wait(dialog: Dialog, options: InDialogOptions, outcome: Outcome, tries: number): void {
    const again = () => {
      // The peer's INVITE came first: it has gone through, or is looked at once more. So is one of ours that was asked for
      // meanwhile.
      const isBusy = dialog.pending !== null || dialog.isInviting || dialog.session.turn !== null;
      if (isBusy) this.#wait(dialog, options, outcome, tries);
      else this.#try(dialog, options, outcome, tries);
    };
    waitOut(dialog, this.#parts.alarms, this.#parts.tokens, again, outcome.reject);
  }

  /**
   * Sends the ACK for a 2xx. The offer in it is answered there, where the INVITE had none and no reliable provisional
   * response brought it (s13.2.1, RFC 3262 s5).
   * @param invite as it was sent: the ACK has its CSeq number and its credentials
   */
  acknowledge(
    dialog: Dialog,
    { cseq, credentials }: RequestDraft,
    success: Message,
    { answer }: InDialogOptions,
  ): Acknowledged {
    const { session } = dialog;
    const description = descriptionOf(success);
    let body: Uint8Array | null = null;
    let error: Error | null = null;
    if (session.say("INVITE", "remote", description) === "offer") {
      ({ answer: body, error } = answerTo(description!, answer));
      session.say("INVITE", "local", body);
    }
    const { draft, way } = draftInDialog(dialog, "ACK", cseq, { body: body ?? undefined });
    const acknowledgement = new Acknowledgement(this.#parts.sender, { ...draft, credentials });
    // A name that leads nowhere: the peer will send its 2xx until it gives up, and ends the dialog with a BYE.
    acknowledgement.send(way.hop, way.flow, dialog).catch(() => {});
    return { acknowledgement, error };
  }
}
