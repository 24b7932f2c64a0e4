/**
 * Where a response goes over an unreliable transport (RFC 3261 s18.2.2, RFC 3581 s4): always to the address the request
 * came from; to the port it came from when the top Via asks with `rport`, else to the port in sent-by, else to the
 * transport's own. Over a connection it goes back on that; the port in sent-by is where a new one is opened when it is
 * gone.
 *
 * `maddr` is not followed: a response sent to an address that the request merely names could be aimed at anybody.
 */
import { VIA_PORT, VIA_RPORT_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { SIP_PORT, SIPS_PORT } from "../transport/address.ts";
import type { Channel } from "../transport/channel.ts";

/** The port a response goes to. @param source the port the request came from */
export function responsePort(message: Message, source: number, channel: Channel): number {
  const { table } = message;
  if (table[VIA_RPORT_START] !== 0 && !channel.reliable) return source;
  const port = table[VIA_PORT]!;
  if (port > 0) return port;
  return channel.transport === "TLS" ? SIPS_PORT : SIP_PORT;
}
