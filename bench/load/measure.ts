/** Measures one server under the closed loop: warm-up, then the run between two looks at the process from outside. */

import type { LoopOptions } from "./closed-loop.ts";
import { type Generator, startGenerator } from "./generator.ts";
import { cpuOf, freePort, memoryOf } from "./process.ts";
import type { RunResult } from "./run-result.ts";
import { type Subject, type SubjectName, startSubject } from "./subject.ts";

export interface MeasureOptions {
  readonly calls: number | undefined;
  readonly seconds: number | undefined;
  /** How the generator reaches the server. */
  readonly load: Omit<LoopOptions, "host" | "port">;
  /** Seconds of calls before the run; 0 for none. */
  readonly warmup: number;
  /** Seconds from the end of the run to the last look at memory. */
  readonly settle: number;
  /** Server on core 0, generator on core 1. */
  readonly pinned: boolean;
  readonly gcLog: boolean;
  /** Told of the server as it starts, so that an interrupt can end it. */
  readonly onSubject?: (subject: Subject) => void;
  /** Told the server's resident bytes as every so many calls end. */
  readonly onSoak?: { every: number; onEvery(ended: number, resident: number | undefined): void } | undefined;
}

/** What one server did. CPU and memory are those of its process; `undefined` where the system does not show them. */
export interface CallsResult {
  readonly name: string;
  readonly command: string;
  readonly run: RunResult;
  /** Microseconds for each completed call. */
  readonly cpuPerCall: { user: number; system: number; total: number } | undefined;
  /** CPU over time, 1 for one core: near 1 when the server was the limit. */
  readonly busy: number | undefined;
  /** Resident bytes: before any call, at most, and after the run. */
  readonly memory: { start: number | undefined; peak: number | undefined; after: number | undefined };
  readonly longestGcPauseMs: number | undefined;
  readonly stats: Record<string, number>;
}

/** Starts the server and a generator, measures, and ends both. Rejects when one of them cannot start or dies. */
export async function measure(name: SubjectName, options: MeasureOptions): Promise<CallsResult> {
  const pin = (core: number) => (options.pinned ? { core } : undefined);
  const port = await freePort();
  const subject = await startSubject(name, {
    port,
    transports: [options.load.transport],
    pin: pin(0),
    gcLog: options.gcLog,
  });
  options.onSubject?.(subject);
  let generator: Generator | undefined;
  try {
    generator = await startGenerator({ host: "127.0.0.1", port, ...options.load }, pin(1));
    return await run(subject, generator, options);
  } finally {
    generator?.stop();
    await subject.stop();
  }
}

async function run(subject: Subject, generator: Generator, options: MeasureOptions): Promise<CallsResult> {
  const start = memoryOf(subject.pid)?.resident;
  if (options.warmup > 0) await generator.run({ seconds: options.warmup });
  await subject.reset();
  const before = cpuOf(subject.pid);
  const { onSoak } = options;
  const result = await generator.run(
    { calls: options.calls, seconds: options.seconds, every: onSoak?.every },
    (ended) => onSoak?.onEvery(ended, memoryOf(subject.pid)?.resident),
  );
  const after = cpuOf(subject.pid);
  const longestGcPauseMs = subject.longestGcPauseMs();
  const stats = await subject.stats();
  await Bun.sleep(options.settle * 1000);
  const memory = memoryOf(subject.pid);
  const spent = before && after ? { user: after.user - before.user, system: after.system - before.system } : undefined;
  const each = (micros: number): number => micros / Math.max(1, result.completed);
  return {
    name: subject.name,
    command: subject.command,
    run: result,
    cpuPerCall: spent && {
      user: each(spent.user),
      system: each(spent.system),
      total: each(spent.user + spent.system),
    },
    busy: spent && (spent.user + spent.system) / (result.totalSeconds * 1e6),
    memory: { start, peak: memory?.peak, after: memory?.resident },
    longestGcPauseMs,
    stats,
  };
}
