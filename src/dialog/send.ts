/** Sends a request inside a dialog (RFC 3261 s12.2.1.1). */
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { Uri } from "../message/uri.ts";
import type { Flow, RequestUser } from "../outgoing/outgoing-request.ts";
import type { Sender } from "../outgoing/sender.ts";
import { type NextHop, nextHopOf } from "../resolve/target.ts";
import { isNumericHost } from "../transport/address.ts";
import type { Dialog } from "./dialog.ts";

/** Sends a request without a body, in a transaction of its own for each server that is tried. */
export function sendInDialog(sender: Sender, dialog: Dialog, method: string, user: RequestUser): void {
  const { invite } = dialog;
  const routes = dialog.routeSet;
  let uri = dialog.remoteTarget;
  const first = routes[0] === undefined ? null : Uri.parse(routes[0]);
  // A strict router as first hop takes its own URI as Request-URI and finds the target last in Route.
  if (first !== null && !first.lr) {
    routes.push(uri);
    uri = routes.shift()!;
  }
  const next = first ?? Uri.parse(uri);
  const hop = next === null ? null : nextHopOf(next);
  const to = invite.first(Header.From);
  const from = invite.first(Header.To);
  const callId = invite.first(Header.CallId);
  const draft = {
    method,
    uri,
    from: withTag(invite.bytes.subarray(invite.valueStart(from), invite.valueEnd(from)), dialog.localTag),
    to: invite.bytes.subarray(invite.valueStart(to), invite.valueEnd(to)),
    callId: invite.bytes.subarray(invite.valueStart(callId), invite.valueEnd(callId)),
    cseq: ++dialog.localCSeq,
    headers: routes.length === 0 ? undefined : ascii(routes.map((route) => `Route: <${route}>\r\n`).join("")),
  };
  const flow = flowOf(dialog, hop);
  sender.send(draft, flow?.channel.isOnlyWay || isNowhere(hop) ? null : hop, flow, user, dialog);
}

/**
 * The way the dialog's last request came, where a request of ours is to go back the same way: over a connection whose
 * peer is the next hop, as it may not be reached otherwise; and, when the next hop names nobody that can be sent to,
 * whatever way there was.
 */
function flowOf(dialog: Dialog, hop: NextHop | null): Flow | null {
  const { channel, address } = dialog;
  if (!channel.isOpen) return null;
  if (isNowhere(hop) || channel.isOnlyWay) return dialog;
  return channel.reliable && (dialog.routeSet.length === 0 || hop?.host === address) ? dialog : null;
}

/** Whether there is no next hop, or one made so that nobody looks it up, as browsers do (RFC 7118 s5). */
function isNowhere(hop: NextHop | null): boolean {
  return hop === null || (!isNumericHost(hop.host) && hop.host.endsWith(".invalid"));
}

function withTag(to: Uint8Array, tag: Uint8Array): Uint8Array {
  const mark = ascii(";tag=");
  const value = new Uint8Array(to.length + mark.length + tag.length);
  value.set(to);
  value.set(mark, to.length);
  value.set(tag, to.length + mark.length);
  return value;
}
