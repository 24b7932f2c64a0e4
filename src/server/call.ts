/**
 * A call that comes in: the INVITE server transaction and the dialog it makes (RFC 3261 s13.3), or a re-INVITE in a
 * dialog that stands (s14.2).
 */
import type { Dialog } from "../dialog/dialog.ts";
import type { ReliableProvisionals } from "../dialog/reliable.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import type { Answer } from "./arrival.ts";
import { IncomingRequest, type ReplyOptions } from "./incoming-request.ts";
import type { QueuedProvisional } from "./provisionals.ts";

/** What a dialog's user wants to be asked. All are optional. */
export interface DialogHandlers {
  /**
   * A re-INVITE. Without this handler it gets 488 and the session stays as it was; but for one that refreshes a session
   * with a timer and changes nothing (RFC 4028 s7.4), which is answered with what was described before.
   */
  invite?: (call: Call) => unknown;
  /**
   * An UPDATE (RFC 3311), by which the peer offers the session anew or refreshes it, in an early dialog too. It is answered
   * at once: `request.reply(200, { body })` answers the offer in its body. Without this handler `request` is asked, then the
   * server's own; without any, an offer gets 488, and an UPDATE without one 200.
   */
  update?: (request: IncomingRequest, dialog: Dialog) => unknown;
  /**
   * An offer in a PRACK (RFC 3262 s5): `request.reply(200, { body })` answers it. Without this handler it gets 488. A PRACK
   * without an offer is answered by the server itself.
   */
  prack?: (request: IncomingRequest, dialog: Dialog) => unknown;
  /** Any other request in the dialog but BYE. Without this handler the server's own handlers are asked. */
  request?: (request: IncomingRequest, dialog: Dialog) => unknown;
}

/** What may be said of a provisional response beside its status. */
export interface ProgressOptions extends ReplyOptions {
  /**
   * Whether it is sent reliably (RFC 3262), where the caller supports that; default as `serve()` has it in
   * `reliableProvisional`. Where the caller requires it, it always is.
   */
  reliable?: boolean;
  /** What is done with requests in the dialog from now on, while it is early. */
  handlers?: DialogHandlers;
}

const CAUSES = {
  cancelled: "The caller cancelled the call",
  "no-ack": "No ACK came for the answer",
  "no-prack": "No PRACK came for a reliable provisional response",
  over: "The call has had its final response",
  closed: "The server was closed",
  unreachable: "The connection to the caller is gone",
  "too-large": "No datagram can hold the answer: the caller got 500",
} as const;

/** Why a call came to nothing: the reason of its `signal`, and what `answer()` rejects with. */
export class CallEnded extends Error {
  /**
   * `cancelled` by the caller, `no-ack` to our 2xx, `no-prack` to a reliable provisional response of ours, `over`: another
   * final response was sent before, `closed`: the server was closed, `unreachable`: the caller's WebSocket is gone,
   * `too-large`: what the caller was to have is longer than a datagram can be.
   */
  override readonly cause: keyof typeof CAUSES;

  constructor(cause: keyof typeof CAUSES) {
    super(CAUSES[cause]);
    this.name = "CallEnded";
    this.cause = cause;
  }
}

export class Call extends IncomingRequest {
  /** The dialog that it is to take the place of (RFC 3891), where a plugin knows of it: hung up once it is answered. */
  replaces: Dialog | null = null;
  /** Whether a provisional response was sent. */
  hasProvisional = false;
  /** Whether a final response was sent. */
  isOver = false;
  /** The timer in the wheel that repeats the provisional response; 0 when it does not run. */
  refreshTimer = 0;
  /** Its reliable provisional responses, once there is one. */
  reliable: ReliableProvisionals<QueuedProvisional> | null = null;
  /** The status of the last one. */
  lastStatus = 0;
  /** The answer that waits for the PRACK of a provisional response (RFC 3262 s5). */
  held: ReplyOptions | null = null;
  #abort: AbortController | null = null;
  /** Why nobody is left to answer, once nobody is. */
  #gone: CallEnded["cause"] | null = null;
  #answer: PromiseWithResolvers<Dialog> | null = null;

  /** Whether this is a re-INVITE: an INVITE whose To has our tag already. */
  get isReinvite(): boolean {
    return this.isInDialog;
  }

  /**
   * Aborted when the caller cancels, cannot be reached any more or told what it is to be told, or the server is closed; its
   * reason is a {@link CallEnded}.
   */
  get signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#gone !== null) this.#abort.abort(new CallEnded(this.#gone));
    }
    return this.#abort.signal;
  }

  /** Sends 100. @returns false when the call is over */
  trying(): boolean {
    return this.core.calls.provisional(this, 100, {});
  }

  /** Sends 180. @returns false when the call is over */
  ring(): boolean {
    return this.core.calls.provisional(this, 180, {});
  }

  /**
   * Sends a provisional response, 101 to 199. A body is our description for early media; in one sent reliably it is the
   * answer to the INVITE's offer, or the offer where it has none, and is left out of what follows (RFC 6337 s3.1.1).
   * Reliable ones go out one after the other, each when the one before is acknowledged.
   * @returns false when nothing is sent: the call is over, a datagram cannot hold the response, which ends the call where it
   *   is a reliable one, or the caller requires reliable responses (RFC 3262), has made no offer, and this would be the first
   *   one and makes none either
   */
  progress(status: number, options: ProgressOptions = {}): boolean {
    if (status > 199) throw new RangeError(`A provisional response has 100 to 199, not ${status}`);
    return this.core.calls.provisional(this, status, options);
  }

  /**
   * Answers the call with 200; when a reliable provisional response with a description waits for its PRACK, once that has
   * come (RFC 3262 s5).
   * @param body our session description; none when the INVITE's offer has been answered. It is left out when the offer was
   *   answered reliably before. An offer that gets no answer leaves `dialog.session.state` at `unanswered`
   * @param handlers what is done with requests in the dialog
   * @returns the dialog, once the ACK has come. Rejects with {@link CallEnded} when the caller cancelled before, when a
   *   PRACK did not come, when no datagram can hold the answer, or when no ACK came in 64*T1; the dialog has been ended with
   *   a BYE then. It may be left unawaited.
   */
  answer(body?: string | Uint8Array, handlers?: DialogHandlers, headers?: HeaderFields): Promise<Dialog> {
    const answer = Promise.withResolvers<Dialog>();
    this.#answerWith({ body, headers }, handlers ?? null, answer);
    return answer.promise;
  }

  /** @returns whether it was sent, or will be */
  #answerWith(options: ReplyOptions, handlers: DialogHandlers | null, answer: PromiseWithResolvers<Dialog>): boolean {
    const isTaken = this.core.calls.answer(this, options, handlers);
    if (isTaken) this.#answer = answer;
    else this.#fail(answer, this.#gone ?? "over");
    return isTaken;
  }

  /** Refuses the call. @param status 300 to 699, default 603 @returns false when the call is over */
  reject(status = 603, options: ReplyOptions = {}): boolean {
    if (!(status >= 300 && status <= 699)) throw new RangeError(`A call is rejected with 300 to 699, not ${status}`);
    if (!this.core.calls.reject(this, status, options)) return false;
    this.#failHeld("over");
    return true;
  }

  /** @internal a refusal alone can be made of lines */
  override replyLines(answer: Answer, delay = 0): boolean {
    if (delay > 0) return super.replyLines(answer, delay);
    const { status, reason, headers } = answer;
    return this.core.calls.reject(this, status, { reason }, headers);
  }

  /** Sends the caller elsewhere with 302 (RFC 3261 s8.3). @param targets URIs, best first @returns false when the call is over */
  redirect(...targets: string[]): boolean {
    return this.reject(302, { headers: { Contact: targets.map((target) => `<${target}>`) } });
  }

  /** Answers by the status's class: {@link progress}, {@link answer} or {@link reject}. */
  override reply(status: number, options: ReplyOptions = {}): boolean {
    if (status < 200) return this.progress(status, options);
    if (status >= 300) return this.reject(status, options);
    if (this.isOver) return false;
    if (status !== 200) throw new RangeError(`A call is answered with 200, not ${status}`);
    return this.#answerWith(options, null, Promise.withResolvers());
  }

  /** The caller gave up or takes no part any more, or the server was closed; told by the core. */
  onGone(cause: "cancelled" | "closed" | "unreachable" | "no-prack" | "too-large"): void {
    this.#gone = cause;
    this.#abort?.abort(new CallEnded(cause));
    this.#failHeld(cause);
  }

  /** The answer that waited cannot be sent; told by the core. */
  onUnsent(): void {
    this.#failHeld(this.#gone ?? "over");
  }

  /** The answer waits no more: nobody is left to take it, or the call was refused after all. */
  #failHeld(cause: CallEnded["cause"]): void {
    if (this.held === null || this.#answer === null) return;
    this.held = null;
    this.#fail(this.#answer, cause);
  }

  /** The ACK came; told by the core. */
  onAcknowledged(dialog: Dialog): void {
    this.#answer?.resolve(dialog);
  }

  /** No ACK came; told by the core. */
  onUnacknowledged(): void {
    if (this.#answer !== null) this.#fail(this.#answer, "no-ack");
  }

  #fail(answer: PromiseWithResolvers<Dialog>, cause: CallEnded["cause"]): void {
    // A call may be answered without anybody waiting for the ACK: that is not an unhandled rejection.
    answer.promise.catch(() => {});
    answer.reject(new CallEnded(cause));
  }
}
