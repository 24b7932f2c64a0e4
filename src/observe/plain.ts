/** Log records as lines for people. */

import { printable } from "./printable.ts";

/** Fields that have a place of their own in a line. */
const PLACED: ReadonlySet<string> = new Set(["level", "time", "msg", "err"]);

/**
 * One pino record as text: `14:03:07 warn  message key=value`, in local time, with the stack of an `err` under it.
 * @param json the record as pino writes it, one JSON object. Anything else comes back printable but unchanged.
 * @returns the line, or several joined by "\n" for a stack; no newline at the end.
 */
export function plainLine(json: string): string {
  const record = parse(json);
  if (record === undefined) return printable(json.trimEnd());
  const { level, time, msg, err } = record;
  let line = `${clockTime(time)} ${word(level).padEnd(5)} ${word(msg)}`.trimEnd();
  for (const [key, value] of Object.entries(record)) {
    if (!PLACED.has(key)) line += ` ${printable(key)}=${word(value, true)}`;
  }
  return err === undefined ? line : line + errorText(err);
}

function parse(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** A value on one line; `quoted` puts quotes about a string that has spaces in it. */
function word(value: unknown, quoted = false): string {
  if (value === undefined) return "";
  if (typeof value !== "string") return printable(JSON.stringify(value));
  return printable(quoted && /[\s"=]|^$/.test(value) ? JSON.stringify(value) : value);
}

function errorText(err: unknown): string {
  const { message, stack } = (typeof err === "object" && err !== null ? err : { message: err }) as Record<
    string,
    unknown
  >;
  if (typeof stack !== "string") return ` err=${word(message, true)}`;
  return stack
    .split("\n")
    .map((frame) => `\n    ${printable(frame.trim())}`)
    .join("");
}

function clockTime(time: unknown): string {
  const date = new Date(typeof time === "string" || typeof time === "number" ? time : Number.NaN);
  if (Number.isNaN(date.getTime())) return "--:--:--";
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, "0")).join(":");
}
