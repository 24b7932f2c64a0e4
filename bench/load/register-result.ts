/** What a run of registrations is asked for and what it measured. */
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

/** Times are in microseconds, from the first REGISTER being queued for sending to the 200. */
export interface RegisterResult {
  /** Registrations that ended with 200. */
  readonly completed: number;
  readonly failed: number;
  /** Why they failed: a status, `timeout`, or why their connection was lost. */
  readonly failures: Record<string, number>;
  /** Completed each second until the loop stopped starting new ones. */
  readonly perSecond: number;
  /** Seconds until the loop stopped starting, and until the last one ended. */
  readonly seconds: number;
  readonly totalSeconds: number;
  readonly sent: number;
  readonly received: number;
  /** 401s that were answered. */
  readonly challenged: number;
  /** Requests sent again because no answer came in time. */
  readonly retransmissions: number;
  /** Messages that were no response, or to a request long over. */
  readonly strays: number;
  readonly answer: Percentiles;
  /** CPU of the generator itself in microseconds. */
  readonly cpu: { user: number; system: number };
}
