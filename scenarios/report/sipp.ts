/** SIPp's command for a row, and what it leaves behind: its statistics, its last screen and its list of messages. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { SIPP_BUFFER } from "../../bench/load/subject.ts";
import type { Load, Row } from "./rows.ts";

/** Seconds after which SIPp starts no more calls; it ends when those in flight have. */
export const TIMEOUT = 180;
/** Milliseconds a call waits for a message before it has failed: 64*T1, RFC 3261 timers B and F. */
export const RECEIVE_TIMEOUT = 32_000;

/** Connections of one SIPp at once: its own 50,000 may be more than it is allowed to open. */
const MAX_SOCKETS = 10_000;

/** The files SIPp is told to write, in the folder it is given. */
const FILES = { stat: "stat.csv", screen: "screen.log", messages: "messages.tsv", errors: "errors.log" } as const;

/** Where a row goes and with which call. */
export interface SippRun {
  readonly row: Row;
  readonly load: Load;
  readonly port: number;
  /** Path of the scenario. */
  readonly scenario: string;
  /** Folder for SIPp's files. */
  readonly folder: string;
}

/**
 * The arguments of a row.
 *
 * - `-i 127.0.0.1`: Via and Contact name loopback, whatever the host's own name resolves to.
 * - `-recv_timeout`: without it a call that lost a message waits for ever, and SIPp with it.
 * - `-l`: SIPp holds its rate back at three times the rate times the call's length, which it takes for zero here.
 * - `-buff_size`: the default of 64 KB of a UDP socket loses responses while SIPp sends a burst of INVITEs. Not for TCP, where
 *   SIPp takes a buffer of that size for each read of each connection.
 * - `-watchdog_interval`: SIPp would end itself after some slow turns, and binding a socket for each call makes them slow.
 * - `-trace_shortmsg` instead of `-trace_rtt`: the latter is in SIPp's own clock of 1 to 4 ms, the former in microseconds.
 */
export function sippArguments({ row, load, port, scenario, folder }: SippRun): string[] {
  const at = (file: string): string => join(folder, file);
  const argv = ["sipp", `127.0.0.1:${port}`, "-i", "127.0.0.1", "-sf", scenario];
  if (load !== "u1") argv.push("-t", load);
  if (load === "tn") argv.push("-max_socket", `${MAX_SOCKETS}`, "-watchdog_interval", "0");
  argv.push("-m", `${row.calls}`, "-r", `${row.rate}`, "-rp", "1000", "-l", `${Math.max(1000, row.rate * 2)}`);
  argv.push("-timeout", `${TIMEOUT}s`, "-recv_timeout", `${RECEIVE_TIMEOUT}`);
  if (load === "u1") argv.push("-buff_size", `${SIPP_BUFFER}`);
  argv.push("-nostdin");
  argv.push("-trace_err", "-error_file", at(FILES.errors), "-trace_stat", "-fd", "1", "-stf", at(FILES.stat));
  argv.push("-trace_screen", "-screen_file", at(FILES.screen));
  argv.push("-trace_shortmsg", "-shortmessage_file", at(FILES.messages));
  return argv;
}

/** SIPp's counters, as they stand in the last line of its statistics. */
export interface SippCounters {
  readonly created: number;
  readonly current: number;
  readonly successful: number;
  readonly failed: number;
  readonly retransmissions: number;
  /** Calls that SIPp gave up waiting for, by its receive time-out or its last retransmission. */
  readonly timeouts: number;
  readonly unexpected: number;
  readonly outOfCall: number;
  /** Seconds since SIPp started. */
  readonly seconds: number;
}

/** The counters so far; `undefined` before SIPp has written any. */
export async function readCounters(folder: string): Promise<SippCounters | undefined> {
  const text = await readFile(join(folder, FILES.stat), "latin1").catch(() => "");
  const lines = text.trimEnd().split("\n");
  if (lines.length < 2) return undefined;
  const names = lines[0]!.split(";");
  const values = lines.at(-1)!.split(";");
  const of = (name: string): string => values[names.indexOf(name)] ?? "";
  const count = (name: string): number => Number(of(name) || 0);
  return {
    created: count("TotalCallCreated"),
    current: count("CurrentCall"),
    successful: count("SuccessfulCall(C)"),
    failed: count("FailedCall(C)"),
    retransmissions: count("Retransmissions(C)"),
    timeouts: count("FailedMaxUDPRetrans(C)") + count("FailedTimeoutOnRecv(C)"),
    unexpected: count("FailedUnexpectedMessage(C)"),
    outOfCall: count("OutOfCallMsgs(C)"),
    seconds: secondsBetween(of("StartTime"), of("CurrentTime")),
  };
}

/** From the seconds since 1970 that end each of SIPp's times. */
function secondsBetween(start: string, end: string): number {
  const seconds = (time: string): number => Number(time.split("\t").at(-1));
  return seconds(end) - seconds(start);
}

/** The most calls at once, from SIPp's last screen. `undefined` when it wrote none. */
export async function readPeak(folder: string): Promise<number | undefined> {
  const text = await readFile(join(folder, FILES.screen), "latin1").catch(() => "");
  const peak = /Peak was (\d+) calls/.exec(text)?.[1];
  return peak === undefined ? undefined : Number(peak);
}

/** What SIPp complained of, without the messages it quotes: at most `limit` lines. */
export async function readErrors(folder: string, limit: number): Promise<string[]> {
  const text = await readFile(join(folder, FILES.errors), "latin1").catch(() => "");
  // Each complaint begins with its time, in three columns, and does not always begin a line.
  const [, ...complaints] = text.split(/\d{4}-\d\d-\d\d\t[\d:.]+\t[\d.]+: /);
  return complaints.slice(0, limit).map((complaint) => complaint.split("\n")[0]!.slice(0, 200));
}

/** The path of the file that {@link readMessages} of `./messages.ts` reads. */
export function messagesFile(folder: string): string {
  return join(folder, FILES.messages);
}
