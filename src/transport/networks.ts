/**
 * Networks whose addresses lead nowhere outside of them: what a client behind a NAT writes where its address belongs. An
 * address of another private network, or of the Internet, is outside; one of the same kind may be a neighbour.
 */
import { groupsOf } from "./ipv6.ts";

/** The first octets of an address by RFC 1918, RFC 6598, and of loopback, link-local and no address at all (RFC 6890). */
const IPV4: readonly RegExp[] = [
  /^10\./,
  /^172\.(?:1[6-9]|2\d|3[01])\./,
  /^192\.168\./,
  /^100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./,
  /^169\.254\./,
  /^127\./,
  /^0\./,
];

const UNIQUE_LOCAL = "fc00::/7";
const LINK_LOCAL = "fe80::/10";

/**
 * The private network that an address belongs to, as some text that is the same for all of it; null for an address that
 * is reached from everywhere.
 * @param address numeric, in its shortest form, without brackets
 */
function networkOf(address: string): string | null {
  if (!address.includes(":")) return IPV4.find((network) => network.test(address))?.source ?? null;
  if (address === "::1" || address === "::") return address;
  const first = groupsOf(address)[0]!;
  if ((first & 0xfe00) === 0xfc00) return UNIQUE_LOCAL;
  return (first & 0xffc0) === 0xfe80 ? LINK_LOCAL : null;
}

/**
 * Whether nothing that is sent to an address from outside arrives: it belongs to a private network, and `from` to none, or
 * to another.
 * @param address numeric, in its shortest form, without brackets; `from` the same
 */
export function isHiddenFrom(address: string, from: string): boolean {
  const network = networkOf(address);
  return network !== null && network !== networkOf(from);
}
