/** The measurements about connections as tables, each with the verdict on its budget. */
import type { TransportName } from "../../src/transport/kinds.ts";
import type { FloodResult } from "./flood.ts";
import type { HandshakeResult } from "./handshakes.ts";
import type { IdleResult } from "./idle.ts";
import type { RunResult } from "./run-result.ts";
import { megabytes, milliseconds, number, terminalTable } from "./table.ts";

/** Of 10,000 idle TCP connections: the whole process, in bytes. */
const IDLE_BUDGET = { count: 10_000, bytes: 100e6 };
/** The longest a call over a connection may take while UDP is flooded, in microseconds. */
const FLOOD_BUDGET = 500_000;

/** What idle connections cost. */
export function idleReport(result: IdleResult, asked: number, transport: TransportName): string {
  const { answered, seconds, memory, perConnection, cpuPerSecond, failures, stats } = result;
  const table = terminalTable([
    ["", "viaduct"],
    [`${transport} connections asked for`, number(asked)],
    ["opened and answered", number(answered)],
    ["open by the server's count", number(stats.connections)],
    ["opened and answered a second", number(answered / seconds)],
    ["memory before, MB", megabytes(memory.before)],
    ["memory with them, MB", megabytes(memory.open)],
    ["memory when they were closed, MB", megabytes(memory.closed)],
    ["bytes a connection", number(perConnection)],
    ["server CPU ms/s, idle", number(cpuPerSecond === undefined ? undefined : cpuPerSecond / 1000, 1)],
  ]);
  const lines = [table, "", "Memory is the process's own: what the kernel keeps for sockets is not in it."];
  lines.push(...failureLines(failures));
  if (transport === "tcp" && answered >= IDLE_BUDGET.count && memory.open !== undefined) {
    lines.push(verdict(`${megabytes(memory.open)} MB in all`, "100 MB", memory.open < IDLE_BUDGET.bytes));
  }
  return lines.join("\n");
}

/** What opening connections costs. */
export function handshakesReport(result: HandshakeResult, transport: TransportName): string {
  const { done, seconds, cpuPerHandshake: cpu, busy, failures } = result;
  const table = terminalTable([
    ["", "viaduct"],
    [`${transport} connections/s`, number(done / seconds)],
    ["opened, answered and closed", number(done)],
    ["server CPU us each, user", number(cpu?.user, 1)],
    ["server CPU us each, system", number(cpu?.system, 1)],
    ["server CPU us each, total", number(cpu?.total, 1)],
    ["server CPU busy %", number(busy === undefined ? undefined : busy * 100, 1)],
  ]);
  const lines = [
    table,
    "",
    "Each is accept, handshake, OPTIONS, 200, close. The same with --transport tcp has no TLS.",
  ];
  if (busy !== undefined && busy < 0.9) {
    lines.push(`Its core was only ${number(busy * 100)}% busy, so the generator or the machine was the limit.`);
  }
  return [...lines, ...failureLines(failures)].join("\n");
}

/** Calls without a flood and with one. */
export function floodReport({ quiet, flooded, flood, stats }: FloodResult, transport: TransportName): string {
  const row = (name: string, cell: (run: RunResult) => string): string[] => [name, cell(quiet), cell(flooded)];
  const table = terminalTable([
    [`one ${transport} call at a time`, "quiet", "flooded"],
    row("calls completed", (r) => number(r.completed)),
    row("calls failed", (r) => number(r.failed)),
    row("call time p50, ms", (r) => milliseconds(r.callTime.p50)),
    row("call time p99, ms", (r) => milliseconds(r.callTime.p99)),
    row("call time worst, ms", (r) => milliseconds(r.callTime.max)),
    row("INVITE to 200 worst, ms", (r) => milliseconds(r.answer.max)),
    ["UDP OPTIONS sent a second", "0", number(flood.sent / flood.seconds)],
    ["longest tick gap, ms", "", number(stats.longestTickGapMs, 1)],
  ]);
  const worst = flooded.callTime.max;
  return [
    table,
    "",
    "A call is INVITE to the 200 to BYE. The generator of calls shares its core with the flood.",
    ...failureLines(flooded.failures),
    verdict(`${milliseconds(worst)} ms at worst`, "500 ms", flooded.failed === 0 && worst < FLOOD_BUDGET),
  ].join("\n");
}

function failureLines(failures: Record<string, number>): string[] {
  return Object.entries(failures).map(([why, count]) => `${number(count)} failed: ${why}`);
}

function verdict(figure: string, budget: string, isKept: boolean): string {
  return `${figure}; budget ${budget}: ${isKept ? "kept" : "MISSED"}`;
}
