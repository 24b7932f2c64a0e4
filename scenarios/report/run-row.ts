/** Runs one row: a fresh server, a SIPp or two against it, and all processes watched from outside. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cpu, cpuOf, freePort, memoryOf } from "../../bench/load/process.ts";
import { type Subject, type SubjectName, startSubject } from "../../bench/load/subject.ts";
import { type Messages, readMessages } from "./messages.ts";
import type { Load, Row } from "./rows.ts";
import {
  messagesFile,
  RECEIVE_TIMEOUT,
  readCounters,
  readErrors,
  readPeak,
  type SippCounters,
  sippArguments,
  TIMEOUT,
} from "./sipp.ts";

/** How often memory is looked at and progress told, in milliseconds. */
const LOOK = 500;
/** Between SIPp's end and the last look at the server, so that its last answers are out. */
const SETTLE = 500;

/** What one SIPp of a row saw. What is said of the server is the same for all SIPps of the row. */
export interface RowResult {
  readonly row: Row;
  readonly load: Load;
  /** SIPp's command, from the project's folder; its own files under the folder of the run are `TMP/...`. */
  readonly command: string;
  readonly serverCommand: string;
  /** SIPp's exit code: 0 when every call succeeded. */
  readonly exitCode: number;
  /** Seconds from SIPp's first call to its last. */
  readonly seconds: number;
  readonly successful: number;
  readonly failed: number;
  readonly successPercent: number;
  readonly peakCalls: number | undefined;
  readonly messagesPerSecond: number;
  readonly messages: Messages;
  /** Sent again, by SIPp and by the server (`undefined` when it does not say). */
  readonly retransmissions: { readonly sipp: number; readonly server: number | undefined };
  readonly timeouts: number;
  /** Microseconds of the server's CPU for each call. */
  readonly cpuPerCall: { readonly user: number; readonly system: number; readonly total: number } | undefined;
  /** Bytes resident. */
  readonly memory: {
    readonly start: number | undefined;
    readonly peak: number | undefined;
    readonly end: number | undefined;
  };
  /** Resident bytes, one look every half second from SIPp's start. */
  readonly memorySamples: number[];
  /** SIPp's CPU in microseconds a call, for scale. */
  readonly sippCpuPerCall: number | undefined;
  readonly stats: Record<string, number>;
  /** The first of SIPp's complaints, when there were any. */
  readonly errors: string[];
}

export interface RowOptions {
  readonly server: SubjectName;
  /** The scenario's path from the project's folder. */
  readonly scenario: string;
  /** Aborts: SIPp and the server are ended and the promise rejects. */
  readonly signal: AbortSignal;
  /** Is given the counters of each SIPp that has any yet. */
  readonly onProgress: (counters: SippCounters[], resident: number | undefined) => void;
}

/** @returns a result for each SIPp of the row. Rejects when server or SIPp cannot be started, and when aborted. */
export async function runRow(row: Row, options: RowOptions): Promise<RowResult[]> {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-load-"));
  let subject: Subject | undefined;
  try {
    const port = await freePort();
    const transports = [...new Set(row.loads.map((load) => (load === "u1" ? "udp" : "tcp")))];
    subject = await startSubject(options.server, { port, transports });
    return await loadWith(row, subject, folder, options);
  } finally {
    await subject?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function loadWith(row: Row, subject: Subject, folder: string, options: RowOptions): Promise<RowResult[]> {
  options.signal.throwIfAborted();
  const start = memoryOf(subject.pid)?.resident;
  const before = cpuOf(subject.pid);
  const runs = await Promise.all(row.loads.map((load) => startSipp(row, load, subject.port, folder, options)));
  const memorySamples: number[] = [];
  const watch = setInterval(async () => {
    const resident = memoryOf(subject.pid)?.resident;
    if (resident !== undefined) memorySamples.push(resident);
    for (const run of runs) run.lookAtCpu();
    const counters = await Promise.all(runs.map((run) => readCounters(run.folder)));
    options.onProgress(
      counters.filter((one) => one !== undefined),
      resident,
    );
  }, LOOK);
  const exitCodes = await Promise.all(runs.map((run) => run.exited));
  clearInterval(watch);
  options.signal.throwIfAborted();
  await Bun.sleep(SETTLE);
  const after = cpuOf(subject.pid);
  const stats = await subject.stats();
  const memory = memoryOf(subject.pid);
  const each = (micros: number): number => micros / (row.calls * row.loads.length);
  const spent = before && after && { user: each(after.user - before.user), system: each(after.system - before.system) };
  const ofServer = {
    serverCommand: subject.command.replaceAll(`${subject.port}`, "PORT"),
    cpuPerCall: spent && { ...spent, total: spent.user + spent.system },
    memory: { start, peak: memory?.peak, end: memory?.resident },
    memorySamples,
    stats,
  };
  return await Promise.all(
    runs.map(async (run, i) => {
      const { retransmissions: sipp, ...seen } = await seenBy(run, row);
      const retransmissions = { sipp, server: stats.retransmissionsSent };
      return { row, ...seen, exitCode: exitCodes[i]!, retransmissions, ...ofServer };
    }),
  );
}

/** One SIPp under way. */
interface Run {
  readonly load: Load;
  readonly folder: string;
  readonly command: string;
  readonly exited: Promise<number>;
  readonly cpu: () => Cpu | undefined;
  lookAtCpu(): void;
}

async function startSipp(row: Row, load: Load, port: number, parent: string, options: RowOptions): Promise<Run> {
  const folder = join(parent, load);
  await mkdir(folder);
  const argv = sippArguments({ row, load, port, scenario: options.scenario, folder });
  const sipp = Bun.spawn(argv, { cwd: `${import.meta.dir}/../..`, stdio: ["ignore", "ignore", "ignore"] });
  const stop = (): void => sipp.kill("SIGKILL");
  options.signal.addEventListener("abort", stop, { once: true });
  // SIPp's own limits should end it; this one is for a SIPp that hangs.
  const limit = setTimeout(stop, TIMEOUT * 1000 + 2 * RECEIVE_TIMEOUT);
  let cpu = cpuOf(sipp.pid);
  return {
    load,
    folder,
    command: argv.join(" ").replaceAll(folder, "TMP"),
    exited: sipp.exited.finally(() => {
      clearTimeout(limit);
      options.signal.removeEventListener("abort", stop);
    }),
    cpu: () => cpu,
    lookAtCpu() {
      cpu = cpuOf(sipp.pid) ?? cpu;
    },
  };
}

/** What a SIPp that has ended left behind. */
async function seenBy({ load, folder, command, cpu }: Run, row: Row) {
  const counters = await readCounters(folder);
  const messages = await readMessages(messagesFile(folder));
  const successful = counters?.successful ?? 0;
  const seconds = counters?.seconds ?? 0;
  const spent = cpu();
  return {
    load,
    command,
    seconds,
    successful,
    failed: row.calls - successful,
    successPercent: (successful / row.calls) * 100,
    peakCalls: await readPeak(folder),
    messagesPerSecond: seconds > 0 ? (messages.sent + messages.received) / seconds : 0,
    messages,
    retransmissions: counters?.retransmissions ?? 0,
    timeouts: counters?.timeouts ?? 0,
    sippCpuPerCall: spent && (spent.user + spent.system) / row.calls,
    errors: await readErrors(folder, 5),
  };
}
