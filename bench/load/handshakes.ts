/** Connections opened, used once and closed as fast as possible: `bun run bench calls --handshakes S`. */
import { runAsChild, startChild } from "./child.ts";
import type { LaneTarget } from "./lane.ts";
import { openAndAsk } from "./options-request.ts";
import { cpuOf, freePort } from "./process.ts";
import { type ServerTarget, startTarget } from "./target.ts";

export interface HandshakeOptions extends ServerTarget {
  readonly seconds: number;
  /** Seconds before those, not counted. */
  readonly warmup: number;
  /** Connections at once. */
  readonly concurrency: number;
}

export interface HandshakeResult {
  /** Connections over which an OPTIONS was answered. */
  readonly done: number;
  readonly failures: Record<string, number>;
  readonly seconds: number;
  /** Microseconds of the server's CPU for each: accept, handshake, OPTIONS, close. `undefined` where it cannot be seen. */
  readonly cpuPerHandshake: { user: number; system: number; total: number } | undefined;
  /** CPU over time, 1 for one core: near 1 when the server was the limit. */
  readonly busy: number | undefined;
}

/** Starts the server and the generator, measures, and ends both. */
export async function measureHandshakes(options: HandshakeOptions): Promise<HandshakeResult> {
  const port = await freePort();
  const { subject, pin } = await startTarget(options, port);
  const target: LaneTarget = { transport: options.transport, host: "127.0.0.1", port };
  const run = async (seconds: number, first: number): Promise<Done> => {
    const ask: Ask = { target, seconds, concurrency: options.concurrency, first };
    const child = startChild<Done>(import.meta.path, ask, pin);
    try {
      return await child.result;
    } finally {
      await child.stop();
    }
  };
  try {
    const warm = options.warmup > 0 ? await run(options.warmup, 0) : undefined;
    const before = cpuOf(subject.pid);
    const done = await run(options.seconds, warm?.done ?? 0);
    const after = cpuOf(subject.pid);
    const spent = before && after && { user: after.user - before.user, system: after.system - before.system };
    const each = (micros: number): number => micros / Math.max(1, done.done);
    return {
      ...done,
      cpuPerHandshake: spent && {
        user: each(spent.user),
        system: each(spent.system),
        total: each(spent.user + spent.system),
      },
      busy: spent && (spent.user + spent.system) / (done.seconds * 1e6),
    };
  } finally {
    await subject.stop();
  }
}

interface Ask {
  readonly target: LaneTarget;
  readonly seconds: number;
  readonly concurrency: number;
  /** The number of the first request: those of another run must not come again. */
  readonly first: number;
}

type Done = Pick<HandshakeResult, "done" | "failures" | "seconds">;

async function shake({ target, seconds, concurrency, first }: Ask): Promise<Done> {
  const failures: Record<string, number> = {};
  const started = performance.now();
  const end = started + seconds * 1000;
  let done = 0;
  let next = first;
  const one = async (): Promise<void> => {
    while (performance.now() < end) {
      try {
        const lane = await openAndAsk(target, next++);
        done++;
        lane.close();
      } catch (error) {
        const why = (error as Error).message;
        failures[why] = (failures[why] ?? 0) + 1;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, one));
  return { done, failures, seconds: (performance.now() - started) / 1000 };
}

if (import.meta.main) await runAsChild(shake);
