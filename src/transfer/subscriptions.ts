/** The implicit subscriptions of the REFERs that came in (RFC 3515 s2.4.4, s2.4.6): opened by them, refreshed by SUBSCRIBE. */
import type { Dialog } from "../dialog/dialog.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host } from "../server/plugin.ts";
import { ReferSubscription } from "./notifier.ts";
import { referIdOf } from "./refer-event.ts";

export class ReferSubscriptions {
  readonly #host: Host;
  readonly #open = new Map<Dialog, ReferSubscription[]>();
  /** The CSeq number of the first REFER that came in a dialog: the others need an id (s2.4.6). */
  readonly #first = new WeakMap<Dialog, number>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** A REFER has come, whatever becomes of it. */
  note({ dialog, cseq }: IncomingRequest): void {
    if (dialog !== null && !this.#first.has(dialog)) this.#first.set(dialog, cseq);
  }

  /**
   * Accepts a REFER with 202 and a subscription.
   * @param seconds how long the subscription lasts at most
   * @param isPending whether it is not decided yet whether the reference is followed
   * @returns null when there is no room for its dialog, which is answered, or nobody waits for the answer any more
   */
  accept(request: IncomingRequest, seconds: number, isPending: boolean): ReferSubscription | null {
    // It may have ended while it was decided whether the reference is followed.
    if (request.dialog?.isAlive === false) {
      request.reply(481);
      return null;
    }
    const dialog = request.openDialog();
    if (dialog === null) {
      request.reply(503, { headers: { "Retry-After": "5" } });
      return null;
    }
    if (!request.replyInDialog(202)) {
      dialog.release();
      return null;
    }
    // RFC 4488 s4: a REFER is a target refresh request.
    dialog.refreshTarget(request.message);
    this.note(request);
    const id = this.#first.get(dialog) === request.cseq ? null : request.cseq;
    const subscription = new ReferSubscription(this.#host, dialog, request.cseq, id, seconds, (over) =>
      this.#remove(over),
    );
    this.#open.set(dialog, [...(this.#open.get(dialog) ?? []), subscription]);
    subscription.begin(isPending);
    return subscription;
  }

  /** A SUBSCRIBE in a dialog, if it is for one of these. @returns whether it was answered */
  refresh(request: IncomingRequest): boolean {
    const id = referIdOf(request);
    if (id === undefined || request.dialog === null) return false;
    const open = this.#open.get(request.dialog)?.find((one) => one.id === id || one.cseq === id);
    if (open === undefined) return false;
    const asked = /^\d{1,10}$/.exec(request.header("Expires") ?? "");
    const wanted = asked === null ? Number.POSITIVE_INFINITY : Number(asked[0]);
    const { dialog } = request;
    // The answer goes first: the NOTIFY is about what it grants.
    const granted = open.grant(wanted);
    if (request.replyInDialog(200, { headers: { Expires: String(granted) } })) {
      dialog.refreshTarget(request.message);
      open.refresh(granted);
    }
    return true;
  }

  /** The server is closed. */
  close(): void {
    for (const open of [...this.#open.values()]) for (const subscription of open) subscription.close();
  }

  #remove(over: ReferSubscription): void {
    const left = (this.#open.get(over.dialog) ?? []).filter((one) => one !== over);
    if (left.length === 0) this.#open.delete(over.dialog);
    else this.#open.set(over.dialog, left);
  }
}
