#!/usr/bin/env bun
/**
 * The `viaduct` command: reads its settings, runs the server, reads certificates again on SIGHUP and stops the server on
 * SIGINT and SIGTERM.
 *
 * Exit codes: 0 after an orderly stop, 1 after a fault in the server, 2 when it cannot start with these settings, 129
 * when its terminal is gone, 130 and 143 when a second SIGINT or SIGTERM cut the stop short.
 */

import { isatty } from "node:tty";
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
const EXIT_HANGUP = 129;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
/** Standard input, output and error, as far as they were a terminal at the start. */
const TERMINALS = [0, 1, 2].filter((descriptor) => isatty(descriptor));

const UNKNOWN_HOST = "the host name is not known; choose an address of this machine";
/** How to get round each reason not to listen, by the error code of the system. SCHEME stands for the listener's own. */
const LISTEN_CURES: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use; choose a free port, or stop the program that holds it",
  EADDRNOTAVAIL: "this machine has no such address; choose one of its own, or SCHEME://0.0.0.0:PORT for all of them",
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
  reloadOnHangup(server, settings, output);
  announce(server, settings, config, output);
  observe(server, output);
}

/**
 * Ends a start that cannot go on, with one line and no stack when the settings are the cause. The errors of the server
 * are known by their fields, for its classes may not have been loaded yet.
 */
function refuse(error: unknown): never {
  const { listen, code, setting, file, message } = error as Record<string, unknown>;
  if (error instanceof ConfigError) console.error(printable(`viaduct: ${message}`));
  else if (typeof listen === "string" && typeof code === "string") {
    const cure = LISTEN_CURES[code]?.replace("SCHEME", listen.split(":", 1)[0]!);
    console.error(printable(`viaduct: listen ${listen}: ${cure ?? message}`));
  } else if (typeof setting === "string" && typeof file === "string") {
    console.error(printable(`viaduct: ${setting}: ${message}`));
  } else {
    console.error(error);
    process.exit(EXIT_FAULT);
  }
  process.exit(EXIT_SETTINGS);
}

/** The server is loaded only here, so that `--help` and a wrong setting are answered without it. */
async function start(settings: Settings, output: Output): Promise<Server> {
  const [{ serve }, { fullUas }, { minimal }, { subscriptionServer }] = await Promise.all([
    import("./server/serve.ts"),
    import("./apps/full-uas.ts"),
    import("./apps/minimal.ts"),
    import("./apps/subscription-server.ts"),
  ]);
  const modes = {
    minimal,
    "subscription-server": () => subscriptionServer(),
    "full-uas": () => fullUas(toUasSettings(settings)),
  };
  return serve({
    ...modes[settings.mode](),
    ...toServeOptions(settings),
    log: output.log,
    software: `viaduct/${VERSION}`,
  });
}

function announce(server: Server, settings: Settings, config: string | undefined, output: Output): void {
  const listen = server.addresses.map(({ transport, address, port }) => {
    return `${transport}://${address.includes(":") ? `[${address}]` : address}:${port}`;
  });
  const all = [...listen.slice(0, -2), listen.slice(-2).join(" and ")].join(", ");
  output.say(`Viaduct ${VERSION}, ${settings.mode}, listens on ${all}. Ctrl-C stops it.`);
  if (!output.forPeople) output.log.info({ listen, mode: settings.mode, version: VERSION, config }, "listening");
}

function observe(server: Server, output: Output): void {
  const now = () => performance.now();
  const watch = watchCounters({
    stats: () => server.stats(),
    now,
    report: (growth) => output.log.warn(growth, "messages or connections were refused, dropped or failed"),
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

/**
 * SIGHUP has the certificate and its key read again. From a terminal that was closed it means what it always meant, and
 * ends the server at once: nobody is left to tell, and writing there would fail.
 */
function reloadOnHangup(server: Server, settings: Settings, output: Output): void {
  const { certificate } = settings.tls;
  process.on("SIGHUP", () => {
    if (TERMINALS.some((descriptor) => !isatty(descriptor))) {
      server.closeNow();
      process.exit(EXIT_HANGUP);
    }
    if (certificate === undefined) return output.log.info({}, "SIGHUP: there is no certificate to read again");
    try {
      server.reloadCertificates();
      output.log.info({ certificate }, "the certificate was read again");
    } catch (error) {
      const { setting, file, message } = error as { setting?: unknown; file?: unknown; message: string };
      if (typeof setting !== "string") output.log.error({ err: error }, "the certificate could not be read again");
      else output.log.error({ setting, file }, `the certificate stays as it was: ${message}`);
    }
  });
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
