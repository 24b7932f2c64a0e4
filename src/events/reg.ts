/**
 * The `reg` event package: the bindings of an address-of-record (RFC 3680). Whoever keeps registrations tells the package
 * of them: all of them, or, where the package can ask for those that stand, the changes of addresses-of-record that
 * somebody watches.
 */
import type { BoundEvent, UnboundEvent } from "../location/location.ts";
import { ChangeLogs } from "./change-log.ts";
import type { EventPackage, PackageContext, State, StateRequest } from "./event-package.ts";
import { attribute, escapeXml } from "./xml.ts";

const TYPE = "application/reginfo+xml";
const NAMESPACE = "urn:ietf:params:xml:ns:reginfo";
/** RFC 3680 s4.10: no more often than once in five seconds. */
const MIN_INTERVAL_MS = 5000;

/** A binding. */
export interface RegisteredContact {
  /** The same for as long as the binding stands, and of no other of the address-of-record. */
  readonly id: string;
  /** The Contact's URI. */
  readonly uri: string;
  readonly displayName?: string;
  /** 0 to 1. */
  readonly q?: number;
  /** Seconds that it still has. */
  readonly expires?: number;
  readonly callId?: string;
  readonly cseq?: number;
}

/** What a registrar tells of its bindings. */
export interface RegistrationListener {
  /** @param resource the canonical address-of-record */
  bound(resource: string, contact: RegisteredContact, event: BoundEvent): void;
  unbound(resource: string, contactId: string, event: UnboundEvent): void;
}

/** Who keeps registrations and can be asked for them. */
export interface RegistrationSource {
  /** The bindings of a canonical address-of-record. */
  contactsOf(resource: string): readonly RegisteredContact[];
}

interface Entry {
  readonly contact: RegisteredContact;
  readonly state: "active" | "terminated";
  readonly event: BoundEvent | UnboundEvent;
  /** When it was registered first, in milliseconds by the server's time; null when that was before anybody watched. */
  readonly since: number | null;
  /** When {@link contact} was told. */
  readonly at: number;
}

export interface RegPackageSettings {
  /** The least milliseconds between two NOTIFYs for changes. Default 5,000, as RFC 3680 s4.10 has it. */
  minInterval?: number;
  /** Whether there is such an address-of-record; if not, SUBSCRIBE gets 404. Default: there is. */
  has?: (resource: string) => boolean;
}

export class RegPackage implements EventPackage, RegistrationListener {
  readonly name = "reg";
  readonly types = [TYPE];
  readonly isPerSubscriber = true;
  readonly minInterval: number;
  readonly #has: (resource: string) => boolean;
  readonly #logs = new ChangeLogs<string, Entry>((resource) => this.#context?.watchers(resource) ?? 0);
  #context: PackageContext | null = null;
  #source: RegistrationSource | null = null;

  constructor({ minInterval = MIN_INTERVAL_MS, has = () => true }: RegPackageSettings = {}) {
    this.minInterval = minInterval;
    this.#has = has;
  }

  attach(context: PackageContext): void {
    this.#context = context;
  }

  has(resource: string): boolean {
    return this.#has(resource);
  }

  /** Has the package ask for the bindings that stand when somebody begins to watch an address-of-record. */
  follow(source: RegistrationSource): void {
    this.#source = source;
  }

  /** Whether anybody watches anything: while nobody does, a source need tell nothing. */
  get isWatched(): boolean {
    return (this.#context?.subscriptions() ?? 0) > 0;
  }

  bound(resource: string, contact: RegisteredContact, event: BoundEvent): void {
    if (!this.#isFollowed(resource)) return;
    const before = this.#logs.of(resource)?.get(contact.id);
    const since = before === undefined ? this.#now : before.since;
    this.#logs.set(resource, contact.id, { contact, state: "active", event, since, at: this.#now });
    this.#context?.changed(resource);
  }

  unbound(resource: string, contactId: string, event: UnboundEvent): void {
    if (!this.#isFollowed(resource)) return;
    const entry = this.#logs.of(resource)?.get(contactId);
    if (entry === undefined) return;
    this.#logs.remove(resource, contactId, { ...entry, state: "terminated", event });
    this.#context?.changed(resource);
  }

  /** Whether the changes of a resource are kept: those that nobody watches can be asked for later. */
  #isFollowed(resource: string): boolean {
    if (this.#source === null) return true;
    if (this.#context!.watchers(resource) > 0) {
      this.#seed(resource);
      return true;
    }
    this.#logs.forget(resource);
    return false;
  }

  /** Takes in what stands of a resource that nothing is known of yet. */
  #seed(resource: string): void {
    if (this.#source === null || this.#logs.of(resource) !== undefined) return;
    for (const contact of this.#source.contactsOf(resource)) {
      this.#logs.set(resource, contact.id, {
        contact,
        state: "active",
        event: "registered",
        since: null,
        at: this.#now,
      });
    }
  }

  state({ resource, version, since, isPending }: StateRequest): State {
    if (!isPending) this.#seed(resource);
    const { isFull, values, revision } = isPending
      ? { isFull: true, values: [], revision: -1 }
      : this.#logs.since(resource, since);
    const log = isPending ? undefined : this.#logs.of(resource);
    const state = log === undefined ? "init" : log.size > 0 ? "active" : "terminated";
    const content =
      `<?xml version="1.0" encoding="UTF-8"?>\n<reginfo xmlns="${NAMESPACE}"${attribute("version", version)}` +
      `${attribute("state", isFull ? "full" : "partial")}>` +
      `<registration${attribute("aor", resource)}${attribute("id", "r1")}${attribute("state", state)}>` +
      `${values.map((entry) => this.#text(entry)).join("")}</registration></reginfo>\n`;
    return { type: TYPE, content, revision };
  }

  get #now(): number {
    return this.#context?.host.now() ?? 0;
  }

  #text({ contact, state, event, since, at }: Entry): string {
    const { id, uri, displayName, q, expires, callId, cseq } = contact;
    const lasted = since === null ? undefined : secondsBetween(since, this.#now);
    const left = expires === undefined ? undefined : Math.max(0, expires - secondsBetween(at, this.#now));
    const name = displayName === undefined ? "" : `<display-name>${escapeXml(displayName)}</display-name>`;
    return (
      `<contact${attribute("id", id)}${attribute("state", state)}${attribute("event", event)}` +
      `${attribute("duration-registered", lasted)}${attribute("expires", state === "active" ? left : undefined)}` +
      `${attribute("q", q)}${attribute("callid", callId)}${attribute("cseq", cseq)}>` +
      `<uri>${escapeXml(uri)}</uri>${name}</contact>`
    );
  }
}

function secondsBetween(start: number, end: number): number {
  return Math.max(0, Math.floor((end - start) / 1000));
}
