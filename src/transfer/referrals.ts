/** Sends REFERs in dialogs, and finds the one that a NOTIFY is about (RFC 3515 s2.4.6). */
import type { Dialog } from "../dialog/dialog.ts";
import type { ReferOptions } from "../dialog/refer.ts";
import { checkedReason, type HeaderFields, headerLines } from "../message/header-lines.ts";
import { NameAddr, parseNameAddr } from "../message/name-addr.ts";
import { writeReplaces } from "../message/replaces.ts";
import { Uri } from "../message/uri.ts";
import { nextHopOf } from "../resolve/target.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host } from "../server/plugin.ts";
import { referIdOf } from "./refer-event.ts";
import { Referral } from "./referral.ts";

export class Referrals {
  readonly #open = new Map<Dialog, Referral[]>();
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Refers a dialog's peer to a target.
   * @throws TypeError for a target or header that cannot stand in a REFER
   */
  refer(dialog: Dialog, target: string | Uri, options: ReferOptions): Referral {
    const headers = headersOf(dialog, target, options);
    const referral = new Referral(this.#host, dialog, headers, options.progress, (over) => this.#remove(over));
    this.#open.set(dialog, [...(this.#open.get(dialog) ?? []), referral]);
    return referral;
  }

  /** A NOTIFY in a dialog, if it is about one of these. @returns whether it was answered */
  notify(request: IncomingRequest): boolean {
    const id = referIdOf(request);
    if (id === undefined || request.dialog === null) return false;
    const open = this.#open.get(request.dialog);
    // Without an id it is about the first; a peer that never gives one tells of the oldest.
    const referral = id === null ? open?.[0] : open?.find(({ cseq }) => cseq === id);
    referral?.onNotify(request);
    return referral !== undefined;
  }

  /** The server is closed. */
  close(): void {
    for (const open of [...this.#open.values()]) for (const referral of open) referral.close();
  }

  #remove(over: Referral): void {
    const left = (this.#open.get(over.dialog) ?? []).filter((one) => one !== over);
    if (left.length === 0) this.#open.delete(over.dialog);
    else this.#open.set(over.dialog, left);
  }
}

function headersOf(dialog: Dialog, target: string | Uri, options: ReferOptions): HeaderFields {
  const { replaces, noSubscription = false, referredBy = nameOf(dialog.localAddress), headers = {} } = options;
  let uri = typeof target === "string" ? Uri.parse(target) : target;
  if (uri === null) throw new TypeError(`Not a URI: ${target}`);
  if (replaces !== undefined) {
    if (nextHopOf(uri) === null) throw new TypeError(`A dialog cannot be replaced at ${uri}`);
    // As the target sees it: its own tag is our peer's (RFC 3891 s4).
    const { callId, remoteTag: localTag, localTagText: remoteTag } = replaces;
    const value = writeReplaces({ callId, localTag, remoteTag, earlyOnly: false });
    uri = uri.with({ headers: { Replaces: value, Require: "replaces" } });
  }
  const fields = {
    "Refer-To": `<${uri}>`,
    ...(referredBy === null ? {} : { "Referred-By": named(referredBy) }),
    ...(noSubscription ? { "Refer-Sub": "false" } : {}),
    ...headers,
  };
  // Before anything is begun: this throws for what cannot stand in a header.
  headerLines(fields);
  return fields;
}

/** The address of a From or To value without its parameters. */
function nameOf(value: Uint8Array): string | null {
  const address = parseNameAddr(value, 0, value.length)?.value;
  return address === undefined ? null : new NameAddr("", address.uriText, new Map()).toString();
}

function named(text: string): string {
  return text.includes("<") ? checkedReason(text) : `<${checkedReason(text)}>`;
}
