/** What open connections that carry nothing cost the server: `bun run bench calls --idle N`. */
import { runAsChild, startChild } from "./child.ts";
import type { LaneTarget } from "./lane.ts";
import { openAndAsk } from "./options-request.ts";
import { cpuOf, freePort, memoryOf } from "./process.ts";
import { type ServerTarget, startTarget } from "./target.ts";

/**
 * TCP and TLS connections come from 127.0.0.2 to 127.0.0.20, so that neither ports nor the server's ceiling of one address
 * run out. A WebSocket cannot be told where to come from: there the ceiling is raised, and ports end at some 28,000.
 */
const FIRST_ADDRESS = 2;
const ADDRESSES = 19;

export interface IdleOptions extends ServerTarget {
  /** Connections. */
  readonly count: number;
  /** How many are being opened at once. */
  readonly concurrency: number;
  /** Seconds before each look at memory. */
  readonly settle: number;
}

/** Memory is resident bytes of the server's process; `undefined` where the system does not show it. */
export interface IdleResult {
  /** Connections over which an OPTIONS was answered. */
  readonly answered: number;
  /** Why others failed, and why open ones ended, each with how many. */
  readonly failures: Record<string, number>;
  /** Seconds until all were open and answered. */
  readonly seconds: number;
  readonly memory: { before: number | undefined; open: number | undefined; closed: number | undefined };
  readonly perConnection: number | undefined;
  /** Microseconds of the server's CPU a second while nothing happened. */
  readonly cpuPerSecond: number | undefined;
  readonly stats: Record<string, number>;
}

/** Starts the server, opens the connections, looks, closes them, looks again, and ends all. */
export async function measureIdle(options: IdleOptions): Promise<IdleResult> {
  const port = await freePort();
  const isWebSocket = options.transport === "ws" || options.transport === "wss";
  const connectionsPerAddress = isWebSocket ? options.count : undefined;
  const { subject, pin } = await startTarget(options, port, { connectionsPerAddress });
  const wait = (): Promise<void> => Bun.sleep(options.settle * 1000);
  const resident = (): number | undefined => memoryOf(subject.pid)?.resident;
  try {
    await wait();
    const before = resident();
    const { transport, count, concurrency } = options;
    const ask: Ask = { target: { transport, host: "127.0.0.1", port }, count, concurrency };
    const child = startChild<Opened>(import.meta.path, ask, pin);
    const opened = await child.result.catch(async (error) => {
      await child.stop();
      throw error;
    });
    await wait();
    const cpu = cpuOf(subject.pid);
    await wait();
    const cpuAfter = cpuOf(subject.pid);
    const open = resident();
    const stats = await subject.stats();
    await child.stop();
    await wait();
    const spent = cpu && cpuAfter && cpuAfter.user + cpuAfter.system - cpu.user - cpu.system;
    return {
      ...opened,
      memory: { before, open, closed: resident() },
      perConnection: before && open && opened.answered > 0 ? (open - before) / opened.answered : undefined,
      cpuPerSecond: spent === undefined ? undefined : spent / options.settle,
      stats,
    };
  } finally {
    await subject.stop();
  }
}

interface Ask {
  readonly target: LaneTarget;
  readonly count: number;
  readonly concurrency: number;
}

type Opened = Pick<IdleResult, "answered" | "failures" | "seconds">;

async function open({ target, count, concurrency }: Ask): Promise<Opened> {
  const failures: Record<string, number> = {};
  const fail = (why: string): void => {
    failures[why] = (failures[why] ?? 0) + 1;
  };
  const started = performance.now();
  let answered = 0;
  let next = 0;
  const opener = async (): Promise<void> => {
    while (next < count) {
      const number = next++;
      const localAddress = `127.0.0.${FIRST_ADDRESS + (number % ADDRESSES)}`;
      try {
        await openAndAsk({ ...target, localAddress }, number, fail);
        answered++;
      } catch (error) {
        fail((error as Error).message);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, opener));
  return { answered, failures, seconds: (performance.now() - started) / 1000 };
}

if (import.meta.main) await runAsChild(open);
