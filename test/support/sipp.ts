/** SIPp as a peer: whether it is there, whether a test may do without it, and one run of it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../bench/load/process.ts";
import { readCounters, readErrors } from "../../scenarios/report/sipp.ts";

const SCENARIOS = join(import.meta.dir, "../../scenarios");
/** Its socket's default of 64 KB loses responses on a busy machine, which would look like a server that lost them. */
const BUFFER = 4 * 1024 * 1024;

/** The path of SIPp, or null when it is not installed. @param path where to look, as in `$PATH`; default ours */
export function sippPath(path: string | undefined = process.env.PATH): string | null {
  return Bun.which("sipp", { PATH: path ?? "" });
}

/** `run` the tests that need a peer, `skip` them, or `fail`: in CI a missing peer must not pass for a green run. */
export type PeerVerdict = "run" | "skip" | "fail";

/** What is to be done about a peer. @param path of the peer, null when it is missing @param ci the variable `CI` */
export function peerVerdict(path: string | null, ci: string | undefined): PeerVerdict {
  if (path !== null) return "run";
  return ci === "true" || ci === "1" ? "fail" : "skip";
}

export interface SippOptions {
  /** The scenario's file in `scenarios/`. */
  scenario: string;
  /** Where SIPp sends: `HOST:PORT`, IPv6 in brackets. */
  to: string;
  /** Calls altogether. */
  calls: number;
  /** Calls a second. Default 10. */
  rate?: number;
  /** SIPp's own address, IPv6 without brackets. Default 127.0.0.1. */
  local?: string;
  /** Milliseconds a call waits for a message. Default 10,000. */
  receiveTimeout?: number;
  /** Milliseconds after which SIPp is ended. Default 25,000. */
  timeoutMs?: number;
  /** More of SIPp's arguments. */
  more?: readonly string[];
}

export interface SippResult {
  /** 0 when every call succeeded; null when it was ended for taking too long. */
  code: number | null;
  successful: number;
  failed: number;
  /** Messages that SIPp sent again. */
  retransmissions: number;
  /** Calls that ended for want of an answer. */
  timeouts: number;
  unexpected: number;
  /** The first of SIPp's complaints. */
  errors: string[];
  /** What each message of the scenario came to, by SIPp's names: `4_200_Recv`, `0_INVITE_Retrans`. */
  messages: Record<string, number>;
  /** Average of each response time, in milliseconds, by its name in the scenario. */
  responseTimes: Record<string, number>;
}

/** Runs SIPp as a caller in a folder of its own, which is gone afterwards. */
export async function runSipp(options: SippOptions): Promise<SippResult> {
  const { scenario, to, calls, rate = 10, local = "127.0.0.1", receiveTimeout = 10_000, timeoutMs = 25_000 } = options;
  const folder = await mkdtemp(join(tmpdir(), "viaduct-sipp-"));
  try {
    // Left to itself SIPp takes 5060, which a server of this machine may want.
    const port = await freePort();
    const argv = [sippPath() ?? "sipp", to, "-i", local, "-p", `${port}`, "-m", `${calls}`];
    argv.push("-r", `${rate}`, "-l", `${Math.max(1000, rate * 4)}`, "-recv_timeout", `${receiveTimeout}`);
    argv.push("-buff_size", `${BUFFER}`, "-nostdin", "-watchdog_interval", "0", "-trace_counts", "-fd", "1");
    argv.push("-trace_stat", "-stf", join(folder, "stat.csv"), "-trace_err", "-error_file", join(folder, "errors.log"));
    // A keyword (`-key`) must be known before the scenario that uses it is read.
    argv.push(...(options.more ?? []), "-sf", join(SCENARIOS, scenario));
    const child = Bun.spawn(argv, { cwd: folder, stdio: ["ignore", "ignore", "ignore"] });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    const code = await child.exited;
    clearTimeout(timer);
    const counters = await readCounters(folder);
    return {
      code: late ? null : code,
      successful: counters?.successful ?? 0,
      failed: counters?.failed ?? 0,
      retransmissions: counters?.retransmissions ?? 0,
      timeouts: counters?.timeouts ?? 0,
      unexpected: counters?.unexpected ?? 0,
      errors: await readErrors(folder, 3),
      messages: await lastRow(folder, "_counts.csv", (name) => (/^\d+_/.test(name) ? name : null), Number),
      responseTimes: await lastRow(folder, "stat.csv", averageOf, milliseconds),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The last row of the file whose name ends so, by the names of the columns that `name` keeps. */
async function lastRow(
  folder: string,
  ending: string,
  name: (column: string) => string | null,
  value: (text: string) => number,
): Promise<Record<string, number>> {
  const file = (await readdir(folder)).find((entry) => entry.endsWith(ending));
  if (file === undefined) return {};
  const lines = (await readFile(join(folder, file), "latin1")).trimEnd().split("\n");
  const row = lines.at(-1)!.split(";");
  const found: Record<string, number> = {};
  for (const [at, column] of lines[0]!.split(";").entries()) {
    const kept = name(column);
    if (kept !== null) found[kept] = value(row[at] ?? "");
  }
  return found;
}

function averageOf(column: string): string | null {
  return /^ResponseTime(\w+)\(C\)$/.exec(column)?.[1] ?? null;
}

/** From SIPp's `hours:minutes:seconds:microseconds`. */
function milliseconds(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0, micros = 0] = text.split(":").map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + micros / 1000;
}
