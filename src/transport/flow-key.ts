/** What a connection is found by when a request is to be sent. */
import { isSecure, type TransportName } from "./kinds.ts";

/**
 * Transport, address and port; over TLS the domain too, since a connection that was verified for one name says nothing of
 * another at the same address (RFC 5923 s9.3).
 */
export function flowKey(transport: TransportName, address: string, port: number, domain: string): string {
  return isSecure(transport) ? `${transport} ${address} ${port} ${domain}` : `${transport} ${address} ${port}`;
}
