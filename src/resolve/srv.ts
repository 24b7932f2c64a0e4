/** SRV records: the names they stand under, and the order in which they are tried (RFC 2782). */
import type { TransportName } from "../transport/kinds.ts";
import type { SrvRecord } from "./records.ts";

/** What stands before the domain in the name of a service (RFC 3263 s4.1). WebSocket has no such names. */
const SERVICES: Partial<Record<TransportName, string>> = { udp: "_sip._udp.", tcp: "_sip._tcp.", tls: "_sips._tcp." };

/** The name of the SRV records for a transport of a domain; undefined for one that has none. */
export function serviceName(transport: TransportName, domain: string): string | undefined {
  const service = SERVICES[transport];
  return service === undefined ? undefined : service + domain;
}

/** Whether the records say that the service is decidedly not offered: their target is the root (RFC 2782). */
export function saysUnavailable(records: readonly SrvRecord[]): boolean {
  return records.length > 0 && records.every(isRoot);
}

function isRoot(record: SrvRecord): boolean {
  return record.name === "" || record.name === ".";
}

/**
 * The records in the order of one try: by priority, and by lot within one priority, so that each comes first in
 * proportion to its weight. Records that lead nowhere, to the root or port 0, are left out.
 * @param random gives numbers from 0 to below 1
 */
export function orderSrv(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const usable = records.filter((record) => record.port > 0 && !isRoot(record));
  // Those of weight 0 first within a priority: they win only when 0 is drawn (RFC 2782 "Weight").
  usable.sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: SrvRecord[] = [];
  for (let start = 0; start < usable.length; ) {
    let end = start + 1;
    while (end < usable.length && usable[end]!.priority === usable[start]!.priority) end++;
    drawInto(ordered, usable.slice(start, end), random);
    start = end;
  }
  return ordered;
}

/** Draws all of `group`, one after the other, each with a chance of its weight among those left. */
function drawInto(ordered: SrvRecord[], group: SrvRecord[], random: () => number): void {
  let sum = group.reduce((total, record) => total + record.weight, 0);
  while (group.length > 0) {
    const drawn = Math.floor(random() * (sum + 1));
    let running = 0;
    let at = group.findIndex((record) => {
      running += record.weight;
      return running >= drawn;
    });
    // Only a source that gives 1 gets here.
    if (at < 0) at = group.length - 1;
    const [record] = group.splice(at, 1);
    sum -= record!.weight;
    ordered.push(record!);
  }
}
