/** Those who wait until what they have changed is written, in the order they came. */

interface Waiter {
  /** Number of the batch, and how far the queue of changes must be drained. */
  readonly batch: number;
  readonly position: number;
  readonly resolvers: PromiseWithResolvers<void>;
}

export class Waiting {
  #waiters: Waiter[] = [];

  get isEmpty(): boolean {
    return this.#waiters.length === 0;
  }

  /** Resolves once a batch with this number or a later one is written that goes up to this position. */
  until(batch: number, position: number): Promise<void> {
    const last = this.#waiters.at(-1);
    if (last !== undefined && last.batch === batch && last.position === position) return last.resolvers.promise;
    const resolvers = Promise.withResolvers<void>();
    this.#waiters.push({ batch, position, resolvers });
    return resolvers.promise;
  }

  written(batch: number, position: number): void {
    const still = this.#waiters.findIndex((one) => one.batch > batch || one.position > position);
    const done = this.#waiters.splice(0, still < 0 ? this.#waiters.length : still);
    for (const { resolvers } of done) resolvers.resolve();
  }

  fail(error: Error): void {
    for (const { resolvers } of this.#waiters.splice(0)) resolvers.reject(error);
  }
}

/** What a promise resolves to, or undefined when that takes longer than so many milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(resolve, ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
