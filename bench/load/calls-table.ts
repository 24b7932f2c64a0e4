/** The figures of the loop of calls as a table, and what a reader has to know beside them. */
import type { TransportName } from "../../src/transport/kinds.ts";
import { sippSpeaks } from "./calls-options.ts";
import type { CallsResult } from "./measure.ts";
import { MISSING, megabytes, milliseconds, number } from "./table.ts";

type Cell = (result: CallsResult) => string;

/** Rows for a table: a head, then a figure a row and a server a column. */
export function callsRows(results: CallsResult[], generatorReport: boolean): string[][] {
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
export function callsNotes(results: CallsResult[], transport: TransportName): string[] {
  const lines = [
    "In a closed loop the response time is the calls in flight over the rate: it tells of queueing, not of work.",
  ];
  if (results.some((r) => r.name.startsWith("sipp"))) {
    lines.push("SIPp's UAS sends no 100 and keeps no transactions: six messages a call to the seven of ours.");
  }
  if (!sippSpeaks(transport)) lines.push(`SIPp does not speak ${transport} here: no peer beside ours.`);
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
