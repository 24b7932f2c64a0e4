/** Tables of text, numbers and bytes as the reports print them. */

/** What stands where a figure is missing. */
export const MISSING = "-";

/** `rows` with their columns lined up, the first one left and the others right, for a terminal. */
export function terminalTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

/** `rows` as a Markdown table whose first row is its head. `rule` sets the columns after the first: right by default. */
export function markdownTable(rows: readonly (readonly string[])[], rule = "---:"): string {
  const line = (row: readonly string[]): string => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const [head = [], ...body] = rows;
  return [line(head), `|${head.map((_, i) => (i === 0 ? "---" : rule)).join("|")}|`, ...body.map(line)].join("\n");
}

/** A number with thousands set apart and `digits` after the point (default 0). */
export function number(value: number | undefined, digits = 0): string {
  if (value === undefined || Number.isNaN(value)) return MISSING;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Bytes in MB of 1,000,000, one digit after the point. */
export function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? MISSING : number(bytes / 1e6, 1);
}

/** Microseconds in milliseconds, to two digits. */
export function milliseconds(micros: number | undefined): string {
  return micros === undefined ? MISSING : number(micros / 1000, 2);
}
