/** Finds the servers of a URI (RFC 3263), remembers which of them failed, and bounds the time that it takes. */
import type { Clock } from "../time/clock.ts";
import { AvoidedTargets } from "./avoid.ts";
import { numericTarget, type Supported } from "./choice.ts";
import { type ResolveCounters, resolveCounters } from "./counters.ts";
import { CachingDns } from "./dns.ts";
import { type Hosts, HostsFile } from "./hosts.ts";
import { LocateError } from "./locate-error.ts";
import { type Answer, type DnsClient, failedAnswer, type Pending } from "./records.ts";
import { type Steps, search } from "./search.ts";
import type { ResolveSettings } from "./settings.ts";
import { type NextHop, numericAddress, type Target } from "./target.ts";

export type { ResolveCounters } from "./counters.ts";
export { type LocateCode, LocateError } from "./locate-error.ts";
export type { DnsClient } from "./records.ts";
export { DEFAULT_RESOLVE, type ResolveSettings } from "./settings.ts";

/** Targets given at most: each one that does not answer costs its caller a time-out. */
const MAX_TARGETS = 16;
/** The time for a whole search, in times of one query. */
const WHOLE = 2;

export interface LocatorOptions {
  settings: ResolveSettings;
  /** Who is asked. Default: the nameservers of the settings, answers remembered. */
  dns?: DnsClient | undefined;
  /** Who is asked before DNS. Default: the system's hosts file. */
  hosts?: Hosts | undefined;
  clock: Clock;
  /** Numbers from 0 to below 1, for the weights of SRV records. */
  random: () => number;
  /** Whether this server can send over a transport to addresses of a family. Asked anew at every search. */
  supported: Supported;
}

export class Locator {
  /** Queries are counted here only when the locator has its own DNS. */
  readonly counters: ResolveCounters;
  readonly #settings: ResolveSettings;
  readonly #dns: DnsClient;
  readonly #hosts: Hosts;
  readonly #random: () => number;
  readonly #supported: Supported;
  readonly #avoided: AvoidedTargets;

  /** @throws TypeError for a nameserver in the settings that is no numeric address */
  constructor(options: LocatorOptions) {
    const { settings, clock, random, supported } = options;
    this.counters = resolveCounters();
    this.#settings = settings;
    this.#dns = options.dns ?? new CachingDns(settings, clock, this.counters);
    this.#hosts = options.hosts ?? new HostsFile(clock);
    this.#random = random;
    this.#supported = supported;
    this.#avoided = new AvoidedTargets(clock);
  }

  /**
   * Where a request to `hop` can be sent: 1 to 16 targets, best first, those that failed lately last.
   *
   * Without a promise for a numeric host, and where all that it takes is remembered. It takes twice `dnsTimeout` at most.
   * @throws LocateError when there is no target: at once, or as the promise's rejection
   */
  locate(hop: NextHop): Target[] | Promise<Target[]> {
    try {
      // Nothing can be sent to port 0, though the grammar allows it.
      if (hop.port === 0) throw new LocateError("EPORT", hop.host, "No such port, 0");
      const address = numericAddress(hop.host);
      if (address !== null) return this.#found([numericTarget(hop, address, this.#supported)]);
      const steps = search(hop, {
        dns: this.#dns,
        hosts: this.#hosts,
        random: this.#random,
        supported: this.#supported,
      });
      let step = steps.next();
      while (!step.done) {
        if (!step.value.every(isKnown)) return this.#wait(steps, step.value);
        step = steps.next(step.value as readonly Answer<unknown>[]);
      }
      return this.#found(step.value);
    } catch (error) {
      this.counters.notLocated++;
      throw error;
    }
  }

  /**
   * Says that a target could not be reached, or is overloaded: it is tried last for a while.
   * @param forMs how long, in milliseconds; default the setting `avoidFailed`
   */
  failed(target: Target, forMs = this.#settings.avoidFailed): void {
    this.#avoided.add(target, forMs);
  }

  /** Whether a target failed so lately that it is tried last. */
  isAvoided(target: Target): boolean {
    return this.#avoided.has(target);
  }

  /** Says that a target answered: its failure is forgotten. */
  worked(target: Target): void {
    this.#avoided.delete(target);
  }

  #found(targets: Target[]): Target[] {
    this.counters.located++;
    const ordered = this.#avoided.last(targets);
    return ordered.length > MAX_TARGETS ? ordered.slice(0, MAX_TARGETS) : ordered;
  }

  /** Goes on with a search some of whose answers are still to come. What is not there at the end counts as a time-out. */
  async #wait(steps: Steps<Target[]>, questions: readonly Pending<unknown>[]): Promise<Target[]> {
    const late = Promise.withResolvers<Answer<unknown>>();
    const timer = setTimeout(() => late.resolve(failedAnswer("ETIMEOUT")), WHOLE * this.#settings.dnsTimeout);
    try {
      let asked = questions;
      for (;;) {
        const answers = asked.map((one) => (isKnown(one) ? one : Promise.race([one, late.promise])));
        const step = steps.next(await Promise.all(answers));
        if (step.done) return this.#found(step.value);
        asked = step.value;
      }
    } catch (error) {
      this.counters.notLocated++;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

function isKnown(pending: Pending<unknown>): pending is Answer<unknown> {
  return !(pending instanceof Promise);
}
