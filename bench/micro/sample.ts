/**
 * Timing with mitata. A sample is one call that does many operations, long enough for the clock (some 20 us) and short
 * enough that there are thousands of samples, so that p99 shows collections and not their average. What is measured has
 * run long enough before to be compiled.
 */
import { measure } from "mitata";

/** How long to measure. */
export interface Effort {
  /** Nanoseconds of calls before the measuring. */
  readonly warmup: number;
  /** Nanoseconds of calls measured. */
  readonly time: number;
}

/** What a benchmark is run with by default, and with `--quick`. */
export const EFFORT: Effort = { warmup: 400e6, time: 1000e6 };
export const QUICK_EFFORT: Effort = { warmup: 150e6, time: 200e6 };

/** Nanoseconds an operation. */
export interface Times {
  readonly p50: number;
  readonly p99: number;
}

/** Samples that there are at least, whatever the time. */
const MIN_SAMPLES = 32;

/**
 * Times one call after another.
 * @param operations what one call does; the times are divided by it
 */
export async function timeOf(operations: number, call: () => unknown, effort: Effort): Promise<Times> {
  warm(call, effort);
  // A threshold of 0 keeps mitata from making one sample of 4,096 calls.
  const options = { min_cpu_time: effort.time, min_samples: MIN_SAMPLES, batch_threshold: 0 };
  return perOperation(await measure(call, options), operations);
}

/**
 * The same for work that needs preparing: `call` takes the time of what counts by itself.
 * @param call returns nanoseconds, see {@link clock}
 */
export async function selfTimed(operations: number, call: () => number, effort: Effort): Promise<Times> {
  warm(call, effort);
  const options = { min_cpu_time: effort.time, min_samples: MIN_SAMPLES, batch_threshold: 0 };
  const stats = await measure(function* () {
    yield { manual: call };
  }, options);
  return perOperation(stats, operations);
}

/** Nanoseconds from some moment in the past. */
export const clock: () => number = Bun.nanoseconds;

function warm(call: () => unknown, { warmup }: Effort): void {
  const end = clock() + warmup;
  do call();
  while (clock() < end);
}

function perOperation({ p50, p99 }: { p50: number; p99: number }, operations: number): Times {
  return { p50: p50 / operations, p99: p99 / operations };
}
