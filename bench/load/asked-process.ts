/**
 * A process of the benchmark that is asked questions over IPC, one at a time, and answers each: a server under test, a
 * generator. It says something once by itself, when it is ready. What answers `{ error }` has failed.
 */
import { command, type Pin } from "./process.ts";

/** Milliseconds a process may take to be ready, to answer and to stop. */
export const PATIENCE = 10_000;
const PROJECT = `${import.meta.dir}/../..`;

export interface AskedOptions {
  /** What it is called in errors. */
  readonly name: string;
  readonly pin?: Pin | undefined;
  /** Beside the environment of this process. */
  readonly environment?: Record<string, string>;
  /** Reads its stderr. Default: it goes to that of this process. */
  readonly stderr?: (stream: ReadableStream<Uint8Array>) => void;
  /** Milliseconds until it is ready. Default {@link PATIENCE}. */
  readonly patience?: number;
}

export class AskedProcess<Ask, Answer extends object> {
  readonly #name: string;
  readonly #child: Bun.Subprocess;
  #waiting = Promise.withResolvers<Answer>();
  #first: Answer | undefined;

  private constructor(argv: string[], { name, pin, environment, stderr }: AskedOptions) {
    this.#name = name;
    this.#child = Bun.spawn(command(argv, pin), {
      cwd: PROJECT,
      stdio: ["ignore", "inherit", stderr ? "pipe" : "inherit"],
      env: { ...process.env, ...environment },
      ipc: (answer: Answer) => this.#waiting.resolve(answer),
      onExit: (_, code, signal) => this.#waiting.reject(new Error(`${name} ended with ${signal ?? code}`)),
    });
    if (this.#child.stderr instanceof ReadableStream) stderr?.(this.#child.stderr);
  }

  /** Starts `argv` with the Bun that runs this, and waits until it is ready. Rejects with what it said when it fails. */
  static async start<Ask, Answer extends object>(
    argv: readonly string[],
    options: AskedOptions,
  ): Promise<AskedProcess<Ask, Answer>> {
    const asked = new AskedProcess<Ask, Answer>([process.execPath, ...argv], options);
    asked.#first = await asked.#answer("be ready", options.patience);
    return asked;
  }

  /** What it said when it was ready. */
  get first(): Answer {
    return this.#first!;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** @param patience milliseconds until the process is ended and the answer rejects. Default {@link PATIENCE} */
  ask(what: Ask, patience?: number): Promise<Answer> {
    this.#waiting = Promise.withResolvers<Answer>();
    // The exit of the process rejects this one too; nobody may be listening by then.
    this.#waiting.promise.catch(() => {});
    this.#child.send(what);
    return this.#answer(`answer ${JSON.stringify(what)}`, patience);
  }

  async #answer(what: string, patience: number = PATIENCE): Promise<Answer> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#child.kill("SIGKILL");
      late.reject(new Error(`waited ${patience / 1000} s for ${this.#name} to ${what}`));
    }, patience);
    try {
      const answer = await Promise.race([this.#waiting.promise, late.promise]);
      if ("error" in answer) throw new Error(String(answer.error));
      return answer;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to end when `last` is given, and ends it when it does not. `patience` is that of {@link ask}. */
  async stop(last?: Ask, patience?: number): Promise<void> {
    if (last !== undefined && this.#child.exitCode === null) await this.ask(last, patience).catch(() => {});
    await end(this.#child);
  }
}

type Child = Pick<Bun.Subprocess, "kill" | "exited" | "exitCode">;

/** SIGTERM, and SIGKILL when that is not heard. */
export async function end(child: Child): Promise<void> {
  if (child.exitCode === null) child.kill();
  const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
  await child.exited;
  clearTimeout(timer);
}
