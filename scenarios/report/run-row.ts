/** Runs one row: a fresh server, SIPp against it, and both processes watched from outside. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cpuOf, freeUdpPort, memoryOf } from "../../bench/load/process.ts";
import { type Subject, type SubjectName, startSubject } from "../../bench/load/subject.ts";
import { type Messages, readMessages } from "./messages.ts";
import type { Row } from "./rows.ts";
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

export interface RowResult {
  readonly row: Row;
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
  readonly onProgress: (counters: SippCounters | undefined, resident: number | undefined) => void;
}

export async function runRow(row: Row, options: RowOptions): Promise<RowResult> {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-load-"));
  let subject: Subject | undefined;
  try {
    const port = await freeUdpPort();
    subject = await startSubject(options.server, { port });
    return await load(row, subject, folder, options);
  } finally {
    await subject?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function load(row: Row, subject: Subject, folder: string, options: RowOptions): Promise<RowResult> {
  options.signal.throwIfAborted();
  const argv = sippArguments({ row, port: subject.port, scenario: options.scenario, folder });
  const start = memoryOf(subject.pid)?.resident;
  const before = cpuOf(subject.pid);
  const sipp = Bun.spawn(argv, { cwd: `${import.meta.dir}/../..`, stdio: ["ignore", "ignore", "ignore"] });
  const stop = (): void => sipp.kill("SIGKILL");
  options.signal.addEventListener("abort", stop, { once: true });
  // SIPp's own limits should end it; this one is for a SIPp that hangs.
  const limit = setTimeout(stop, TIMEOUT * 1000 + 2 * RECEIVE_TIMEOUT);
  const memorySamples: number[] = [];
  let sippCpu = cpuOf(sipp.pid);
  const watch = setInterval(async () => {
    const resident = memoryOf(subject.pid)?.resident;
    if (resident !== undefined) memorySamples.push(resident);
    sippCpu = cpuOf(sipp.pid) ?? sippCpu;
    options.onProgress(await readCounters(folder), resident);
  }, LOOK);
  const exitCode = await sipp.exited;
  clearInterval(watch);
  clearTimeout(limit);
  options.signal.removeEventListener("abort", stop);
  options.signal.throwIfAborted();
  await Bun.sleep(SETTLE);
  const after = cpuOf(subject.pid);
  const stats = await subject.stats();
  const memory = memoryOf(subject.pid);
  const counters = await readCounters(folder);
  const messages = await readMessages(messagesFile(folder));
  const successful = counters?.successful ?? 0;
  const seconds = counters?.seconds ?? 0;
  const each = (micros: number): number => micros / Math.max(1, row.calls);
  const spent = before && after && { user: each(after.user - before.user), system: each(after.system - before.system) };
  return {
    row,
    command: argv.join(" ").replaceAll(folder, "TMP"),
    serverCommand: subject.command.replace(`${subject.port}`, "PORT"),
    exitCode,
    seconds,
    successful,
    failed: row.calls - successful,
    successPercent: (successful / row.calls) * 100,
    peakCalls: await readPeak(folder),
    messagesPerSecond: seconds > 0 ? (messages.sent + messages.received) / seconds : 0,
    messages,
    retransmissions: { sipp: counters?.retransmissions ?? 0, server: stats.retransmissionsSent },
    timeouts: counters?.timeouts ?? 0,
    cpuPerCall: spent && { ...spent, total: spent.user + spent.system },
    memory: { start, peak: memory?.peak, end: memory?.resident },
    memorySamples,
    sippCpuPerCall: sippCpu && each(sippCpu.user + sippCpu.system),
    stats,
    errors: await readErrors(folder, 5),
  };
}
