/** A resource that somebody subscribes to: its subscriptions, and the body that they share. */
import { ascii } from "../message/bytes.ts";
import type { EventPackage } from "./event-package.ts";
import type { NotifierSubscription } from "./notifier-subscription.ts";

/** A body as it is sent. */
export interface EncodedState {
  readonly type: string;
  readonly content: Uint8Array;
  readonly revision: number;
}

export class Watched {
  readonly pkg: EventPackage;
  readonly resource: string;
  /** How many subscribe. */
  count = 0;
  #first: NotifierSubscription | null = null;
  #shared: EncodedState | null = null;
  /** The media type asked for when {@link #shared} was made; null when it is out of date. */
  #sharedType: string | null = null;

  constructor(pkg: EventPackage, resource: string) {
    this.pkg = pkg;
    this.resource = resource;
  }

  add(subscription: NotifierSubscription): void {
    subscription.next = this.#first;
    if (this.#first !== null) this.#first.previous = subscription;
    this.#first = subscription;
    this.count++;
  }

  remove(subscription: NotifierSubscription): void {
    const { next, previous } = subscription;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next !== null) next.previous = previous;
    subscription.next = subscription.previous = null;
    this.count--;
  }

  /** Every subscription; the one given out may be removed meanwhile. */
  *all(): IterableIterator<NotifierSubscription> {
    for (let one = this.#first; one !== null; ) {
      const { next } = one;
      yield one;
      one = next;
    }
  }

  /** The state has changed: every subscriber that may see it is told. */
  changed(): void {
    this.#sharedType = null;
    for (const subscription of this.all()) subscription.changed();
  }

  /** The state as one subscriber is told it; null when there is nothing to tell. */
  state(type: string, version: number, since: number, isPending: boolean): EncodedState | null {
    const { pkg, resource } = this;
    const isShared = pkg.isPerSubscriber !== true && !isPending;
    if (isShared && this.#sharedType === type) return this.#shared;
    const encoded = encode(pkg.state({ resource, type, version, since, isPending }));
    if (isShared) {
      this.#shared = encoded;
      this.#sharedType = type;
    }
    return encoded;
  }
}

/** A state as octets. */
export function encode(
  state: { type: string; content: string | Uint8Array; revision?: number } | null,
): EncodedState | null {
  if (state === null) return null;
  const { type, content, revision = 0 } = state;
  return { type, content: typeof content === "string" ? ascii(content) : content, revision };
}
