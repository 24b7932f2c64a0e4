/**
 * Says in the log that messages were refused or lost, without a log line for each of them: one line when the counters
 * move, and while they keep moving one line each few seconds.
 */

/** The counters of `server.stats()` that are watched, and those of a registrar and of logins. */
const WATCHED = [
  "rejected",
  "malformed",
  "sendDropped",
  "connectionsRefused",
  "connectFailures",
  "handshakeFailures",
  "unframed",
  "messageTimeouts",
  "writeOverflows",
  "undeliverable",
  "registersRefused",
  "registersNotStored",
  "loginsFailed",
  "loginsRefused",
] as const;

/** Where the watch gets its numbers and where it reports. */
export interface CounterWatchOptions {
  stats(): Readonly<Record<string, number>>;
  /** Milliseconds of any steady clock. */
  now(): number;
  /** Gets how much each counter that moved has grown since the last report. */
  report(growth: Record<string, number>): void;
  /** The shortest time between two reports, in milliseconds. Default 5000. */
  quietMs?: number;
}

/** A watch over counters; `look` is to be called about once a second. */
export interface CounterWatch {
  /** Reports what has moved, unless the last report is too young. */
  look(): void;
}

/** Starts a watch; what the counters hold already is not reported. */
export function watchCounters(options: CounterWatchOptions): CounterWatch {
  const quietMs = options.quietMs ?? 5000;
  // A copy, since the server may hand out the object that it counts in.
  let reported = { ...options.stats() };
  let reportedAt = Number.NEGATIVE_INFINITY;

  return {
    look() {
      if (options.now() - reportedAt < quietMs) return;
      const stats = options.stats();
      const growth: Record<string, number> = {};
      for (const name of WATCHED) {
        const grown = (stats[name] ?? 0) - (reported[name] ?? 0);
        if (grown > 0) growth[name] = grown;
      }
      if (Object.keys(growth).length === 0) return;
      reported = { ...stats };
      reportedAt = options.now();
      options.report(growth);
    },
  };
}
