/**
 * What becomes of calls that come in (RFC 3261 s13.3, s14.2, s15.1.2): their provisional and final responses, the dialog
 * that comes of them, and their end by whatever cause.
 */
import type { Dialog, DialogEnd } from "../dialog/dialog.ts";
import type { Dialogs } from "../dialog/dialogs.ts";
import { CSEQ_NUMBER } from "../message/layout.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Call, CallEnded, DialogHandlers } from "./call.ts";
import type { CoreCounters } from "./counters.ts";
import type { ReplyOptions } from "./incoming-request.ts";
import type { Responder } from "./responder.ts";

/** How often a provisional response is sent again so that no proxy on the way gives up (s13.3.1.1). */
const REFRESH_MS = 60_000;

export class Calls {
  readonly #layer: TransactionLayer;
  readonly #dialogs: Dialogs;
  readonly #responder: Responder;
  readonly #wheel: TimerWheel;
  readonly #counters: CoreCounters;
  readonly #refresh: number;

  constructor(
    layer: TransactionLayer,
    dialogs: Dialogs,
    responder: Responder,
    wheel: TimerWheel,
    counters: CoreCounters,
  ) {
    this.#layer = layer;
    this.#dialogs = dialogs;
    this.#responder = responder;
    this.#wheel = wheel;
    this.#counters = counters;
    this.#refresh = wheel.register((slot) => this.#onRefresh(slot));
  }

  /** See {@link Call.progress}. */
  provisional(call: Call, status: number, options: ReplyOptions): boolean {
    if (call.isOver) return false;
    if (status === 100) {
      call.hasProvisional = true;
      return this.#responder.send(call, 100, options);
    }
    if (!this.#ensureDialog(call)) return false;
    const { contact } = this.#responder.contactOf(call);
    if (!this.#responder.send(call, status, options, contact, true)) return false;
    call.hasProvisional = true;
    if (call.refreshTimer === 0) call.refreshTimer = this.#wheel.insert(REFRESH_MS, this.#refresh, call.slot);
    return true;
  }

  /** See {@link Call.answer}. */
  answer(call: Call, options: ReplyOptions, handlers: DialogHandlers | null): boolean {
    const { pool } = this.#layer;
    if (call.isOver || !pool.isLive(call.slot, call.generation) || !this.#ensureDialog(call)) return false;
    const { slot, channel, message } = call;
    const dialog = call.dialog!;
    const { withCapabilities } = this.#responder.contactOf(call);
    const start = this.#responder.write(call, 200, options, withCapabilities, true);
    this.#dialogs.succeeded(dialog, message.table[CSEQ_NUMBER]!, channel, start, pool.address(slot), pool.port(slot));
    this.#layer.respond(slot, 200, start);
    this.#over(call);
    if (handlers !== null) dialog.handlers = handlers;
    // Whoever still waits for the ACK of the 2xx before: a caller that goes on has had it.
    (dialog.answered as Call | null)?.onAcknowledged(dialog);
    dialog.answered = call;
    if (call.isReinvite) dialog.refreshTarget(message);
    else this.#counters.callsAnswered++;
    return true;
  }

  /** See {@link Call.reject}. */
  reject(call: Call, status: number, options: ReplyOptions): boolean {
    if (call.isOver) return false;
    const sent = this.#responder.send(call, status, options);
    this.#over(call);
    if (!call.isReinvite && call.dialog !== null) this.#dialogs.terminate(call.dialog, "failed");
    return sent;
  }

  /** Nobody is left to answer: the call ends without a response. */
  abandon(call: Call, cause: CallEnded["cause"] & ("closed" | "unreachable")): void {
    if (call.isOver) return;
    this.#over(call);
    if (!call.isReinvite && call.dialog !== null) this.#dialogs.terminate(call.dialog, "failed");
    call.onGone(cause);
  }

  /** The caller cancelled (s9.2): 487, unless the call has its final response. */
  cancel(call: Call): void {
    if (call.isOver) return;
    this.reject(call, 487, {});
    call.onGone("cancelled");
  }

  /** The ACK for a 2xx came. */
  acknowledged(dialog: Dialog): void {
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
    const dialog = this.#dialogs.create(call.message, call.localTag!, call.channel, call.address, call.port);
    if (dialog === null) {
      this.#counters.rejected++;
      this.reject(call, 503, { headers: { "Retry-After": "5" } });
      return false;
    }
    call.dialog = dialog;
    dialog.pending = call;
    return true;
  }

  /** The call has its final response. */
  #over(call: Call): void {
    call.isOver = true;
    if (call.refreshTimer !== 0) this.#wheel.cancel(call.refreshTimer);
    call.refreshTimer = 0;
    if (call.dialog !== null) call.dialog.pending = null;
    const { pool } = this.#layer;
    if (pool.isLive(call.slot, call.generation)) pool.setUser(call.slot, null);
  }

  #onRefresh(slot: number): void {
    const call = this.#layer.pool.user(slot) as Call;
    call.refreshTimer = this.#wheel.insert(REFRESH_MS, this.#refresh, slot);
    this.#layer.resend(slot);
  }
}
