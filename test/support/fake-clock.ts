/** A clock that stands still until a test moves it. */
import type { Clock } from "../../src/time/clock.ts";

export class FakeClock implements Clock {
  #now: number;
  #readers: (() => void)[] = [];

  /** @param now the first reading, in milliseconds */
  constructor(now = 1_000_000) {
    this.#now = now;
  }

  now(): number {
    for (const reader of this.#readers.splice(0)) reader();
    return this.#now;
  }

  /** Moves on by `ms`; nobody is told. */
  skip(ms: number): void {
    this.#now += ms;
  }

  /** Moves on by `ms`. @returns when whoever runs on this clock has read the new time, and done what was due */
  async pass(ms: number): Promise<void> {
    this.skip(ms);
    await new Promise<void>((resolve) => this.#readers.push(resolve));
  }
}
