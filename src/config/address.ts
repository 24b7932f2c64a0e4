/**
 * The addresses that settings hold: where to listen, what to advertise and which DNS server to ask. Nothing here resolves
 * or opens anything.
 */

import { isIPv4, isIPv6 } from "node:net";
import { defaultPort, type TransportName, transportName } from "../transport/kinds.ts";

const DNS_PORT = 53;

/** A listening address taken apart. */
export interface Listener {
  readonly transport: TransportName;
  /** IPv6 in brackets. */
  readonly host: string;
  readonly port: number;
  /** What peers are told of this listener, as it was given. */
  readonly advertise: string | undefined;
}

/**
 * Takes a listening address apart.
 * @param text `SCHEME://HOST[:PORT][?advertise=HOST[:PORT]]` with `udp`, `tcp`, `tls`, `ws` or `wss` as SCHEME, in any
 *   letter case; an IPv6 host in brackets. Without a port it is the transport's own: 5060, 5061 for `tls`, 80 for `ws`
 *   and 443 for `wss` (RFC 3261 s18.2.2, RFC 7118 s5.2).
 * @returns `undefined` when `text` is no such address.
 */
export function readListen(text: string): Listener | undefined {
  const parts = /^([a-z]+):\/\/([^?]*)(?:\?advertise=(.*))?$/is.exec(text);
  const transport = parts === null ? undefined : transportName(parts[1]!);
  const found = parts === null ? undefined : parseHostPort(parts[2]!);
  if (transport === undefined || found === undefined) return undefined;
  const advertise = parts![3];
  if (advertise !== undefined && parseAdvertise(advertise) === undefined) return undefined;
  return { transport, host: found.host, port: found.port ?? defaultPort(transport), advertise };
}

/** A listening address as {@link readListen} takes it, with its scheme in lower case and its port filled in. */
export function parseListen(text: string): string | undefined {
  const found = readListen(text);
  if (found === undefined) return undefined;
  const query = found.advertise === undefined ? "" : `?advertise=${found.advertise}`;
  return `${found.transport}://${found.host}:${found.port}${query}`;
}

/**
 * Checks an address to advertise.
 * @param text `HOST` or `HOST:PORT`; an IPv6 host in brackets. The wildcard addresses are refused, since no peer can
 *   send to them, and so is port 0.
 * @returns `text` itself, or `undefined` when it is no such address.
 */
export function parseAdvertise(text: string): string | undefined {
  const found = parseHostPort(text);
  if (found === undefined || found.port === 0 || found.host === "0.0.0.0") return undefined;
  if (/^\[[0:]+\]$/.test(found.host) || found.host.includes("%")) return undefined;
  return text;
}

/** Whether an address to advertise, right by {@link parseAdvertise}, names a port. */
export function hasPort(advertise: string): boolean {
  return parseHostPort(advertise)?.port !== undefined;
}

/**
 * The address of a DNS server with its port filled in.
 * @param text a numeric `HOST` or `HOST:PORT`, an IPv6 one in brackets; port 53 when left out, and never 0. A zone
 *   (`fe80::1%eth0`) is refused, for Bun's resolver loses it.
 * @returns `HOST:PORT`, or `undefined` when `text` is no such address.
 */
export function parseNameserver(text: string): string | undefined {
  const found = parseHostPort(text);
  if (found === undefined || found.port === 0 || found.host.includes("%")) return undefined;
  if (!found.host.startsWith("[") && !isIPv4(found.host)) return undefined;
  return `${found.host}:${found.port ?? DNS_PORT}`;
}

/**
 * A domain that is served, as addresses-of-record name it.
 * @param text a host name, or a numeric address, an IPv6 one in brackets; no port.
 * @returns it in lower case and without a dot at its end, or `undefined` when it is none.
 */
export function parseDomain(text: string): string | undefined {
  const found = parseHostPort(text);
  if (found === undefined || found.port !== undefined || found.host.includes("%")) return undefined;
  return found.host.toLowerCase().replace(/\.$/, "");
}

function parseHostPort(text: string): { host: string; port: number | undefined } | undefined {
  const parts = /^(\[[^\]]*\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  if (parts === null) return undefined;
  const host = parts[1]!;
  const port = parts[2] === undefined ? undefined : Number(parts[2]);
  if (port !== undefined && port > 65_535) return undefined;
  return (host.startsWith("[") ? isIPv6(host.slice(1, -1)) : isIPv4(host) || isHostName(host))
    ? { host, port }
    : undefined;
}

/** RFC 3261 s25.1 `hostname`: the last label begins with a letter, so that 999.1.1.1 is not taken for a name. */
function isHostName(host: string): boolean {
  if (host.length > 253) return false;
  return /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?\.?$/i.test(host);
}
