/** Which references are followed unless the user of the library says otherwise. */
import { nextHopOf, numericAddress, portOf } from "../resolve/target.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { Reference } from "./reference.ts";

/** Whether a reference is followed; a number is the status that the REFER is refused with. */
export type Verdict = boolean | number;

/** Refused with when a verdict is `false`. */
export const FORBIDDEN = 403;
const NOT_IMPLEMENTED = 501;

/**
 * Follows a reference to what the caller could be called at: an INVITE to a `sip` or `sips` URI, not to this server
 * itself, which would meet its own call. What the URI's name leads to is not looked up for this.
 */
export function canBeCalled(request: IncomingRequest, { uri, method }: Reference): Verdict {
  if (method !== "INVITE") return NOT_IMPLEMENTED;
  const hop = nextHopOf(uri);
  if (hop === null) return false;
  const { channel, address } = request;
  const own = channel.hostFor(address).toLowerCase();
  const ownPort = Number(/:(\d+)$/.exec(channel.sentByFor(address))?.[1]);
  return portOf(hop) !== ownPort || (numericAddress(hop.host) ?? hop.host) !== (numericAddress(own) ?? own);
}
