/**
 * The process that registers: `bun bench/load/register-generator.ts OPTIONS`, driven over IPC. It runs apart from the
 * benchmark so that it can be pinned to a core of its own.
 */
import { AskedProcess } from "./asked-process.ts";
import type { Pin } from "./process.ts";
import { openRegisterLoop, type RegisterLoopOptions } from "./register-loop.ts";
import type { RegisterAsk, RegisterResult } from "./register-result.ts";

type Answer = { readonly ready: true } | { readonly result: RegisterResult } | { readonly error: string };

/** Milliseconds beyond the seconds of a run: the answers that are waited for, and AORs that are filled in. */
const PATIENCE = 120_000;

export interface RegisterGenerator {
  readonly pid: number;
  /** Runs the loop; resolves with what was measured once every registration has ended. */
  run(ask: RegisterAsk): Promise<RegisterResult>;
  stop(): Promise<void>;
}

/** Starts a generator for the server at `options`. Rejects when it cannot open its sockets. */
export async function startRegisterGenerator(options: RegisterLoopOptions, pin?: Pin): Promise<RegisterGenerator> {
  const argv = ["bench/load/register-generator.ts", JSON.stringify(options)];
  const asked = await AskedProcess.start<RegisterAsk, Answer>(argv, { name: "the load generator", pin });
  return {
    pid: asked.pid,
    async run(ask) {
      const answer = await asked.ask(ask, PATIENCE + (ask.seconds ?? 0) * 1000);
      if ("result" in answer) return answer.result;
      throw new Error(`no result but ${JSON.stringify(answer)}`);
    },
    stop: () => asked.stop(),
  };
}

if (import.meta.main) {
  const say = (answer: Answer): void => void process.send?.(answer);
  process.on("disconnect", () => process.exit(0));
  try {
    const loop = await openRegisterLoop(JSON.parse(process.argv[2] ?? "{}") as RegisterLoopOptions);
    process.on("message", async (ask: RegisterAsk) => {
      try {
        say({ result: await loop.run(ask) });
      } catch (error) {
        say({ error: String(error) });
      }
    });
    say({ ready: true });
  } catch (error) {
    say({ error: String(error) });
  }
}
