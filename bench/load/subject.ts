/** The server under test, ours or SIPp's, behind one face. Each is a process on 127.0.0.1, pinned when asked. */

import { isSecure, type TransportName } from "../../src/transport/kinds.ts";
import { AskedProcess, end, PATIENCE } from "./asked-process.ts";
import { GC_LOG_ENVIRONMENT, GcLog } from "./gc-log.ts";
import { command, type Pin, portBound } from "./process.ts";
import type { ServerAnswer, ServerAsk } from "./server.ts";

/** Buffers for SIPp: its own default of 65,535 bytes overflows before its processor is busy. */
export const SIPP_BUFFER = 4 * 1024 * 1024;
/** The certificate that the server shows over TLS: one of the tests'. Nobody verifies it here. */
const CERTIFICATE = "test/fixtures/tls/server.pem";
const PRIVATE_KEY = "test/fixtures/tls/server.key";

export interface Subject {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** The command that started it. */
  readonly command: string;
  /** Counters by name; empty for a server that has none to show. */
  stats(): Promise<Record<string, number>>;
  /** Forgets the largest tick gap and the longest collector pause seen so far. */
  reset(): Promise<void>;
  /** Milliseconds; `undefined` where it cannot be seen. */
  longestGcPauseMs(): number | undefined;
  /** Ends the process and waits for it. */
  stop(): Promise<void>;
}

export interface SubjectOptions {
  readonly port: number;
  /** What to listen on, all on the same port. Default UDP alone; SIPp has one, UDP or TCP. */
  readonly transports?: readonly TransportName[];
  readonly pin?: Pin;
  /** Connections that ours takes from one address. Default: its own. */
  readonly connectionsPerAddress?: number | undefined;
  /** Read the collector's pauses from stderr. Default false. */
  readonly gcLog?: boolean;
}

export const SUBJECTS = ["viaduct", "sipp"] as const;
export type SubjectName = (typeof SUBJECTS)[number];

/** Starts a server and waits until it listens. Rejects with what it said when it does not. */
export function startSubject(name: SubjectName, options: SubjectOptions): Promise<Subject> {
  return name === "sipp" ? startSipp(options) : startViaduct(options);
}

async function startViaduct(options: SubjectOptions): Promise<Subject> {
  const { port, pin, transports = ["udp"], connectionsPerAddress, gcLog = false } = options;
  const argv = ["bench/load/server.ts", ...transports.flatMap((name) => ["--listen", `${name}://127.0.0.1:${port}`])];
  if (transports.some(isSecure)) argv.push("--certificate", CERTIFICATE, "--key", PRIVATE_KEY);
  if (connectionsPerAddress) argv.push("--connections-per-address", `${connectionsPerAddress}`);
  const log = new GcLog();
  const asked = await AskedProcess.start<ServerAsk, ServerAnswer>(argv, {
    name: "viaduct",
    pin,
    ...(gcLog && {
      environment: GC_LOG_ENVIRONMENT,
      stderr: (stream) => void log.read(stream, (line) => console.error(line)),
    }),
  });
  return {
    name: "viaduct",
    pid: asked.pid,
    port,
    command: command(["bun", ...argv], pin).join(" "),
    async stats() {
      const answer = await asked.ask({ ask: "stats" });
      return "stats" in answer ? answer.stats : {};
    },
    async reset() {
      await asked.ask({ ask: "reset" });
      log.reset();
    },
    longestGcPauseMs: () => log.longestPauseMs,
    stop: () => asked.stop({ ask: "stop" }),
  };
}

async function startSipp({ port, pin, transports = ["udp"] }: SubjectOptions): Promise<Subject> {
  const protocol = transports[0];
  if (transports.length !== 1 || (protocol !== "udp" && protocol !== "tcp")) {
    throw new Error(`SIPp's UAS listens on udp or on tcp, not on ${transports.join(" and ")}`);
  }
  const argv = ["sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", String(port), "-nostdin"];
  // "One socket" is said of a client: as a server it takes any number of connections.
  if (protocol === "tcp") argv.push("-t", "t1");
  // Without its watchdog, which ends SIPp after ten slow turns, as a saturated one has.
  argv.push("-buff_size", String(SIPP_BUFFER), "-watchdog_interval", "0");
  const child = Bun.spawn(command(argv, pin), { stdio: ["ignore", "ignore", "ignore"] });
  const deadline = performance.now() + PATIENCE;
  while (!portBound(protocol, port)) {
    if (child.exitCode !== null) throw new Error(`SIPp's UAS ended with ${child.exitCode}`);
    if (performance.now() > deadline) {
      await end(child);
      throw new Error("SIPp's UAS did not bind its port");
    }
    await Bun.sleep(20);
  }
  return {
    name: "sipp -sn uas",
    pid: child.pid,
    port,
    command: command(argv, pin).join(" "),
    stats: async () => ({}),
    reset: async () => {},
    longestGcPauseMs: () => undefined,
    stop: () => end(child),
  };
}

/**
 * Runs `end` once when the user interrupts, then exits with 130. Children of ours see an IPC channel close or are
 * ended here; nothing is left behind.
 */
export function onInterrupt(end: () => Promise<void> | void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, async () => {
      await end();
      process.exit(130);
    });
  }
}
