/** What is counted about finding servers. */

export interface ResolveCounters {
  /** Queries sent to a nameserver; repetitions of one are not counted. */
  queries: number;
  /** Questions answered from what is remembered. */
  cacheHits: number;
  /** Queries that failed in another way than by taking too long. */
  failures: number;
  /** Queries without an answer in time. */
  timeouts: number;
  /** Searches that gave targets. */
  located: number;
  /** Searches that gave none. */
  notLocated: number;
}

export function resolveCounters(): ResolveCounters {
  return { queries: 0, cacheHits: 0, failures: 0, timeouts: 0, located: 0, notLocated: 0 };
}
