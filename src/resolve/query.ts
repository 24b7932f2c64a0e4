/**
 * One DNS query, with `node:dns`.
 *
 * Each attempt has a resolver of its own. That costs some 60 us and buys three things: `cancel()` ends this one and no
 * other; the resolver's own cache, which knows nothing of our clock, has nothing in it; and changes to the system's
 * nameservers are seen.
 */
import { Resolver } from "node:dns";
import { isIP } from "node:net";
import { canonicalAddress } from "../transport/address.ts";
import type { DnsFailure } from "./locate-error.ts";
import { type Answer, failedAnswer, NOTHING, type RecordOf, type RecordType } from "./records.ts";
import { familyOf } from "./target.ts";

/** An answer and how long it holds. */
export interface TimedAnswer<T> extends Answer<T> {
  /** The smallest TTL of the records in seconds; undefined when it is not known. */
  readonly ttl: number | undefined;
}

/** How often a query is sent at most, at even intervals. */
const ATTEMPTS = 3;

/** Codes of the resolver for a name or a record that is not there. Bun gives the first for both. */
const ABSENT = new Set(["ENOTFOUND", "ENODATA", "EBADNAME", "ENONAME"]);
const FAILURES: Readonly<Record<string, DnsFailure>> = {
  ETIMEOUT: "ETIMEOUT",
  ECANCELLED: "ETIMEOUT",
  EREFUSED: "EREFUSED",
  EBADRESP: "EBADRESP",
  EFORMERR: "EBADRESP",
};

/**
 * Asks for the records of one type. The query is sent again after a third of the time, and after two, to the next
 * nameserver where there is one; the first answer counts, whichever of them it is for. A nameserver that fails is followed
 * by the next one at once.
 * @param name a name that `isDomainName` allows
 * @param nameservers as in the settings; none for those of the system
 * @param timeout milliseconds in all
 * @returns the answer; it never rejects. What no time-out, refusal or bad answer explains is a failure of the server.
 */
export function query<T extends RecordType>(
  type: T,
  name: string,
  nameservers: readonly string[],
  timeout: number,
): Promise<TimedAnswer<RecordOf[T]>> {
  return new Query(type, name, nameservers, timeout).answer as Promise<TimedAnswer<RecordOf[T]>>;
}

class Query {
  readonly answer: Promise<TimedAnswer<unknown>>;
  readonly #type: RecordType;
  readonly #name: string;
  readonly #timeout: number;
  readonly #resolve: (answer: TimedAnswer<unknown>) => void;
  readonly #deadline: Timer;
  readonly #repetition: Timer;
  readonly #attempts: Resolver[] = [];
  /** Those in the order of the first attempt. */
  #nameservers: readonly string[];
  /** Attempts without an answer so far. */
  #open = 0;
  #settled = false;
  #failure: TimedAnswer<unknown> = failed("ETIMEOUT");

  constructor(type: RecordType, name: string, nameservers: readonly string[], timeout: number) {
    this.#type = type;
    this.#name = name;
    this.#nameservers = nameservers;
    this.#timeout = timeout;
    const { promise, resolve } = Promise.withResolvers<TimedAnswer<unknown>>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#deadline = setTimeout(() => this.#settle(this.#failure), timeout);
    this.#repetition = setInterval(() => this.#attempt(), timeout / ATTEMPTS);
    this.#attempt();
  }

  #attempt(): void {
    const before = this.#attempts.length;
    if (before === ATTEMPTS) return;
    try {
      // Beyond our patience: the resolver drops an answer to what it has sent again since, and looks once a second.
      const resolver = new Resolver({ timeout: Math.ceil(2 * this.#timeout), tries: 1 });
      if (this.#nameservers.length === 0) this.#nameservers = resolver.getServers();
      const { length } = this.#nameservers;
      if (length > 0) {
        resolver.setServers(this.#nameservers.map((_, at) => this.#nameservers[(before + at) % length]!));
      }
      this.#attempts.push(resolver);
      this.#open++;
      send(resolver, this.#type, this.#name, (answer) => this.#answered(answer));
    } catch {
      // No descriptor left for a socket, or a name that the resolver will not take after all.
      this.#settle(failed("ESERVFAIL"));
    }
  }

  #answered(answer: TimedAnswer<unknown>): void {
    if (this.#settled) return;
    this.#open--;
    if (answer.failure === undefined) {
      this.#settle(answer);
      return;
    }
    this.#failure = answer;
    if (this.#attempts.length < Math.min(this.#nameservers.length, ATTEMPTS)) this.#attempt();
    else if (this.#open === 0) this.#settle(answer);
  }

  #settle(answer: TimedAnswer<unknown>): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#deadline);
    clearInterval(this.#repetition);
    this.#resolve(answer);
    for (const resolver of this.#attempts) resolver.cancel();
  }
}

function send(
  resolver: Resolver,
  type: RecordType,
  name: string,
  answered: (answer: TimedAnswer<unknown>) => void,
): void {
  const done = (error: NodeJS.ErrnoException | null, answer: () => TimedAnswer<unknown>): void =>
    answered(error === null ? answer() : failed(error.code ?? ""));
  if (type === "A") resolver.resolve4(name, { ttl: true }, (error, found) => done(error, () => addresses(found, 4)));
  else if (type === "AAAA")
    resolver.resolve6(name, { ttl: true }, (error, found) => done(error, () => addresses(found, 6)));
  else if (type === "SRV") resolver.resolveSrv(name, (error, found) => done(error, () => lasting(found)));
  else resolver.resolveNaptr(name, (error, found) => done(error, () => lasting(found)));
}

/**
 * Checks the form of nameservers.
 * @throws TypeError for one that is no numeric address with or without a port
 */
export function checkNameservers(nameservers: readonly string[]): void {
  for (const text of nameservers) {
    const parts = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups;
    const family = isIP(parts?.v6 ?? parts?.v4 ?? text);
    const port = Number(parts?.port ?? 53);
    if (family !== (parts?.v4 === undefined ? 6 : 4) || port < 1 || port > 65_535) {
      throw new TypeError(`not the numeric address of a nameserver: ${text}`);
    }
  }
}

function addresses(found: readonly { address: string; ttl: number }[], family: 4 | 6): TimedAnswer<string> {
  const ttl = found.reduce((least, record) => Math.min(least, record.ttl), Number.POSITIVE_INFINITY);
  // An IPv4 address mapped into IPv6 has no business in an AAAA record, and could not be sent to as IPv6.
  const records = found.map(({ address }) => canonicalAddress(address)).filter((text) => familyOf(text) === family);
  return { records, failure: undefined, ttl };
}

function lasting(records: readonly unknown[]): TimedAnswer<unknown> {
  return { records, failure: undefined, ttl: undefined };
}

function failed(code: string): TimedAnswer<never> {
  const answer = ABSENT.has(code) ? NOTHING : failedAnswer(FAILURES[code] ?? "ESERVFAIL");
  return { ...answer, ttl: undefined };
}
