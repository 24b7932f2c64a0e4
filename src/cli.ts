#!/usr/bin/env bun
/**
 * The `viaduct` command: reads its settings, runs the server and stops it on a signal.
 *
 * Exit codes: 0 after an orderly stop, 1 after a fault in the server, 2 when it cannot start with these settings, 130
 * and 143 when a second SIGINT or SIGTERM cut the stop short.
 */

import packageJson from "../package.json" with { type: "json" };
import { ConfigError } from "./config/error.ts";
import { load } from "./config/load.ts";
import type { Settings } from "./config/schema.ts";
import { toServeOptions, toStopOptions, toUasSettings } from "./config/to-options.ts";
import { watchCounters } from "./observe/counter-watch.ts";
import { every, type Output, openOutput } from "./observe/output.ts";
import { printable } from "./observe/printable.ts";
import type { Server } from "./server/serve.ts";

const VERSION = packageJson.version;
const EXIT_FAULT = 1;
const EXIT_SETTINGS = 2;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

const UNKNOWN_HOST = "the host name is not known; choose an address of this machine";
/** How to get round each reason not to listen, by the error code of the system. */
const LISTEN_CURES: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; choose a free port, or stop the program that holds it",
  EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or udp://0.0.0.0:PORT for all of them",
  EACCES: "not allowed; choose a port of 1024 or above, or run with the right to use this one",
  ENOENT: UNKNOWN_HOST,
  ENOTFOUND: UNKNOWN_HOST,
};

async function main(args: readonly string[]): Promise<void> {
  const loaded = await load(args, VERSION, process.stdout.columns).catch(refuse);
  if (loaded.kind === "print") {
    process.stdout.write(loaded.text);
    return;
  }
  const { settings, config } = loaded;
  const output = openOutput(settings["log-level"], process.stdout, process.env.TERM === "dumb");
  logFaults(output);
  const server = await start(settings, output).catch(refuse);
  stopOnSignal(server, settings, output);
  announce(server, settings, config, output);
  observe(server, output);
}

/** Ends a start that cannot go on, with one line and no stack when the settings are the cause. */
function refuse(error: unknown): never {
  const { listen, code, message } = error as { listen?: unknown; code?: unknown; message: string };
  if (error instanceof ConfigError) console.error(printable(`viaduct: ${message}`));
  else if (typeof listen === "string" && typeof code === "string") {
    console.error(printable(`viaduct: listen ${listen}: ${LISTEN_CURES[code] ?? message}`));
  } else {
    console.error(error);
    process.exit(EXIT_FAULT);
  }
  process.exit(EXIT_SETTINGS);
}

/** The server is loaded only here, so that `--help` and a wrong setting are answered without it. */
async function start(settings: Settings, output: Output): Promise<Server> {
  const [{ serve }, { fullUas }, { minimal }] = await Promise.all([
    import("./server/serve.ts"),
    import("./apps/full-uas.ts"),
    import("./apps/minimal.ts"),
  ]);
  const handlers = settings.mode === "minimal" ? minimal() : fullUas(toUasSettings(settings));
  return serve({ ...handlers, ...toServeOptions(settings), log: output.log, software: `viaduct/${VERSION}` });
}

function announce(server: Server, settings: Settings, config: string | undefined, output: Output): void {
  const listen = server.addresses.map(({ transport, address, port }) => {
    return `${transport}://${address.includes(":") ? `[${address}]` : address}:${port}`;
  });
  output.say(`Viaduct ${VERSION}, ${settings.mode}, listens on ${listen.join(" and ")}. Ctrl-C stops it.`);
  if (!output.forPeople) output.log.info({ listen, mode: settings.mode, version: VERSION, config }, "listening");
}

function observe(server: Server, output: Output): void {
  const now = () => performance.now();
  const watch = watchCounters({
    stats: () => server.stats(),
    now,
    report: (growth) => output.log.warn(growth, "messages were rejected or dropped"),
  });
  every(1000, watch.look);
  output.showStatus(() => ({ at: now(), stats: { ...server.stats() }, memory: process.memoryUsage.rss() }));
}

/** The first signal ends the server in order, a second one at once. */
function stopOnSignal(server: Server, settings: Settings, output: Output): void {
  let stopping = false;
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (stopping) {
        server.closeNow();
        void output.close();
        process.exit(code);
      }
      stopping = true;
      void stop(server, settings, signal, output);
    });
  }
}

async function stop(server: Server, settings: Settings, signal: string, output: Output): Promise<void> {
  output.log.info({ signal, grace: settings.shutdown.grace }, "stopping: no new calls are taken");
  try {
    await server.stop(toStopOptions(settings));
  } catch (error) {
    return fail(error, "the server could not be stopped in order", output);
  }
  const { callsStarted, messagesReceived, messagesSent, rejected, malformed, sendDropped } = server.stats();
  output.log.info({ callsStarted, messagesReceived, messagesSent, rejected, malformed, sendDropped }, "stopped");
  await output.close();
  process.exit(0);
}

/** Faults that no handler caught. A lost promise is logged; after a lost exception nothing can be relied on. */
function logFaults(output: Output): void {
  process.on("unhandledRejection", (error) => output.log.error({ err: error }, "a promise was rejected unheard"));
  process.on("uncaughtException", (error) => void fail(error, "an exception was not caught", output));
}

async function fail(error: unknown, message: string, output: Output): Promise<void> {
  output.log.fatal({ err: error }, message);
  await output.close();
  process.exit(EXIT_FAULT);
}

await main(process.argv.slice(2));
