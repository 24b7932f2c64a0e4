/** A redis-server of a test's own on loopback, with nothing in it and nothing kept on disk. */
import { RedisClient } from "bun";
import { temporaryFolder } from "./temporary-folder.ts";
import { until } from "./until.ts";

/** The path of redis-server, or null when it is not installed. */
export function redisPath(path: string | undefined = process.env.PATH): string | null {
  return Bun.which("redis-server", { PATH: path ?? "" });
}

/** Ports below those that the system gives out: another socket of the test's might have one of those by now. */
const FIRST_PORT = 26_000;
const PORTS = 500;

export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly #folder = temporaryFolder();
  #child: Bun.Subprocess | null = null;
  #client: RedisClient | null = null;

  private constructor(port: number) {
    this.port = port;
  }

  /** Starts one on a port that nobody has. */
  static async start(): Promise<RedisServer> {
    for (let tries = 1; ; tries++) {
      const server = new RedisServer(FIRST_PORT + Math.floor(Math.random() * PORTS));
      if (await server.start()) return server;
      server.#folder[Symbol.dispose]();
      if (tries === 5) throw new Error("redis-server does not start");
    }
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again, empty. @returns whether it runs */
  async start(): Promise<boolean> {
    const argv = [redisPath() ?? "redis-server", "--port", `${this.port}`, "--bind", "127.0.0.1"];
    argv.push("--dir", this.#folder.path, "--save", "", "--appendonly", "no");
    const child = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] });
    this.#child = child;
    return await until("redis-server", async () => {
      if (child.exitCode !== null) return "ended";
      const client = new RedisClient(this.url, { autoReconnect: false });
      try {
        await client.connect();
      } catch {
        return null;
      }
      this.#client = client;
      return "runs";
    }).then((state) => state === "runs");
  }

  /** Asks it for something. */
  async ask(command: string, ...args: string[]): Promise<unknown> {
    return await this.#client!.send(command, args);
  }

  /** The keys there are, in order. */
  async keys(pattern = "*"): Promise<string[]> {
    return ((await this.ask("KEYS", pattern)) as string[]).sort();
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#client?.close();
    this.#child?.kill("SIGKILL");
    await this.#child?.exited;
  }

  /** It keeps its connections and answers no more. */
  freeze(): void {
    this.#child!.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child!.kill("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#folder[Symbol.dispose]();
  }
}
