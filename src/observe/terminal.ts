/**
 * A terminal whose last line is a status line.
 *
 * Lines printed go above it: the status line is erased, the line is written with its newline, and the status line is
 * drawn again. All in one write, so that nothing flickers.
 */

/** Carriage return, then "erase to the end of the line" (ECMA-48 EL). */
const ERASE = "\r\x1b[K";

/** A status line under lines that scroll. */
export class Terminal {
  readonly #write: (text: string) => void;
  #status = "";

  /** @param write puts text on the terminal as it is. */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Prints a line, or several joined by "\n", above the status line. */
  print(line: string): void {
    this.#write(this.#status === "" ? `${line}\n` : `${ERASE}${line}\n${this.#status}`);
  }

  /** Draws `text` as the status line; "" takes it away. It must fit on one line of the terminal. */
  status(text: string): void {
    if (text === this.#status) return;
    this.#write(ERASE + text);
    this.#status = text;
  }
}
