import { describe, expect, test } from "bun:test";
import { type Figure, figureLine, isFigure, quantity, summaryTable, verdict } from "../../bench/micro/figure.ts";

const plain: Figure = { benchmark: "scan", name: "INVITE", unit: "ns", p50: 480, p99: 700 };

describe("a figure", () => {
  test("passes at its budget and is over above it", () => {
    expect(verdict({ ...plain, budget: 480 })).toBe("pass");
    expect(verdict({ ...plain, budget: 479.9 })).toBe("over");
    expect(verdict(plain)).toBeUndefined();
  });

  test("is shown in a unit that fits", () => {
    expect(quantity(8.26, "ns")).toBe("8.3 ns");
    expect(quantity(412.4, "ns")).toBe("412 ns");
    expect(quantity(4123, "ns")).toBe("4.12 us");
    expect(quantity(1_234_567, "ns")).toBe("1.23 ms");
    expect(quantity(1640, "bytes")).toBe("1,640 B");
  });

  test("names its budget, its peer and its note in one line", () => {
    const line = figureLine({ ...plain, budget: 500, peer: { name: "sip", p50: 4800 }, note: "64 messages" });
    expect(line).toMatch(
      /INVITE +480 ns +p99 +700 ns +budget 500 ns: pass +sip 4\.80 us, 10\.0x ours +\(64 messages\)$/,
    );
    expect(figureLine({ ...plain, p99: undefined })).toMatch(/INVITE +480 ns$/);
  });

  test("crosses from one process to another, anything else does not", () => {
    expect(isFigure(JSON.parse(JSON.stringify(plain)))).toBe(true);
    for (const other of [null, "end", {}, { ...plain, unit: "s" }, { ...plain, p50: "480" }]) {
      expect(isFigure(other)).toBe(false);
    }
  });
});

test("the summary has a row for each figure, its columns lined up", () => {
  const lines = summaryTable([
    plain,
    { ...plain, benchmark: "wheel", name: "insert", p50: 12, budget: 10, peer: { name: "setTimeout", p50: 120 } },
    { benchmark: "memory", name: "transaction", unit: "bytes", p50: 700, budget: 800 },
  ]).split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[0]!.split(/ {2,}/)).toEqual(["benchmark", "ours", "p99", "peer", "budget", "verdict"]);
  expect(lines[1]!.split(/ {2,}/)).toEqual(["scan: INVITE", "480 ns", "700 ns", "-", "-", "-", "-"]);
  expect(lines[2]!.split(/ {2,}/)).toEqual([
    "wheel: insert",
    "12.0 ns",
    "700 ns",
    "setTimeout 120 ns",
    "10.0x ours",
    "10.0 ns",
    "over",
  ]);
  expect(lines[3]!.split(/ {2,}/)).toEqual(["memory: transaction", "700 B", "-", "-", "-", "800 B", "pass"]);
  expect(new Set(lines.slice(1).map((line) => line.length)).size).toBe(1);
});
