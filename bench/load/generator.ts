/**
 * The load generator's process: `bun bench/load/generator.ts`, driven over IPC by {@link startGenerator}.
 * It runs apart from the benchmark so that it can be pinned to a core of its own.
 */
import { type LoopOptions, openLoop } from "./closed-loop.ts";
import { command, type Pin } from "./process.ts";
import type { RunResult } from "./run-result.ts";

/** Asks the generator to run its loop once. */
interface Ask {
  readonly calls?: number;
  readonly seconds?: number;
  readonly every?: number;
}

type Answer = { ready: true } | { ended: number } | { result: RunResult } | { error: string };

/** A generator process. */
export interface Generator {
  readonly pid: number;
  /**
   * Runs the loop; resolves with what was measured once every call has ended.
   * @param onEvery called as each `every` calls have ended.
   */
  run(ask: Ask, onEvery?: (ended: number) => void): Promise<RunResult>;
  stop(): void;
}

/** Starts a generator for the server at `options`, pinned as `pin` says. Rejects when it cannot open its sockets. */
export async function startGenerator(options: LoopOptions, pin?: Pin): Promise<Generator> {
  let settle: { resolve(answer: RunResult): void; reject(error: Error): void } | undefined;
  let onEvery: ((ended: number) => void) | undefined;
  const ready = Promise.withResolvers<void>();
  const child = Bun.spawn(command([process.execPath, import.meta.path, JSON.stringify(options)], pin), {
    stdio: ["ignore", "inherit", "inherit"],
    ipc(answer: Answer) {
      if ("ready" in answer) ready.resolve();
      else if ("ended" in answer) onEvery?.(answer.ended);
      else if ("result" in answer) settle?.resolve(answer.result);
      else ready.reject(new Error(answer.error));
    },
    onExit(_, code, signal) {
      const error = new Error(`the load generator ended with ${signal ?? code}`);
      ready.reject(error);
      settle?.reject(error);
    },
  });
  await ready.promise;
  return {
    pid: child.pid,
    run(ask, each) {
      onEvery = each;
      const result = Promise.withResolvers<RunResult>();
      settle = result;
      child.send(ask);
      return result.promise;
    },
    stop() {
      settle = undefined;
      child.kill();
    },
  };
}

if (import.meta.main) {
  const say = (answer: Answer): void => void process.send?.(answer);
  process.on("disconnect", () => process.exit(0));
  try {
    const loop = await openLoop(JSON.parse(process.argv[2] ?? "{}") as LoopOptions);
    process.on("message", async (ask: Ask) => {
      say({ result: await loop.run({ ...ask, onEvery: (ended) => say({ ended }) }) });
    });
    say({ ready: true });
  } catch (error) {
    say({ error: String(error) });
  }
}
