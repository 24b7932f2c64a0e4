/**
 * The garbage collector's pauses, from what JavaScriptCore itself prints when BUN_JSC_logGC=1. After each stretch in
 * which it stopped the program it writes `p=<milliseconds>ms`; several such stretches make one collection.
 */

/** The environment that makes a Bun process print its collections to stderr. */
export const GC_LOG_ENVIRONMENT = { BUN_JSC_logGC: "1" } as const;

const PAUSE = /\bp=([\d.]+)ms \(max/g;
const FROM_COLLECTOR = /\[GC<|^Requesting GC|^GC (END|START|BEGIN)|\(C:\d+ M:\d+/;

/** Reads the stderr of a Bun process that runs with {@link GC_LOG_ENVIRONMENT}. */
export class GcLog {
  #longest = 0;
  #pauses = 0;
  #seen = false;

  /** The longest pause in milliseconds since the last reset; `undefined` when no line of the collector was ever seen. */
  get longestPauseMs(): number | undefined {
    return this.#seen ? this.#longest : undefined;
  }

  /** Pauses since the last reset. */
  get pauses(): number {
    return this.#pauses;
  }

  reset(): void {
    this.#longest = 0;
    this.#pauses = 0;
  }

  /** Takes one line; returns whether it was the collector's. */
  line(text: string): boolean {
    if (!FROM_COLLECTOR.test(text)) return false;
    this.#seen = true;
    for (const match of text.matchAll(PAUSE)) {
      this.#pauses++;
      this.#longest = Math.max(this.#longest, Number(match[1]));
    }
    return true;
  }

  /** Reads a stream to its end; lines that are not the collector's go to `others`. */
  async read(stream: ReadableStream<Uint8Array>, others: (line: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (!this.line(line)) others(line);
    }
    if (rest !== "" && !this.line(rest)) others(rest);
  }
}
