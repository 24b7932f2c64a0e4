/** Addresses as text: numeric hosts, ports, and which of this machine's addresses a peer sees. */
import { networkInterfaces } from "node:os";

/** The port of SIP over UDP and TCP when none is given (RFC 3261 s19.1.2). */
export const SIP_PORT = 5060;
/** The same over TLS. */
export const SIPS_PORT = 5061;

const MAPPED = "::ffff:";

/** An IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d` in its plain form; any other as it is. */
export function canonicalAddress(address: string): string {
  return address.length > 9 && address.charCodeAt(0) === 0x3a && address.startsWith(MAPPED) && address.includes(".")
    ? address.slice(MAPPED.length)
    : address;
}

/** `host:port`, with brackets round an IPv6 address. */
export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A host as it stands in a URI, an IPv6 address without its brackets. */
export function withoutBrackets(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}

/** Whether text is a numeric IPv4 or IPv6 address, brackets allowed round the latter. */
export function isNumericHost(host: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || /^\[?[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*\]?$/.test(host);
}

function toNumber(ipv4: string): number {
  return ipv4.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/**
 * A guess at which local address packets to a peer leave from, for a socket bound to every address: the one in the
 * peer's subnet, else the first that is not loopback. Loopback peers see the address they sent to.
 * @returns a function from a peer's numeric address to a local one; it reads the interfaces once
 */
export function localAddressFinder(): (peer: string) => string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const v4 = all.filter((entry) => entry.family === "IPv4" && !entry.internal);
  const v6 = all.filter((entry) => entry.family === "IPv6" && !entry.internal);
  return (peer) => {
    if (peer.includes(":")) {
      if (peer === "::1") return "::1";
      return (v6.find((entry) => !entry.address.startsWith("fe80")) ?? v6[0])?.address ?? "::1";
    }
    if (peer.startsWith("127.")) return "127.0.0.1";
    const number = toNumber(peer);
    const near = v4.find((entry) => {
      const mask = toNumber(entry.netmask);
      return (number & mask) === (toNumber(entry.address) & mask);
    });
    return (near ?? v4[0])?.address ?? "127.0.0.1";
  };
}
