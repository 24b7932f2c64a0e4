/** How bindings stand in Redis, and what servers tell each other of them. Nothing that comes from there is trusted. */
import type { BindingRow } from "./row.ts";

/**
 * Which of two words on a binding is the later one: that of the later update; where these are of one second, that of the
 * binding that was made later; where it is the same one, that of the later CSeq.
 */
export type Version = Pick<BindingRow, "updated" | "id" | "cseq">;

/** A binding in Redis, and the server that it was registered at; empty where nobody knows any more. */
export interface SharedRow {
  readonly row: BindingRow;
  readonly server: string;
}

/** A binding that is gone, as it was known where it was ended: a later refresh, elsewhere, outlives that. */
export interface GoneRow extends Version {
  readonly aor: string;
  /** By `bindingKey`. */
  readonly key: string;
}

/** What one server tells the others. */
export interface News {
  readonly rows: readonly SharedRow[];
  readonly gone: readonly GoneRow[];
}

/** Longer than any binding that a REGISTER can make. */
const MAX_VALUE = 128 * 1024;
const MAX_TEXT = 0xffff;
const MAX_U32 = 0xffff_ffff;
/** What no header field can hold: NUL, and CR or LF but where a line is folded; nor is this an octet. */
const NOT_PLAIN = /\0|\r(?!\n[\t ])|(?<!\r)\n|[^\0-\xff]/;

const TEXTS = "aor name contact params instance callId path received userAgent".split(" ") as (keyof BindingRow)[];
const NUMBERS: readonly (readonly [keyof BindingRow, number])[] = [
  ["id", Number.MAX_SAFE_INTEGER],
  ["regId", MAX_U32],
  ["q", 1000],
  ["cseq", MAX_U32],
  ["expires", MAX_U32],
  ["updated", MAX_U32],
  ["flags", 31],
];

// ---- keys

/** The key of a binding in Redis. @param key by `bindingKey` */
export function keyOf(prefix: string, aor: string, key: string): string {
  return `${prefix}b:${aor}|${key}`;
}

/** What matches the keys of all bindings, or of one address-of-record, in SCAN. */
export function patternOf(prefix: string, aor?: string): string {
  const plain = (text: string) => text.replace(/[\\*?[\]^]/g, "\\$&");
  return aor === undefined ? `${plain(prefix)}b:*` : `${plain(prefix)}b:${plain(aor)}|*`;
}

/** The channel that servers talk on. */
export function channelOf(prefix: string): string {
  return `${prefix}news`;
}

// ---- values: 37 digits that tell the later of two, and JSON

/** Digits that a value begins with. */
export const VERSION_DIGITS = 37;

/** Above 0 when the first is the later one. */
export function compareVersions(one: Version, other: Version): number {
  return one.updated - other.updated || one.id - other.id || one.cseq - other.cseq;
}

/** The version in digits, so that texts compare as versions do; of a binding that is gone, later than that it is there. */
export function versionDigits({ updated, id, cseq }: Version, isGone: boolean): string {
  return `${digits(updated, 10)}${digits(id, 16)}${digits(cseq, 10)}${isGone ? 1 : 0}`;
}

function digits(value: number, width: number): string {
  return String(value).padStart(width, "0");
}

export function writeRow(row: BindingRow, server: string): string {
  return JSON.stringify({ ...row, server });
}

/** Stands for a while in the place of a binding that is gone, against servers that have not heard of it. */
export function writeGone(gone: GoneRow): string {
  return JSON.stringify({ gone });
}

/** A binding in a value of Redis, or that it is gone; null for what is neither. */
export function readValue(value: string): SharedRow | GoneRow | null {
  if (value.length > MAX_VALUE) return null;
  try {
    const found = JSON.parse(value.slice(VERSION_DIGITS)) as { gone?: unknown } | null;
    return isGone(found?.gone) ? found.gone : rowFrom(found);
  } catch {
    return null;
  }
}

/** What a value holds, if it is a binding. */
export function readRow(value: string): SharedRow | null {
  const found = readValue(value);
  return found !== null && "row" in found ? found : null;
}

function rowFrom(value: unknown): SharedRow | null {
  if (typeof value !== "object" || value === null) return null;
  const { server, ...fields } = value as Record<string, unknown>;
  for (const name of TEXTS) {
    const text = fields[name];
    if (typeof text !== "string" || text.length > MAX_TEXT || NOT_PLAIN.test(text)) return null;
  }
  for (const [name, most] of NUMBERS) {
    const number = fields[name];
    if (!Number.isSafeInteger(number) || (number as number) < 0 || (number as number) > most) return null;
  }
  const row = fields as unknown as BindingRow;
  if (row.aor === "" || row.contact === "" || !row.params.includes(row.instance)) return null;
  return { row, server: typeof server === "string" ? server : "" };
}

function isGone(value: unknown): value is GoneRow {
  if (typeof value !== "object" || value === null) return false;
  const { aor, key, ...numbers } = value as Record<string, unknown>;
  if (typeof aor !== "string" || typeof key !== "string") return false;
  return ["updated", "id", "cseq"].every((name) => typeof numbers[name] === "number");
}

// ---- news

/**
 * @param rows by {@link writeRow}
 * @param origin a word of who says it, without a blank
 */
export function writeNews(origin: string, rows: readonly string[], gone: readonly GoneRow[]): string {
  return `${origin} {"rows":[${rows.join(",")}],"gone":${JSON.stringify(gone)}}`;
}

/** Whether news come from `origin`. */
export function isFrom(origin: string, news: string): boolean {
  return news.startsWith(origin) && news[origin.length] === " ";
}

/** @returns null for what is no news; of its bindings those that are any */
export function readNews(news: string): News | null {
  try {
    const { rows, gone } = JSON.parse(news.slice(news.indexOf(" ") + 1)) as { rows: unknown[]; gone: unknown[] };
    return { rows: rows.map(rowFrom).filter((one) => one !== null), gone: gone.filter(isGone) };
  } catch {
    return null;
  }
}
