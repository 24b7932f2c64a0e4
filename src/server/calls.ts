/**
 * What becomes of calls that come in (RFC 3261 s13.3, s14.2, s15.1.2): their provisional and final responses, the dialog
 * that comes of them, and their end by whatever cause.
 */
import type { Dialog, DialogEnd } from "../dialog/dialog.ts";
import type { Dialogs } from "../dialog/dialogs.ts";
import { descriptionOf, isDescription, ownDescription } from "../dialog/offer-answer.ts";
import type { SessionTimers } from "../dialog/session-timers.ts";
import { joinedLines } from "../message/header-lines.ts";
import { CSEQ_NUMBER } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import type { Alarms } from "../time/alarms.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Call, CallEnded, DialogHandlers, ProgressOptions } from "./call.ts";
import type { CoreCounters } from "./counters.ts";
import type { ReplyOptions } from "./incoming-request.ts";
import { checked, Provisionals, type ProvisionalsOptions, withoutBody } from "./provisionals.ts";
import type { Responder } from "./responder.ts";
import { TOO_LARGE } from "./screening.ts";

export class Calls {
  readonly #layer: TransactionLayer;
  readonly #dialogs: Dialogs;
  readonly #responder: Responder;
  readonly #alarms: Alarms;
  readonly #counters: CoreCounters;
  readonly #sessionTimers: SessionTimers | null;
  readonly #provisionals: Provisionals;
  /** How long a PRACK may be late, in milliseconds. */
  readonly #lateness: number;

  constructor(options: ProvisionalsOptions, counters: CoreCounters, sessionTimers: SessionTimers | null) {
    this.#layer = options.layer;
    this.#dialogs = options.dialogs;
    this.#responder = options.responder;
    this.#alarms = options.alarms;
    this.#lateness = options.timers.transaction;
    this.#counters = counters;
    this.#sessionTimers = sessionTimers;
    this.#provisionals = new Provisionals(options, {
      drained: (call) => this.#drained(call),
      lapsed: (call) => this.#lapsed(call),
      tooLarge: (call) => this.#tooLarge(call),
    });
  }

  /** See {@link Call.progress}. */
  provisional(call: Call, status: number, options: ProgressOptions): boolean {
    if (call.isOver || call.held !== null) return false;
    if (status === 100) {
      call.hasProvisional = true;
      return this.#responder.send(call, 100, options);
    }
    return this.#ensureDialog(call) && this.#provisionals.send(call, status, options);
  }

  /** See {@link Call.answer}. */
  answer(call: Call, options: ReplyOptions, handlers: DialogHandlers | null): boolean {
    if (call.isOver || call.held !== null || !this.#ensureDialog(call)) return false;
    if (call.reliable === null || !call.reliable.holdsAnswer) return this.#answerNow(call, options, handlers);
    // RFC 3262 s5: the PRACK first.
    call.held = checked(options);
    if (handlers !== null) call.dialog!.handlers = handlers;
    return true;
  }

  /** Sends the 2xx. */
  #answerNow(call: Call, given: ReplyOptions, handlers: DialogHandlers | null): boolean {
    const { pool } = this.#layer;
    const { slot, channel, message } = call;
    if (!pool.isLive(slot, call.generation)) return false;
    const dialog = call.dialog!;
    const { hasSession } = dialog;
    // What was said in a reliable provisional response is not said again.
    const isSaid = hasSession && isDescription(given) && !dialog.session.expects("INVITE", "local");
    const options = isSaid ? withoutBody(given) : given;
    const { withCapabilities } = this.#responder.contactOf(call);
    const timer = this.#sessionTimers?.answerFor(dialog, message) ?? null;
    const lines = timer === null ? withCapabilities : joinedLines(withCapabilities, timer.lines);
    const start = this.#responder.write(call, 200, options, lines, true);
    if (start < 0) {
      this.#tooLarge(call);
      return false;
    }
    this.#dialogs.succeeded(dialog, message.table[CSEQ_NUMBER]!, channel, start, pool.address(slot), pool.port(slot));
    if (hasSession) dialog.session.say("INVITE", "local", ownDescription(options));
    else this.#dialogs.keepDescription(dialog, options);
    this.#layer.respond(slot, 200, start);
    this.#sessionTimers?.answered(dialog, message, timer);
    this.#over(call);
    if (handlers !== null) dialog.handlers = handlers;
    // Whoever still waits for the ACK of the 2xx before: a caller that goes on has had it.
    (dialog.answered as Call | null)?.onAcknowledged(dialog);
    dialog.answered = call;
    if (call.isReinvite) dialog.refreshTarget(message);
    else this.#counters.callsAnswered++;
    call.replaces?.hangUp();
    return true;
  }

  /** The PRACKs that an answer waited for have come. */
  #drained(call: Call): void {
    const { held } = call;
    if (held === null || call.isOver) return;
    if (this.#answerNow(call, held, null)) call.held = null;
    else call.onUnsent();
  }

  /** RFC 3262 s3: a reliable response was never acknowledged. */
  #lapsed(call: Call): void {
    if (call.isOver) return;
    this.reject(call, 504, {});
    call.onGone("no-prack");
  }

  /** No datagram can hold what the caller is to have. */
  #tooLarge(call: Call): void {
    this.reject(call, TOO_LARGE.status, TOO_LARGE);
    call.onGone("too-large");
  }

  /** See {@link Call.reject}. @param lines header lines to go first */
  reject(call: Call, status: number, options: ReplyOptions, lines?: Uint8Array): boolean {
    if (call.isOver) return false;
    const sent = this.#responder.send(call, status, options, lines);
    // Refused otherwise meanwhile, since no datagram could hold this.
    if (call.isOver) return sent;
    const isAwaited = this.#over(call);
    const { dialog } = call;
    if (dialog === null) return sent;
    if (dialog.hasSession) dialog.session.end("INVITE", "failed");
    if (isAwaited && !dialog.isTerminated) {
      // RFC 3262 s3: a PRACK on its way is still to find its dialog.
      dialog.hold();
      this.#alarms.set(this.#lateness, () => dialog.release());
    }
    if (!call.isReinvite) this.#dialogs.terminate(dialog, "failed");
    return sent;
  }

  /** Nobody is left to answer: the call ends without a response. */
  abandon(call: Call, cause: CallEnded["cause"] & ("closed" | "unreachable")): void {
    if (call.isOver) return;
    this.#over(call);
    if (call.dialog?.hasSession) call.dialog.session.end("INVITE", "failed");
    if (!call.isReinvite && call.dialog !== null) this.#dialogs.terminate(call.dialog, "failed");
    call.onGone(cause);
  }

  /** The caller cancelled (s9.2): 487, unless the call has its final response. */
  cancel(call: Call): void {
    if (call.isOver) return;
    this.reject(call, 487, {});
    call.onGone("cancelled");
  }

  /** The ACK for a 2xx came; with the answer, where the 2xx made the offer. */
  acknowledged(dialog: Dialog, ack: Message): void {
    if (dialog.hasSession || ack.bodyStart !== ack.bodyEnd) {
      const answer = descriptionOf(ack);
      dialog.session.say("INVITE", "remote", answer === null ? null : new Uint8Array(answer));
    }
    const call = dialog.answered as Call | null;
    dialog.answered = null;
    call?.onAcknowledged(dialog);
  }

  /** A dialog is over: whoever waits for its ACK is told, and an INVITE that waits in it is refused. */
  ended(dialog: Dialog, end: DialogEnd): void {
    const answered = dialog.answered as Call | null;
    const pending = dialog.pending as Call | null;
    dialog.answered = dialog.pending = null;
    if (end === "no-ack") answered?.onUnacknowledged();
    else answered?.onAcknowledged(dialog);
    // s15.1.2: a BYE in an early dialog, or while a re-INVITE waits.
    if (pending !== null && !pending.isOver) {
      this.reject(pending, 487, {});
      pending.onGone(end === "closed" ? "closed" : "cancelled");
    }
  }

  #ensureDialog(call: Call): boolean {
    if (call.dialog !== null) return true;
    const dialog = this.#dialogs.create(call.message, call.localTag!, call);
    if (dialog === null) {
      this.#counters.rejected++;
      this.reject(call, 503, { headers: { "Retry-After": "5" } });
      return false;
    }
    call.dialog = dialog;
    dialog.pending = call;
    return true;
  }

  /** The call has its final response. @returns whether the PRACK of a provisional one may still come */
  #over(call: Call): boolean {
    call.isOver = true;
    const isAwaited = this.#provisionals.stop(call);
    if (call.dialog !== null) call.dialog.pending = null;
    const { pool } = this.#layer;
    if (pool.isLive(call.slot, call.generation)) pool.setUser(call.slot, null);
    return isAwaited;
  }
}
