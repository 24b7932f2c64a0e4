/**
 * One subscription of ours in one dialog (RFC 6665 s4.1): refreshed before it expires, ended by a NOTIFY that says so, by
 * a refresh that the notifier does not know any more, or by silence. One SUBSCRIBE that forks makes several of these.
 */
import type { Dialog } from "../dialog/dialog.ts";
import { sendInDialog } from "../dialog/send.ts";
import { Header } from "../message/header.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import type { Message } from "../message/message.ts";
import type { OutgoingRequest, RequestUser } from "../outgoing/outgoing-request.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import { endsUsage } from "./ending.ts";
import { deltaSecondsOf, type EventField, eventText, type SubscriptionStateField } from "./fields.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Notification, SubscriptionEnd } from "./subscription.ts";

/** Timer N: 64*T1 (s4.1.2.4). */
export const TIMER_N_MS = 32_000;
/** Refusals of one refresh that are answered with another one, for a longer interval. */
const CORRECTIONS = 2;
/** With less time than this left, a refresh that failed is not tried again. */
const LAST_TRY_S = 10;

/** Whose leg it is. */
export interface LegOwner {
  /** Seconds to ask for; -1 when it is not to be refreshed. */
  expires: number;
  /** Header fields of a refresh beside Event and Expires. */
  readonly refreshFields: HeaderFields;
  notified(notification: Notification): void;
  legEnded(leg: Leg, end: SubscriptionEnd): void;
}

export class Leg implements RequestUser {
  readonly dialog: Dialog;
  readonly event: EventField;
  state: "pending" | "active" | "terminated" = "pending";
  /** The next one in its dialog. */
  nextOfDialog: Leg | undefined;
  readonly #subscriber: Subscriber;
  readonly #owner: LegOwner;
  #expiresAt = Number.POSITIVE_INFINITY;
  /** The alarm of its next refresh or its end. */
  #alarm = -1;
  #timerN = -1;
  #isRefreshing = false;
  #isEnding = false;
  /** Seconds asked for by the refresh under way. */
  #asked = 0;
  #corrections = 0;

  /** @param dialog held by the leg already */
  constructor(subscriber: Subscriber, owner: LegOwner, dialog: Dialog, event: EventField) {
    this.#subscriber = subscriber;
    this.#owner = owner;
    this.dialog = dialog;
    this.event = event;
  }

  /** Seconds that are left; Infinity when the notifier has not said. */
  get remaining(): number {
    return Math.max(0, (this.#expiresAt - this.#subscriber.host.now()) / 1000);
  }

  /** A NOTIFY came for it; it has been answered. */
  notify(request: IncomingRequest, field: SubscriptionStateField): void {
    this.#timerN = this.#clear(this.#timerN);
    const { state, reason, retryAfter, expires } = field;
    if (state === "terminated") this.#leave();
    else {
      this.state = state === "pending" ? "pending" : "active";
      if (expires >= 0) this.expireIn(expires);
    }
    this.#owner.notified(notificationOf(request, field, this.dialog));
    if (state === "terminated") this.#ended({ reason, retryAfter: retryAfter < 0 ? undefined : retryAfter });
  }

  /** The notifier grants so many seconds from now on. */
  expireIn(seconds: number): void {
    this.#expiresAt = this.#subscriber.host.now() + seconds * 1000;
    if (this.#owner.expires < 0 || this.#isEnding) this.#wake(seconds * 1000);
    else this.#wake((seconds > 120 ? seconds - 60 : seconds / 2) * 1000);
  }

  /** Asks for more time. Nothing happens while it is asked for. @param seconds 0 ends it */
  refresh(seconds: number): void {
    if (seconds === 0) this.#isEnding = true;
    if (this.#isRefreshing || this.state === "terminated") return;
    const { host } = this.#subscriber;
    const { dialog, event } = this;
    this.#isRefreshing = true;
    this.#asked = seconds;
    this.#startTimerN();
    const headers = {
      Event: eventText(event.name, event.id),
      Expires: String(seconds),
      ...this.#owner.refreshFields,
    };
    sendInDialog(host.sender, dialog, "SUBSCRIBE", { headers }, host.dialogs.contactOf(dialog), this);
  }

  /** It is over on this side; nothing is sent. */
  end(end: SubscriptionEnd): void {
    if (this.state === "terminated") return;
    this.#leave();
    this.#ended(end);
  }

  // ---- from the refresh on its way

  response(message: Message, request: OutgoingRequest): void {
    const { status } = message;
    if (status < 200) return;
    this.#isRefreshing = false;
    if (this.state === "terminated") return;
    if (status < 300) this.#granted(message, request);
    else this.#refused(message);
  }

  again(): void {
    if (this.state !== "terminated") this.#startTimerN();
  }

  failed(failure: RequestFailed): void {
    this.#isRefreshing = false;
    this.end({ reason: failure.cause === "closed" ? "closed" : "unreachable", status: failure.status });
  }

  // ----

  #startTimerN(): void {
    this.#timerN = this.#clear(this.#timerN);
    this.#timerN = this.#subscriber.host.alarms.set(TIMER_N_MS, () => {
      this.#timerN = -1;
      this.end({ reason: "no-notify" });
    });
  }

  #granted(message: Message, request: OutgoingRequest): void {
    this.#corrections = 0;
    // RFC 5839: no NOTIFY will come.
    if (message.status === 204) this.#timerN = this.#clear(this.#timerN);
    if (message.first(Header.Contact) !== 0) this.dialog.refreshTarget(message.keep(), request);
    const seconds = deltaSecondsOf(message, Header.Expires);
    if (typeof seconds === "number" && seconds > 0 && !this.#isEnding) this.expireIn(seconds);
    if (this.#isEnding && this.#asked > 0) this.refresh(0);
  }

  #refused(message: Message): void {
    const { status } = message;
    this.#timerN = this.#clear(this.#timerN);
    if (this.#corrections++ < CORRECTIONS && this.#isCorrected(message)) this.refresh(this.#owner.expires);
    else if (endsUsage(status) || this.#isEnding) this.end({ reason: "refused", status });
    else {
      // s4.1.2.2: it stands until it expires.
      this.#corrections = 0;
      const { remaining } = this;
      const wait = deltaSecondsOf(message, Header.RetryAfter);
      const seconds = Math.max(typeof wait === "number" ? wait : 0, remaining / 2);
      this.#wake((remaining < LAST_TRY_S ? remaining : Math.min(seconds, remaining)) * 1000);
    }
  }

  /** Whether there is use in another try, for a longer time. */
  #isCorrected(message: Message): boolean {
    if (message.status !== 423 || this.#isEnding) return false;
    const least = deltaSecondsOf(message, Header.MinExpires);
    if (typeof least !== "number" || least <= this.#owner.expires) return false;
    this.#owner.expires = least;
    return true;
  }

  /** Looks again after a time: at a refresh, or at the end. */
  #wake(delay: number): void {
    this.#alarm = this.#clear(this.#alarm);
    this.#alarm = this.#subscriber.host.alarms.set(delay, () => {
      this.#alarm = -1;
      if (this.remaining <= 0) this.end({ reason: "expired" });
      else if (this.#owner.expires < 0 || this.#isEnding) this.#wake(this.remaining * 1000);
      else {
        this.#wake(this.remaining * 1000);
        this.refresh(this.#owner.expires);
      }
    });
  }

  #clear(alarm: number): -1 {
    if (alarm >= 0) this.#subscriber.host.alarms.clear(alarm);
    return -1;
  }

  #leave(): void {
    this.state = "terminated";
    this.#alarm = this.#clear(this.#alarm);
    this.#timerN = this.#clear(this.#timerN);
    this.#subscriber.left(this);
  }

  #ended(end: SubscriptionEnd): void {
    this.dialog.release();
    this.#owner.legEnded(this, end);
  }
}

/** A NOTIFY as the user is told of it. */
export function notificationOf(
  request: IncomingRequest,
  { state, reason, expires, retryAfter }: SubscriptionStateField,
  dialog: Dialog | null,
): Notification {
  const type = /^[^;]*/
    .exec(request.header("Content-Type") ?? "")![0]
    .trim()
    .toLowerCase();
  return { state, reason, expires, retryAfter, type, body: request.body, request, dialog };
}
