/** NOTIFYs of a subscription that a request of another method has made: REFER (RFC 3515 s2.4.4). */
import type { Dialog } from "../dialog/dialog.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import type { EventField } from "./fields.ts";
import { Leg, type LegOwner } from "./leg.ts";
import type { Subscriber } from "./subscriber.ts";
import type { Notification, SubscriptionEnd } from "./subscription.ts";

export interface ExpectOptions {
  /** The `id` of Event. Default none. */
  id?: string;
  /** Called with every NOTIFY. */
  onNotify?: (notification: Notification) => void;
}

/** A subscription that is not refreshed by itself. */
export class ExpectedNotifies implements LegOwner {
  /** Resolves when it is over. Never rejects. */
  readonly ended: Promise<SubscriptionEnd>;
  /** @internal */
  expires = -1;
  /** @internal */
  readonly refreshFields: HeaderFields = {};
  readonly #leg: Leg;
  readonly #subscriber: Subscriber;
  readonly #onNotify: ExpectOptions["onNotify"];
  readonly #outcome = Promise.withResolvers<SubscriptionEnd>();

  /** @internal use `events.expect` */
  constructor(subscriber: Subscriber, dialog: Dialog, event: EventField, { onNotify }: ExpectOptions) {
    this.#subscriber = subscriber;
    this.#onNotify = onNotify;
    this.ended = this.#outcome.promise;
    dialog.hold();
    this.#leg = new Leg(subscriber, this, dialog, event);
    subscriber.joined(this.#leg);
  }

  /** Asks for no more NOTIFYs. @returns when the last one has come, or nothing in 32 s */
  unsubscribe(): Promise<SubscriptionEnd> {
    this.#leg.refresh(0);
    return this.ended;
  }

  /** Waits no more; nothing is sent. For a request that made no subscription after all. */
  cancel(): void {
    this.#leg.end({ reason: "unsubscribed" });
  }

  /** @internal */
  notified(notification: Notification): void {
    try {
      this.#onNotify?.(notification);
    } catch (err) {
      this.#subscriber.host.log.error({ callId: notification.request.callId, err }, "a handler failed");
    }
  }

  /** @internal */
  legEnded(_leg: Leg, end: SubscriptionEnd): void {
    this.#outcome.resolve(end);
  }
}
