/**
 * The `dialog` event package (RFC 4235): the calls of an address-of-record at this server, whole at first and then what
 * has changed, with versions that count up in each subscription.
 *
 * Nothing is kept of calls until somebody subscribes for the first time.
 */
import type { Dialog, DialogEnd } from "../dialog/dialog.ts";
import type { DialogWatcher } from "../dialog/watcher.ts";
import { aorOf } from "../message/aor.ts";
import { type NameAddr, parseNameAddr } from "../message/name-addr.ts";
import { ChangeLogs } from "./change-log.ts";
import type { EventPackage, PackageContext, State, StateRequest } from "./event-package.ts";
import { attribute, escapeXml } from "./xml.ts";

const TYPE = "application/dialog-info+xml";
const NAMESPACE = "urn:ietf:params:xml:ns:dialog-info";
/** RFC 4235 s3.10: no more often than once a second. */
const MIN_INTERVAL_MS = 1000;

/** What a dialog's end is called (RFC 4235 s3.7.1). */
const EVENTS: Readonly<Record<DialogEnd, string>> = {
  bye: "remote-bye",
  local: "local-bye",
  "no-ack": "timeout",
  expired: "timeout",
  gone: "timeout",
  failed: "rejected",
  closed: "error",
};

/** A dialog as it was when it changed last. */
interface Entry {
  readonly id: string;
  readonly dialog: Dialog;
  readonly state: string;
  readonly event: string | undefined;
}

export interface DialogPackageSettings {
  /** The least milliseconds between two NOTIFYs for changes. Default 1,000, as RFC 4235 s3.10 has it. */
  minInterval?: number;
  /** Whether call-id, tags and remote target are told, by which a subscriber could take the call over. Default false. */
  identifiers?: boolean;
}

export class DialogPackage implements EventPackage, DialogWatcher {
  readonly name = "dialog";
  readonly types = [TYPE];
  readonly forks = true;
  readonly isPerSubscriber = true;
  readonly minInterval: number;
  readonly #identifiers: boolean;
  readonly #logs = new ChangeLogs<number, Entry>((resource) => this.#context!.watchers(resource));
  #context: PackageContext | null = null;
  #isIndexed = false;
  #count = 0;

  constructor({ minInterval = MIN_INTERVAL_MS, identifiers = false }: DialogPackageSettings = {}) {
    this.minInterval = minInterval;
    this.#identifiers = identifiers;
  }

  attach(context: PackageContext): void {
    this.#context = context;
    context.host.dialogs.watchers.push(this);
  }

  /** A dialog was made or confirmed. */
  changed(dialog: Dialog): void {
    if (!this.#isIndexed) return;
    const resource = this.#put(dialog);
    if (resource !== null) this.#context!.changed(resource);
  }

  /** A dialog's session is over. */
  ended(dialog: Dialog, end: DialogEnd): void {
    if (!this.#isIndexed) return;
    const resource = resourceOfDialog(dialog);
    const entry = resource === null ? undefined : this.#logs.of(resource)?.get(dialog.slot);
    if (resource === null || entry === undefined) return;
    this.#logs.remove(resource, dialog.slot, { ...entry, state: "terminated", event: EVENTS[end] });
    this.#context!.changed(resource);
  }

  state({ resource, version, since, isPending }: StateRequest): State {
    this.#index();
    const { isFull, values, revision } = isPending
      ? { isFull: true, values: [], revision: -1 }
      : this.#logs.since(resource, since);
    const head = `<?xml version="1.0" encoding="UTF-8"?>\n<dialog-info xmlns="${NAMESPACE}"`;
    const about =
      attribute("version", version) + attribute("state", isFull ? "full" : "partial") + attribute("entity", resource);
    const dialogs = values.map((entry) => this.#text(entry)).join("");
    return { type: TYPE, content: `${head}${about}>${dialogs}</dialog-info>\n`, revision };
  }

  /** Takes in the dialogs that there are, once. */
  #index(): void {
    if (this.#isIndexed) return;
    this.#isIndexed = true;
    for (const dialog of this.#context!.host.dialogs.all()) if (!dialog.isTerminated) this.#put(dialog);
  }

  #put(dialog: Dialog): string | null {
    const resource = resourceOfDialog(dialog);
    if (resource === null) return null;
    const before = this.#logs.of(resource)?.get(dialog.slot);
    const id = before?.dialog === dialog ? before.id : `d${++this.#count}`;
    const state = dialog.isConfirmed ? "confirmed" : "early";
    this.#logs.set(resource, dialog.slot, { id, dialog, state, event: undefined });
    return resource;
  }

  #text({ id, dialog, state, event }: Entry): string {
    const local = addressOf(dialog.localAddress);
    const remote = addressOf(dialog.remoteAddress);
    const known = !this.#identifiers
      ? ""
      : attribute("call-id", dialog.callId) +
        attribute("local-tag", dialog.localTagText) +
        attribute("remote-tag", dialog.remoteTag || undefined);
    const target = this.#identifiers ? `<target${attribute("uri", dialog.remoteTarget)}/>` : "";
    return (
      `<dialog${attribute("id", id)}${known}${attribute("direction", dialog.isCaller ? "initiator" : "recipient")}>` +
      `<state${attribute("event", event)}>${state}</state>` +
      `<local>${identity(local)}</local><remote>${identity(remote)}${target}</remote></dialog>`
    );
  }
}

function identity(address: NameAddr | null): string {
  if (address === null) return "";
  const { displayName, uriText } = address;
  return `<identity${attribute("display", displayName || undefined)}>${escapeXml(uriText)}</identity>`;
}

function addressOf(value: Uint8Array): NameAddr | null {
  return parseNameAddr(value, 0, value.length)?.value ?? null;
}

function resourceOfDialog(dialog: Dialog): string | null {
  return aorOf(addressOf(dialog.localAddress)?.uri ?? null);
}
