/** What a run of the closed loop is asked for and what it measured. */
import type { Histogram } from "hdr-histogram-js";
import type { RunCounts } from "./loop-run.ts";

/** One run ends when its calls are done or its seconds are over, and then waits for the calls in flight. */
export interface RunOptions {
  /** Stop starting calls after this many. Default: no limit. */
  readonly calls?: number;
  /** Stop starting calls after this long. Default: no limit. */
  readonly seconds?: number;
  /** Called from the loop each time this many more calls have ended. */
  readonly every?: number;
  readonly onEvery?: (ended: number) => void;
}

/** What a run measured. Times are in microseconds, from the INVITE being queued for sending; completed is 200 to BYE. */
export interface RunResult extends RunCounts {
  /** Calls completed each second until the loop stopped starting new ones. */
  readonly callsPerSecond: number;
  /** 200s to INVITE that came again: the server had not seen the ACK. */
  readonly repeatedOk: number;
  /** INVITE to its 200. With a connection a call it includes opening the connection. */
  readonly answer: Percentiles;
  /** INVITE to the 200 to BYE. */
  readonly callTime: Percentiles;
}

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export function percentiles(histogram: Histogram): Percentiles {
  const at = (p: number): number => histogram.getValueAtPercentile(p);
  return { p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9), max: histogram.maxValue };
}
