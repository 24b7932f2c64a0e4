/**
 * The server under test as a process of its own: `bun bench/load/server.ts --listen udp://127.0.0.1:5060 ...`. A full
 * UAS, told over IPC to give its counters, to reset its gauges and to stop. It says `{ ready: true }` when it listens.
 */
import { parseArgs } from "node:util";
import { fullUas } from "../../src/apps/full-uas.ts";
import { serve } from "../../src/index.ts";

/** What may be asked. */
export interface ServerAsk {
  readonly ask: "stats" | "reset" | "stop";
}

/** What is answered: every number `server.stats()` has, whatever they are. */
export type ServerAnswer =
  | { readonly ready: true }
  | { readonly stats: Record<string, number>; readonly memory: Record<string, number> }
  | { readonly done: "reset" | "stop" }
  | { readonly error: string };

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      listen: { type: "string", multiple: true, default: ["udp://127.0.0.1:5060"] },
      certificate: { type: "string" },
      key: { type: "string" },
      "connections-per-address": { type: "string" },
    },
  });
  const say = (answer: ServerAnswer): void => void process.send?.(answer);
  try {
    const { listen, certificate, key: privateKey } = values;
    const tls = certificate === undefined ? {} : { tls: { certificate, privateKey } };
    const perAddress = values["connections-per-address"];
    const streams = perAddress === undefined ? {} : { connectionsPerAddress: Number(perAddress) };
    const server = await serve({ listen, ...tls, streams, ...fullUas() });
    // Counters and gauges are read through a loose shape, so that the benchmark outlives a change of their names.
    const gauges = server as unknown as { stats?(): object; resetStats?(): void };
    const stop = async (): Promise<never> => {
      await server.stop();
      process.exit(0);
    };
    process.on("disconnect", stop);
    process.on("SIGTERM", stop);
    process.on("message", async ({ ask }: ServerAsk) => {
      if (ask === "stats") {
        say({ stats: numbersOf(gauges.stats?.() ?? {}), memory: { ...process.memoryUsage() } });
      } else if (ask === "reset") {
        gauges.resetStats?.();
        say({ done: "reset" });
      } else if (ask === "stop") {
        say({ done: "stop" });
        await stop();
      }
    });
    say({ ready: true });
  } catch (error) {
    say({ error: String(error) });
    // Time for the message to leave before the channel goes.
    setTimeout(() => process.exit(1), 100);
  }
}

/** The numbers among an object's own properties. */
export function numbersOf(object: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(object).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
