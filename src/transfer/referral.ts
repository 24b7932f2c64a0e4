/** A REFER of ours and what its peer tells of it (RFC 3515 s2.4.4): the side that refers. */
import type { Dialog } from "../dialog/dialog.ts";
import type { ReferOptions, Referred } from "../dialog/refer.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import { isWithoutSubscription } from "../message/refer-to.ts";
import { readSipfrag } from "../message/sipfrag.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host } from "../server/plugin.ts";
import { subscriptionStateOf } from "./refer-event.ts";

/** A REFER that came to nothing, or whose outcome nobody tells. */
export class ReferFailed extends Error {
  /** `refused`: the REFER itself, with this status; `untold`: the peer has stopped telling before there was an outcome. */
  override readonly cause: "refused" | "untold";
  /** The REFER's final response; 408, 481 or 503 where there was none. 0 for `untold`. */
  readonly status: number;

  constructor(cause: ReferFailed["cause"], status: number, message: string) {
    super(message);
    this.name = "ReferFailed";
    this.cause = cause;
    this.status = status;
  }
}

/** How long the first NOTIFY may take once the REFER is accepted (RFC 6665 s4.1.2.4), in milliseconds. */
const FIRST_NOTIFY_MS = 32_000;
/** A subscription that does not say how long it lasts, and the longest that is believed, in seconds. */
const DEFAULT_EXPIRES = 300;
const MAX_EXPIRES = 3600;

export class Referral implements Referred {
  readonly dialog: Dialog;
  /** The CSeq number of the REFER: what the `id` of its NOTIFYs is. */
  readonly cseq: number;
  /** Resolves when the peer has accepted the REFER; rejects with {@link ReferFailed}. */
  readonly accepted: Promise<void>;
  /**
   * Resolves with the final status of what the peer did, 200 to 699; with that of the REFER's own answer where there is
   * no subscription. Rejects with {@link ReferFailed}.
   */
  readonly done: Promise<number>;
  readonly #host: Host;
  readonly #progress: ReferOptions["progress"];
  readonly #over: (referral: Referral) => void;
  readonly #accepted = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<number>();
  #alarm: number;
  #isOver = false;
  /** Whether a NOTIFY has come. */
  #isTold = false;
  /** Whether the dialog was still known, and is held. */
  readonly #isHeld: boolean;

  /** @internal use `transfers().refer`. @param over called when no NOTIFY is waited for any more */
  constructor(
    host: Host,
    dialog: Dialog,
    headers: HeaderFields,
    progress: ReferOptions["progress"],
    over: (referral: Referral) => void,
  ) {
    this.#host = host;
    this.dialog = dialog;
    this.#progress = progress;
    this.#over = over;
    this.accepted = this.#accepted.promise;
    this.done = this.#done.promise;
    // Neither has to be waited for: that is no unhandled rejection.
    this.accepted.catch(() => {});
    this.done.catch(() => {});
    // A BYE must not end what the NOTIFYs come in.
    this.#isHeld = dialog.isAlive;
    if (this.#isHeld) dialog.hold();
    this.#alarm = -1;
    const sent = dialog.request("REFER", { headers });
    this.cseq = dialog.localCSeq;
    sent.then(
      (response) => {
        if (response.status < 300) this.#onAccepted(response.status, isWithoutSubscription(response));
        else this.#fail("refused", response.status, `The REFER was refused: ${response.status} ${response.reason}`);
      },
      (failure: RequestFailed) => this.#fail("refused", failure.status, failure.message),
    );
  }

  /** A NOTIFY of its subscription has come. */
  onNotify(request: IncomingRequest): void {
    const told = readSipfrag(request.body);
    const { isTerminated, expires = DEFAULT_EXPIRES } = subscriptionStateOf(request);
    if (told === null && !isTerminated) {
      request.reply(400, { reason: "No Status Line In Body" });
      return;
    }
    request.replyInDialog(200);
    this.#isTold = true;
    // It may come before the answer to the REFER (s2.4.4): the peer has accepted, then.
    this.#accepted.resolve();
    if (told !== null) this.#tell(told.status, told.reason, request.body);
    if (isTerminated) this.#finish();
    else this.#lastFor(Math.min(expires, MAX_EXPIRES) * 1000);
  }

  /** The server is closed. */
  close(): void {
    this.#finish();
  }

  #onAccepted(status: number, isWithoutSubscription: boolean): void {
    this.#accepted.resolve();
    if (isWithoutSubscription) {
      this.#done.resolve(status);
      this.#finish();
    } else if (!this.#isTold) this.#lastFor(FIRST_NOTIFY_MS);
  }

  #tell(status: number, reason: string, body: Uint8Array): void {
    try {
      this.#progress?.(status, reason, body);
    } catch (error) {
      this.#host.log.error({ callId: this.dialog.callId, err: error }, "a handler failed");
    }
    if (status >= 200) this.#done.resolve(status);
  }

  #lastFor(ms: number): void {
    if (this.#isOver) return;
    this.#clearAlarm();
    this.#alarm = this.#host.alarms.set(ms, () => {
      this.#alarm = -1;
      this.#finish();
    });
  }

  #fail(cause: ReferFailed["cause"], status: number, message: string): void {
    const failure = new ReferFailed(cause, status, message);
    this.#accepted.reject(failure);
    this.#done.reject(failure);
    this.#finish();
  }

  #clearAlarm(): void {
    if (this.#alarm >= 0) this.#host.alarms.clear(this.#alarm);
    this.#alarm = -1;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#clearAlarm();
    const untold = new ReferFailed("untold", 0, "The peer does not tell what became of the REFER");
    this.#accepted.reject(untold);
    this.#done.reject(untold);
    if (this.#isHeld) this.dialog.release();
    this.#over(this);
  }
}
