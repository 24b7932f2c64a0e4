/**
 * Writes lines to a file descriptor in the background and in order.
 *
 * A write to a pipe whose reader has stopped blocks, and that must not stop calls: at most one write is under way, in
 * the thread pool, while lines gather for the next one. Over a limit lines are dropped and counted, and the count is
 * told to {@link LineWriterOptions.dropped} when there is room again. A pipe whose reader has gone swallows everything.
 */

import { write } from "node:fs";

export interface LineWriterOptions {
  /** Characters that may wait for the descriptor; lines over it are dropped. Default 4,194,304. */
  limit?: number;
  /** Makes the line, newline included, that says how many lines were dropped. Without it nothing is said. */
  dropped?: (lines: number) => string;
}

/** How long to wait before a descriptor in non-blocking mode is tried again, in milliseconds. */
const RETRY_MS = 20;

/** A background writer of lines. */
export class LineWriter {
  readonly #fd: number;
  readonly #limit: number;
  readonly #dropped: ((lines: number) => string) | undefined;
  #waiting = "";
  #droppedLines = 0;
  /** What is being written, or `undefined` when nothing is. */
  #current: Uint8Array | undefined;
  #broken = false;
  #idle: (() => void)[] = [];

  constructor(fd: number, options: LineWriterOptions = {}) {
    this.#fd = fd;
    this.#limit = options.limit ?? 4_194_304;
    this.#dropped = options.dropped;
  }

  /** Takes a line with its newline. Never blocks and never throws. */
  write(line: string): void {
    if (this.#broken) return;
    if (this.#waiting.length + line.length > this.#limit) {
      this.#droppedLines++;
      return;
    }
    this.#waiting += line;
    if (this.#current === undefined) this.#next();
  }

  /** Resolves with `true` when everything taken so far is written, or with `false` after `withinMs`. */
  flush(withinMs: number): Promise<boolean> {
    if (this.#current === undefined) return Promise.resolve(true);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), withinMs);
    this.#idle.push(() => {
      clearTimeout(timer);
      resolve(true);
    });
    return promise;
  }

  #next(): void {
    if (this.#droppedLines > 0 && this.#dropped !== undefined) this.#waiting += this.#dropped(this.#droppedLines);
    this.#droppedLines = 0;
    if (this.#waiting === "") {
      this.#current = undefined;
      for (const done of this.#idle.splice(0)) done();
      return;
    }
    this.#current = new TextEncoder().encode(this.#waiting);
    this.#waiting = "";
    this.#put();
  }

  #put(): void {
    const bytes = this.#current!;
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error?.code === "EAGAIN" || error?.code === "EINTR") {
        setTimeout(() => this.#put(), RETRY_MS);
        return;
      }
      if (error) {
        this.#broken = true;
        this.#waiting = "";
        this.#next();
      } else if (written < bytes.length) {
        this.#current = bytes.subarray(written);
        this.#put();
      } else this.#next();
    });
  }
}
