/** A subscription that something else than SUBSCRIBE has made, told as its maker says (RFC 3515 s2.4.4). */
import type { Body, TerminationReason } from "./event-package.ts";
import type { NotifierSubscription } from "./notifier-subscription.ts";
import { encode } from "./watched.ts";

export class ImplicitSubscription {
  readonly #subscription: NotifierSubscription;

  /** @internal use `events.implicit` */
  constructor(subscription: NotifierSubscription) {
    this.#subscription = subscription;
  }

  /** Whether nobody is told any more: it has expired, or the subscriber is gone. */
  get isOver(): boolean {
    return this.#subscription.state === "terminated";
  }

  /** Tells a state; of several while a NOTIFY is on its way, the last. */
  tell(body: Body): void {
    if (this.isOver) return;
    this.#subscription.own = encode(body);
    this.#subscription.tellAll();
  }

  /** Tells a last state and ends it. @param reason default `noresource`, as RFC 3515 s2.4.7 has it */
  end(body: Body, reason: TerminationReason = "noresource"): void {
    if (this.isOver) return;
    this.#subscription.own = encode(body);
    this.#subscription.terminate(reason, -1, true);
  }
}
