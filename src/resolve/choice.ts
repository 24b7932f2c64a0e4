/** Which transports a URI allows, before DNS has a say (RFC 3263 s4.1, RFC 5630 s3.1). */
import { defaultPort, isSecure, type TransportName, transportName } from "../transport/kinds.ts";
import { LocateError } from "./locate-error.ts";
import { familyOf, type NextHop, type Target } from "./target.ts";

/** Whether this server can send over a transport to addresses of a family. */
export type Supported = (transport: TransportName, family: 4 | 6) => boolean;

/** Whether it can in at least one family. */
export function usableIn(supported: Supported, transport: TransportName): boolean {
  return supported(transport, 4) || supported(transport, 6);
}

/**
 * The transport that a URI names. `sips` makes TCP into TLS and WebSocket into secure WebSocket.
 * @returns undefined when it names none
 * @throws LocateError `ENOTRANSPORT` for a transport that is unknown or cannot be secured
 */
export function namedTransport(hop: NextHop): TransportName | undefined {
  if (hop.transport === undefined) return undefined;
  const transport = transportName(hop.transport);
  if (transport === undefined) throw LocateError.transport(hop.transport, hop.host);
  if (!hop.secure || isSecure(transport)) return transport;
  if (transport === "udp") throw LocateError.transport("udp for sips", hop.host);
  return transport === "tcp" ? "tls" : "wss";
}

/**
 * The transports that a URI can do with, those first that are to be preferred: the one it names, else TLS for `sips`
 * and UDP for `sip`. TCP stands in for UDP on a server without UDP.
 * @throws LocateError as {@link namedTransport}
 */
export function plainTransports(hop: NextHop): readonly TransportName[] {
  const named = namedTransport(hop);
  if (named !== undefined) return [named];
  return hop.secure ? ["tls"] : ["udp", "tcp"];
}

/**
 * The one target of a numeric host.
 * @param address of the host, numeric
 * @throws LocateError `ENOTRANSPORT` when it cannot be sent to
 */
export function numericTarget(hop: NextHop, address: string, supported: Supported): Target {
  const family = familyOf(address);
  const transports = plainTransports(hop);
  const transport = transports.find((name) => supported(name, family));
  if (transport === undefined) throw LocateError.transport(`${transports[0]} over IPv${family}`, hop.host);
  return { transport, address, port: hop.port ?? defaultPort(transport), domain: hop.host };
}
