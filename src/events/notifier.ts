/** The notifier: takes SUBSCRIBE and keeps the subscriptions that come of it (RFC 6665 s4.2.1). */
import type { Dialog } from "../dialog/dialog.ts";
import { aorOf } from "../message/aor.ts";
import { Header } from "../message/header.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host } from "../server/plugin.ts";
import type { Authorize } from "./authorize.ts";
import type { EventPackage } from "./event-package.ts";
import { type EventField, eventOf, FieldFault } from "./fields.ts";
import { grantedSeconds, type Intervals, type Refused } from "./intervals.ts";
import { NotifierSubscription } from "./notifier-subscription.ts";
import { Pacer } from "./pacer.ts";
import { Watched } from "./watched.ts";

export interface NotifierSettings {
  packages: ReadonlyMap<string, EventPackage>;
  intervals: Intervals;
  /** The most subscriptions at once; more get 503. */
  maxSubscriptions: number;
  /** The most to one resource of one package; more get 403. */
  maxPerResource: number;
  /** NOTIFYs that changes may cause in 10 ms. */
  notifyBurst: number;
  authorize: Authorize | undefined;
}

/** What a SUBSCRIBE asks for. */
interface Asked {
  readonly pkg: EventPackage;
  readonly id: string;
  readonly resource: string;
  readonly type: string;
  readonly seconds: number;
}

const FULL: Refused = { status: 503, headers: { "Retry-After": "30" } };
const STRANGER: Refused = { status: 481 };
const FORBIDDEN: Refused = { status: 403 };

export class Notifier {
  readonly host: Host;
  readonly pacer: Pacer;
  /** Since the start. */
  readonly counters = { notifies: 0, subscribed: 0 };
  /** Subscriptions there are, those included whose last NOTIFY has no response yet. */
  size = 0;
  readonly #settings: NotifierSettings;
  readonly #watched = new Map<string, Watched>();
  /** The first subscription of each dialog, by its slot. */
  readonly #ofDialog: (NotifierSubscription | undefined)[] = [];

  constructor(host: Host, settings: NotifierSettings) {
    this.host = host;
    this.pacer = new Pacer(host.alarms, settings.notifyBurst);
    this.#settings = settings;
  }

  /** A SUBSCRIBE came. */
  subscribe(request: IncomingRequest): Promise<void> | undefined {
    const event = eventOf(request.message);
    if (event === FieldFault.Malformed) return refuse(request, { status: 400, reason: "Bad Event" });
    const pkg = event === FieldFault.Missing ? undefined : this.#settings.packages.get(event.name);
    if (pkg === undefined) return refuse(request, this.badEvent);
    const { id } = event as EventField;
    const known = request.dialog === null ? undefined : this.#find(request.dialog, pkg, id);
    const asked = this.#asked(request, pkg, id);
    if ("status" in asked) return refuse(request, asked);
    if (known !== undefined) return this.#refresh(request, known, asked);
    const refusal = this.#refusal(request, asked);
    if (refusal !== null) return refuse(request, refusal);
    return this.#authorize(request, asked);
  }

  /** The refusal of a package that is not known, with those that are (RFC 6665 s8.3.2). */
  get badEvent(): Refused {
    return { status: 489, headers: { "Allow-Events": [...this.#settings.packages.keys()].join(", ") } };
  }

  /** The state of a resource has changed. */
  changed(event: string, resource: string): void {
    this.#watched.get(keyOf(event, resource))?.changed();
  }

  /** Every subscription to a resource. */
  subscriptionsTo(event: string, resource: string): readonly NotifierSubscription[] {
    return [...(this.#watched.get(keyOf(event, resource))?.all() ?? [])];
  }

  /** How many there are. */
  countOf(event: string, resource: string): number {
    return this.#watched.get(keyOf(event, resource))?.count ?? 0;
  }

  /**
   * Makes a subscription that no SUBSCRIBE asked for, in the dialog that a request stands in or makes. It has told
   * nothing yet.
   * @returns null when there is no room
   */
  implicit(request: IncomingRequest, pkg: EventPackage, id: string, seconds: number): NotifierSubscription | null {
    if (this.size >= this.#settings.maxSubscriptions) return null;
    const resource = aorOf(request.to.uri) ?? "";
    const dialog = request.openDialog();
    if (dialog === null) return null;
    const subscription = this.#add(dialog, { pkg, id, resource, type: pkg.types[0]!, seconds }, false);
    subscription.extend(seconds);
    return subscription;
  }

  /** A subscription ended: it takes part in nothing any more. Told by the subscription. */
  left(subscription: NotifierSubscription): void {
    const { watched, dialog } = subscription;
    watched.remove(subscription);
    if (watched.count === 0) this.#watched.delete(keyOf(watched.pkg.name, watched.resource));
    let before: NotifierSubscription | null = null;
    for (let one = this.#ofDialog[dialog.slot] ?? null; one !== null; before = one, one = one.nextOfDialog) {
      if (one !== subscription) continue;
      if (before !== null) before.nextOfDialog = one.nextOfDialog;
      else this.#ofDialog[dialog.slot] = one.nextOfDialog ?? undefined;
      break;
    }
    subscription.nextOfDialog = null;
  }

  /** Its last NOTIFY is over, too. Told by the subscription. */
  gone(): void {
    this.size--;
  }

  // ----

  /** What a SUBSCRIBE asks for, or why it is refused. */
  #asked(request: IncomingRequest, pkg: EventPackage, id: string): Asked | Refused {
    const { message } = request;
    const { intervals } = this.#settings;
    const seconds = grantedSeconds(message, { ...intervals, default: pkg.defaultExpires ?? intervals.default });
    if (typeof seconds !== "number") return seconds;
    const type = acceptedType(request, pkg.types);
    if (type === undefined) return { status: 406, headers: { Accept: pkg.types.join(", ") } };
    if (!hasOneContact(request)) return { status: 400, reason: "SUBSCRIBE Needs One Contact" };
    // In a dialog the Request-URI is our Contact; who is asked is told by To.
    const resource = aorOf(request.isInDialog ? request.to.uri : request.uri);
    if (resource === null) return { status: 404 };
    return { pkg, id, resource, type, seconds };
  }

  /** Why a subscription that is not known is refused; null for nothing. */
  #refusal(request: IncomingRequest, { pkg, resource }: Asked): Refused | null {
    const { dialog } = request;
    // RFC 3515 s2.4.4.
    if (pkg.isImplicit) return FORBIDDEN;
    // The subscription that the dialog was made for is over.
    if (dialog?.isTerminated && this.#ofDialog[dialog.slot] === undefined) return STRANGER;
    return pkg.has?.(resource) === false ? { status: 404 } : null;
  }

  #authorize(request: IncomingRequest, asked: Asked): Promise<void> | undefined {
    const { pkg, resource } = asked;
    const { authorize } = this.#settings;
    const verdict = authorize?.({ method: "SUBSCRIBE", event: pkg.name, resource, request }) ?? true;
    if (verdict === true) {
      this.#install(request, asked, false);
      return undefined;
    }
    if (verdict === false) return refuse(request, FORBIDDEN);
    // A fetch has no later: it is answered once it is known.
    if (asked.seconds === 0) {
      return verdict.then((isAllowed) => {
        if (isAllowed) this.#install(request, asked, false);
        else refuse(request, FORBIDDEN);
      });
    }
    const subscription = this.#install(request, asked, true);
    verdict.then(
      (isAllowed) => {
        if (isAllowed) subscription?.activate();
        else subscription?.terminate("rejected");
      },
      (err) => {
        this.host.log.error({ event: pkg.name, resource, err }, "whether a subscriber is allowed cannot be told");
        subscription?.terminate("giveup");
      },
    );
    return undefined;
  }

  #install(request: IncomingRequest, asked: Asked, isPending: boolean): NotifierSubscription | null {
    const { maxSubscriptions, maxPerResource } = this.#settings;
    const isFull = this.size >= maxSubscriptions;
    if (isFull || this.countOf(asked.pkg.name, asked.resource) >= maxPerResource) {
      refuse(request, isFull ? FULL : { status: 403, reason: "Too Many Subscriptions" });
      return null;
    }
    const dialog = request.openDialog();
    if (dialog === null) {
      refuse(request, FULL);
      return null;
    }
    const subscription = this.#add(dialog, asked, isPending);
    this.counters.subscribed++;
    this.#answer(request, subscription, asked.seconds);
    return subscription;
  }

  #add(dialog: Dialog, { pkg, id, resource, type }: Asked, isPending: boolean): NotifierSubscription {
    const key = keyOf(pkg.name, resource);
    let watched = this.#watched.get(key);
    if (watched === undefined) {
      watched = new Watched(pkg, resource);
      this.#watched.set(key, watched);
    }
    const subscription = new NotifierSubscription(this, dialog, watched, id, type, isPending);
    subscription.nextOfDialog = this.#ofDialog[dialog.slot] ?? null;
    this.#ofDialog[dialog.slot] = subscription;
    watched.add(subscription);
    this.size++;
    return subscription;
  }

  #refresh(request: IncomingRequest, subscription: NotifierSubscription, { type, seconds }: Asked): undefined {
    const { dialog } = subscription;
    subscription.type = type;
    const contacts = request.contacts;
    // The message is kept with the dialog, so only for something new.
    if (contacts !== null && contacts !== "*" && contacts[0]?.uriText !== dialog.remoteTarget) {
      dialog.refreshTarget(request.message);
    }
    this.#answer(request, subscription, seconds);
  }

  /** 200, and what has to follow at once (RFC 6665 s4.2.1.2). */
  #answer(request: IncomingRequest, subscription: NotifierSubscription, seconds: number): void {
    request.replyInDialog(200, { headers: { Expires: String(seconds) } });
    if (seconds === 0) subscription.terminate("timeout", -1, true);
    else {
      subscription.extend(seconds);
      subscription.tellAll();
    }
  }

  #find(dialog: Dialog, pkg: EventPackage, id: string): NotifierSubscription | undefined {
    for (let one = this.#ofDialog[dialog.slot] ?? null; one !== null; one = one.nextOfDialog) {
      if (one.watched.pkg === pkg && one.id === id) return one;
    }
    return undefined;
  }
}

/** No resource holds a line end. */
function keyOf(event: string, resource: string): string {
  return `${event}\n${resource}`;
}

function refuse(request: IncomingRequest, { status, ...options }: Refused): undefined {
  request.reply(status, options);
}

/** The first of the types that a request's Accept allows; the first of all where it has none. */
function acceptedType(request: IncomingRequest, types: readonly string[]): string | undefined {
  if (request.message.first(Header.Accept) === 0) return types[0];
  return types.find((type) => {
    const [main = "", sub = ""] = type.split("/");
    return request.accepts(main, sub);
  });
}

/** A SUBSCRIBE has just one Contact (RFC 6665 s4.1.2.1); in a dialog it may be left out. */
function hasOneContact(request: IncomingRequest): boolean {
  if (request.message.first(Header.Contact) === 0) return request.isInDialog;
  const { contacts } = request;
  return contacts !== null && contacts !== "*" && contacts.length === 1;
}
