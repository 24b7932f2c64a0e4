/**
 * The `reg` event package: the bindings of an address-of-record (RFC 3680). Whoever keeps registrations tells the package
 * of them.
 */
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

/** Why a binding is there or has changed (RFC 3680 s5.2). */
export type BoundEvent = "registered" | "created" | "refreshed" | "shortened";
/** Why a binding is gone. */
export type UnboundEvent = "expired" | "deactivated" | "probation" | "unregistered" | "rejected";

/** What a registrar tells of its bindings. */
export interface RegistrationListener {
  /** @param resource the canonical address-of-record */
  bound(resource: string, contact: RegisteredContact, event: BoundEvent): void;
  unbound(resource: string, contactId: string, event: UnboundEvent): void;
}

interface Entry {
  readonly contact: RegisteredContact;
  readonly state: "active" | "terminated";
  readonly event: BoundEvent | UnboundEvent;
  /** When it was registered first, in milliseconds by the server's time. */
  readonly since: number;
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

  bound(resource: string, contact: RegisteredContact, event: BoundEvent): void {
    const since = this.#logs.of(resource)?.get(contact.id)?.since ?? this.#now;
    this.#logs.set(resource, contact.id, { contact, state: "active", event, since });
    this.#context?.changed(resource);
  }

  unbound(resource: string, contactId: string, event: UnboundEvent): void {
    const entry = this.#logs.of(resource)?.get(contactId);
    if (entry === undefined) return;
    this.#logs.remove(resource, contactId, { ...entry, state: "terminated", event });
    this.#context?.changed(resource);
  }

  state({ resource, version, since, isPending }: StateRequest): State {
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

  #text({ contact, state, event, since }: Entry): string {
    const { id, uri, displayName, q, expires, callId, cseq } = contact;
    const lasted = Math.max(0, Math.floor((this.#now - since) / 1000));
    const name = displayName === undefined ? "" : `<display-name>${escapeXml(displayName)}</display-name>`;
    return (
      `<contact${attribute("id", id)}${attribute("state", state)}${attribute("event", event)}` +
      `${attribute("duration-registered", lasted)}${attribute("expires", state === "active" ? expires : undefined)}` +
      `${attribute("q", q)}${attribute("callid", callId)}${attribute("cseq", cseq)}>` +
      `<uri>${escapeXml(uri)}</uri>${name}</contact>`
    );
  }
}
