/** A monotonic clock, in milliseconds from some moment in the past. Handed in, so that tests hold time in their hands. */
export interface Clock {
  now(): number;
}

/** The process's own monotonic clock. A reading costs some 30 ns: read it once a turn. */
export const systemClock: Clock = { now: () => performance.now() };

/** Milliseconds between two looks at the system's clock. */
const LOOK_EVERY = 1000;

/**
 * Milliseconds since 1970, whole, by a clock that is never set back: where the system's is, it goes on as if that had not
 * been; where the system's is set forward, it follows within a second. For what would take a time to come for one that is
 * over, or wait for it to come again.
 */
export function steadyTime(clock: Clock = systemClock, wall: () => number = Date.now): () => number {
  let ahead = Number.NEGATIVE_INFINITY;
  let lookAt = 0;
  return () => {
    const now = clock.now();
    if (now >= lookAt) {
      lookAt = now + LOOK_EVERY;
      ahead = Math.max(ahead, wall() - now);
    }
    return Math.floor(ahead + now);
  };
}
