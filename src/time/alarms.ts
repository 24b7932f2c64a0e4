/**
 * Timers of the wheel that call a function: for what happens a few times a call at most, where an object a timer does no
 * harm.
 */
import type { TimerWheel } from "./wheel.ts";

export class Alarms {
  readonly #wheel: TimerWheel;
  readonly #kind: number;
  readonly #calls: ((() => void) | null)[] = [];
  readonly #timers: number[] = [];
  readonly #free: number[] = [];

  /** @param failed told what a function threw: neither the other timers nor whoever moves the wheel suffer for it */
  constructor(wheel: TimerWheel, failed: (error: unknown) => void = () => {}) {
    this.#wheel = wheel;
    this.#kind = wheel.register((id) => {
      const call = this.#calls[id]!;
      this.#release(id);
      try {
        call();
      } catch (error) {
        failed(error);
      }
    });
  }

  /** Calls a function once. @param delay milliseconds @returns a number for {@link clear}, good until it was called */
  set(delay: number, call: () => void): number {
    const id = this.#free.pop() ?? this.#calls.length;
    this.#calls[id] = call;
    this.#timers[id] = this.#wheel.insert(delay, this.#kind, id);
    return id;
  }

  /** Calls it no more. Only before it was called. */
  clear(id: number): void {
    this.#wheel.cancel(this.#timers[id]!);
    this.#release(id);
  }

  #release(id: number): void {
    this.#calls[id] = null;
    this.#free.push(id);
  }
}
