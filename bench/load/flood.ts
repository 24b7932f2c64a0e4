/** Whether calls over a connection get through while UDP is flooded: `bun run bench calls --flood`. */
import { runAsChild, startChild } from "./child.ts";
import { type Generator, startGenerator } from "./generator.ts";
import { OptionsTemplate } from "./options-request.ts";
import { freePort } from "./process.ts";
import type { RunResult } from "./run-result.ts";
import { type ServerTarget, startTarget } from "./target.ts";

/** Datagrams in one `sendMany`. */
const BATCH = 64;
/** Different requests: each leaves a transaction at the server for half a minute. After them they come again. */
const DIFFERENT = 2_000_000;
/** Milliseconds of flood before the calls are measured. */
const LEAD = 300;

export interface FloodOptions extends ServerTarget {
  readonly seconds: number;
  /** Seconds of calls without the flood, to compare with. */
  readonly warmup: number;
}

export interface FloodResult {
  /** Calls one at a time over one connection, without the flood and with it. */
  readonly quiet: RunResult;
  readonly flooded: RunResult;
  readonly flood: Sent;
  readonly stats: Record<string, number>;
}

/** Starts the server, calls it, floods it and calls it, and ends all. */
export async function measureFlood(options: FloodOptions): Promise<FloodResult> {
  const port = await freePort();
  const { subject, pin } = await startTarget(options, port, { others: ["udp"] });
  let generator: Generator | undefined;
  try {
    const { transport, seconds, warmup } = options;
    generator = await startGenerator({ transport, host: "127.0.0.1", port, concurrency: 1, connections: 1 }, pin);
    const quiet = await generator.run({ seconds: Math.max(1, warmup) });
    await subject.reset();
    const ask: Ask = { port, sink: await freePort(), seconds: seconds + LEAD / 1000 };
    const child = startChild<Sent>(import.meta.path, ask, pin);
    try {
      await Bun.sleep(LEAD);
      const flooded = await generator.run({ seconds });
      const flood = await child.result;
      return { quiet, flooded, flood, stats: await subject.stats() };
    } finally {
      await child.stop();
    }
  } finally {
    generator?.stop();
    await subject.stop();
  }
}

interface Ask {
  readonly port: number;
  /** Where the flood comes from: a socket that nobody reads. */
  readonly sink: number;
  readonly seconds: number;
}

/** Datagrams the kernel took of the flood, and in how many seconds. */
export interface Sent {
  readonly sent: number;
  readonly seconds: number;
}

/** Sends OPTIONS without ever giving way to the event loop, so that no answer is read. */
async function flood({ port, sink, seconds }: Ask): Promise<Sent> {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: sink, socket: { error() {} } });
  const ends = { transport: "udp", server: `127.0.0.1:${port}`, local: `127.0.0.1:${sink}` } as const;
  const batch = Array.from({ length: BATCH }, () => new OptionsTemplate(ends));
  const packets = batch.flatMap(({ bytes }): (Uint8Array | number | string)[] => [bytes, port, "127.0.0.1"]);
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < seconds * 1000) {
    for (let n = 0; n < BATCH; n++) batch[n]!.next((sent + n) % DIFFERENT);
    try {
      sent += socket.sendMany(packets);
    } catch {
      // An ICMP error of a server that has gone: the calls show that.
    }
  }
  socket.close();
  return { sent, seconds: (performance.now() - started) / 1000 };
}

if (import.meta.main) await runAsChild(flood);
