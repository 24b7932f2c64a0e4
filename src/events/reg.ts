/**
 * The `reg` event package: the bindings of an address-of-record (RFC 3680). Whoever keeps registrations tells the package
 * of their changes, each once it is complete: what one REGISTER does to many contacts is one NOTIFY. Told are all of them,
 * or, where the package can ask for those that stand, the ones of addresses-of-record that somebody watches.
 */
import type { BoundEvent, UnboundEvent } from "../location/location.ts";
import { ChangeLogs } from "./change-log.ts";
import type { EventPackage, PackageContext, State, StateRequest } from "./event-package.ts";
import { attribute, escapeXml } from "./xml.ts";

const TYPE = "application/reginfo+xml";
const NAMESPACE = "urn:ietf:params:xml:ns:reginfo";
/** RFC 3680 s4.10: no more often than once in five seconds. */
const MIN_INTERVAL_MS = 5000;

const BOUND: ReadonlySet<string> = new Set<BoundEvent>(["registered", "created", "refreshed", "shortened"]);

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

/** What has become of a contact. Of one that is gone its `id` says enough. */
export type ContactChange =
  | { readonly contact: RegisteredContact; readonly event: BoundEvent }
  | { readonly contact: Pick<RegisteredContact, "id">; readonly event: UnboundEvent };

/** What a registrar tells of its bindings. */
export interface RegistrationListener {
  /**
   * An address-of-record was changed: by a REGISTER, say, or in that the time of some contacts was over.
   * @param resource the canonical address-of-record
   * @param changes all that has become of its contacts by that, in order
   */
  changed(resource: string, changes: readonly ContactChange[]): void;
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

  changed(resource: string, changes: readonly ContactChange[]): void {
    if (!this.wants(resource)) return;
    let isNoted = false;
    for (const change of changes) if (this.#note(resource, change)) isNoted = true;
    if (isNoted) this.#context?.changed(resource);
  }

  /**
   * Whether the changes of a resource are to be told: of one that nobody watches, what stands can be asked for later. A
   * source that tells of an end asks this while the contact stands.
   */
  wants(resource: string): boolean {
    if (this.#source === null) return true;
    if (this.#context!.watchers(resource) > 0) {
      this.#seed(resource);
      return true;
    }
    this.#logs.forget(resource);
    return false;
  }

  /** @returns false for the end of a contact that is not known */
  #note(resource: string, change: ContactChange): boolean {
    const { id } = change.contact;
    const before = this.#logs.of(resource)?.get(id);
    if (isBound(change)) {
      const { contact, event } = change;
      const since = before === undefined || event === "registered" ? this.#now : before.since;
      this.#logs.set(resource, id, { contact, state: "active", event, since, at: this.#now });
    } else if (before === undefined) return false;
    else this.#logs.remove(resource, id, { ...before, state: "terminated", event: change.event });
    return true;
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

function isBound(change: ContactChange): change is Extract<ContactChange, { event: BoundEvent }> {
  return BOUND.has(change.event);
}

function secondsBetween(start: number, end: number): number {
  return Math.max(0, Math.floor((end - start) / 1000));
}
