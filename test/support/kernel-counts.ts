/** What Linux has counted of UDP and ICMP, from `/proc/net`. */
import { readFileSync } from "node:fs";

/** Destination-unreachable messages that this machine has received since it started. */
export function icmpUnreachables(): number {
  const [names, values] = readFileSync("/proc/net/snmp", "latin1")
    .split("\n")
    .filter((line) => line.startsWith("Icmp:"))
    .map((line) => line.split(" "));
  return Number(values![names!.indexOf("InDestUnreachs")]);
}

/** The fields of each IPv4 UDP socket of this machine (of its network namespace): address and port, peer, state and so on. */
function udpSockets(): string[][] {
  return readFileSync("/proc/net/udp", "latin1")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

/** A port as it ends an address there. */
function atPort(port: number): string {
  return `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Datagrams that found the receive buffer full of the IPv4 sockets bound to a port. 0 when there is no such socket. */
export function udpDrops(port: number): number {
  return udpSockets()
    .filter((fields) => fields[1]?.endsWith(atPort(port)))
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}

/** IPv4 UDP sockets that are connected to a port. */
export function udpTowards(port: number): number {
  return udpSockets().filter((fields) => fields[2]?.endsWith(atPort(port))).length;
}
