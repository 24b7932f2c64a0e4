/**
 * A server of the library in a process of its own, with its counters to be asked for, and an HTTP server beside it: what
 * else such a process does must go on whatever SIP brings.
 *
 * The file is both ends: imported, it starts the process; run, it is the process.
 */
import { fullUas, type ServeOptions, type ServerStats, serve } from "../../src/index.ts";

/** Milliseconds the process may take to listen, to answer and to end. */
const PATIENCE = 15_000;

/** What of `serve()` is set; the handlers are those of full-uas. */
export type ProcessOptions = Pick<ServeOptions, "listen" | "timers" | "udp">;

type Ask = "stats" | "reset";
type Answer = { ports: number[]; http: number } | { stats: ServerStats } | { error: string };

export interface ServerProcess {
  readonly pid: number;
  /** The port of each listener. */
  readonly ports: readonly number[];
  /** The port of the HTTP server on 127.0.0.1, which answers `ok`. */
  readonly http: number;
  stats(): Promise<ServerStats>;
  /** `server.resetStats()`. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the process and waits until it listens. */
export async function startServer(options: ProcessOptions): Promise<ServerProcess> {
  let waiting = Promise.withResolvers<Answer>();
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(options)], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc: (answer: Answer) => waiting.resolve(answer),
    onExit: (_, code, signal) => waiting.reject(new Error(`the server ended with ${signal ?? code}`)),
  });
  const answered = async (what: string): Promise<Answer> => {
    const timer = setTimeout(() => waiting.reject(new Error(`waited in vain for ${what}`)), PATIENCE);
    try {
      const answer = await waiting.promise;
      if ("error" in answer) throw new Error(answer.error);
      return answer;
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
  const ask = async (what: Ask): Promise<ServerStats> => {
    waiting = Promise.withResolvers();
    child.send(what);
    return ((await answered(`the answer to "${what}"`)) as { stats: ServerStats }).stats;
  };
  const { ports, http } = (await answered("the server to listen")) as { ports: number[]; http: number };
  return {
    pid: child.pid,
    ports,
    http,
    stats: () => ask("stats"),
    async reset() {
      await ask("reset");
    },
    async stop() {
      waiting.promise.catch(() => {});
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
      child.kill("SIGTERM");
      await child.exited;
      clearTimeout(timer);
    },
  };
}

if (import.meta.main) {
  const say = (answer: Answer): void => void process.send?.(answer);
  try {
    const server = await serve({ ...fullUas(), ...(JSON.parse(process.argv[2] ?? "{}") as ProcessOptions) });
    const http = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") });
    process.on("message", (what: Ask) => {
      if (what === "reset") server.resetStats();
      say({ stats: server.stats() });
    });
    const end = () => {
      server.closeNow();
      process.exit(0);
    };
    process.on("SIGTERM", end);
    process.on("disconnect", end);
    say({ ports: server.addresses.map(({ port }) => port), http: http.port! });
  } catch (error) {
    say({ error: String(error) });
    setTimeout(() => process.exit(1), 100);
  }
}
