/** From a URI to where its request goes: what is asked for, and what is found. */
import { isIPv4, isIPv6 } from "node:net";
import type { Uri } from "../message/uri.ts";
import { SIP_PORT, SIPS_PORT, withoutBrackets } from "../transport/address.ts";
import { shortIpv6 } from "../transport/ipv6.ts";
import type { TransportName } from "../transport/kinds.ts";
import { plainName } from "./domain-name.ts";

/** What a URI says about the next server (RFC 3263 s4). */
export interface NextHop {
  /** Whether it is a `sips` URI: every hop has to be secured. */
  secure: boolean;
  /** A name or a numeric address, in lower case, IPv6 without brackets. */
  host: string;
  /** The port where one is written. */
  port: number | undefined;
  /** The `transport` parameter in lower case, whatever it says. */
  transport: string | undefined;
}

/** Where a request can be sent. */
export interface Target {
  transport: TransportName;
  /** Numeric, IPv6 without brackets. */
  address: string;
  port: number;
  /** What a TLS certificate must name: the host that was asked for, never what DNS led to (RFC 5922 s4). */
  domain: string;
}

/**
 * What a URI says about the next server. `maddr` takes the place of the host (RFC 3263 s4); a `transport` without a
 * value counts as none.
 * @returns null for a URI that is neither `sip` nor `sips`
 */
export function nextHopOf(uri: Uri): NextHop | null {
  const { scheme } = uri;
  if (scheme !== "sip" && scheme !== "sips") return null;
  return {
    secure: scheme === "sips",
    host: plainName(withoutBrackets(uri.maddr || uri.host)),
    port: uri.port,
    transport: uri.transport || undefined,
  };
}

/**
 * A numeric host in the form that the system shows: IPv6 shortened as in RFC 5952, an IPv4 address mapped into IPv6 as
 * IPv4. So one address is one text.
 * @param host in lower case, IPv6 without brackets
 * @returns null for a host that is not numeric
 */
export function numericAddress(host: string): string | null {
  if (!host.includes(":")) return isIPv4(host) ? host : null;
  // A zone is of use on this machine only; the grammar of URIs has no room for one.
  if (!isIPv6(host) || host.includes("%")) return null;
  return shortIpv6(host);
}

/** The port that a URI leads to where its host is numeric: the one that is written, or that of its transport (RFC 3263 s4.2). */
export function portOf({ port, secure, transport }: NextHop): number {
  return port ?? (secure || transport === "tls" ? SIPS_PORT : SIP_PORT);
}

/** The family of a numeric address. */
export function familyOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}
