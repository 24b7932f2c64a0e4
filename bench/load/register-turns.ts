/**
 * Which user registers next. Each lane of the generator has users of its own, as a phone keeps its connection: from
 * another one its Contact would be another binding.
 */
import type { Load } from "./register-result.ts";

export class Turns {
  readonly #order: Uint32Array;
  readonly #step: number;
  #cursor = 0;
  #left = 0;
  #nextFresh: number;

  /**
   * @param order all users that are refreshed, in their order
   * @param lane the one of `lanes` whose users these are: of `lanes` users one after the other, one is the lane's
   */
  constructor(order: Uint32Array, lane: number, lanes: number) {
    this.#order = order.filter((user) => user % lanes === lane);
    this.#step = lanes;
    this.#nextFresh = order.length + ((lane - (order.length % lanes) + lanes) % lanes);
  }

  /** A run begins: from the first user on, and only once through them when they are filled in. */
  begin(load: Load): void {
    this.#cursor = 0;
    this.#left = load === "fill" ? this.#order.length : Number.POSITIVE_INFINITY;
  }

  /** No user is left in this run. */
  get isOver(): boolean {
    return this.#left <= 0;
  }

  /** The user whose turn it is, counted from 0; those from the number of all refreshed ones on are fresh. */
  next(isFresh: boolean): number {
    this.#left--;
    if (isFresh) {
      const user = this.#nextFresh;
      this.#nextFresh += this.#step;
      return user;
    }
    const user = this.#order[this.#cursor]!;
    this.#cursor = this.#cursor + 1 === this.#order.length ? 0 : this.#cursor + 1;
    return user;
  }
}

/** 0 to `count` - 1, one after the other, or in the same disorder in every run. */
export function orderOf(count: number, isShuffled: boolean): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  if (!isShuffled) return order;
  let state = 0x9e3779b9;
  for (let i = count - 1; i > 0; i--) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const other = (state >>> 0) % (i + 1);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}
