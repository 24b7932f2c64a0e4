/** Makes the logger: JSON lines on a file descriptor, or plain lines on a terminal. */

import pino from "pino";
import { LineWriter } from "./line-writer.ts";
import { plainLine } from "./plain.ts";

/** The least urgent level that is logged; `silent` logs nothing. */
export type LogLevel = pino.LevelWithSilent;

/** The logger, and a way to see that what was logged has been written. */
export interface Logging {
  readonly log: pino.Logger;
  /** Resolves when everything logged so far is written, or after `withinMs` (1000) when the reader does not read. */
  flush(withinMs?: number): Promise<void>;
}

/**
 * A logger that writes one JSON object a line to `fd` (1, stdout), with `level` as a word and `time` in ISO 8601. It
 * writes in the background, and drops lines rather than wait when the reader is far behind.
 */
export function jsonLogging(level: LogLevel, fd = 1): Logging {
  const writer = new LineWriter(fd, { dropped: droppedRecord });
  return {
    log: pino({ ...FORMAT, level }, writer),
    async flush(withinMs = 1000) {
      await writer.flush(withinMs);
    },
  };
}

function droppedRecord(lines: number): string {
  return `${JSON.stringify({ level: "warn", time: new Date(), lines, msg: "log lines were dropped" })}\n`;
}

/** A logger that hands each record as a plain line, without its newline, to `print`. */
export function plainLogging(level: LogLevel, print: (line: string) => void): Logging {
  const log = pino({ ...FORMAT, level }, { write: (json: string) => print(plainLine(json)) });
  return { log, flush: () => Promise.resolve() };
}

const FORMAT = {
  base: undefined,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label: string) => ({ level: label }) },
};
