/** The `viaduct` command as a process of its own, the way an operator runs it. */
import { join } from "node:path";

const CLI = join(import.meta.dir, "../../src/cli.ts");
/** Milliseconds the command may take to listen, and to end. */
const PATIENCE = 15_000;

/** A line of the command's log. */
export type LogRecord = Record<string, unknown> & { msg: string };

export interface CommandProcess {
  readonly pid: number;
  /** The addresses it listens on, as it logs them: `udp://127.0.0.1:5060`. */
  readonly listen: string[];
  /** `HOST:PORT` of the first one. */
  readonly address: string;
  /** Ends it with SIGTERM, SIGKILL when that is not heard. @returns its exit code and the counters it logs at the end */
  stop(): Promise<{ code: number; counters: Record<string, number> }>;
}

/** Starts the command and waits until it listens. @param flags as on the command line */
export async function startCommand(...flags: string[]): Promise<CommandProcess> {
  const child = Bun.spawn([process.execPath, CLI, ...flags], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const records: LogRecord[] = [];
  const listening = Promise.withResolvers<LogRecord>();
  const reading = (async () => {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        const record = JSON.parse(line) as LogRecord;
        records.push(record);
        if (record.msg === "listening") listening.resolve(record);
      }
    }
    listening.reject(new Error("the command ended before it listened"));
  })();
  const kill = () => child.kill("SIGKILL");
  const timer = setTimeout(kill, PATIENCE);
  const listen = (await listening.promise).listen as string[];
  clearTimeout(timer);
  return {
    pid: child.pid,
    listen,
    address: listen[0]!.slice("udp://".length),
    async stop() {
      const timer = setTimeout(kill, PATIENCE);
      child.kill("SIGTERM");
      const [code] = await Promise.all([child.exited, reading]);
      clearTimeout(timer);
      const last = records.findLast((record) => record.msg === "stopped") ?? {};
      const counters = Object.entries(last).filter((entry): entry is [string, number] => typeof entry[1] === "number");
      return { code, counters: Object.fromEntries(counters) };
    },
  };
}
