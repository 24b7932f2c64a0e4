/**
 * Transfers (RFC 3515, 3891, 3892, 4488, 4538, 5589) as a part of a server: follows REFERs, sends them, and takes calls
 * that replace a dialog.
 */
import type { Dialog } from "../dialog/dialog.ts";
import type { ReferOptions } from "../dialog/refer.ts";
import type { Uri } from "../message/uri.ts";
import type { Call } from "../server/call.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Host, Plugin } from "../server/plugin.ts";
import type { TransferOptions } from "./options.ts";
import { referIdOf } from "./refer-event.ts";
import type { Referral } from "./referral.ts";
import { Referrals } from "./referrals.ts";
import { Replacement } from "./replacement.ts";
import { ReferSubscriptions } from "./subscriptions.ts";
import { Transferee } from "./transferee.ts";

/** What {@link transfers} makes: one for each server. */
export interface Transfers extends Plugin {
  /**
   * Refers a dialog's peer to a target (RFC 3515 s2.4.1). The dialog goes on; hang it up once the peer has done it.
   *
   *     const referral = transfer.refer(dialog, "sip:carol@example.com");
   *     if ((await referral.done) < 300) dialog.bye();
   *
   * @param target of any scheme; with `replaces` the address of that dialog's peer, best its `remoteTarget`
   * @throws TypeError for a target or header that cannot stand in a REFER
   */
  refer(dialog: Dialog, target: string | Uri, options?: ReferOptions): Referral;
  /** Follows a REFER that a handler of the user's has taken: what happens to those that nobody else takes. */
  handle(request: IncomingRequest): unknown;
}

/** @param options see {@link TransferOptions} */
export function transfers(options: TransferOptions = {}): Transfers {
  let parts: {
    referrals: Referrals;
    subscriptions: ReferSubscriptions;
    transferee: Transferee;
    replacement: Replacement;
  } | null = null;

  function attached() {
    if (parts === null) throw new TypeError("transfers() belongs to no server yet");
    return parts;
  }

  const handle = (request: IncomingRequest) => attached().transferee.handle(request);

  function claim(request: IncomingRequest): boolean {
    const { referrals, subscriptions } = attached();
    if (request.method === "NOTIFY") return referrals.notify(request);
    return request.method === "SUBSCRIBE" && subscriptions.refresh(request);
  }

  return {
    handlers: {
      refer: handle,
    },
    // Another plugin may be about events, and know better.
    fallbacks: {
      notify(request) {
        if (!claim(request)) refuseEvent(request, 481);
      },
      subscribe(request) {
        // RFC 3515 s2.4.4: nothing but a REFER makes a subscription to `refer`.
        if (!claim(request)) refuseEvent(request, 403);
      },
    },
    supported: ["replaces", "norefersub", "tdialog"],
    accept: ["message/sipfrag"],
    capabilities: "Allow-Events: refer\r\n",
    claim,
    invite: (call: Call) => attached().replacement.screen(call),
    attach(host: Host) {
      if (parts !== null) throw new TypeError("transfers() belongs to one server");
      const subscriptions = new ReferSubscriptions(host);
      parts = {
        referrals: new Referrals(host),
        subscriptions,
        transferee: new Transferee(host, options, subscriptions),
        replacement: new Replacement(host.dialogs),
      };
      const { referrals } = parts;
      host.dialogs.referrer = (dialog, target, refer = {}) => referrals.refer(dialog, target, refer);
    },
    closed() {
      parts?.referrals.close();
      parts?.subscriptions.close();
    },
    handle,
    refer: (dialog, target, how = {}) => attached().referrals.refer(dialog, target, how),
  };
}

/** A request about events that are not ours, or about `refer` where there is no subscription. */
function refuseEvent(request: IncomingRequest, status: number): void {
  if (referIdOf(request) !== undefined) request.reply(status);
  else request.reply(489, { headers: { "Allow-Events": "refer" } });
}
