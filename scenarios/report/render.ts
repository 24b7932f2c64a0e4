/** The load report as a terminal's table and as Markdown. */

import type { Machine, Versions } from "../../bench/load/machine.ts";
import type { Percentiles } from "../../bench/load/run-result.ts";
import { MISSING, markdownTable, megabytes, milliseconds, number, terminalTable } from "../../bench/load/table.ts";
import { TIMED } from "./messages.ts";
import { isUdp, LOADS } from "./rows.ts";
import type { RowResult } from "./run-row.ts";

export interface Report {
  /** ISO 8601. */
  readonly date: string;
  readonly server: string;
  readonly scenario: string;
  readonly machine: Machine;
  readonly versions: Versions;
  readonly results: RowResult[];
}

type Column = [string, (result: RowResult) => string];

const ROW: Column = ["#", ({ row }) => number(row.id)];
const RATE: Column = ["rate (cps)", ({ row }) => number(row.rate)];
const OVER: Column = ["over", ({ load }) => LOADS[load]];
const LOAD: Column[] = [ROW, ["calls", ({ row }) => number(row.calls)], RATE];

const RESULT: Column[] = [
  ["duration (s)", (r) => number(r.seconds, 1)],
  ["success", (r) => percent(r.successPercent)],
  ["peak concurrent", (r) => number(r.peakCalls)],
  ["msg/s", (r) => number(r.messagesPerSecond)],
  ["retransmissions (SIPp / server)", (r) => `${number(r.retransmissions.sipp)} / ${number(r.retransmissions.server)}`],
  ["timeouts", (r) => number(r.timeouts)],
];

const REFERENCE: Column[] = [
  ["siphon-rs success", ({ row }) => percent(row.reference?.successPercent)],
  ["siphon-rs msg/s", ({ row }) => number(row.reference?.messagesPerSecond)],
  ["siphon-rs peak", ({ row }) => number(row.reference?.peakCalls)],
  ["siphon-rs duration (s)", ({ row }) => number(row.reference?.seconds, 1)],
];

const COST: Column[] = [
  ["CPU us/call", (r) => number(r.cpuPerCall?.total)],
  ["user", (r) => number(r.cpuPerCall?.user)],
  ["system", (r) => number(r.cpuPerCall?.system)],
  ["memory start (MB)", (r) => megabytes(r.memory.start)],
  ["peak (MB)", (r) => megabytes(r.memory.peak)],
  ["end (MB)", (r) => megabytes(r.memory.end)],
  ["longest tick gap (ms)", (r) => number(r.stats.longestTickGapMs, 1)],
];

const QUANTILES: [string, keyof Percentiles][] = [
  ["p50", "p50"],
  ["p95", "p95"],
  ["p99", "p99"],
  ["max", "max"],
];

const LATENCY: Column[] = TIMED.flatMap((status) =>
  QUANTILES.map(([name, key]): Column => [`${status} ${name}`, (r) => milliseconds(r.messages.latency[status]?.[key])]),
);

function percent(value: number | undefined): string {
  if (value === undefined) return MISSING;
  // 99.996% must not read as 100%.
  return value === 100 ? "100%" : `${Math.min(value, 99.99).toFixed(2)}%`;
}

function table(columns: Column[], results: readonly RowResult[]): string[][] {
  return [columns.map(([name]) => name), ...results.map((result) => columns.map(([, cell]) => cell(result)))];
}

const SIPP_COST: Column = ["SIPp CPU us/call", (r) => number(r.sippCpuPerCall)];
/** What SIPp's `-t tn` does to its own figures. */
const ONE_FOR_EACH =
  "With a connection for each call SIPp binds each socket to a port of its own, for which the kernel searches longer the more " +
  "ports wait to be free again: SIPp spends most of its time there, does not hold its rate, and is late with its ACKs. Its " +
  "list of messages leaves out the INVITE, which waits for its connection, so there are no response times.";
const RESPONSES = "INVITE to 100, 180 and 200, in ms";

function split(results: readonly RowResult[]): { udp: RowResult[]; others: RowResult[] } {
  return { udp: results.filter(({ row }) => isUdp(row)), others: results.filter(({ row }) => !isUdp(row)) };
}

/** The first result of each row: what is said of the server is in all of them. */
function onePerRow(results: readonly RowResult[]): RowResult[] {
  return results.filter(({ row }, i) => results.findIndex((other) => other.row === row) === i);
}

/** The tables for a terminal: what happened beside the reference, then cost, then response times in milliseconds. */
export function terminalReport({ results }: Report): string {
  const { udp, others } = split(results);
  const tables: string[] = [];
  if (udp.length > 0) {
    tables.push(
      terminalTable(table([...LOAD, ...RESULT, ...REFERENCE.slice(0, 2)], udp)),
      terminalTable(table([ROW, RATE, ...COST], udp)),
      `${RESPONSES}\n${terminalTable(table([ROW, RATE, ...LATENCY], udp))}`,
    );
  }
  if (others.length > 0) {
    tables.push(
      terminalTable(table([ROW, OVER, ...LOAD.slice(1), ...RESULT], others)),
      terminalTable(table([ROW, RATE, ...COST], onePerRow(others))),
      `${RESPONSES}\n${terminalTable(table([ROW, OVER, ...LATENCY], others))}`,
    );
  }
  return tables.join("\n\n");
}

/** The report as a page. */
export function markdownReport(report: Report): string {
  const { machine, versions, results } = report;
  const { udp, others } = split(results);
  const faults = results.filter((r) => r.errors.length > 0);
  const over = others.length === 0 ? "UDP" : udp.length === 0 ? "TCP" : "UDP and TCP";
  const parts = [
    "# Load report",
    `${report.server} as a full UAS over ${over} on 127.0.0.1, loaded by SIPp on the same host, ${report.date}. ` +
      "Made by `bun run load-report`; each row has a fresh server.",
    markdownTable(
      [
        ["what", "which"],
        ["CPU", `${machine.cpu}, ${machine.cores} cores, shared by server and SIPp`],
        ["memory", `${number(machine.memoryBytes / 1e9, 1)} GB`],
        ["kernel", machine.kernel],
        ["Bun", versions.bun],
        ["viaduct", versions.viaduct],
        ["SIPp", versions.sipp ?? MISSING],
        ["scenario", `\`${report.scenario}\``],
      ],
      "---",
    ),
    "A call is INVITE with SDP, 100, 180, 200, ACK, 500 ms, BYE, 200: seven messages.",
    ...(udp.length > 0 ? udpParts(udp) : []),
    ...(others.length > 0 ? otherParts(others) : []),
    "## Commands",
    `${serverCommands(results)} SIPp, from the project's folder, with a temporary folder for TMP:`,
    `\`\`\`sh\n${results.map((r) => `# row ${r.row.id}\n${r.command}`).join("\n")}\n\`\`\``,
    "`-buff_size` enlarges SIPp's socket buffers: its default of 64 KB overflows when SIPp itself sends a burst. `-l` keeps " +
      "SIPp from holding its rate back. `-recv_timeout` fails a call that waits 32 s, 64*T1. `-trace_shortmsg` costs SIPp a write for each message and gives the response times.",
  ];
  if (faults.length > 0) {
    parts.push("## What SIPp complained of");
    for (const r of faults) parts.push(`Row ${r.row.id}:\n\n\`\`\`\n${r.errors.join("\n")}\n\`\`\``);
  }
  return `${parts.join("\n\n")}\n`;
}

function udpParts(results: readonly RowResult[]): string[] {
  return [
    "## What happened",
    markdownTable(table([...LOAD, ...RESULT], results)),
    "Messages are counted in SIPp's list of them, both directions, retransmissions included, and divided by the duration.",
    "## Beside siphon-rs",
    "The figures that the siphon-rs project published for its own server and the same rows, on its own machine.",
    markdownTable(table([...LOAD, RESULT[1]!, RESULT[3]!, RESULT[2]!, RESULT[0]!, ...REFERENCE], results)),
    "## Cost",
    "CPU and memory of the server's process, all threads, from `/proc`. CPU is known to 10 ms in all, so the rows with few " +
      "calls are coarse, and they carry the process's idle work and its warming up on few calls.",
    markdownTable(table([ROW, RATE, ...COST, SIPP_COST], results)),
    "## Response times",
    "Milliseconds from the INVITE to the first 100, 180 and 200, from the microsecond times in SIPp's list of messages. " +
      "They include what SIPp takes to come to read, which at 5,000 calls/s can be most of it.",
    markdownTable(table([ROW, RATE, ...LATENCY], results)),
  ];
}

function otherParts(results: readonly RowResult[]): string[] {
  return [
    "## Over TCP, and over UDP and TCP at once",
    "The same call. A row over both has two SIPps at the same time, each with its own calls and rate, and a line for each.",
    markdownTable(table([ROW, OVER, ...LOAD.slice(1), ...RESULT], results)),
    "The server's cost, for each call over either:",
    markdownTable(table([ROW, RATE, ...COST], onePerRow(results))),
    "Milliseconds from the INVITE to the first 100, 180 and 200, and SIPp's own CPU:",
    markdownTable(table([ROW, OVER, ...LATENCY, SIPP_COST], results)),
    ...(results.some(({ load }) => load === "tn") ? [ONE_FOR_EACH] : []),
  ];
}

/** The server's command, with the rows it is that of where there are several. */
function serverCommands(results: readonly RowResult[]): string {
  const rows = new Map<string, Set<number>>();
  for (const { serverCommand, row } of results) {
    rows.set(serverCommand, (rows.get(serverCommand) ?? new Set()).add(row.id));
  }
  const commands = [...rows];
  if (commands.length === 1) return `Server of each row: \`${commands[0]![0]}\`.`;
  return commands.map(([command, ids]) => `Server of row ${[...ids].join(", ")}: \`${command}\`.`).join(" ");
}
