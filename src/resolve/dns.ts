/** DNS with a memory: what is known is not asked again, and what is being asked is asked once. */
import type { Clock } from "../time/clock.ts";
import { TtlCache } from "./cache.ts";
import { type ResolveCounters, resolveCounters } from "./counters.ts";
import { isDomainName } from "./domain-name.ts";
import { checkNameservers, query, type TimedAnswer } from "./query.ts";
import {
  type Answer,
  type DnsClient,
  failedAnswer,
  type NaptrRecord,
  NOTHING,
  type Pending,
  type RecordOf,
  type RecordType,
  type SrvRecord,
} from "./records.ts";
import type { ResolveSettings } from "./settings.ts";
import { Turns } from "./turns.ts";

/** Answers remembered at once. */
const MAX_CACHED = 10_000;
/** Queries at once. Each holds up to three sockets, and requests to names that nobody answers for must not take all. */
const AT_ONCE = 128;
/** Queries at once with those that wait for their turn. */
const MAX_UNDER_WAY = 4096;
/** Records of one answer that are kept. */
const MAX_RECORDS = 128;
/** Milliseconds a failure is remembered: enough that a burst of requests does not beat on a server that is ill. */
const FAILURE_TTL = 1000;
/** The longest an answer is believed, whatever its TTL, in milliseconds. */
const MAX_TTL = 86_400_000;

/** The resolver of the process, or nameservers of the operator's. */
export class CachingDns implements DnsClient {
  readonly counters: ResolveCounters;
  readonly #settings: ResolveSettings;
  readonly #clock: Clock;
  readonly #cache: TtlCache<Answer<unknown>>;
  readonly #underWay = new Map<string, Promise<Answer<unknown>>>();
  readonly #turns = new Turns(AT_ONCE);

  /**
   * @param counters added to; default its own
   * @param maxCached answers remembered at once, default 10,000
   * @throws TypeError for a nameserver that is no numeric address
   */
  constructor(settings: ResolveSettings, clock: Clock, counters = resolveCounters(), maxCached = MAX_CACHED) {
    checkNameservers(settings.nameservers);
    this.#settings = settings;
    this.#clock = clock;
    this.counters = counters;
    this.#cache = new TtlCache(maxCached);
  }

  /** Answers remembered now. */
  get cached(): number {
    return this.#cache.size;
  }

  naptr(name: string): Pending<NaptrRecord> {
    return this.#lookUp("NAPTR", name);
  }

  srv(name: string): Pending<SrvRecord> {
    return this.#lookUp("SRV", name);
  }

  a(name: string): Pending<string> {
    return this.#lookUp("A", name);
  }

  aaaa(name: string): Pending<string> {
    return this.#lookUp("AAAA", name);
  }

  #lookUp<T extends RecordType>(type: T, name: string): Pending<RecordOf[T]> {
    const key = `${type} ${name}`;
    const known = this.#cache.get(key, this.#clock.now());
    if (known !== undefined) {
      this.counters.cacheHits++;
      return known as Answer<RecordOf[T]>;
    }
    const asked = this.#underWay.get(key);
    if (asked !== undefined) return asked as Promise<Answer<RecordOf[T]>>;
    if (!isDomainName(name)) return NOTHING;
    if (this.#underWay.size >= MAX_UNDER_WAY) return failedAnswer("EBUSY");
    const asking = this.#ask(type, name, key);
    this.#underWay.set(key, asking);
    return asking;
  }

  async #ask<T extends RecordType>(type: T, name: string, key: string): Promise<Answer<RecordOf[T]>> {
    const { nameservers, dnsTimeout } = this.#settings;
    const since = this.#clock.now();
    await this.#turns.take();
    const left = dnsTimeout - (this.#clock.now() - since);
    let found: TimedAnswer<RecordOf[T]> = { ...failedAnswer("ETIMEOUT"), ttl: undefined };
    if (left > 0) {
      this.counters.queries++;
      found = await query(type, name, nameservers, left);
    }
    this.#turns.end();
    this.#underWay.delete(key);
    if (found.failure === "ETIMEOUT") this.counters.timeouts++;
    else if (found.failure !== undefined) this.counters.failures++;
    const answer = { records: found.records.slice(0, MAX_RECORDS), failure: found.failure };
    this.#cache.set(key, answer, this.#lifetime(found), this.#clock.now());
    return answer;
  }

  /** In milliseconds. */
  #lifetime(answer: TimedAnswer<unknown>): number {
    if (answer.failure !== undefined) return FAILURE_TTL;
    if (answer.records.length === 0) return this.#settings.cacheNegative;
    return answer.ttl === undefined ? this.#settings.cacheTtl : Math.min(answer.ttl * 1000, MAX_TTL);
  }
}
