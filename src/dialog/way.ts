/**
 * Where a request in a dialog goes: to its next hop (RFC 3261 s12.2.1.1), or back to where the peer's last message came
 * from. Back it goes, while that socket or connection stands,
 *
 *     always            when the next hop names nobody, or nothing else leads to the peer (RFC 7118 s5)
 *     a connection      when its peer is the next hop; without a route set, when the peer has called over it
 *     no route set      when the peer itself stands there, and its Contact does not lead to it: see {@link isHidden}
 *
 * Never to an address that somebody has merely written, in a Via or in a Contact: a peer is found where a message of its own
 * in the dialog came from. What a request says is the same on either way: the Request-URI is the Contact as it was written.
 */
import type { Uri } from "../message/uri.ts";
import type { Way } from "../outgoing/challenges.ts";
import { type NextHop, nextHopOf, numericAddress, portOf } from "../resolve/target.ts";
import { isNumericHost } from "../transport/address.ts";
import { isHiddenFrom } from "../transport/networks.ts";
import type { Dialog } from "./dialog.ts";

/**
 * Which Contacts are taken for such of a client behind a NAT: `private`, an address of a private network that was told from
 * outside that network; `all`, any numeric address and port but those that it was told from; `off`, none.
 */
export type NatContacts = (typeof NAT_CONTACTS)[number];

export const NAT_CONTACTS = ["off", "private", "all"] as const;
export const DEFAULT_NAT_CONTACTS = "private";

/**
 * @param next the first of the route set, or else the remote target; null for one that is no URI
 * @param isRouted whether there is a route set
 */
export function wayOf(dialog: Dialog, next: Uri | null, isRouted: boolean): Way {
  const hop = next === null ? null : nextHopOf(next);
  const flow = goesBack(dialog, next, hop, isRouted) ? dialog : null;
  return { hop: flow?.channel.isOnlyWay || isNowhere(hop) ? null : hop, flow };
}

function goesBack(dialog: Dialog, next: Uri | null, hop: NextHop | null, isRouted: boolean): boolean {
  const { channel, address, isCaller } = dialog;
  if (!channel.isOpen) return false;
  if (next === null || hop === null || isNowhere(hop) || channel.isOnlyWay) return true;
  // What a caller's first request went to need not be the callee: a proxy may have stayed out of the dialog.
  if (channel.reliable && (hop.host === address || !(isRouted || isCaller))) return true;
  return !isRouted && isHidden(dialog, next, hop);
}

/** Whether there is no next hop, or one made so that nobody looks it up, as browsers do (RFC 7118 s5). */
function isNowhere(hop: NextHop | null): boolean {
  return hop === null || (!isNumericHost(hop.host) && hop.host.endsWith(".invalid"));
}

/** Whether the peer is found where it was heard from, and not, or not for sure, where its Contact leads. */
function isHidden(dialog: Dialog, target: Uri, hop: NextHop): boolean {
  const { natContacts, isDirect, isCaller, boundTo, channel, address, port } = dialog;
  if (natContacts === "off" || !isDirect) return false;
  // A `sips` URI is sent to over TLS alone (s26.2.2).
  if (hop.secure && !channel.reliable) return false;
  // It asks for it (RFC 5626 s4.3), or it was called so already (s5.3): by the same Contact, over the flow it registered by.
  if (target.params.has("ob") || (boundTo !== null && isSamePlace(hop, boundTo))) return true;
  const host = numericAddress(hop.host);
  if (host === null) return false;
  // What was not called by a binding may be a proxy that stays out of the dialog.
  if (natContacts === "private" || (isCaller && boundTo === null)) return isHiddenFrom(host, address);
  return host !== address || (!channel.reliable && portOf(hop) !== port);
}

function isSamePlace(one: NextHop, other: NextHop): boolean {
  return one.host === other.host && portOf(one) === portOf(other);
}
