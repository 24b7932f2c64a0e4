/**
 * A subscription of ours (RFC 6665 s4.1), from the first SUBSCRIBE to the end, the notifier's reasons to try again
 * included:
 *
 *     how it ended                        what is done
 *     deactivated, timeout, expired       another SUBSCRIBE at once; later when that happens again and again
 *     probation, giveup                   another after retry-after, else after 30 and 60 seconds
 *     rejected, noresource, invariant     nothing
 *     refused, with Retry-After           another after it
 *     refused otherwise                   nothing, unless it had stood before
 */
import type { Dialog } from "../dialog/dialog.ts";
import { copyOf } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import { TO_TAG_END, TO_TAG_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import type { Uri } from "../message/uri.ts";
import { type AnswerChallenge, scopeOf } from "../outgoing/challenge-scope.ts";
import type { RequestOptions } from "../outgoing/composer.ts";
import type { OutgoingRequest, RequestDraft } from "../outgoing/outgoing-request.ts";
import type { RequestContext } from "../outgoing/request-context.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import type { NextHop } from "../resolve/target.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import { deltaSecondsOf, type EventField, eventText, type SubscriptionStateField } from "./fields.ts";
import { Leg, type LegOwner, notificationOf, TIMER_N_MS } from "./leg.ts";
import { retryDelay } from "./retry.ts";
import type { Subscriber } from "./subscriber.ts";

/** A NOTIFY that came for a subscription. */
export interface Notification {
  /** `active`, `pending`, `terminated` or an extension. */
  readonly state: string;
  /** Why it is terminated; empty when it was not said. */
  readonly reason: string;
  /** Seconds the subscription still has; -1 when it was not said. */
  readonly expires: number;
  /** Seconds to wait before another try; -1 when it was not said. */
  readonly retryAfter: number;
  /** The body's media type in lower case, without parameters; empty when there is none. */
  readonly type: string;
  /** Empty when there is none. */
  readonly body: Uint8Array;
  readonly request: IncomingRequest;
  /** Tells forks apart; null for a NOTIFY that made no dialog since it was the first and the last. */
  readonly dialog: Dialog | null;
}

/** How a subscription came to its end. */
export interface SubscriptionEnd {
  /**
   * As the notifier gave it (`rejected`, `noresource`, ...; empty when it gave none), or of this side: `unsubscribed`;
   * `refused` by a `status`; `unreachable`; `no-notify` came in 32 s; `expired` unrefreshed; `closed`, the server was.
   */
  readonly reason: string;
  readonly status?: number;
  /** Seconds. */
  readonly retryAfter?: number | undefined;
}

export interface SubscribeOptions extends RequestOptions {
  /** Seconds to ask for, below 2^32; 0 fetches the state once. Default 3,600. */
  expires?: number;
  /** Media types that are taken. Default: those of the package, where it is one of the plugin's. */
  accept?: readonly string[];
  /** The `id` of Event, a token. */
  id?: string;
  /** Whether several notifiers may take it, by forking. Default: what the package says. */
  forks?: boolean;
  /** Whether it is begun anew where the way it ended allows. Default true. */
  retry?: boolean;
  /** Called with every NOTIFY. */
  onNotify?: (notification: Notification) => void;
  /** Unsubscribes when it is aborted. */
  signal?: AbortSignal;
  /**
   * Called with a 401 or 407: the header fields that answer its challenge, or null to give up. Asked at most twice for one
   * SUBSCRIBE. Where it is given no credentials are used.
   */
  auth?: AnswerChallenge;
}

const DEFAULT_EXPIRES = 3600;
const CORRECTIONS = 2;
/** Notifiers that one SUBSCRIBE may reach. */
const MAX_LEGS = 16;
/** A subscription that stood so long did not end at once again. */
const STOOD_MS = 60_000;

export class Subscription implements LegOwner {
  /** Resolves when it is over for good. Never rejects. */
  readonly ended: Promise<SubscriptionEnd>;
  /** @internal */
  expires: number;
  readonly #subscriber: Subscriber;
  readonly #uri: string | Uri;
  readonly #event: EventField;
  readonly #options: SubscribeOptions;
  readonly #fields: HeaderFields;
  /** How challenges are answered: to the SUBSCRIBE, and to requests in its dialogs. */
  readonly #context: RequestContext;
  readonly #outcome = Promise.withResolvers<SubscriptionEnd>();
  readonly #onAbort = () => void this.unsubscribe();
  readonly #legs = new Set<Leg>();
  /** The SUBSCRIBE that dialogs may come of; null when none may any more. */
  #draft: RequestDraft | null = null;
  /** See `Dialog.boundTo`. */
  #boundTo: NextHop | null = null;
  #tag = "";
  #timerN = -1;
  #retry = -1;
  #tries = 0;
  #corrections = 0;
  #beganAt = 0;
  #hasStood = false;
  #isEnding = false;
  #isOver = false;

  /** @internal use `events.subscribe` @throws TypeError for a URI or header that cannot stand in a request */
  constructor(subscriber: Subscriber, uri: string | Uri, event: EventField, options: SubscribeOptions) {
    const { expires = DEFAULT_EXPIRES, accept, signal } = options;
    if (!(Number.isInteger(expires) && expires >= 0 && expires < 2 ** 32)) {
      throw new RangeError(`No seconds to subscribe for: ${expires}`);
    }
    this.#subscriber = subscriber;
    this.#uri = uri;
    this.#event = event;
    this.#options = options;
    this.expires = expires;
    const isAlive = () => !this.#isOver && !this.#isEnding && this.#draft !== null;
    this.#context = {
      near: null,
      challenges: scopeOf(options),
      get isAlive() {
        return isAlive();
      },
      nextCSeq: (last) => last + 1,
    };
    this.#fields = accept === undefined || accept.length === 0 ? {} : { Accept: accept.join(", ") };
    this.ended = this.#outcome.promise;
    this.#begin();
    if (this.#isOver) return;
    if (signal?.aborted) void this.unsubscribe();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** `trying` until a NOTIFY has come; `active` when a notifier says so, `pending` while none does. */
  get state(): "trying" | "pending" | "active" | "terminated" {
    if (this.#isOver) return "terminated";
    const states = [...this.#legs].map((leg) => leg.state);
    return states.includes("active") ? "active" : states.length > 0 ? "pending" : "trying";
  }

  /** The dialogs that it stands in: one for each notifier. */
  get dialogs(): readonly Dialog[] {
    return [...this.#legs].map((leg) => leg.dialog);
  }

  /** Asks every notifier for the state and more time now. @param expires seconds; default those asked for before */
  refresh(expires = this.expires): void {
    if (expires > 0) this.expires = expires;
    for (const leg of this.#legs) leg.refresh(expires);
  }

  /** Ends it (s4.1.2.3). @returns when the last NOTIFY has come, or nothing in 32 s */
  unsubscribe(): Promise<SubscriptionEnd> {
    if (!this.#isEnding && !this.#isOver) {
      this.#isEnding = true;
      if (this.#retry >= 0) this.#over({ reason: "unsubscribed" });
      for (const leg of this.#legs) leg.refresh(0);
    }
    return this.ended;
  }

  /** `await using subscription = ...` unsubscribes at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.unsubscribe();
  }

  // ---- from the subscriber

  /** @internal a NOTIFY that makes a dialog */
  adopt(request: IncomingRequest, event: EventField, field: SubscriptionStateField): void {
    const forks = this.#options.forks === true ? MAX_LEGS : 1;
    if (event.name !== this.#event.name || event.id !== this.#event.id || this.#legs.size >= forks) {
      // s4.4.1, s5.4.9: a fork that is not wanted.
      request.reply(481);
      return;
    }
    if (field.state === "terminated") {
      request.reply(200);
      this.notified(notificationOf(request, field, null));
      this.#legless({ reason: field.reason, retryAfter: field.retryAfter < 0 ? undefined : field.retryAfter });
      return;
    }
    const { dialogs } = this.#subscriber.host;
    const { message } = request;
    const tag = copyOf(message.bytes, message.table[TO_TAG_START]!, message.table[TO_TAG_END]!);
    const dialog = dialogs.create(message, tag, request, false);
    if (dialog === null) {
      request.reply(500, { headers: { "Retry-After": "30" } });
      return;
    }
    // Our SUBSCRIBE was the first request of this side.
    dialog.localCSeq = this.#draft!.cseq;
    dialog.challenges = this.#context.challenges;
    dialog.boundTo = this.#boundTo;
    const leg = new Leg(this.#subscriber, this, dialog, this.#event);
    this.#subscriber.joined(leg);
    this.#legs.add(leg);
    request.dialog = dialog;
    request.replyInDialog(200);
    leg.notify(request, field);
    if (field.expires < 0 && leg.remaining === Number.POSITIVE_INFINITY) leg.expireIn(this.expires);
    if (this.#isEnding) leg.refresh(0);
  }

  /** @internal */
  close(): void {
    for (const leg of this.#legs) leg.end({ reason: "closed" });
    this.#over({ reason: "closed" });
  }

  // ---- from the legs

  /** @internal */
  get refreshFields(): HeaderFields {
    return this.#fields;
  }

  /** @internal */
  notified(notification: Notification): void {
    if (notification.state !== "terminated") this.#hasStood = true;
    try {
      this.#options.onNotify?.(notification);
    } catch (err) {
      this.#subscriber.host.log.error({ callId: notification.request.callId, err }, "a handler failed");
    }
  }

  /** @internal */
  legEnded(leg: Leg, end: SubscriptionEnd): void {
    this.#legs.delete(leg);
    if (this.#legs.size === 0) this.#legless(end);
  }

  // ----

  /** Sends a SUBSCRIBE with a Call-ID of its own. */
  #begin(): void {
    this.#corrections = 0;
    this.#beganAt = this.#subscriber.host.now();
    this.#send(null);
  }

  /** @param before the SUBSCRIBE that this one puts right */
  #send(before: RequestDraft | null): void {
    const { host } = this.#subscriber;
    const { headers, ...rest } = this.#options;
    const event = { Event: eventText(this.#event.name, this.#event.id), Expires: String(this.expires) };
    const fields = { ...headers, ...this.#fields, ...event };
    const isSecure = this.#uri.toString().toLowerCase().startsWith("sips:");
    const contact = host.dialogs.contactOf({ isSecure });
    const { draft, hop, flow } = host.composer.compose("SUBSCRIBE", this.#uri, { ...rest, headers: fields }, contact);
    const again = before === null ? {} : { from: before.from, callId: before.callId, cseq: before.cseq + 1 };
    this.#draft = { ...draft, ...again };
    this.#boundTo = flow === null ? null : hop;
    this.#subscriber.began(this);
    const callId = String(this.#draft.callId);
    const from = String(this.#draft.from);
    this.#tag = from.slice(from.lastIndexOf(";tag=") + 5);
    this.#subscriber.await(callId, this.#tag, this);
    this.#startTimerN();
    let sent = this.#draft;
    const user = {
      response: (message: Message) => {
        if (sent === this.#draft && message.status >= 200) this.#responded(message);
      },
      again: ({ draft: next }: OutgoingRequest) => {
        if (sent !== this.#draft) return;
        this.#draft = sent = next;
        this.#startTimerN();
      },
      failed: (failure: RequestFailed) => {
        if (sent === this.#draft) this.#failed(failure);
      },
    };
    host.sender.send(sent, hop, flow, user, this.#context);
  }

  #responded(message: Message): void {
    const { status } = message;
    if (status < 300) {
      const seconds = deltaSecondsOf(message, Header.Expires);
      // s4.1.2.1: the notifier may shorten it.
      for (const leg of this.#legs) {
        if (leg.remaining === Number.POSITIVE_INFINITY && typeof seconds === "number") leg.expireIn(seconds);
      }
      return;
    }
    if (this.#corrections++ < CORRECTIONS && !this.#isEnding && this.#isCorrected(message)) {
      this.#send(this.#draft);
      return;
    }
    const wait = deltaSecondsOf(message, Header.RetryAfter);
    if (this.#legs.size === 0) {
      this.#legless({ reason: "refused", status, retryAfter: typeof wait === "number" ? wait : undefined });
    }
  }

  /** Whether there is use in another try, for a longer time. */
  #isCorrected(message: Message): boolean {
    if (message.status !== 423) return false;
    const least = deltaSecondsOf(message, Header.MinExpires);
    if (typeof least !== "number" || least <= this.expires) return false;
    this.expires = least;
    return true;
  }

  #failed({ cause, status }: RequestFailed): void {
    if (this.#legs.size > 0) return;
    if (cause === "closed") this.#over({ reason: "closed" });
    else this.#legless({ reason: "unreachable", status });
  }

  /** No NOTIFY makes a dialog any more (s4.1.2.4). */
  #onTimerN(): void {
    this.#timerN = -1;
    this.#stopAwaiting();
    if (this.#legs.size === 0) this.#legless({ reason: "no-notify" });
  }

  /** No notifier is left: it is over, or is begun anew. */
  #legless(end: SubscriptionEnd): void {
    if (this.#isOver) return;
    this.#stopAwaiting();
    const { host } = this.#subscriber;
    if (host.now() - this.#beganAt >= STOOD_MS) this.#tries = 0;
    const isWanted = !this.#isEnding && this.expires > 0 && this.#options.retry !== false;
    const delay = isWanted ? retryDelay(end, this.#hasStood, this.#tries) : null;
    if (delay === null) {
      this.#over(this.#isEnding ? { ...end, reason: "unsubscribed" } : end);
      return;
    }
    this.#tries++;
    this.#retry = host.alarms.set(delay * 1000, () => {
      this.#retry = -1;
      this.#begin();
    });
  }

  #stopAwaiting(): void {
    this.#stopTimerN();
    if (this.#draft !== null) this.#subscriber.awaitNoMore(String(this.#draft.callId), this.#tag);
    this.#draft = null;
  }

  #startTimerN(): void {
    this.#stopTimerN();
    this.#timerN = this.#subscriber.host.alarms.set(TIMER_N_MS, () => this.#onTimerN());
  }

  #stopTimerN(): void {
    if (this.#timerN >= 0) this.#subscriber.host.alarms.clear(this.#timerN);
    this.#timerN = -1;
  }

  #over(end: SubscriptionEnd): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopAwaiting();
    if (this.#retry >= 0) this.#subscriber.host.alarms.clear(this.#retry);
    this.#retry = -1;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#subscriber.over(this);
    this.#outcome.resolve(end);
  }
}
