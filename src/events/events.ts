/**
 * Events (RFC 6665, RFC 3903): the part of the server that takes SUBSCRIBE and PUBLISH, sends NOTIFY, and subscribes
 * elsewhere.
 *
 *     const notifier = events({ packages: [presence(), messageSummary()] });
 *     const server = await serve({ plugins: [notifier] });
 *     notifier.publish("presence", "sip:bob@example.com", pidf("sip:bob@example.com", [{ status: "open" }]));
 */
import type { Dialog } from "../dialog/dialog.ts";
import { aorOf } from "../message/aor.ts";
import { ascii } from "../message/bytes.ts";
import type { Uri } from "../message/uri.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Handlers } from "../server/options.ts";
import type { Host, Plugin } from "../server/plugin.ts";
import type { Authorize } from "./authorize.ts";
import type { Body, EventPackage, TerminationReason } from "./event-package.ts";
import { ExpectedNotifies, type ExpectOptions } from "./expected.ts";
import { isToken } from "./fields.ts";
import { ImplicitSubscription } from "./implicit.ts";
import type { Intervals } from "./intervals.ts";
import { Notifier } from "./notifier.ts";
import { Publications } from "./publications.ts";
import { Subscriber } from "./subscriber.ts";
import { type SubscribeOptions, Subscription } from "./subscription.ts";

export interface EventsOptions {
  /** Each by a name of its own. SUBSCRIBE to any other gets 489. */
  packages: readonly EventPackage[];
  /** Whether PUBLISH is taken, for packages that can be published. Default true. */
  publications?: boolean;
  /** Whether this end subscribes elsewhere, and so takes NOTIFY. Default true. */
  subscriber?: boolean;
  /** Seconds; less than this gets 423, but never an hour or more. Default 60. */
  minExpires?: number;
  /** Seconds that more is cut to, at most seven days. Default 86,400. */
  maxExpires?: number;
  /** Seconds for whom does not say. Default 3,600. */
  defaultExpires?: number;
  /** The most subscriptions at once; more get 503. Default 1,000,000; the server's ceiling on dialogs holds beside it. */
  maxSubscriptions?: number;
  /** The most subscriptions to one resource; more get 403. Default 10,000. */
  maxSubscriptionsPerResource?: number;
  /** The most publications at once; more get 503. Default 100,000. */
  maxPublications?: number;
  /** The most publications of one resource; more get 403. Default 32. */
  maxPublicationsPerResource?: number;
  /** NOTIFYs that changes may cause in 10 ms; more wait their turn. Default 200. */
  notifyBurst?: number;
  /** Who may subscribe and publish. Default: everybody. */
  authorize?: Authorize;
}

/** What there is of subscriptions and publications, and what was counted since the start. */
export interface EventsStats {
  /** Gauge: subscriptions at this server. */
  subscriptions: number;
  /** Gauge: subscriptions of ours elsewhere. */
  subscriptionsOfOurs: number;
  /** Gauge: publications by PUBLISH. */
  publications: number;
  subscribed: number;
  published: number;
  notifies: number;
}

const MAX_SECONDS = 604_800;

/** The plugin, and what a program does with it. */
export class Events implements Plugin {
  readonly handlers: Partial<Handlers>;
  readonly capabilities: string;
  /** Body types that are read, beside those that the server's user names. */
  readonly accept: readonly string[];
  readonly #options: EventsOptions;
  readonly #packages: ReadonlyMap<string, EventPackage>;
  readonly #intervals: Intervals;
  #notifier: Notifier | null = null;
  #publications: Publications | null = null;
  #subscriber: Subscriber | null = null;

  /** @internal use {@link events} */
  constructor(options: EventsOptions) {
    this.#options = options;
    this.#packages = new Map(options.packages.map((pkg) => [pkg.name, pkg]));
    this.#intervals = intervalsOf(options);
    const { publications = true, subscriber = true, packages } = options;
    for (const { name } of packages) if (!isToken(name)) throw new TypeError(`Not a name of an event package: ${name}`);
    if (this.#packages.size < packages.length) throw new TypeError("Two event packages have the same name");
    const types = packages.flatMap((pkg) => (subscriber || pkg.accepts !== undefined ? pkg.types : []));
    this.accept = [...new Set(types)];
    this.capabilities = packages.length === 0 ? "" : `Allow-Events: ${[...this.#packages.keys()].join(", ")}\r\n`;
    this.handlers = {
      subscribe: (request) => this.#notifier!.subscribe(request),
      ...(publications ? { publish: (request: IncomingRequest) => this.#publications!.publish(request) } : {}),
      ...(subscriber ? { notify: (request: IncomingRequest) => this.#subscriber!.notify(request) } : {}),
    };
  }

  // ---- for the server

  /** @internal */
  attach(host: Host): void {
    if (this.#notifier !== null) throw new TypeError("Events belong to one server");
    const { authorize, maxSubscriptions = 1_000_000, maxSubscriptionsPerResource = 10_000 } = this.#options;
    const { maxPublications = 100_000, maxPublicationsPerResource = 32, notifyBurst = 200 } = this.#options;
    const common = { packages: this.#packages, intervals: this.#intervals, authorize };
    const notifier = new Notifier(host, {
      ...common,
      maxSubscriptions,
      maxPerResource: maxSubscriptionsPerResource,
      notifyBurst,
    });
    const settings = { ...common, maxPublications, maxPerResource: maxPublicationsPerResource };
    const publications = new Publications(host, settings, (event, resource) => notifier.changed(event, resource));
    this.#notifier = notifier;
    this.#publications = publications;
    this.#subscriber = new Subscriber(host);
    for (const pkg of this.#packages.values()) {
      pkg.attach?.({
        host,
        changed: (resource) => notifier.changed(pkg.name, resource),
        watchers: (resource) => notifier.countOf(pkg.name, resource),
        subscriptions: () => notifier.size,
        published: (resource) => publications.of(pkg.name, resource),
      });
    }
  }

  /** @internal */
  orphan(request: IncomingRequest): boolean {
    return this.#options.subscriber !== false && this.#subscriber!.orphan(request);
  }

  /** @internal */
  closed(): void {
    this.#subscriber!.closed();
  }

  // ---- for the program

  get stats(): EventsStats {
    const { notifier, publications, subscriber } = this.#rooms;
    return {
      subscriptions: notifier.size,
      subscriptionsOfOurs: subscriber.size,
      publications: publications.size,
      subscribed: notifier.counters.subscribed,
      published: publications.counters.published,
      notifies: notifier.counters.notifies,
    };
  }

  /**
   * Publishes a body for a resource, in the place of what was published so before; it does not expire, and stands
   * beside what PUBLISH brings.
   * @param resource a `sip`, `sips` or `tel` URI
   * @param body null takes it away
   * @throws TypeError for a resource that is none, a package that cannot be published, or a body that is not of it
   */
  publish(event: string, resource: string | Uri, body: Body | null): void {
    const { publications } = this.#rooms;
    const pkg = this.#packages.get(event);
    if (pkg?.accepts === undefined) throw new TypeError(`Not an event package that can be published: ${event}`);
    const name = canonical(resource);
    if (body === null) {
      publications.set(event, name, null);
      return;
    }
    const { type, content } = body;
    if (!pkg.types.includes(type) || !pkg.accepts(body)) throw new TypeError(`Not a body of ${event}: ${type}`);
    publications.set(event, name, { type, content: typeof content === "string" ? ascii(content) : content.slice() });
  }

  /** Tells every subscriber to a resource its state anew: for packages of the program's own. */
  changed(event: string, resource: string | Uri): void {
    this.#rooms.notifier.changed(event, canonical(resource));
  }

  /**
   * Ends every subscription to a resource.
   * @param retryAfter seconds that subscribers are told to wait, for `probation` and `giveup`
   * @returns how many there were
   */
  terminate(event: string, resource: string | Uri, reason: TerminationReason, retryAfter?: number): number {
    const subscriptions = this.#rooms.notifier.subscriptionsTo(event, canonical(resource));
    for (const subscription of subscriptions) subscription.terminate(reason, retryAfter ?? -1);
    return subscriptions.length;
  }

  /**
   * Subscribes elsewhere.
   *
   *     const mailbox = events.subscribe("sip:bob@example.com", "message-summary", { onNotify: ({ body }) => show(body) });
   *
   * @param uri whose state it is
   * @param event the package's name; it need not be one of the plugin's
   * @throws TypeError for a URI, name or header that cannot stand in a request, RangeError for seconds that are none
   */
  subscribe(uri: string | Uri, event: string, options: SubscribeOptions = {}): Subscription {
    const { subscriber } = this.#rooms;
    const { id = "" } = options;
    if (!isToken(event) || (id !== "" && !isToken(id))) throw new TypeError(`Not an event: ${event} ${id}`);
    const pkg = this.#packages.get(event);
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    const settings = { accept: pkg?.types ?? [], forks: pkg?.forks ?? false, ...given };
    return new Subscription(subscriber, uri, { name: event, id }, settings);
  }

  /**
   * Waits for the NOTIFYs of a subscription that another request in a dialog makes, as REFER does. The dialog is known
   * until it is over, its session may end before.
   */
  expect(dialog: Dialog, event: string, options: ExpectOptions = {}): ExpectedNotifies {
    return new ExpectedNotifies(this.#rooms.subscriber, dialog, { name: event, id: options.id ?? "" }, options);
  }

  /**
   * Makes a subscription for who sent a request that asks for one without saying so, as REFER does; it is to be answered
   * with `replyInDialog(202)` first, and its state told then.
   * @param seconds how long it lasts
   * @returns null when there is no room
   * @throws TypeError for a package that the plugin does not have
   */
  implicit(request: IncomingRequest, event: string, id: string, seconds: number): ImplicitSubscription | null {
    const { notifier } = this.#rooms;
    const pkg = this.#packages.get(event);
    if (pkg === undefined) throw new TypeError(`Not an event package of this server: ${event}`);
    const subscription = notifier.implicit(request, pkg, id, Math.min(seconds, MAX_SECONDS));
    return subscription === null ? null : new ImplicitSubscription(subscription);
  }

  get #rooms(): { notifier: Notifier; publications: Publications; subscriber: Subscriber } {
    if (this.#notifier === null) throw new TypeError("Events belong to no server yet");
    return { notifier: this.#notifier, publications: this.#publications!, subscriber: this.#subscriber! };
  }
}

/**
 * The events plugin.
 * @throws TypeError for packages whose names are none or the same, RangeError for intervals that do not fit
 */
export function events(options: EventsOptions): Events {
  return new Events(options);
}

function intervalsOf({ minExpires = 60, maxExpires = 86_400, defaultExpires = 3600 }: EventsOptions): Intervals {
  const max = Math.min(maxExpires, MAX_SECONDS);
  for (const [name, value] of Object.entries({ minExpires, maxExpires, defaultExpires })) {
    if (!(Number.isInteger(value) && value > 0)) throw new RangeError(`${name} is no number of seconds: ${value}`);
  }
  if (minExpires > max) throw new RangeError(`minExpires is above maxExpires: ${minExpires} > ${max}`);
  return { min: minExpires, max, default: Math.min(Math.max(defaultExpires, minExpires), max) };
}

function canonical(resource: string | Uri): string {
  const name = aorOf(resource);
  if (name === null) throw new TypeError(`Not a resource: ${resource}`);
  return name;
}
