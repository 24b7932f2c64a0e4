/** When a store sends on their way what it has gathered: after a while, or at the end of the turn where somebody waits. */
export class Flushing {
  readonly #flush: () => void;
  #timer: Timer | null = null;
  #isSoon = false;

  constructor(flush: () => void) {
    this.#flush = flush;
  }

  /** In so many milliseconds, unless it is to be sooner already. */
  after(ms: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#flush();
    }, ms).unref();
  }

  /** At the end of the turn: what all of it brings goes together. */
  soon(): void {
    if (this.#isSoon) return;
    this.#isSoon = true;
    setImmediate(() => {
      this.#isSoon = false;
      this.#flush();
    });
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
