/** Targets that failed a short while ago: they are tried, but after all others. */
import type { Clock } from "../time/clock.ts";
import { TtlCache } from "./cache.ts";
import type { Target } from "./target.ts";

/** Targets remembered at once. */
const MAX_AVOIDED = 10_000;

export class AvoidedTargets {
  readonly #clock: Clock;
  readonly #failed = new TtlCache<true>(MAX_AVOIDED);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Avoids a target for `ms` milliseconds from now; 0 ends it. */
  add(target: Target, ms: number): void {
    this.#failed.set(keyOf(target), true, ms, this.#clock.now());
  }

  delete(target: Target): void {
    if (this.#failed.size > 0) this.#failed.delete(keyOf(target));
  }

  has(target: Target): boolean {
    return this.#failed.size > 0 && this.#failed.get(keyOf(target), this.#clock.now()) !== undefined;
  }

  /** The targets with those that are avoided at the end; the order is kept otherwise. */
  last(targets: Target[]): Target[] {
    if (this.#failed.size === 0 || targets.length < 2) return targets;
    const good: Target[] = [];
    const avoided: Target[] = [];
    for (const target of targets) (this.has(target) ? avoided : good).push(target);
    return good.concat(avoided);
  }
}

function keyOf({ transport, address, port }: Target): string {
  return `${transport} ${address} ${port}`;
}
