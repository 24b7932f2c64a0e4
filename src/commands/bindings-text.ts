/** Registrations as people and programs read them. */

import { BindingFlag, type BindingRow } from "../location/row.ts";
import { printable } from "../observe/printable.ts";

/** Between two columns. */
const GAP = "  ";
/** A cell longer than this is cut, so that one long URI does not push the others off the screen. */
const WIDEST = 60;

const UNITS = [
  { name: "day", seconds: 86_400 },
  { name: "hour", seconds: 3600 },
  { name: "minute", seconds: 60 },
] as const;

/** A span as people say it: `58 minutes`. The unit is the largest of which there are two. */
export function spanText(seconds: number): string {
  const unit = UNITS.find((each) => seconds >= 2 * each.seconds);
  if (unit === undefined) return `${seconds} ${seconds === 1 ? "second" : "seconds"}`;
  return `${Math.floor(seconds / unit.seconds)} ${unit.name}s`;
}

/** One character an octet, as stores have it, made to be read: UTF-8 where it is that, and safe on a terminal. */
export function wordsOf(octets: string): string {
  return printable(decoded(octets));
}

/** A text that somebody typed as stores have it: one character an octet. */
export function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

function decoded(octets: string): string {
  const text = Buffer.from(octets, "latin1").toString("utf8");
  return text.includes("\ufffd") ? octets : text;
}

/** Rounded up, as the times of bindings are. */
function secondsNow(): number {
  return Math.ceil(Date.now() / 1000);
}

/** How a table is written. */
export interface TableShape {
  /** Whether the line that names the columns stands before it. Default true. */
  isFirst?: boolean;
  /** In seconds since 1970. */
  now?: number;
}

/** One line for each, in columns, by address and then the best first. */
export function tableText(
  rows: readonly BindingRow[],
  { isFirst = true, now = secondsNow() }: TableShape = {},
): string {
  const sorted = rows.toSorted((a, b) => compareTexts(a.aor, b.aor) || b.q - a.q || b.updated - a.updated);
  const head = ["ADDRESS", "CONTACT", "EXPIRES", "Q", "FROM", "USER AGENT"];
  const cells = sorted.map(({ aor, contact, expires, q, received, userAgent }) => {
    const left = `in ${spanText(Math.max(0, expires - now))}`;
    return [aor, contact, left, String(q / 1000), received, userAgent].map(wordsOf);
  });
  const lines = [head, ...cells].map((line) => line.map(cut));
  const widths = head.map((_, column) => lines.reduce((widest, line) => Math.max(widest, line[column]!.length), 0));
  return lines
    .slice(isFirst ? 0 : 1)
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join(GAP)
        .trimEnd(),
    )
    .join("\n");
}

function cut(cell: string): string {
  return cell.length > WIDEST ? `${cell.slice(0, WIDEST - 3)}...` : cell;
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** All there is to know of the registrations of one address. @param now in seconds since 1970 */
export function bindingText(aor: string, rows: readonly BindingRow[], now = secondsNow()): string {
  const count = rows.length === 1 ? "1 contact" : `${rows.length} contacts`;
  return [`${wordsOf(aor)}: ${count}`, ...rows.map((row) => blockText(row, now))].join("\n\n");
}

function blockText(row: BindingRow, now: number): string {
  const lines: [name: string, value: string][] = [
    ["expires", `in ${spanText(Math.max(0, row.expires - now))}, ${dateText(row.expires)}`],
    ["registered", `${spanText(Math.max(0, now - row.updated))} ago, ${dateText(row.updated)}`],
    ["q", String(row.q / 1000)],
    ["from", row.received],
    ["path", row.path],
    ["instance", row.instance],
    ["reg-id", row.regId === 0 ? "" : String(row.regId)],
    ["parameters", row.params],
    ["user agent", row.userAgent],
    ["Call-ID", row.callId],
    ["CSeq", String(row.cseq)],
    ["state", stateText(row.flags)],
  ];
  const shown = lines.filter(([, value]) => value !== "");
  const title = row.name === "" ? wordsOf(row.contact) : `${wordsOf(row.name)} <${wordsOf(row.contact)}>`;
  return [`  ${title}`, ...shown.map(([name, value]) => `    ${name.padEnd(10)}  ${wordsOf(value)}`)].join("\n");
}

const STATES: readonly (readonly [flag: number, words: string])[] = [
  [BindingFlag.Nat, "behind a NAT"],
  [BindingFlag.FlowOnly, "reached by its connection alone"],
  [BindingFlag.FlowLost, "its connection is gone"],
  [BindingFlag.Silent, "it does not answer"],
];

function stateText(flags: number): string {
  return STATES.flatMap(([flag, words]) => (flags & flag ? [words] : [])).join(", ");
}

function dateText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}

/** A registration as a JSON object on one line. */
export function jsonLine(row: BindingRow, now = secondsNow()): string {
  const { flags, q } = row;
  return JSON.stringify({
    aor: decoded(row.aor),
    contact: decoded(row.contact),
    name: decoded(row.name),
    q: q / 1000,
    expires: dateText(row.expires),
    expiresIn: Math.max(0, row.expires - now),
    updated: dateText(row.updated),
    params: decoded(row.params),
    instance: decoded(row.instance),
    regId: row.regId,
    path: decoded(row.path),
    received: row.received,
    userAgent: decoded(row.userAgent),
    callId: decoded(row.callId),
    cseq: row.cseq,
    isBehindNat: (flags & BindingFlag.Nat) !== 0,
    isFlowOnly: (flags & BindingFlag.FlowOnly) !== 0,
    isFlowLost: (flags & BindingFlag.FlowLost) !== 0,
    isSilent: (flags & BindingFlag.Silent) !== 0,
  });
}
