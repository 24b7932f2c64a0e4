/**
 * A process of the benchmark that does one thing: it is started with its options, does it, tells the result over IPC and
 * then waits to be ended, so that what it holds open stays open.
 */
import { command, type Pin } from "./process.ts";

type Told<Result> = { result: Result } | { error: string };

export interface Child<Result> {
  readonly pid: number;
  /** Rejects when the process says that it failed, or ends by itself. */
  readonly result: Promise<Result>;
  /** Ends the process and waits for it. */
  stop(): Promise<void>;
}

/**
 * Starts `file` with `options`, on the core of `pin` when there is one.
 * @param file a module that calls {@link runAsChild}
 */
export function startChild<Result>(file: string, options: object, pin?: Pin): Child<Result> {
  const told = Promise.withResolvers<Result>();
  // Whoever ends the process before its result does not want to hear of it.
  told.promise.catch(() => {});
  const child = Bun.spawn(command([process.execPath, file, JSON.stringify(options)], pin), {
    stdio: ["ignore", "inherit", "inherit"],
    ipc(message: Told<Result>) {
      if ("result" in message) told.resolve(message.result);
      else told.reject(new Error(message.error));
    },
    onExit: (_, code, signal) => told.reject(new Error(`a process of the generator ended with ${signal ?? code}`)),
  });
  return {
    pid: child.pid,
    result: told.promise,
    async stop() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** The other side: does `work` with the options the process was started with. */
export async function runAsChild<Options, Result>(work: (options: Options) => Promise<Result>): Promise<void> {
  process.on("disconnect", () => process.exit(0));
  try {
    process.send?.({ result: await work(JSON.parse(process.argv[2] ?? "{}") as Options) });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
}
