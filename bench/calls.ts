/**
 * The whole server under a closed loop of calls, in processes of their own: `bun run bench calls` or
 * `bun bench/calls.ts`. SIPp's UAS is measured in the same run by the same generator, so that the ratio holds on a
 * machine that is slow or shared.
 */
import { parseArgs } from "node:util";
import { machine, versions } from "./load/machine.ts";
import { type CallsResult, measure } from "./load/measure.ts";
import { cannotPin } from "./load/process.ts";
import { onInterrupt, SUBJECTS, type Subject, type SubjectName } from "./load/subject.ts";
import { MISSING, megabytes, milliseconds, number, terminalTable } from "./load/table.ts";

const USAGE = `bun bench/calls.ts [options]
  --seconds S          measure so long (default 10)
  --calls N            measure so many calls instead
  --concurrency C      calls in flight (default 128)
  --sockets K          UDP sockets of the generator (default 1)
  --warmup S           seconds before measuring (default 35: until as many transactions end as begin)
  --settle S           seconds before the last look at memory (default 1)
  --server viaduct|sipp  the server measured first (default viaduct)
  --peer sipp|none     the server measured beside it (default sipp where it is installed)
  --transport udp      the only one so far
  --total-calls N      soak: N calls to the first server, its memory every 50,000
  --generator-report   the generator's own cost as well
  --no-gc-log          do not ask for the collector's pauses
  --json FILE          write the figures there`;

/** Calls between two lines of a soak. */
const SOAK_STEP = 50_000;

/** Runs the benchmark with the arguments after its name. Sets `process.exitCode` to 1 when a call to ours failed. */
export async function main(argv: string[]): Promise<void> {
  const options = readOptions(argv);
  if (!options) return;
  const what = machine();
  const which = versions();
  console.log(`${what.cpu}, ${what.cores} cores, ${what.kernel}; Bun ${which.bun}, viaduct ${which.viaduct}`);
  const unpinned = cannotPin();
  if (unpinned) console.log(unpinned);
  let running: Subject | undefined;
  onInterrupt(() => running?.stop());
  const settings = { ...options, pinned: unpinned === undefined, onSubject: (subject: Subject) => (running = subject) };

  const results: CallsResult[] = [];
  for (const server of options.servers) {
    const shown = server === "sipp" ? `SIPp ${which.sipp ?? ""}` : server;
    console.log(`measuring ${shown}: ${options.concurrency} calls in flight, ${lengthOf(options)}`);
    results.push(await measure(server, { ...settings, onSoak: options.totalCalls ? soakLine() : undefined }));
  }
  console.log(`\n${terminalTable(rows(results, options.generatorReport))}\n`);
  console.log(notes(results).join("\n"));
  if (options.json) {
    const { concurrency, sockets, warmup } = options;
    const report = { machine: what, versions: which, settings: { concurrency, sockets, warmup }, results };
    await Bun.write(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  if (results[0]!.run.failed > 0) process.exitCode = 1;
}

interface Options {
  readonly servers: SubjectName[];
  readonly seconds: number | undefined;
  readonly calls: number | undefined;
  readonly totalCalls: number | undefined;
  readonly concurrency: number;
  readonly sockets: number;
  readonly warmup: number;
  readonly settle: number;
  readonly generatorReport: boolean;
  readonly gcLog: boolean;
  readonly json: string | undefined;
}

/** The options, or `undefined` after help or a fault was printed. */
function readOptions(argv: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        seconds: { type: "string" },
        calls: { type: "string" },
        concurrency: { type: "string", default: "128" },
        sockets: { type: "string", default: "1" },
        warmup: { type: "string", default: "35" },
        settle: { type: "string", default: "1" },
        server: { type: "string", default: "viaduct" },
        peer: { type: "string", default: Bun.which("sipp") ? "sipp" : "none" },
        transport: { type: "string", default: "udp" },
        "total-calls": { type: "string" },
        "generator-report": { type: "boolean", default: false },
        "no-gc-log": { type: "boolean", default: false },
        json: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      return undefined;
    }
    if (values.transport !== "udp") throw new Error(`--transport ${values.transport}: only udp is measured`);
    const totalCalls = amount("total-calls", values["total-calls"]);
    const calls = totalCalls ?? amount("calls", values.calls);
    const servers = [oneOf("server", values.server, SUBJECTS)];
    const peer = oneOf("peer", values.peer, [...SUBJECTS, "none"] as const);
    if (peer !== "none" && peer !== servers[0] && totalCalls === undefined) servers.push(peer);
    return {
      servers,
      calls,
      totalCalls,
      seconds: calls === undefined ? (amount("seconds", values.seconds) ?? 10) : undefined,
      concurrency: amount("concurrency", values.concurrency)!,
      sockets: amount("sockets", values.sockets)!,
      warmup: Number(values.warmup),
      settle: Number(values.settle),
      generatorReport: values["generator-report"],
      gcLog: !values["no-gc-log"],
      json: values.json,
    };
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

function amount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.replaceAll("_", ""));
  if (!(value > 0)) throw new Error(`--${name} ${text}: not a number above 0`);
  return value;
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`--${name} ${value}: not one of ${allowed.join(", ")}`);
  return found;
}

function lengthOf({ calls, seconds, warmup }: Options): string {
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

type Cell = (result: CallsResult) => string;

function rows(results: CallsResult[], generatorReport: boolean): string[][] {
  const figures: [string, Cell][] = [
    ["calls/s", (r) => number(r.run.callsPerSecond)],
    ["calls completed", (r) => number(r.run.completed)],
    ["calls failed", (r) => number(r.run.failed)],
    ["server CPU us/call, user", (r) => number(r.cpuPerCall?.user, 1)],
    ["server CPU us/call, system", (r) => number(r.cpuPerCall?.system, 1)],
    ["server CPU us/call, total", (r) => number(r.cpuPerCall?.total, 1)],
    ["server CPU busy %", (r) => number(r.busy === undefined ? undefined : r.busy * 100, 1)],
    ["memory at start, MB", (r) => megabytes(r.memory.start)],
    ["memory at peak, MB", (r) => megabytes(r.memory.peak)],
    ["memory after, MB", (r) => megabytes(r.memory.after)],
    ["longest tick gap, ms", (r) => number(r.stats.longestTickGapMs, 1)],
    ["longest GC pause, ms", (r) => number(r.longestGcPauseMs, 2)],
    ["retransmissions, generator", (r) => number(r.run.retransmissions)],
    ["repeated 200s to INVITE", (r) => number(r.run.repeatedOk)],
    ["retransmissions, server sent", (r) => number(r.stats.retransmissionsSent)],
    ["retransmissions, server received", (r) => number(r.stats.retransmissionsReceived)],
    ["server sends dropped", (r) => number(r.stats.sendDropped)],
    ["messages sent to the server", (r) => number(r.run.sent)],
    ["messages from the server", (r) => number(r.run.received)],
    ["INVITE to 200 p50, ms", (r) => milliseconds(r.run.answer.p50)],
    ["INVITE to 200 p90, ms", (r) => milliseconds(r.run.answer.p90)],
    ["INVITE to 200 p95, ms", (r) => milliseconds(r.run.answer.p95)],
    ["INVITE to 200 p99, ms", (r) => milliseconds(r.run.answer.p99)],
    ["INVITE to 200 p99.9, ms", (r) => milliseconds(r.run.answer.p999)],
    ["INVITE to 200 max, ms", (r) => milliseconds(r.run.answer.max)],
  ];
  if (generatorReport) {
    figures.push(
      ["generator CPU us/call, user", (r) => number(r.run.cpu.user / r.run.completed, 1)],
      ["generator CPU us/call, system", (r) => number(r.run.cpu.system / r.run.completed, 1)],
      ["generator CPU busy %", (r) => number((r.run.cpu.user + r.run.cpu.system) / r.run.totalSeconds / 1e4, 1)],
    );
  }
  return [["", ...results.map((r) => r.name)], ...figures.map(([name, cell]) => [name, ...results.map(cell)])];
}

/** What a reader has to know to read the table, and what went wrong. */
function notes(results: CallsResult[]): string[] {
  const lines = [
    "In a closed loop the response time is the calls in flight over the rate: it tells of queueing, not of work.",
  ];
  if (results.some((r) => r.name.startsWith("sipp"))) {
    lines.push("SIPp's UAS sends no 100 and keeps no transactions: six messages a call to the seven of ours.");
  }
  for (const { name, run, busy, stats } of results) {
    for (const [why, count] of Object.entries(run.failures)) lines.push(`${name}: ${number(count)} failed: ${why}`);
    if (busy !== undefined && busy < 0.9) {
      lines.push(
        `${name}: its core was only ${number(busy * 100)}% busy, so the generator or the machine was the limit.`,
      );
    }
    if (stats.transactions !== undefined) {
      const dialogs = stats.dialogs === undefined ? MISSING : number(stats.dialogs);
      lines.push(`${name}: ${number(stats.transactions)} transactions and ${dialogs} dialogs live at the end.`);
    }
  }
  return lines;
}

if (import.meta.main) await main(Bun.argv.slice(2));
