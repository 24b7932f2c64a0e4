/** What a run of registrations is asked for and what it measured. */
import type { RunCounts } from "./loop-run.ts";
import type { Percentiles } from "./run-result.ts";

/**
 * `fill`: each AOR once, in the order of the refreshes. `refresh`: the AORs round and round, with the nonce that is known
 * where there is a digest. `pair`: the same, each challenged anew. `fresh`: an AOR that was never seen, each time.
 */
export const LOADS = ["fill", "refresh", "pair", "fresh"] as const;
export type Load = (typeof LOADS)[number];

export interface RegisterAsk {
  readonly load: Load;
  /** Stop starting registrations after this long. A `fill` ends by itself. */
  readonly seconds?: number;
}

/** Times are in microseconds, from the first REGISTER being queued for sending to the 200, with which it is completed. */
export interface RegisterResult extends RunCounts {
  /** Completed each second until the loop stopped starting new ones. */
  readonly perSecond: number;
  /** 401s that were answered. */
  readonly challenged: number;
  readonly answer: Percentiles;
}
