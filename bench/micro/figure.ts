/** A microbenchmark's figure, and the tables that figures are shown in. */
import { MISSING, number, terminalTable } from "../load/table.ts";

/** What a figure counts. Less is better in both. */
export type Unit = "ns" | "bytes";

/** Something that does the same work, measured in the same run. */
export interface Peer {
  readonly name: string;
  readonly p50: number;
}

export interface Figure {
  /** The file under `bench/` that measured it. */
  readonly benchmark: string;
  readonly name: string;
  readonly unit: Unit;
  /** For one operation. */
  readonly p50: number;
  /** For one operation, on average of the sample at the 99th percentile; `undefined` where there is one sample only. */
  readonly p99?: number | undefined;
  /** What `p50` must not be over. */
  readonly budget?: number | undefined;
  readonly peer?: Peer | undefined;
  /** What a reader has to know to understand the figure. */
  readonly note?: string | undefined;
}

/** `pass` or `over` for a figure with a budget, `undefined` for one without. */
export function verdict({ p50, budget }: Figure): "pass" | "over" | undefined {
  return budget === undefined ? undefined : p50 <= budget ? "pass" : "over";
}

/** A value with its unit: `8.3 ns`, `412 ns`, `4.12 us`, `1.2 ms`, `640 B`. */
export function quantity(value: number, unit: Unit): string {
  if (unit === "bytes") return `${number(value)} B`;
  if (value < 100) return `${number(value, 1)} ns`;
  if (value < 1000) return `${number(value)} ns`;
  if (value < 1e6) return `${number(value / 1000, 2)} us`;
  return `${number(value / 1e6, 2)} ms`;
}

/** How a peer compares: `4.1x ours`. */
function against({ p50, peer }: Figure): string {
  return peer === undefined ? MISSING : `${number(peer.p50 / p50, 1)}x ours`;
}

/** One figure as it is printed the moment it is measured. */
export function figureLine(figure: Figure): string {
  const { name, unit, p50, p99, budget, peer, note } = figure;
  let line = `  ${name.padEnd(NAME_WIDTH)} ${quantity(p50, unit).padStart(9)}`;
  if (p99 !== undefined) line += `   p99 ${quantity(p99, unit).padStart(9)}`;
  if (budget !== undefined) line += `   budget ${quantity(budget, unit)}: ${verdict(figure)}`;
  if (peer !== undefined) line += `   ${peer.name} ${quantity(peer.p50, unit)}, ${against(figure)}`;
  if (note !== undefined) line += `   (${note})`;
  return line;
}
const NAME_WIDTH = 46;

/** All figures of a run in one table. */
export function summaryTable(figures: readonly Figure[]): string {
  const head = ["benchmark", "ours", "p99", "peer", "", "budget", "verdict"];
  const rows = figures.map((figure) => {
    const { benchmark, name, unit, p50, p99, budget, peer } = figure;
    return [
      `${benchmark}: ${name}`,
      quantity(p50, unit),
      p99 === undefined ? MISSING : quantity(p99, unit),
      peer === undefined ? MISSING : `${peer.name} ${quantity(peer.p50, unit)}`,
      against(figure),
      budget === undefined ? MISSING : quantity(budget, unit),
      verdict(figure) ?? MISSING,
    ];
  });
  return terminalTable([head, ...rows]);
}

/** Whether a value that came from another process is a figure. */
export function isFigure(value: unknown): value is Figure {
  if (typeof value !== "object" || value === null) return false;
  const { benchmark, name, unit, p50 } = value as Record<string, unknown>;
  const measured = typeof p50 === "number" && (unit === "ns" || unit === "bytes");
  return measured && typeof benchmark === "string" && typeof name === "string";
}
