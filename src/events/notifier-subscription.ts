/**
 * One subscription at the notifier (RFC 6665 s4.2):
 *
 *     state       event                        action                                         next
 *     pending     the subscriber is allowed    NOTIFY active                                  active
 *     pending     ... or is not                NOTIFY terminated;reason=rejected              terminated
 *     active      the state changes            NOTIFY, at most one on its way                 active
 *     any         SUBSCRIBE                    time anew, NOTIFY of the whole state           the same
 *     any         expired, Expires: 0          NOTIFY terminated;reason=timeout               terminated
 *     any         NOTIFY fails for good        none                                           gone
 *     terminated  the NOTIFY has its response  none                                           gone
 *
 * Changes that come while a NOTIFY is on its way are told together by the next one, so what a slow subscriber costs is
 * bounded.
 */
import type { Dialog } from "../dialog/dialog.ts";
import { sendInDialog } from "../dialog/send.ts";
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import type { OutgoingRequest, RequestUser } from "../outgoing/outgoing-request.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import { endsUsage } from "./ending.ts";
import type { TerminationReason } from "./event-package.ts";
import { deltaSecondsOf, eventText, subscriptionStateText } from "./fields.ts";
import type { Notifier } from "./notifier.ts";
import type { Paced } from "./pacer.ts";
import type { EncodedState, Watched } from "./watched.ts";

/** How long a NOTIFY that was refused for now is waited with, when its refusal does not say. */
const RETRY_MS = 30_000;
/** The longest such wait that a peer may ask for. */
const MAX_RETRY_MS = 3_600_000;
/** Refusals in a row that end the subscription. */
const MAX_FAILURES = 5;
/** How long when this server has no transaction left. */
const OVERLOADED_MS = 1000;
/** These tell nothing of the state. */
const WITHOUT_STATE: ReadonlySet<string> = new Set(["rejected", "noresource", "giveup", "probation"]);

export class NotifierSubscription implements RequestUser, Paced {
  readonly dialog: Dialog;
  readonly watched: Watched;
  /** The `id` of its Event; empty when there is none. */
  readonly id: string;
  /** The media type its subscriber takes. */
  type: string;
  state: "pending" | "active" | "terminated";
  // Links of the lists it stands in: those of its resource and of its dialog.
  next: NotifierSubscription | null = null;
  previous: NotifierSubscription | null = null;
  nextOfDialog: NotifierSubscription | null = null;
  /** What is told instead of the package's state: subscriptions that no SUBSCRIBE made have one of their own. */
  own: EncodedState | null = null;
  readonly #notifier: Notifier;
  #reason = "";
  #retryAfter = -1;
  #expiresAt = 0;
  #expiry = -1;
  /** The alarm that the next NOTIFY waits for; -1 for none. */
  #wait = -1;
  #lastSent = Number.NEGATIVE_INFINITY;
  #version = 0;
  #since = -1;
  #failures = 0;
  #isDirty = false;
  #isUrgent = false;
  #isInFlight = false;
  #isQueued = false;
  #isGone = false;

  constructor(notifier: Notifier, dialog: Dialog, watched: Watched, id: string, type: string, isPending: boolean) {
    this.#notifier = notifier;
    this.dialog = dialog;
    this.watched = watched;
    this.id = id;
    this.type = type;
    this.state = isPending ? "pending" : "active";
  }

  /** It has so many seconds from now on. */
  extend(seconds: number): void {
    const { alarms, now } = this.#notifier.host;
    this.#stopExpiry();
    this.#expiresAt = now() + seconds * 1000;
    this.#expiry = alarms.set(seconds * 1000, () => {
      this.#expiry = -1;
      this.terminate("timeout");
    });
  }

  /** Seconds that are left. */
  get remaining(): number {
    return Math.max(0, Math.ceil((this.#expiresAt - this.#notifier.host.now()) / 1000));
  }

  /** The subscriber is allowed to see the state. */
  activate(): void {
    if (this.state !== "pending") return;
    this.state = "active";
    this.tellAll();
  }

  /** Tells the whole state at once: its subscriber has asked. */
  tellAll(): void {
    this.#since = -1;
    this.#isDirty = this.#isUrgent = true;
    this.#stopWaiting();
    this.#schedule();
  }

  /** The state of its resource has changed. */
  changed(): void {
    if (this.state !== "active") return;
    this.#isDirty = true;
    this.#schedule();
  }

  /**
   * Ends it with a NOTIFY that says why.
   * @param retryAfter seconds; -1 for none
   * @param isAsked whether its subscriber has asked and is told at once; else it is told in its turn
   */
  terminate(reason: TerminationReason, retryAfter = -1, isAsked = false): void {
    if (this.state === "terminated") return;
    this.#reason = reason;
    this.#retryAfter = retryAfter;
    this.#leave();
    this.#since = -1;
    this.#isDirty = true;
    this.#isUrgent = isAsked;
    this.#stopWaiting();
    this.#schedule();
  }

  /** Its turn has come. */
  go(): void {
    this.#isQueued = false;
    if (this.#isDirty && !this.#isInFlight && this.#wait < 0) this.#send();
  }

  // ---- from the NOTIFY on its way

  response(message: Message, request: OutgoingRequest): void {
    const { status } = message;
    if (status < 200) return;
    this.#isInFlight = false;
    if (this.#isGone) return;
    if (status < 300) {
      this.#failures = 0;
      if (message.first(Header.Contact) !== 0) this.dialog.refreshTarget(message.keep(), request);
      if (this.#isOver) this.#finish();
      else if (this.#isDirty) this.#schedule();
    } else if (endsUsage(status) || this.#isOver || ++this.#failures === MAX_FAILURES) this.#finish();
    else this.#again(retryDelayOf(message));
  }

  failed({ cause }: RequestFailed): void {
    this.#isInFlight = false;
    if (this.#isGone) return;
    // s4.2.2: nobody is there. What this server lacks itself says nothing of the subscriber.
    if (cause === "overloaded" && !this.#isOver) this.#again(OVERLOADED_MS);
    else this.#finish();
  }

  // ----

  /** Whether the NOTIFY that ends it was sent. */
  get #isOver(): boolean {
    return this.state === "terminated" && !this.#isDirty;
  }

  /** Sends what there is to tell as soon as the last NOTIFY's response and the package's pace allow. */
  #schedule(): void {
    if (this.#isInFlight || this.#wait >= 0 || (this.#isQueued && !this.#isUrgent)) return;
    const { host, pacer } = this.#notifier;
    const pace = this.state === "terminated" ? 0 : (this.watched.pkg.minInterval ?? 0);
    const rest = this.#lastSent + pace - host.now();
    if (this.#isUrgent) this.#send();
    else if (rest > 0) this.#waitFor(rest);
    else {
      this.#isQueued = true;
      pacer.add(this);
    }
  }

  /** The last NOTIFY did not arrive: the whole state goes once more, later. */
  #again(delay: number): void {
    this.#since = -1;
    this.#isDirty = true;
    this.#waitFor(delay);
  }

  #waitFor(delay: number): void {
    this.#stopWaiting();
    this.#wait = this.#notifier.host.alarms.set(delay, () => {
      this.#wait = -1;
      if (this.#isDirty) this.#schedule();
    });
  }

  #send(): void {
    const { dialog, watched } = this;
    const { host } = this.#notifier;
    this.#isDirty = this.#isUrgent = false;
    this.#isInFlight = true;
    this.#lastSent = host.now();
    const state = this.#told();
    if (state !== null) this.#since = state.revision;
    this.#version++;
    const ended = this.state === "terminated";
    const headers = {
      Event: eventText(watched.pkg.name, this.id),
      "Subscription-State": subscriptionStateText(
        this.state,
        this.#reason,
        ended ? -1 : this.remaining,
        this.#retryAfter,
      ),
    };
    const options = { headers, body: state?.content, contentType: state?.type };
    sendInDialog(host.sender, dialog, "NOTIFY", options, host.dialogs.contactOf(dialog), this);
    this.#notifier.counters.notifies++;
  }

  /** What is told now; null for nothing. */
  #told(): EncodedState | null {
    if (this.own !== null) return this.own;
    if (WITHOUT_STATE.has(this.#reason) || this.watched.pkg.isImplicit) return null;
    try {
      return this.watched.state(this.type, this.#version, this.#since, this.state === "pending");
    } catch (err) {
      this.#notifier.host.log.error({ event: this.watched.pkg.name, err }, "the state of a resource cannot be told");
      return null;
    }
  }

  #stopExpiry(): void {
    if (this.#expiry >= 0) this.#notifier.host.alarms.clear(this.#expiry);
    this.#expiry = -1;
  }

  #stopWaiting(): void {
    if (this.#wait >= 0) this.#notifier.host.alarms.clear(this.#wait);
    this.#wait = -1;
  }

  /** Nobody finds it any more; what is left is its last NOTIFY. */
  #leave(): void {
    if (this.state === "terminated") return;
    this.state = "terminated";
    this.#stopExpiry();
    this.#notifier.left(this);
  }

  #finish(): void {
    this.#leave();
    this.#stopWaiting();
    this.#isGone = true;
    this.#isDirty = false;
    this.dialog.release();
    this.#notifier.gone();
  }
}

/** How long a refused NOTIFY waits, in milliseconds. */
function retryDelayOf(message: Message): number {
  const seconds = deltaSecondsOf(message, Header.RetryAfter);
  if (seconds === null || seconds === "malformed") return RETRY_MS;
  return Math.min(Math.max(seconds * 1000, OVERLOADED_MS), MAX_RETRY_MS);
}
