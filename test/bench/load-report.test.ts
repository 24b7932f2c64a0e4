import { describe, expect, test } from "bun:test";
import { markdownReport, type Report, terminalReport } from "../../scenarios/report/render.ts";
import { type Load, ROWS, type Row, selectRows } from "../../scenarios/report/rows.ts";
import type { RowResult } from "../../scenarios/report/run-row.ts";
import { sippArguments } from "../../scenarios/report/sipp.ts";

function ids(text: string): number[] {
  return selectRows(text).map(({ id }) => id);
}

describe("the rows of the load report", () => {
  test("are chosen by number, range and word, in the order of the table", () => {
    expect(ids("8")).toEqual([8]);
    expect(ids("7,1-3")).toEqual([1, 2, 3, 7]);
    expect(ids("tcp")).toEqual([10, 11, 12]);
    expect(ids("udp")).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(ids("tcp, 9, 10")).toEqual([9, 10, 11, 12]);
  });

  test("what names none is refused", () => {
    for (const text of ["0", "13", "3-1", "", "tls", "constructor"]) {
      expect(() => selectRows(text), text).toThrow("names no row");
    }
  });
});

describe("SIPp's arguments", () => {
  const of = (load: Load): string =>
    sippArguments({ row: ROWS[6]!, load, port: 5060, scenario: "s.xml", folder: "/tmp" }).join(" ");

  test("name the transport where it is not UDP", () => {
    expect(of("u1")).not.toContain(" -t ");
    expect(of("u1")).toContain(" -buff_size ");
    expect(of("t1")).not.toContain(" -buff_size ");
    expect(of("t1")).toContain(" -t t1 ");
    expect(of("tn")).toContain(" -t tn -max_socket 10000 -watchdog_interval 0 ");
  });
});

function result(row: Row, load: Load, successful: number): RowResult {
  return {
    row,
    load,
    command: `sipp for ${load}`,
    serverCommand: `server of ${row.loads.join()}`,
    exitCode: 0,
    seconds: 10,
    successful,
    failed: row.calls - successful,
    successPercent: (successful / row.calls) * 100,
    peakCalls: 5,
    messagesPerSecond: 7000,
    messages: { sent: 3, received: 4, latency: { 100: undefined, 180: undefined, 200: undefined } },
    retransmissions: { sipp: 0, server: 0 },
    timeouts: 0,
    cpuPerCall: { user: 20, system: 10, total: 30 },
    memory: { start: 1e6, peak: 2e6, end: 3e6 },
    memorySamples: [],
    sippCpuPerCall: 100,
    stats: {},
    errors: [],
  };
}

function report(results: RowResult[]): Report {
  const machine = { cpu: "a cpu", cores: 2, kernel: "a kernel", memoryBytes: 1e9 };
  const versions = { bun: "1", viaduct: "0", sipp: "v3" };
  return { date: "today", server: "Viaduct", scenario: "s.xml", machine, versions, results };
}

function tables(text: string): string[][] {
  return text
    .split("\n\n")
    .filter((part) => part.startsWith("| #"))
    .map((part) => part.split("\n"));
}

describe("the page", () => {
  const [nine, both] = [ROWS[8]!, ROWS[11]!];

  test("the rows over UDP come first and have tables of their own", () => {
    const results = [result(nine, "u1", 10_000), result(both, "u1", 10_000), result(both, "t1", 9_999)];
    const text = markdownReport(report(results));
    expect(text).toContain("over UDP and TCP on 127.0.0.1");
    expect(text.indexOf("## Beside siphon-rs")).toBeLessThan(text.indexOf("## Over TCP"));
    const [happened, beside, cost, times, over, costOfBoth, timesOfBoth] = tables(text);
    for (const rows of [happened!, beside!, cost!, times!]) {
      expect(rows).toHaveLength(3);
      expect(rows[2]).toStartWith("| 9 |");
    }
    expect(over!.slice(2).map((line) => line.split(" | ").slice(0, 6).join(" | "))).toEqual([
      "| 12 | UDP | 10,000 | 1,000 | 10.0 | 100%",
      "| 12 | TCP, one connection | 10,000 | 1,000 | 10.0 | 99.99%",
    ]);
    expect(costOfBoth).toHaveLength(3);
    expect(timesOfBoth).toHaveLength(4);
    expect(text).toContain("Server of row 9: `server of u1`. Server of row 12: `server of u1,t1`.");
  });

  test("without rows over TCP nothing is said of them, and the other way round", () => {
    const udp = markdownReport(report([result(nine, "u1", 10_000)]));
    expect(udp).toContain("full UAS over UDP on");
    expect(udp).not.toContain("TCP");
    const tcp = report([result(ROWS[9]!, "t1", 10_000)]);
    expect(markdownReport(tcp)).toContain("full UAS over TCP on");
    expect(markdownReport(tcp)).not.toContain("siphon-rs");
    expect(terminalReport(tcp).split("\n\n")).toHaveLength(3);
  });
});
