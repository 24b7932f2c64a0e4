/**
 * The `refer` event package (RFC 3515 s3): what became of a request that a REFER asked for. Its subscriptions are made by
 * REFER alone and are told as the request proceeds, each what it is given.
 */

import { checkedReason } from "../message/header-lines.ts";
import { reasonOf } from "../message/status.ts";
import type { Body, EventPackage } from "./event-package.ts";

/** The package. */
export function refer(): EventPackage {
  return { name: "refer", types: ["message/sipfrag"], forks: true, isImplicit: true, state: () => null };
}

/**
 * The status line of a response as a body (RFC 3420), which is all that RFC 3515 s2.4.5 wants.
 * @param reason default: the registered one
 * @throws TypeError for a reason that holds a line end
 */
export function sipfrag(status: number, reason = reasonOf(status)): Body {
  return { type: "message/sipfrag;version=2.0", content: `SIP/2.0 ${status} ${checkedReason(reason)}\r\n` };
}

/** The status in a sipfrag body; 0 when it is none. */
export function sipfragStatus(content: Uint8Array): number {
  const line = Buffer.from(content.subarray(0, 16)).toString("latin1");
  return Number(/^SIP\/2\.0 ([1-6]\d\d)(?=[ \r\n]|$)/i.exec(line)?.[1] ?? 0);
}
