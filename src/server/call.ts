/**
 * A call that comes in: the INVITE server transaction and the dialog it makes (RFC 3261 s13.3), or a re-INVITE in a
 * dialog that stands (s14.2).
 */
import type { Dialog } from "../dialog/dialog.ts";
import type { HeaderFields } from "./header-lines.ts";
import { IncomingRequest, type ReplyOptions } from "./incoming-request.ts";

/** What a dialog's user wants to be asked. All are optional. */
export interface DialogHandlers {
  /** A re-INVITE. Without this handler it gets 488 and the session stays as it was. */
  invite?: (call: Call) => unknown;
  /** Any other request in the dialog but BYE. Without this handler the server's own handlers are asked. */
  request?: (request: IncomingRequest, dialog: Dialog) => unknown;
}

const CAUSES = {
  cancelled: "The caller cancelled the call",
  "no-ack": "No ACK came for the answer",
  over: "The call has had its final response",
  closed: "The server was closed",
  unreachable: "The connection to the caller is gone",
} as const;

/** Why a call came to nothing: the reason of its `signal`, and what `answer()` rejects with. */
export class CallEnded extends Error {
  /**
   * `cancelled` by the caller, `no-ack` to our 2xx, `over`: another final response was sent before, `closed`: the server
   * was closed, `unreachable`: the caller's WebSocket is gone.
   */
  override readonly cause: keyof typeof CAUSES;

  constructor(cause: keyof typeof CAUSES) {
    super(CAUSES[cause]);
    this.name = "CallEnded";
    this.cause = cause;
  }
}

export class Call extends IncomingRequest {
  /** The dialog: from the first provisional response with a tag on, or from the start for a re-INVITE. */
  dialog: Dialog | null = null;
  /** Whether a provisional response was sent. */
  hasProvisional = false;
  /** Whether a final response was sent. */
  isOver = false;
  /** The timer in the wheel that repeats the provisional response; 0 when it does not run. */
  refreshTimer = 0;
  #abort: AbortController | null = null;
  /** Why nobody is left to answer, once nobody is. */
  #gone: CallEnded["cause"] | null = null;
  #answer: PromiseWithResolvers<Dialog> | null = null;

  /** Whether this is a re-INVITE: an INVITE whose To has our tag already. */
  get isReinvite(): boolean {
    return this.isInDialog;
  }

  /** Aborted when the caller cancels, cannot be reached any more, or the server is closed; its reason is a {@link CallEnded}. */
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

  /** Sends a provisional response, 101 to 199, with early media where a body is given. @returns false when the call is over */
  progress(status: number, options: ReplyOptions = {}): boolean {
    if (status > 199) throw new RangeError(`A provisional response has 100 to 199, not ${status}`);
    return this.core.calls.provisional(this, status, options);
  }

  /**
   * Answers the call with 200.
   * @param body our session description; none when the INVITE's offer is to be answered otherwise
   * @param handlers what is done with requests in the dialog
   * @returns the dialog, once the ACK has come. Rejects with {@link CallEnded} when the caller cancelled before, or when
   *   no ACK came in 64*T1; the dialog has been ended with a BYE then. It may be left unawaited.
   */
  answer(body?: string | Uint8Array, handlers?: DialogHandlers, headers?: HeaderFields): Promise<Dialog> {
    const answer = Promise.withResolvers<Dialog>();
    this.#answerWith({ body, headers }, handlers ?? null, answer);
    return answer.promise;
  }

  #answerWith(options: ReplyOptions, handlers: DialogHandlers | null, answer: PromiseWithResolvers<Dialog>): void {
    if (this.core.calls.answer(this, options, handlers)) this.#answer = answer;
    else this.#fail(answer, this.#gone ?? "over");
  }

  /** Refuses the call. @param status 300 to 699, default 603 @returns false when the call is over */
  reject(status = 603, options: ReplyOptions = {}): boolean {
    if (!(status >= 300 && status <= 699)) throw new RangeError(`A call is rejected with 300 to 699, not ${status}`);
    return this.core.calls.reject(this, status, options);
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
    this.#answerWith(options, null, Promise.withResolvers());
    return this.isOver;
  }

  /** The caller gave up, or the server was closed; told by the core. */
  onGone(cause: "cancelled" | "closed" | "unreachable"): void {
    this.#gone = cause;
    this.#abort?.abort(new CallEnded(cause));
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
