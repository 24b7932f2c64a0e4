/** UPDATE requests that this side sends (RFC 3311 s5.1, s5.3), with an offer or as a mere refresh of the target. */
import { IncomingResponse } from "../outgoing/incoming-response.ts";
import { RequestFailed } from "../outgoing/request-failed.ts";
import type { Dialog } from "./dialog.ts";
import { REQUEST_PENDING, TRIES, waitOut } from "./glare.ts";
import { descriptionOf, ownDescription } from "./offer-answer.ts";
import type { RenewalParts } from "./renewal.ts";
import { type InDialogOptions, sendInDialog, withTimer } from "./send.ts";
import { INTERVAL_TOO_SMALL, type TimerOffer } from "./session-timer.ts";

interface Outcome {
  resolve(response: IncomingResponse): void;
  reject(failure: RequestFailed): void;
}

export class Updates {
  readonly #parts: RenewalParts;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
  }

  /** See `Dialog.update`. */
  update(dialog: Dialog, options: InDialogOptions): Promise<IncomingResponse> {
    if (dialog.isTerminated) return Promise.reject(new RequestFailed("over", "The dialog is over"));
    const offer = ownDescription(options);
    const refusal = offer === null ? null : whyNot(dialog);
    if (refusal !== null) return Promise.reject(new RequestFailed("pending", refusal));
    const { promise, resolve, reject } = Promise.withResolvers<IncomingResponse>();
    this.#try(dialog, options, offer, { resolve, reject }, TRIES);
    return promise;
  }

  #try(
    dialog: Dialog,
    options: InDialogOptions,
    offer: Uint8Array | null,
    outcome: Outcome,
    tries: number,
    timer: TimerOffer | null = this.#parts.sessionTimers?.offerFor(dialog) ?? null,
  ): void {
    const { session } = dialog;
    const send = () =>
      sendInDialog(this.#parts.sender, dialog, "UPDATE", withTimer(options, timer), this.#parts.contact(dialog), {
        response: (message, request) => {
          const { status } = message;
          if (status < 200) return;
          const kept = message.keep();
          if (status < 300) {
            dialog.refreshTarget(kept, request);
            if (timer !== null) this.#parts.sessionTimers!.accepted(dialog, kept, timer);
            if (offer !== null) session.say("UPDATE", "remote", descriptionOf(kept));
          } else if (offer !== null) session.end("UPDATE", "failed");
          if (status === INTERVAL_TOO_SMALL && timer !== null && !dialog.isTerminated) {
            const raised = this.#parts.sessionTimers!.raised(dialog, timer, kept);
            if (raised !== null) {
              this.#try(dialog, options, offer, outcome, tries, raised);
              return;
            }
          }
          if (status === REQUEST_PENDING && tries > 1 && !dialog.isTerminated) {
            this.#wait(dialog, options, offer, outcome, tries - 1);
            return;
          }
          outcome.resolve(new IncomingResponse(kept));
          if (status === 481 || status === 408) this.#parts.gone(dialog);
        },
        failed: (failure) => {
          if (offer !== null) session.end("UPDATE", "failed");
          outcome.reject(failure);
          if (failure.cause === "timeout") this.#parts.gone(dialog);
        },
      });
    if (offer !== null) session.begin("UPDATE", "local", offer);
    try {
      send();
    } catch (error) {
      // Text that would not stand on its line: nothing was sent.
      if (offer !== null) session.end("UPDATE", "failed");
      throw error;
    }
  }

  #wait(dialog: Dialog, options: InDialogOptions, offer: Uint8Array | null, outcome: Outcome, tries: number): void {
    const again = () => {
      // The peer's offer came first: it has gone through, or is looked at once more.
      if (offer !== null && whyNot(dialog) !== null) this.#wait(dialog, options, offer, outcome, tries);
      else this.#try(dialog, options, offer, outcome, tries);
    };
    waitOut(dialog, this.#parts.alarms, this.#parts.tokens, again, outcome.reject);
  }
}

/** Why an UPDATE may not carry an offer now (s5.1), in words; null when it may. */
function whyNot({ session, isCaller, isConfirmed, reliable }: Dialog): string | null {
  if (session.turn !== null) return "An offer is open in this dialog";
  // What agreed on the session while the INVITE was under way has to be known at the caller: by its PRACK.
  if (!isConfirmed && !isCaller && reliable?.isIdle === false) return "A provisional response waits for its PRACK";
  return null;
}
