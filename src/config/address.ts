/** The addresses that settings hold: where to listen and what to advertise. Nothing here resolves or opens anything. */

import { isIPv4, isIPv6 } from "node:net";
import { SIP_PORT } from "../transport/address.ts";

/**
 * A listening address with its port filled in.
 * @param text `udp://HOST[:PORT]`; an IPv6 host in brackets; the scheme in any letter case.
 * @returns `udp://HOST:PORT`, or `undefined` when `text` is no such address.
 */
export function parseListen(text: string): string | undefined {
  const scheme = /^udp:\/\//i.exec(text);
  if (scheme === null) return undefined;
  const found = parseHostPort(text.slice(scheme[0].length));
  return found === undefined ? undefined : `udp://${found.host}:${found.port ?? SIP_PORT}`;
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
