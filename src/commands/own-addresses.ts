/** By which addresses this machine is known to clients. */

import { networkInterfaces } from "node:os";
import { Uri } from "../message/uri.ts";
import { withoutBrackets } from "../transport/address.ts";

/**
 * Whether a `uri` of credentials names this machine by its numeric address, and no user. A client that is told of a domain
 * and of the address to send to, as SIPp is, writes the address there and the domain in the Request-URI; whoever else has
 * put it there does not know the password.
 */
export function namesThisMachine(uri: string): boolean {
  const parsed = Uri.parse(uri);
  if (parsed === null || parsed.user !== undefined) return false;
  const host = withoutBrackets(parsed.host);
  return Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === host));
}
