/**
 * The search for the servers of a named host, as RFC 3263 s4 has it: NAPTR says which transports, SRV says which hosts
 * and ports, AAAA and A say which addresses.
 *
 * It is a generator that gives out questions and takes answers, so it does not know whether they come at once or later.
 */
import { defaultPort, type TransportName } from "../transport/kinds.ts";
import { namedTransport, plainTransports, type Supported, usableIn } from "./choice.ts";
import { isDomainName, plainName } from "./domain-name.ts";
import type { Hosts } from "./hosts.ts";
import { type DnsFailure, LocateError } from "./locate-error.ts";
import { type Service, servicesOf } from "./naptr.ts";
import { type Answer, type DnsClient, NOTHING, type Pending, type SrvRecord } from "./records.ts";
import { orderSrv, saysUnavailable, serviceName } from "./srv.ts";
import type { NextHop, Target } from "./target.ts";

/** Hosts whose addresses are looked for: what stands behind them in the order is not tried. */
const MAX_HOSTS = 16;
/** Addresses of one host that are taken, of each family. */
const MAX_ADDRESSES = 16;

/** Who is asked, and what may be used. */
export interface SearchTools {
  readonly dns: DnsClient;
  readonly hosts: Hosts;
  readonly random: () => number;
  readonly supported: Supported;
}

/** Gives out questions that may be asked at once, is resumed with their answers, and returns what it found. */
export type Steps<T> = Generator<readonly Pending<unknown>[], T, readonly Answer<unknown>[]>;

/** A host at which a server should be, its address not known yet. */
interface Place {
  transport: TransportName;
  host: string;
  port: number;
}

/**
 * Searches for the targets of a host that is not numeric, best first, the same one never twice.
 * @throws LocateError when there are none; a DNS failure on the way counts for more than a name that is not there
 */
export function* search(hop: NextHop, tools: SearchTools): Steps<Target[]> {
  if (!isDomainName(hop.host)) throw new LocateError("ENOTFOUND", hop.host, "No such host");
  return yield* new Search(hop, tools).run();
}

class Search {
  readonly #hop: NextHop;
  readonly #tools: SearchTools;
  /** The first thing that went wrong. */
  #failure: DnsFailure | undefined;
  /** Transports whose service the domain says it does not offer. */
  readonly #unavailable = new Set<TransportName>();
  /** The families in which addresses were looked for. */
  readonly #families = new Set<4 | 6>();

  constructor(hop: NextHop, tools: SearchTools) {
    this.#hop = hop;
    this.#tools = tools;
  }

  *run(): Steps<Target[]> {
    const hop = this.#hop;
    const named = namedTransport(hop);
    if (named !== undefined && !this.#usable(named)) throw LocateError.transport(named, hop.host);
    // s4.2: a port that is written, and a name that the hosts file knows, leave nothing for SRV to say.
    if (hop.port === undefined && this.#tools.hosts.find(hop.host) === undefined) {
      let places = named === undefined ? yield* this.#byNaptr() : [];
      if (places.length === 0) places = yield* this.#bySrv(named);
      // s4.2: addresses of the domain itself are for domains without SRV records.
      if (places.length > 0) return this.#orFail(yield* this.#targets(places));
    }
    return this.#orFail(yield* this.#targets(this.#itself()));
  }

  /** s4.1: NAPTR records, and what they lead to. */
  *#byNaptr(): Steps<Place[]> {
    const { dns } = this.#tools;
    const { host, secure } = this.#hop;
    const [answer] = yield* this.#ask([dns.naptr(host)]);
    if (answer!.failure === "ETIMEOUT") this.#askAhead();
    // A sips URI is for services that are secure; a sip URI may use those too.
    const usable = (transport: TransportName) => (transport === "tls" || !secure) && this.#usable(transport);
    const services = servicesOf(answer!.records, usable);
    const answers = yield* this.#ask(services.map(({ kind, name }) => (kind === "s" ? dns.srv(name) : NOTHING)));
    return services.flatMap((service, at) => this.#placesOf(service, answers[at]!.records));
  }

  /** s4.1 and s4.2: SRV records of the domain, for the transport that is named or for each that may be used. */
  *#bySrv(named: TransportName | undefined): Steps<Place[]> {
    const { host, secure } = this.#hop;
    let transports: readonly TransportName[] = secure ? ["tls"] : ["udp", "tcp", "tls"];
    if (named !== undefined) transports = [named];
    const services: Service[] = [];
    for (const transport of transports) {
      const name = serviceName(transport, host);
      if (name === undefined || !this.#usable(transport) || this.#unavailable.has(transport)) continue;
      services.push({ transport, name, kind: "s" });
    }
    const answers = yield* this.#ask(services.map(({ name }) => this.#tools.dns.srv(name)));
    return services.flatMap((service, at) => this.#placesOf(service, answers[at]!.records));
  }

  #placesOf({ transport, name, kind }: Service, records: readonly SrvRecord[]): Place[] {
    if (kind === "a") return [{ transport, host: name, port: defaultPort(transport) }];
    if (saysUnavailable(records)) this.#unavailable.add(transport);
    return orderSrv(records, this.#tools.random).map((record) => {
      return { transport, host: plainName(record.name), port: record.port };
    });
  }

  /** The host of the URI as a place, over the transport that it has without any SRV record. */
  #itself(): Place[] {
    const { host, port } = this.#hop;
    const transports = plainTransports(this.#hop);
    const transport = transports.find((name) => this.#usable(name));
    if (transport === undefined) {
      if (this.#failure === undefined) throw LocateError.transport(transports[0]!, host);
      return [];
    }
    return this.#unavailable.has(transport) ? [] : [{ transport, host, port: port ?? defaultPort(transport) }];
  }

  /** s4.2: the addresses of each place, in turn, IPv6 before IPv4. */
  *#targets(places: readonly Place[]): Steps<Target[]> {
    const near = places.slice(0, MAX_HOSTS);
    const answers = yield* this.#ask(near.flatMap((place) => [this.#addresses(place, 6), this.#addresses(place, 4)]));
    const targets = new Map<string, Target>();
    for (const [at, { transport, port }] of near.entries()) {
      for (const { records } of answers.slice(2 * at, 2 * at + 2)) {
        for (const address of records.slice(0, MAX_ADDRESSES)) {
          const key = `${transport} ${address} ${port}`;
          if (!targets.has(key)) targets.set(key, { transport, address, port, domain: this.#hop.host });
        }
      }
    }
    return [...targets.values()];
  }

  #addresses({ transport, host }: Place, family: 4 | 6): Pending<string> {
    const { dns, hosts, supported } = this.#tools;
    if (!supported(transport, family)) return NOTHING;
    this.#families.add(family);
    const known = hosts.find(host);
    if (known !== undefined) return { records: family === 4 ? known.a : known.aaaa, failure: undefined };
    return family === 4 ? dns.a(host) : dns.aaaa(host);
  }

  /**
   * Asks for the addresses of the host before it is known whether they will be needed. After a query that took all its
   * time, so that those that follow one another do not add up.
   */
  #askAhead(): void {
    for (const place of this.#itself()) {
      this.#addresses(place, 6);
      this.#addresses(place, 4);
    }
  }

  *#ask<T>(questions: readonly Pending<T>[]): Steps<readonly Answer<T>[]> {
    if (questions.length === 0) return [];
    const answers = (yield questions) as readonly Answer<T>[];
    for (const { failure } of answers) this.#failure ??= failure;
    return answers;
  }

  #usable(transport: TransportName): boolean {
    return usableIn(this.#tools.supported, transport);
  }

  #orFail(targets: Target[]): Target[] {
    if (targets.length > 0) return targets;
    const { host } = this.#hop;
    if (this.#failure !== undefined) throw LocateError.dns(this.#failure, host);
    if (this.#unavailable.size > 0) throw new LocateError("EUNAVAILABLE", host, "No SIP service offered");
    const [family] = this.#families;
    throw new LocateError("ENOTFOUND", host, this.#families.size === 1 ? `No IPv${family} address` : "No such host");
  }
}
