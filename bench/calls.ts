/**
 * The whole server under a closed loop of calls, in processes of their own: `bun run bench calls` or
 * `bun bench/calls.ts`. SIPp's UAS is measured in the same run by the same generator where it speaks the transport, so
 * that the ratio holds on a machine that is slow or shared. Idle connections, handshakes and calls under a flood are
 * measured instead when they are asked for.
 */
import { readArguments } from "./load/arguments.ts";
import { type CallsOptions, readOptions, USAGE } from "./load/calls-options.ts";
import { callsNotes, callsRows } from "./load/calls-table.ts";
import { floodReport, handshakesReport, idleReport } from "./load/connection-tables.ts";
import { measureFlood } from "./load/flood.ts";
import { measureHandshakes } from "./load/handshakes.ts";
import { measureIdle } from "./load/idle.ts";
import { machine, versions } from "./load/machine.ts";
import { type CallsResult, measure } from "./load/measure.ts";
import { cannotPin, openFileLimit } from "./load/process.ts";
import { onInterrupt, type Subject } from "./load/subject.ts";
import { megabytes, number, terminalTable } from "./load/table.ts";

/** Calls between two lines of a soak. */
const SOAK_STEP = 50_000;
/** Files that a process has open beside its connections. */
const OTHER_FILES = 100;

/** What every measurement is given. */
interface Common {
  readonly pinned: boolean;
  readonly onSubject: (subject: Subject) => void;
}

/**
 * Runs the benchmark with the arguments after its name. Sets `process.exitCode` to 1 when a call to ours failed, to 2 when
 * the arguments are wrong.
 */
export async function main(argv: string[]): Promise<void> {
  const options = readArguments(argv, readOptions, USAGE);
  if (options === undefined) return;
  const what = machine();
  const which = versions();
  console.log(`${what.cpu}, ${what.cores} cores, ${what.kernel}; Bun ${which.bun}, viaduct ${which.viaduct}`);
  const unpinned = cannotPin();
  if (unpinned) console.log(unpinned);
  let running: Subject | undefined;
  onInterrupt(() => running?.stop());
  const common: Common = { pinned: unpinned === undefined, onSubject: (subject) => (running = subject) };
  const results = await run(options, common, which.sipp);
  if (options.json) {
    const { json: _, servers: __, ...settings } = options;
    const report = { machine: what, versions: which, settings, results };
    await Bun.write(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
}

/** Measures what was asked for and prints it. @returns the figures as they are written to a file */
async function run(options: CallsOptions, common: Common, sipp: string | undefined): Promise<unknown> {
  switch (options.what) {
    case "calls":
      return await calls(options, common, sipp);
    case "idle":
      return await idle(options, common);
    case "handshakes": {
      const { transport, warmup, concurrency } = options;
      const seconds = options.seconds!;
      console.log(
        `measuring ${transport} connections, ${concurrency} at once, ${seconds} s after ${warmup} s of warm-up`,
      );
      const result = await measureHandshakes({ ...common, transport, seconds, warmup, concurrency });
      console.log(`\n${handshakesReport(result, transport)}`);
      return result;
    }
    case "flood": {
      const { transport, warmup } = options;
      const seconds = options.seconds!;
      console.log(`measuring calls over ${transport} under a flood of UDP, ${seconds} s`);
      const result = await measureFlood({ ...common, transport, seconds, warmup });
      console.log(`\n${floodReport(result, transport)}`);
      if (result.flooded.failed > 0) process.exitCode = 1;
      return result;
    }
  }
}

async function calls(options: CallsOptions, common: Common, sipp: string | undefined): Promise<CallsResult[]> {
  const { transport, concurrency, connections, connectionPerCall, binaryFrames } = options;
  const load = { transport, concurrency, connections, connectionPerCall, binaryFrames };
  const results: CallsResult[] = [];
  for (const server of options.servers) {
    const shown = server === "sipp" ? `SIPp ${sipp ?? ""}` : server;
    console.log(`measuring ${shown}: ${concurrency} calls in flight over ${lanesOf(options)}, ${lengthOf(options)}`);
    const onSoak = options.totalCalls ? soakLine() : undefined;
    results.push(await measure(server, { ...options, ...common, load, onSoak }));
  }
  console.log(`\n${terminalTable(callsRows(results, options.generatorReport))}\n`);
  console.log(callsNotes(results, transport).join("\n"));
  if (results[0]!.run.failed > 0) process.exitCode = 1;
  return results;
}

async function idle({ idle: count, transport, concurrency, settle }: CallsOptions, common: Common): Promise<unknown> {
  const limit = openFileLimit();
  if (limit !== undefined && count + OTHER_FILES > limit) {
    console.error(
      `--idle ${count} needs ${count + OTHER_FILES} open files, and a process may have ${limit} (ulimit -n)`,
    );
    process.exitCode = 2;
    return undefined;
  }
  console.log(`measuring ${number(count)} idle ${transport} connections`);
  const result = await measureIdle({ ...common, transport, count, concurrency, settle });
  console.log(`\n${idleReport(result, count, transport)}`);
  return result;
}

function lanesOf({ transport, connections, connectionPerCall }: CallsOptions): string {
  if (connectionPerCall) return `a ${transport} connection each`;
  const what = transport === "udp" ? "socket" : "connection";
  return `${connections} ${transport} ${what}${connections === 1 ? "" : "s"}`;
}

function lengthOf({ calls, seconds, warmup }: CallsOptions): string {
  const length = calls === undefined ? `${seconds} s` : `${number(calls)} calls`;
  return `${length} after ${warmup} s of warm-up`;
}

/** Prints a line of a soak: calls ended, rate since the last line, resident memory. */
function soakLine(): { every: number; onEvery(ended: number, resident: number | undefined): void } {
  let last = performance.now();
  return {
    every: SOAK_STEP,
    onEvery(ended, resident) {
      const now = performance.now();
      const rate = (SOAK_STEP / (now - last)) * 1000;
      last = now;
      const cells = [number(ended).padStart(11), number(rate).padStart(8), megabytes(resident).padStart(8)];
      console.log(`${cells[0]} calls ${cells[1]} calls/s  RSS ${cells[2]} MB`);
    },
  };
}

if (import.meta.main) await main(Bun.argv.slice(2));
