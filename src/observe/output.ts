/** Where the command's words go: a terminal with its status line, or JSON log lines for a program to read. */

import type pino from "pino";
import { jsonLogging, type LogLevel, plainLogging } from "./log.ts";
import { type Snapshot, startStatusLine } from "./status-line.ts";
import { Terminal } from "./terminal.ts";

/** What the command writes to. */
export interface Output {
  readonly log: pino.Logger;
  /** Says a line to a person: above the status line on a terminal, and nowhere else. */
  say(line: string): void;
  /** Whether a person reads, so that what {@link say} told need not be logged as well. */
  readonly forPeople: boolean;
  /** Keeps a status line under the log, drawn each second, where there is a terminal for it. */
  showStatus(snapshot: () => Snapshot): void;
  /** Takes the status line away and waits until all is written, at most a second. */
  close(): Promise<void>;
}

/** The part of `process.stdout` that an output needs. */
export interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Opens the output on `stdout`.
 * @param dumb whether the terminal cannot move its cursor (`TERM=dumb`); it then gets plain lines and no status line.
 */
export function openOutput(level: LogLevel, stdout: Screen, dumb: boolean): Output {
  if (!stdout.isTTY) {
    const { log, flush } = jsonLogging(level);
    return { log, forPeople: false, say() {}, showStatus() {}, close: flush };
  }
  const terminal = new Terminal((text) => stdout.write(text));
  let stopStatus = () => {};
  return {
    log: plainLogging(level, (line) => terminal.print(line)).log,
    forPeople: true,
    say: (line) => terminal.print(line),
    showStatus(snapshot) {
      if (dumb) return;
      const columns = () => stdout.columns || 80;
      stopStatus = startStatusLine({ snapshot, columns, draw: (text) => terminal.status(text), every }).stop;
    },
    close() {
      stopStatus();
      return Promise.resolve();
    },
  };
}

/** Calls `work` once each `ms`, for as long as something else keeps the process alive. */
export function every(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms);
  timer.unref();
  return () => clearInterval(timer);
}
