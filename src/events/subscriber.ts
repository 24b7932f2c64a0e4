/**
 * Our end of the subscriptions that we ask for: finds whose a NOTIFY is (RFC 6665 s4.1.3, s4.4.1). The first one makes
 * the dialog; it may well come before the answer to the SUBSCRIBE.
 */
import type { Dialog } from "../dialog/dialog.ts";
import { latin1 } from "../message/bytes.ts";
import { TO_TAG_END, TO_TAG_START } from "../message/layout.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host } from "../server/plugin.ts";
import { type EventField, eventOf, FieldFault, type SubscriptionStateField, subscriptionStateOf } from "./fields.ts";
import type { Leg } from "./leg.ts";
import type { Subscription } from "./subscription.ts";

export class Subscriber {
  readonly host: Host;
  /** Subscriptions whose SUBSCRIBE may still make dialogs, by Call-ID and our tag. */
  readonly #awaiting = new Map<string, Subscription>();
  /** The first leg of each dialog, by its slot. */
  readonly #ofDialog: (Leg | undefined)[] = [];
  readonly #all = new Set<Subscription>();

  constructor(host: Host) {
    this.host = host;
  }

  /** Subscriptions of ours that are not over. */
  get size(): number {
    return this.#all.size;
  }

  /** A NOTIFY came in a dialog, or in none. */
  notify(request: IncomingRequest): void {
    const read = readNotify(request);
    if (read === null) return;
    const leg = request.dialog === null ? undefined : this.#find(request.dialog, read.event);
    if (leg === undefined) {
      request.reply(481);
      return;
    }
    // s4.1.3: it is answered whatever is made of it.
    request.replyInDialog(200);
    leg.notify(request, read.state);
  }

  /** A NOTIFY came to a tag of ours that no dialog has. @returns whether it was answered */
  orphan(request: IncomingRequest): boolean {
    const { bytes, table } = request.message;
    const tag = latin1(bytes, table[TO_TAG_START]!, table[TO_TAG_END]!);
    const subscription = this.#awaiting.get(keyOf(request.callId, tag));
    if (subscription === undefined) return false;
    const read = readNotify(request);
    if (read !== null) subscription.adopt(request, read.event, read.state);
    return true;
  }

  /** A SUBSCRIBE went out whose NOTIFYs may make dialogs. */
  await(callId: string, tag: string, subscription: Subscription): void {
    this.#awaiting.set(keyOf(callId, tag), subscription);
  }

  /** They may no more. */
  awaitNoMore(callId: string, tag: string): void {
    this.#awaiting.delete(keyOf(callId, tag));
  }

  /** A leg takes NOTIFYs from now on. */
  joined(leg: Leg): void {
    const { slot } = leg.dialog;
    leg.nextOfDialog = this.#ofDialog[slot];
    this.#ofDialog[slot] = leg;
  }

  /** And no more. */
  left(leg: Leg): void {
    const { slot } = leg.dialog;
    let before: Leg | undefined;
    for (let one = this.#ofDialog[slot]; one !== undefined; before = one, one = one.nextOfDialog) {
      if (one !== leg) continue;
      if (before === undefined) this.#ofDialog[slot] = one.nextOfDialog;
      else before.nextOfDialog = one.nextOfDialog;
      return;
    }
  }

  /** A subscription begins. */
  began(subscription: Subscription): void {
    this.#all.add(subscription);
  }

  /** And is over. */
  over(subscription: Subscription): void {
    this.#all.delete(subscription);
  }

  /** The server is closed. */
  closed(): void {
    for (const subscription of this.#all) subscription.close();
  }

  #find(dialog: Dialog, { name, id }: EventField): Leg | undefined {
    let near: Leg | undefined;
    for (let leg = this.#ofDialog[dialog.slot]; leg !== undefined; leg = leg.nextOfDialog) {
      if (leg.event.name !== name) continue;
      if (leg.event.id === id) return leg;
      // RFC 3515 s2.4.6: the id of the first REFER may be left out.
      if (name === "refer" && (id === "" || leg.event.id === "")) near = leg;
    }
    return near;
  }
}

/** What a NOTIFY says of its subscription; null when it has been refused for it. */
function readNotify(request: IncomingRequest): { event: EventField; state: SubscriptionStateField } | null {
  const event = eventOf(request.message);
  const state = subscriptionStateOf(request.message);
  if (typeof event === "object" && typeof state === "object") return { event, state };
  if (event === FieldFault.Missing) request.reply(489);
  else request.reply(400, { reason: typeof event === "object" ? "Bad Subscription-State" : "Bad Event" });
  return null;
}

function keyOf(callId: string, tag: string): string {
  return `${callId}\n${tag}`;
}
