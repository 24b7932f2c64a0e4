/** A Redis server of the benchmark's own: an empty database that is kept in memory and nowhere else. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, PATIENCE } from "./asked-process.ts";
import { type Cpu, command, cpuOf, freePort, type Pin, portBound } from "./process.ts";

export interface RedisServer {
  readonly pid: number;
  readonly url: string;
  cpu(): Cpu | undefined;
  stop(): Promise<void>;
}

/** Whether there is a Redis to start. */
export function hasRedis(): boolean {
  return Bun.which("redis-server") !== null;
}

/** Starts redis-server on a free port of 127.0.0.1 and waits until it listens. */
export async function startRedis(pin?: Pin): Promise<RedisServer> {
  const port = await freePort();
  const directory = await mkdtemp(join(tmpdir(), "viaduct-bench-redis-"));
  const argv = ["redis-server", "--port", String(port), "--bind", "127.0.0.1", "--dir", directory];
  argv.push("--save", "", "--appendonly", "no", "--daemonize", "no");
  const child = Bun.spawn(command(argv, pin), { stdio: ["ignore", "ignore", "ignore"] });
  const stop = async (): Promise<void> => {
    await end(child);
    await rm(directory, { recursive: true, force: true });
  };
  const deadline = performance.now() + PATIENCE;
  while (!portBound("tcp", port)) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error("redis-server does not listen");
    }
    await Bun.sleep(20);
  }
  return { pid: child.pid, url: `redis://127.0.0.1:${port}`, cpu: () => cpuOf(child.pid), stop };
}
