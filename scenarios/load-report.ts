/**
 * The load report: `bun run load-report [rows] [options]`. Runs the rows of `report/rows.ts` with SIPp against a server
 * that it starts itself, and writes what it saw. Ends with 1 when any call failed, 2 when it could not run.
 */

import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { machine, versions } from "../bench/load/machine.ts";
import { SUBJECTS } from "../bench/load/subject.ts";
import { megabytes, number } from "../bench/load/table.ts";
import { markdownReport, type Report, terminalReport } from "./report/render.ts";
import { isUdp, LOADS, type Load, ROWS, type Row, selectRows } from "./report/rows.ts";
import { type RowResult, runRow } from "./report/run-row.ts";
import type { SippCounters } from "./report/sipp.ts";

const USAGE = `bun run load-report [rows] [options]
  rows             such as 1-9, 8 or 7,9; udp for the rows over UDP, tcp for the others (default all)
  --retrans        let SIPp retransmit (scenarios/invite_bye_retrans.xml); default rows: udp
  --json FILE      default docs/load-report.json
  --markdown FILE  default docs/load-report.md
  --server sipp    load SIPp's own UAS instead of viaduct, for comparison; it cannot take UDP and TCP at once`;

/** Why SIPp ended, by its exit code, where the code says more than "a call failed". */
const EXITS: Record<number, string> = {
  97: "SIPp reached its time limit",
  137: "SIPp hung and was killed",
  253: "SIPp could not bind its socket",
  254: "SIPp lost its connection",
  255: "SIPp met a fatal error",
};

/** Returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(argv);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  if (!Bun.which("sipp")) {
    console.error(
      "load-report needs SIPp: apt-get install sip-tester, brew install sipp, or https://sipp.sourceforge.net",
    );
    return 2;
  }
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());

  const results: RowResult[] = [];
  for (const row of options.rows) {
    try {
      results.push(...(await runWithProgress(row, options, interrupt.signal)));
    } catch (error) {
      if (interrupt.signal.aborted) {
        console.error("\ninterrupted: no report written");
        return 130;
      }
      console.error(`\nrow ${row.id}: ${(error as Error).message}`);
      return 2;
    }
  }
  const report: Report = {
    date: new Date().toISOString(),
    server: options.server === "sipp" ? "SIPp's own UAS" : "Viaduct",
    scenario: options.scenario,
    machine: machine(),
    versions: versions(),
    results,
  };
  console.log(`\n${terminalReport(report)}\n`);
  await write(options.markdown, markdownReport(report));
  await write(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(`wrote ${options.markdown} and ${options.json}`);
  return report.results.every((r) => r.successful === r.row.calls) ? 0 : 1;
}

function readOptions(argv: string[]) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      retrans: { type: "boolean", default: false },
      json: { type: "string" },
      markdown: { type: "string" },
      server: { type: "string", default: "viaduct" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const server = SUBJECTS.find((name) => name === values.server);
  if (!server) throw new Error(`--server ${values.server}: not one of ${SUBJECTS.join(", ")}`);
  if (positionals.length > 1)
    throw new Error(`rows are one word, as in 1-9, 8 or 7,tcp; not "${positionals.join(" ")}"`);
  const isSipp = server === "sipp";
  const rows =
    positionals[0] === undefined
      ? ROWS.filter((row) => (isUdp(row) || !values.retrans) && (row.loads.length === 1 || !isSipp))
      : selectRows(positionals[0]);
  const both = rows.find((row) => row.loads.length > 1);
  if (isSipp && both) throw new Error(`row ${both.id}: SIPp's UAS cannot take UDP and TCP at once`);
  // The report that the documentation shows is the plain one of all rows: other kinds go beside it.
  const name = values.retrans ? "load-report-retrans" : "load-report";
  return {
    rows,
    scenario: values.retrans ? "scenarios/invite_bye_retrans.xml" : "scenarios/invite_bye.xml",
    server,
    json: values.json ?? `docs/${name}.json`,
    markdown: values.markdown ?? `docs/${name}.md`,
    help: values.help,
  };
}

async function runWithProgress(
  row: Row,
  options: ReturnType<typeof readOptions>,
  signal: AbortSignal,
): Promise<RowResult[]> {
  const show = (text: string): void => {
    if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  };
  const head = headOf(row);
  show(`${head}, starting`);
  const results = await runRow(row, {
    server: options.server,
    scenario: options.scenario,
    signal,
    onProgress: (counters, resident) => show(progress(head, counters, resident)),
  });
  show("");
  for (const result of results) {
    console.log(
      `${headOf(row, [result.load])}: ${number(result.successful)} succeeded in ${number(result.seconds, 1)} s`,
    );
    if (result.failed === 0) continue;
    console.log(`  ${number(result.failed)} failed; ${EXITS[result.exitCode] ?? `SIPp ended with ${result.exitCode}`}`);
    for (const line of result.errors) console.log(`  ${line}`);
  }
  return results;
}

function headOf(row: Row, loads: readonly Load[] = row.loads): string {
  const over = isUdp(row) ? "" : ` over ${loads.map((load) => LOADS[load]).join(" and over ")}`;
  return `row ${row.id}: ${number(row.calls)} calls at ${number(row.rate)}/s${over}`;
}

function progress(head: string, counters: SippCounters[], resident: number | undefined): string {
  if (counters.length === 0) return `${head}, starting`;
  const sum = (key: "successful" | "failed" | "current"): string =>
    number(counters.reduce((total, one) => total + one[key], 0));
  const memory = megabytes(resident);
  return `${head}: ${sum("successful")} done, ${sum("failed")} failed, ${sum("current")} live, RSS ${memory} MB`;
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await Bun.write(path, text);
}

if (import.meta.main) process.exit(await main(Bun.argv.slice(2)));
