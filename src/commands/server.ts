/**
 * The server as the `viaduct` command runs it: reads its settings, serves, reads certificates and users again on SIGHUP and
 * stops on SIGINT and SIGTERM.
 *
 * Exit codes: 0 after an orderly stop, 1 after a fault in the server, 2 when it cannot start with these settings, 129
 * when its terminal is gone, 130 and 143 when a second SIGINT or SIGTERM cut the stop short.
 */

import { isatty } from "node:tty";
import packageJson from "../../package.json" with { type: "json" };
import { load } from "../config/load.ts";
import type { Settings } from "../config/schema.ts";
import { toServeOptions, toStopOptions } from "../config/to-options.ts";
import { watchCounters } from "../observe/counter-watch.ts";
import { every, type Output, openOutput } from "../observe/output.ts";
import type { Server } from "../server/serve.ts";
import { COMMANDS } from "./commands.ts";
import { figuresOf } from "./figures.ts";
import type { Mode } from "./modes.ts";
import { EXIT_FAULT, refuse } from "./refuse.ts";

const VERSION = packageJson.version;
const EXIT_HANGUP = 129;
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
/** Standard input, output and error, as far as they were a terminal at the start. */
const TERMINALS = [0, 1, 2].filter((descriptor) => isatty(descriptor));

/** A server with what the command knows of it. */
interface Running extends Mode {
  readonly server: Server;
  readonly settings: Settings;
  readonly output: Output;
}

/** Runs the server; the process ends with it. @param args the command line without the program's own name */
export async function runServer(args: readonly string[]): Promise<void> {
  const loaded = await load(args, { version: VERSION, columns: process.stdout.columns, commands: COMMANDS }).catch(
    refuse,
  );
  if (loaded.kind === "print") {
    process.stdout.write(loaded.text);
    return;
  }
  const { settings, config } = loaded;
  const output = openOutput(settings["log-level"], process.stdout, process.env.TERM === "dumb");
  logFaults(output);
  const running = await start(settings, output).catch(refuse);
  stopOnSignal(running);
  reloadOnHangup(running);
  announce(running, config);
  observe(running);
}

/** The server is loaded only here, so that `--help` and a wrong setting are answered without it. */
async function start(settings: Settings, output: Output): Promise<Running> {
  const [{ serve }, { openMode }, { storeFault }] = await Promise.all([
    import("../server/serve.ts"),
    import("./modes.ts"),
    import("./store.ts"),
  ]);
  const { log } = output;
  const mode = await openMode(settings, log);
  try {
    const server = await serve({
      ...mode.options,
      ...toServeOptions(settings),
      log,
      software: `viaduct/${VERSION}`,
    });
    return { ...mode, server, settings, output };
  } catch (error) {
    throw storeFault(error, settings);
  }
}

function announce({ server, settings, registrar, login, output }: Running, config: string | undefined): void {
  const listen = server.addresses.map(({ transport, address, port }) => {
    return `${transport}://${address.includes(":") ? `[${address}]` : address}:${port}`;
  });
  const all = [...listen.slice(0, -2), listen.slice(-2).join(" and ")].join(", ");
  output.say(`Viaduct ${VERSION}, ${settings.mode}, listens on ${all}. Ctrl-C stops it.`);
  if (!output.forPeople) output.log.info({ listen, mode: settings.mode, version: VERSION, config }, "listening");
  if (registrar !== null && login === null) {
    const { users, "users-file": file, "users-database": database } = settings.auth;
    const reason = (users ?? file ?? database) ? "auth is false" : "no users are set in [auth]";
    output.log.warn({}, `anybody may register anything here: ${reason}`);
  }
}

function observe(running: Running): void {
  const { server, output } = running;
  const stats = () => ({ ...server.stats(), ...figuresOf(running) });
  const now = () => performance.now();
  const watch = watchCounters({
    stats,
    now,
    report: (growth) => output.log.warn(growth, "messages or connections were refused, dropped or failed"),
  });
  every(1000, watch.look);
  output.showStatus(() => ({
    at: now(),
    stats: stats(),
    memory: process.memoryUsage.rss(),
  }));
}

/** The first signal ends the server in order, a second one at once. */
function stopOnSignal(running: Running): void {
  const { server, output } = running;
  let stopping = false;
  for (const [signal, code] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (stopping) {
        server.closeNow();
        void output.close();
        process.exit(code);
      }
      stopping = true;
      void stop(running, signal);
    });
  }
}

/**
 * SIGHUP has the certificate, its key and the users' file read again. From a terminal that was closed it means what it
 * always meant, and ends the server at once: nobody is left to tell, and writing there would fail.
 */
function reloadOnHangup({ server, settings, login, output }: Running): void {
  const { certificate } = settings.tls;
  process.on("SIGHUP", () => {
    if (TERMINALS.some((descriptor) => !isatty(descriptor))) {
      server.closeNow();
      process.exit(EXIT_HANGUP);
    }
    if (certificate === undefined && !login?.file) {
      return output.log.info({}, "SIGHUP: there is no certificate and no file of users to read again");
    }
    login?.file?.reload();
    if (certificate !== undefined) reloadCertificates(server, certificate, output);
  });
}

function reloadCertificates(server: Server, certificate: string, { log }: Output): void {
  try {
    server.reloadCertificates();
    log.info({ certificate }, "the certificate was read again");
  } catch (error) {
    const { setting, file, message } = error as { setting?: unknown; file?: unknown; message: string };
    if (typeof setting !== "string") log.error({ err: error }, "the certificate could not be read again");
    else log.error({ setting, file }, `the certificate stays as it was: ${message}`);
  }
}

async function stop(running: Running, signal: string): Promise<void> {
  const { server, settings, output } = running;
  output.log.info({ signal, grace: settings.shutdown.grace }, "stopping: no new calls are taken");
  try {
    await server.stop(toStopOptions(settings));
  } catch (error) {
    return fail(error, "the server could not be stopped in order", output);
  }
  const { callsStarted, messagesReceived, messagesSent, rejected, malformed, sendDropped } = server.stats();
  const figures = { callsStarted, messagesReceived, messagesSent, rejected, malformed, sendDropped };
  output.log.info({ ...figures, ...figuresOf(running) }, "stopped");
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
