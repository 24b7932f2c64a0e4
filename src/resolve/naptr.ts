/** NAPTR records: which transports a domain offers, in the order it prefers them (RFC 3263 s4.1, RFC 3403 s4). */
import type { TransportName } from "../transport/kinds.ts";
import { isDomainName, plainName } from "./domain-name.ts";
import type { NaptrRecord } from "./records.ts";

/** One way to a server that a domain names. */
export interface Service {
  readonly transport: TransportName;
  /** Where it leads: the name of SRV records, or of a host. In lower case, without a dot at the end. */
  readonly name: string;
  /** `s`: SRV records stand under the name. `a`: addresses do. */
  readonly kind: "s" | "a";
}

/** A map: the names come from the network, and an object has more properties than were put there. */
const TRANSPORT_OF: ReadonlyMap<string, TransportName> = new Map([
  ["sip+d2u", "udp"],
  ["sip+d2t", "tcp"],
  ["sips+d2t", "tls"],
]);
/** Services followed; a domain has three. */
const MAX_SERVICES = 8;

/**
 * The services that can be used, best first. Records for other services, those that go on to further NAPTR records or
 * rewrite by a regular expression, and those that lead to no name are passed over.
 * @param usable whether a transport may be used
 */
export function servicesOf(records: readonly NaptrRecord[], usable: (transport: TransportName) => boolean): Service[] {
  const services: Service[] = [];
  for (const record of records.toSorted((a, b) => a.order - b.order || a.preference - b.preference)) {
    const transport = TRANSPORT_OF.get(record.service.toLowerCase());
    const kind = record.flags.toLowerCase();
    const name = plainName(record.replacement);
    if (transport === undefined || (kind !== "s" && kind !== "a")) continue;
    if (record.regexp === "" && isDomainName(name) && usable(transport)) services.push({ transport, name, kind });
  }
  return services.slice(0, MAX_SERVICES);
}
