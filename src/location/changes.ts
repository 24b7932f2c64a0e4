/**
 * Which bindings have changed and are still to be written. A binding stands here once, however often it changes until
 * then: what waits has a bound, the bindings that there are.
 */

/** Set while the slot is in the queue, though what was to be written of it may be gone. */
const QUEUED = 1;
const TOUCHED = 2;
const WHOLE = 4;

export class Changes {
  /** Slots that were queued since the start; with {@link drained} it says who came before whom. */
  queued = 0;
  /** Slots taken from the queue since the start. */
  drained = 0;
  /** Whether all of the slot that {@link next} gave last is to be written, or what `BindingStore.touch` tells alone. */
  isWhole = false;
  readonly #states: Uint8Array;
  /** A ring: its length is a power of two. */
  #slots = new Int32Array(1024);

  /** @param ceiling slots are below it */
  constructor(ceiling: number) {
    this.#states = new Uint8Array(ceiling);
  }

  /** Slots that wait. */
  get size(): number {
    return this.queued - this.drained;
  }

  put(slot: number): void {
    this.#add(slot, WHOLE);
  }

  touch(slot: number): void {
    this.#add(slot, TOUCHED);
  }

  /** Nothing of a slot is to be written any more. */
  forget(slot: number): void {
    this.#states[slot]! &= QUEUED;
  }

  /** Whether a slot waits. */
  has(slot: number): boolean {
    return this.#states[slot]! > QUEUED;
  }

  /** Takes the slot that waits longest; -1 when none does. */
  next(): number {
    while (this.queued > this.drained) {
      const slot = this.#slots[this.drained++ & (this.#slots.length - 1)]!;
      const state = this.#states[slot]!;
      this.#states[slot] = 0;
      if (state === QUEUED) continue;
      this.isWhole = state >= WHOLE;
      return slot;
    }
    return -1;
  }

  #add(slot: number, how: number): void {
    const state = this.#states[slot]!;
    this.#states[slot] = state | how | QUEUED;
    if (state !== 0) return;
    if (this.size === this.#slots.length) this.#grow();
    this.#slots[this.queued++ & (this.#slots.length - 1)] = slot;
  }

  #grow(): void {
    const { length } = this.#slots;
    const larger = new Int32Array(length * 2);
    for (let i = this.drained; i < this.queued; i++) {
      larger[i & (length * 2 - 1)] = this.#slots[i & (length - 1)]!;
    }
    this.#slots = larger;
  }
}
