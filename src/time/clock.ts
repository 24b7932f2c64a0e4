/** A monotonic clock, in milliseconds from some moment in the past. Handed in, so that tests hold time in their hands. */
export interface Clock {
  now(): number;
}

/** The process's own monotonic clock. A reading costs some 30 ns: read it once a turn. */
export const systemClock: Clock = { now: () => performance.now() };
