/**
 * The implicit subscription of a REFER, on the side that was referred (RFC 3515 s2.4.4): tells who referred what becomes
 * of the reference, one NOTIFY at a time. What changes while one is under way is told with the next, the newest alone.
 *
 *     (pending) -> active -> terminated;reason=noresource
 */
import type { Dialog } from "../dialog/dialog.ts";
import { SIPFRAG, writeSipfrag } from "../message/sipfrag.ts";
import type { Host } from "../server/plugin.ts";
import { referEvent } from "./refer-event.ts";

/** Told what becomes of a reference. After the end nothing is told any more. */
export interface ReferReport {
  /** A provisional response. @param reason as it came; the registered one when left out */
  tell(status: number, reason?: string): void;
  /** What came of it. @param cause of the end of the subscription */
  end(status: number, reason?: string, cause?: "noresource" | "rejected"): void;
}

/** For a REFER without a subscription (RFC 4488). */
export const NO_REPORT: ReferReport = { tell() {}, end() {} };

/** s3.10: no more than one a second; what is final does not wait. */
const PACE_MS = 1000;

export class ReferSubscription implements ReferReport {
  readonly dialog: Dialog;
  /** The CSeq number of its REFER. */
  readonly cseq: number;
  /** The `id` in its Event; null for none. */
  readonly id: number | null;
  readonly #host: Host;
  readonly #over: (subscription: ReferSubscription) => void;
  #lifetime: number;
  #state: "pending" | "active" | "terminated" = "active";
  #cause = "noresource";
  /** What is to be told, and what was told last. */
  #news: string;
  #told = "";
  #expiresAt: number;
  #expiry = -1;
  #pace = -1;
  #isSending = false;
  #isOver = false;

  /**
   * @param dialog held once for it, released when it is over
   * @param seconds how long it lasts at most
   * @param over called when nothing is told any more
   */
  constructor(
    host: Host,
    dialog: Dialog,
    cseq: number,
    id: number | null,
    seconds: number,
    over: (subscription: ReferSubscription) => void,
  ) {
    this.#host = host;
    this.dialog = dialog;
    this.cseq = cseq;
    this.id = id;
    this.#lifetime = seconds;
    this.#over = over;
    this.#news = writeSipfrag(100);
    this.#expiresAt = 0;
    this.#lastFor(seconds);
  }

  /** Sends the first NOTIFY, which every subscription begins with. @param isPending whether it is not decided yet */
  begin(isPending: boolean): void {
    if (isPending) this.#state = "pending";
    this.#pump();
  }

  /** It is decided that the reference is followed. @param seconds how long it lasts at most from now on */
  activate(seconds: number): void {
    if (this.#state !== "pending") return;
    this.#state = "active";
    this.#lifetime = seconds;
    this.#lastFor(seconds);
  }

  tell(status: number, reason?: string): void {
    if (this.#state === "terminated") return;
    this.#news = writeSipfrag(status, reason);
    this.#pump();
  }

  end(status: number, reason?: string, cause: "noresource" | "rejected" = "noresource"): void {
    if (this.#state === "terminated") return;
    this.#news = writeSipfrag(status, reason);
    this.#terminate(cause);
  }

  /** How long a refresh lasts at most, in seconds. */
  grant(wanted: number): number {
    return this.#state === "terminated" ? 0 : Math.min(wanted, this.#lifetime);
  }

  /** A SUBSCRIBE has refreshed it; 0 seconds end it. What was referred to goes on all the same (s2.4.4). */
  refresh(seconds: number): void {
    if (this.#state === "terminated") return;
    if (seconds === 0) {
      this.#terminate("timeout");
      return;
    }
    this.#lastFor(seconds);
    this.#told = "";
    this.#clearPace();
    this.#pump();
  }

  /** The server is closed. */
  close(): void {
    this.#finish();
  }

  #lastFor(seconds: number): void {
    const { alarms, now } = this.#host;
    if (this.#expiry >= 0) alarms.clear(this.#expiry);
    this.#expiresAt = now() + seconds * 1000;
    this.#expiry = alarms.set(seconds * 1000, () => {
      this.#expiry = -1;
      this.#terminate("timeout");
    });
  }

  #terminate(cause: string): void {
    if (this.#state === "terminated") return;
    this.#state = "terminated";
    this.#cause = cause;
    this.#clearPace();
    this.#pump();
  }

  /** Sends what is new, if anything is and it is time. */
  #pump(): void {
    const isFinal = this.#state === "terminated";
    if (this.#isOver || this.#isSending || this.#pace >= 0) return;
    if (!isFinal && this.#news === this.#told) return;
    this.#isSending = true;
    this.#told = this.#news;
    if (!isFinal) {
      this.#pace = this.#host.alarms.set(PACE_MS, () => {
        this.#pace = -1;
        this.#pump();
      });
    }
    const sent = this.dialog.request("NOTIFY", {
      headers: { Event: referEvent(this.id), "Subscription-State": this.#stateText() },
      body: this.#told,
      contentType: SIPFRAG,
    });
    sent.then(
      ({ status }) => this.#answered(isFinal || status >= 300),
      // Nobody there to be told, or the server is closed.
      () => this.#answered(true),
    );
  }

  #answered(isLast: boolean): void {
    this.#isSending = false;
    if (isLast) this.#finish();
    else this.#pump();
  }

  #stateText(): string {
    if (this.#state === "terminated") return `terminated;reason=${this.#cause}`;
    return `${this.#state};expires=${Math.max(1, Math.ceil((this.#expiresAt - this.#host.now()) / 1000))}`;
  }

  #clearPace(): void {
    if (this.#pace >= 0) this.#host.alarms.clear(this.#pace);
    this.#pace = -1;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#state = "terminated";
    this.#clearPace();
    if (this.#expiry >= 0) this.#host.alarms.clear(this.#expiry);
    this.#expiry = -1;
    this.dialog.release();
    this.#over(this);
  }
}
