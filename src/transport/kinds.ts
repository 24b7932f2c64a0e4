/** The transports by name, and what follows from the name alone. */
import { SIP_PORT, SIPS_PORT } from "./address.ts";

/** As they stand in listen addresses and in the `transport` parameter of a URI; upper case in a Via. */
export const TRANSPORTS = ["udp", "tcp", "tls", "ws", "wss"] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** The name in any letter case, or undefined when it is none of ours. */
export function transportName(text: string): TransportName | undefined {
  const lower = text.toLowerCase();
  return TRANSPORTS.find((name) => name === lower);
}

/** Whether the transport runs over TLS: what `sips` asks for (RFC 5630 s3.1.4). */
export function isSecure(transport: TransportName): boolean {
  return transport === "tls" || transport === "wss";
}

/** The port where none is given (RFC 3261 s18.2.2, RFC 7118 s5.2). */
export function defaultPort(transport: TransportName): number {
  if (transport === "ws") return 80;
  if (transport === "wss") return 443;
  return transport === "tls" ? SIPS_PORT : SIP_PORT;
}
