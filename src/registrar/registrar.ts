/**
 * Registrar and location service (RFC 3261 s10): the part of the server that takes REGISTER.
 *
 *     const phones = registrar({ domains: ["example.com"], auth: digest({ realm: "example.com", users }) });
 *     const server = await serve({ plugins: [phones] });
 *     const [best] = phones.lookup("sip:bob@example.com");
 */
import type { Allowed, Digest, FoundUser, Verdict } from "../auth/digest.ts";
import { isPromise } from "../auth/users.ts";
import { type BoundEvent, Location, type LocationWatcher, type UnboundEvent } from "../location/location.ts";
import { Section } from "../location/packed.ts";
import { BindingFlag } from "../location/row.ts";
import { drawSecret } from "../location/secrets.ts";
import type { BindingStore } from "../location/store.ts";
import { aorOf } from "../message/aor.ts";
import { Uri } from "../message/uri.ts";
import type { Flow } from "../outgoing/outgoing-request.ts";
import type { Answer, Arrival } from "../server/arrival.ts";
import { withDefaults } from "../server/defaults.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Handlers } from "../server/options.ts";
import type { Host, Plugin } from "../server/plugin.ts";
import type { Channel } from "../transport/channel.ts";
import { type Binding, bindingOf, compareBindings, readReceived } from "./binding.ts";
import { RegistrarCounters } from "./counters.ts";
import { Flows } from "./flows.ts";
import { Gruus } from "./gruus.ts";
import { flowOfReceived, KeepAlive } from "./keep-alive.ts";
import { RegFeed } from "./reg-feed.ts";
import { Registered } from "./registered.ts";
import { notStored, Registration } from "./registration.ts";
import {
  DEFAULT_REGISTRAR,
  isServiceRoute,
  MOST_BINDINGS,
  type RegistrarOptions,
  type RegistrarSettings,
} from "./settings.ts";
import { isOwner } from "./whose.ts";

/** What there is of bindings, and what was counted since the start. */
export interface RegistrarStats extends Readonly<RegistrarCounters> {
  /** Gauge: bindings there are. */
  readonly bindings: number;
  /** Gauge: addresses-of-record that have one. */
  readonly addressesOfRecord: number;
  readonly expired: number;
  /** Why the store takes no changes; null when it does. */
  readonly storeTrouble: string | null;
  readonly storeWritten: number;
  readonly storeFailures: number;
}

/** What the registrar has from its server, once there is one. */
interface Rooms {
  readonly host: Host;
  readonly location: Location;
  readonly flows: Flows;
  readonly gruus: Gruus;
  readonly registration: Registration;
  readonly keepAlive: KeepAlive;
  /** Null where there is no `reg` package. */
  readonly feed: RegFeed | null;
}

/** Milliseconds between two looks at the system's clock. */
const CLOCK_MS = 5000;
/** Seconds that can be added to the time and still be kept in 32 bits, for some decades to come. */
const LONGEST_EXPIRES = 2 ** 30;

/** The plugin, and what a program does with it. */
export class Registrar implements Plugin, LocationWatcher {
  readonly supported = ["path", "outbound", "gruu"];
  readonly handlers: Partial<Handlers>;
  readonly #settings: RegistrarSettings;
  readonly #auth: Digest | null;
  readonly #store: BindingStore | null;
  readonly #options: RegistrarOptions;
  readonly #counters = new RegistrarCounters();
  #rooms: Rooms | null = null;
  #clockAlarm = -1;

  /** @internal use {@link registrar} */
  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#settings = checked(withDefaults(DEFAULT_REGISTRAR, options));
    this.#auth = options.auth ?? null;
    this.#store = options.store ?? null;
    // For whoever calls it from a handler of its own; what comes is taken by `register`.
    this.handlers = {
      register: (request) => {
        this.#counters.requests++;
        return this.#judged(request, this.#auth === null ? undefined : request.check(this.#auth, "uas"));
      },
    };
  }

  // ---- for the server

  /** @internal */
  get timers(): number {
    return this.#settings.maxBindings;
  }

  /** @internal */
  async attach(host: Host): Promise<void> {
    if (this.#rooms !== null) throw new TypeError("A registrar belongs to one server");
    try {
      await this.#open(host);
    } catch (error) {
      await this.#store?.close();
      throw error;
    }
  }

  async #open(host: Host): Promise<void> {
    const { wheel, tokens } = host;
    const settings = this.#settings;
    const location = new Location({
      wheel,
      epoch: { wall: this.#wall(), wheel: wheel.now },
      ceiling: settings.maxBindings,
      seed: [tokens.word(), tokens.word()],
    });
    const flows = new Flows(location.records);
    if (this.#store !== null) await this.#store.open({ location, log: host.log });
    const secret = (await this.#store?.secret("gruu")) ?? drawSecret();
    const gruus = new Gruus(location, secret);
    location.store = this.#store;
    location.watcher = this;
    const { serviceRoute, flowTimer, keepAlive, keepAliveInterval } = settings;
    const registered = new Registered({ location, gruus, serviceRoute, flowTimer });
    const counters = this.#counters;
    const { mayRegister, reg } = this.#options;
    this.#rooms = {
      host,
      location,
      flows,
      gruus,
      registration: new Registration({ location, flows, gruus, settings, counters, registered, mayRegister }),
      keepAlive: new KeepAlive({
        host,
        location,
        counters,
        kind: keepAlive,
        interval: keepAliveInterval * 1000,
        flowOf: (slot) => this.#flowOf(slot),
      }),
      feed: reg === undefined ? null : new RegFeed(location, reg),
    };
    gruus.load();
    this.#watchClock();
  }

  /** @internal */
  readonly register = (arrival: Arrival): void => {
    this.#counters.requests++;
    const verdict = this.#auth?.check(arrival.message, arrival.address, "uas", this.#room.host);
    if (isPromise(verdict) || (verdict !== undefined && !verdict.isAllowed && verdict.delay > 0)) {
      this.#judged(arrival.open(), verdict);
      return;
    }
    if (verdict !== undefined && !verdict.isAllowed) {
      arrival.answer(verdict);
      return;
    }
    const answer = this.#take(arrival, verdict);
    if (this.#isToBeStored(answer)) this.#afterStore(arrival.open(), answer);
    else arrival.answer(answer);
  };

  /** @internal */
  lost(channel: Channel): void {
    const { flows, location } = this.#room;
    location.together(() => {
      for (const slot of flows.slotsOf(channel)) {
        if (location.flags(slot) & BindingFlag.FlowOnly) {
          this.#counters.flowsLost++;
          location.remove(slot, "deactivated");
        } else flows.detach(slot);
      }
    });
  }

  /** @internal */
  async closed(): Promise<void> {
    if (this.#rooms !== null) {
      this.#rooms.keepAlive.stop();
      this.#rooms.host.alarms.clear(this.#clockAlarm);
    }
    await this.#store?.close();
  }

  /** @internal */
  bound(slot: number, event: BoundEvent): void {
    const { gruus, feed } = this.#room;
    gruus.bound(slot);
    feed?.note(slot, event);
  }

  /** @internal */
  taken(slot: number): void {
    this.#room.flows.detach(slot);
  }

  /** @internal */
  unbound(slot: number, event: UnboundEvent): void {
    const { flows, gruus, feed } = this.#room;
    feed?.note(slot, event);
    flows.detach(slot);
    gruus.unbound(slot);
  }

  /** @internal */
  settled(): void {
    this.#room.feed?.settled();
  }

  // ---- for the program

  get stats(): RegistrarStats {
    const { location } = this.#room;
    return {
      ...this.#counters,
      bindings: location.size,
      addressesOfRecord: location.aors,
      expired: location.expired,
      storeTrouble: this.#store?.trouble ?? null,
      storeWritten: this.#store?.counters.written ?? 0,
      storeFailures: this.#store?.counters.failures ?? 0,
    };
  }

  /**
   * The bindings that requests for a URI may go to, best first: by q, then the one registered last. Those that cannot be
   * reached now, since their flow is gone or their client is silent, are left out.
   * @param uri an address-of-record, or a GRUU made here (RFC 5627): the bindings of its instance then
   */
  lookup(uri: string | Uri): Binding[] {
    const { location, gruus } = this.#room;
    const parsed = typeof uri === "string" ? Uri.parse(uri) : uri;
    if (parsed === null) return [];
    const target = parsed.params.has("gr") ? gruus.resolve(parsed) : { aor: aorOf(parsed), instance: null };
    if (target === null || target.aor === null) return [];
    const found: Binding[] = [];
    const aor = location.findText(target.aor);
    for (let slot = aor < 0 ? -1 : location.first(aor); slot >= 0; slot = location.next(slot)) {
      if (target.instance !== null && location.instance(slot) !== target.instance) continue;
      const flags = location.flags(slot);
      const flow = this.#flowOf(slot);
      const isUnreachable = (flags & (BindingFlag.FlowLost | BindingFlag.Silent)) !== 0;
      if (isUnreachable || (flags & BindingFlag.FlowOnly && flow === null)) continue;
      found.push(bindingOf(location.row(slot), location.remaining(slot), flow));
    }
    return found.length > 1 ? found.sort(compareBindings) : found;
  }

  /** Whether a user may register an address-of-record, and so may watch it. @param aor in any spelling */
  mayRegister(user: FoundUser, aor: string | Uri): boolean {
    const canonical = aorOf(aor);
    return canonical !== null && isOwner(user, canonical, this.#options.mayRegister);
  }

  /**
   * Ends the bindings of an address-of-record, as an operator does.
   * @param contact the URI of one Contact, as it was registered; without it all go
   * @returns how many there were
   */
  unbind(uri: string | Uri, contact?: string): number {
    const { location } = this.#room;
    const aor = location.findText(aorOf(uri) ?? "");
    return location.together(() => {
      let count = 0;
      for (let slot = aor < 0 ? -1 : location.first(aor); slot >= 0; ) {
        const next = location.next(slot);
        if (contact === undefined || location.text(slot, Section.Uri) === contact) {
          location.remove(slot, "deactivated");
          count++;
        }
        slot = next;
      }
      return count;
    });
  }

  // ----

  get #room(): Rooms {
    if (this.#rooms === null) throw new TypeError("A registrar works once its server is there");
    return this.#rooms;
  }

  #wall(): number {
    return (this.#options.wallClock ?? Date.now)();
  }

  #watchClock(): void {
    const { host, location } = this.#room;
    this.#clockAlarm = host.alarms.set(CLOCK_MS, () => {
      this.#watchClock();
      const seconds = location.follow(this.#wall());
      if (seconds !== 0) host.log.warn({ seconds }, "the system's clock was set: registrations last as long as before");
    });
  }

  /** What follows from a verdict that comes later, or is told later. */
  #judged(request: IncomingRequest, verdict: Verdict | Promise<Verdict> | undefined): void | Promise<void> {
    if (isPromise(verdict)) {
      return verdict.then(
        (found) => this.#judged(request, found),
        () => {
          request.reply(500, { reason: "User Cannot Be Looked Up" });
        },
      );
    }
    if (verdict !== undefined && !verdict.isAllowed) return void request.replyLines(verdict, verdict.delay);
    const answer = this.#take(request, verdict);
    // It may have gone while its user was looked up; nobody would tell of that again.
    if (!request.channel.isOpen) this.lost(request.channel);
    if (this.#isToBeStored(answer)) this.#afterStore(request, answer);
    else request.replyLines(answer);
  }

  /** Carries out a REGISTER whose sender may send it. @param verdict undefined where nobody is asked */
  #take({ message, channel, address, port }: Arrival | IncomingRequest, verdict: Allowed | undefined): Answer {
    const user = verdict?.user ?? null;
    return this.#room.registration.take(message, channel, address, port, user, verdict?.headers ?? null);
  }

  /** Whether an answer waits for the store. Who asks is told what is known, whatever the store does. */
  #isToBeStored({ status }: Answer): boolean {
    return this.#store?.isAwaited === true && status === 200 && !this.#room.registration.isQuery;
  }

  /** The answer waits until what was changed is safe. */
  #afterStore(request: IncomingRequest, answer: Answer): void {
    const kept = { ...answer, headers: answer.headers?.slice() };
    this.#store!.settled().then(
      () => request.replyLines(kept),
      ({ message }: Error) => {
        this.#counters.storeRefused++;
        request.replyLines(notStored(message));
      },
    );
  }

  /** The way that a binding came by, when it stands. */
  #flowOf(slot: number): Flow | null {
    const { flows, location, host } = this.#room;
    const received = location.text(slot, Section.Received);
    if (received === "") return null;
    const channel = flows.channelOf(slot);
    if (channel === null) return flowOfReceived(host, received);
    if (!channel.isOpen) return null;
    const { address, port } = readReceived(received)!;
    return { channel, address, port };
  }
}

/** @throws RangeError for bounds that cannot be, TypeError for a route that cannot be one */
function checked(settings: RegistrarSettings): RegistrarSettings {
  const { minExpires, maxExpires, defaultExpires, maxContacts, maxBindings, keepAliveInterval, serviceRoute } =
    settings;
  const isInOrder = minExpires >= 1 && minExpires <= defaultExpires && defaultExpires <= maxExpires;
  if (!(isInOrder && maxExpires <= LONGEST_EXPIRES)) {
    throw new RangeError(`minExpires, defaultExpires and maxExpires must be in this order, 1 to ${LONGEST_EXPIRES}`);
  }
  if (!(maxContacts >= 1 && maxContacts <= 64)) throw new RangeError("maxContacts must be 1 to 64");
  if (!(maxBindings >= 1 && maxBindings <= MOST_BINDINGS)) {
    throw new RangeError(`maxBindings must be 1 to ${MOST_BINDINGS}`);
  }
  for (const uri of serviceRoute) {
    if (!isServiceRoute(uri)) throw new TypeError(`serviceRoute: not a sip or sips URI with lr: ${uri}`);
  }
  if (!(keepAliveInterval >= 1)) throw new RangeError("keepAliveInterval must be at least 1");
  return settings;
}

/**
 * A registrar with its location service, to be given to `serve()` as a plugin. Without `auth` anybody may register
 * anything.
 * @throws RangeError for settings that cannot be, TypeError for a service route that cannot be one
 */
export function registrar(options: RegistrarOptions = {}): Registrar {
  return new Registrar(options);
}
