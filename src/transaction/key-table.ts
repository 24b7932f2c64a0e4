/**
 * Finds a slot by the octets it is known by. The octets are compared, not only their hash.
 *
 * Linear hashing with chains: the table grows by one bucket an insertion, splitting one chain, so there is no moment
 * when millions of entries are hashed again. Chains are links between slots; the caller owns the slots and their count.
 */
import type { ByteStore } from "./byte-store.ts";
import type { KeyBuilder } from "./key.ts";

const FIRST_BUCKETS = 256;

export class KeyTable {
  /** Slots in the table. */
  size = 0;
  readonly #store: ByteStore;
  #heads: Int32Array;
  /** Buckets in use: #base of them and #split more that came by splitting. */
  #base = FIRST_BUCKETS;
  #split = 0;
  #next: Int32Array;
  #hash: Int32Array;
  /** The block with the slot's key in the store; 0 when the slot is not in the table. */
  #key: Int32Array;
  #words: Uint16Array;

  /**
   * @param store keeps the keys
   * @param slots slots to have room for; more are made room for, memory is touched only as it is used
   */
  constructor(store: ByteStore, slots: number) {
    this.#store = store;
    this.#heads = new Int32Array(Math.max(FIRST_BUCKETS, 2 ** Math.ceil(Math.log2(slots + 1)))).fill(
      -1,
      0,
      FIRST_BUCKETS,
    );
    this.#next = new Int32Array(slots);
    this.#hash = new Int32Array(slots);
    this.#key = new Int32Array(slots);
    this.#words = new Uint16Array(slots);
  }

  /**
   * The slot with this key, or -1.
   * @param hash the key's own hash, from {@link KeyBuilder.hash}
   */
  find(key: KeyBuilder, hash: number): number {
    const words = key.words;
    for (let slot = this.#heads[this.#bucket(hash)]!; slot >= 0; slot = this.#next[slot]!) {
      if (this.#hash[slot] === hash && this.#words[slot] === words && this.#equal(slot, key, words)) return slot;
    }
    return -1;
  }

  /** Puts a slot under a key. The slot must not be in the table, nor the key. */
  insert(slot: number, key: KeyBuilder, hash: number): void {
    if (slot >= this.#next.length) this.#grow(slot);
    const words = key.words;
    const block = this.#store.take(words << 2);
    const to = this.#store.wordSegment(block);
    const at = this.#store.wordOffset(block);
    for (let i = 0; i < words; i++) to[at + i] = key.view[i]!;
    this.#key[slot] = block;
    this.#words[slot] = words;
    this.#hash[slot] = hash;
    const bucket = this.#bucket(hash);
    this.#next[slot] = this.#heads[bucket]!;
    this.#heads[bucket] = slot;
    if (++this.size > this.#base + this.#split) this.#splitOne();
  }

  /** Takes a slot out; nothing happens when it is not in the table. */
  remove(slot: number): void {
    const block = slot < this.#key.length ? this.#key[slot]! : 0;
    if (block === 0) return;
    const bucket = this.#bucket(this.#hash[slot]!);
    const next = this.#next;
    if (this.#heads[bucket] === slot) this.#heads[bucket] = next[slot]!;
    else {
      let before = this.#heads[bucket]!;
      while (next[before] !== slot) before = next[before]!;
      next[before] = next[slot]!;
    }
    this.#store.give(block, this.#words[slot]! << 2);
    this.#key[slot] = 0;
    this.size--;
  }

  #bucket(hash: number): number {
    const bucket = hash & (this.#base - 1);
    return bucket < this.#split ? hash & (this.#base * 2 - 1) : bucket;
  }

  #equal(slot: number, key: KeyBuilder, words: number): boolean {
    const block = this.#key[slot]!;
    const stored = this.#store.wordSegment(block);
    const at = this.#store.wordOffset(block);
    const { view } = key;
    for (let i = 0; i < words; i++) if (stored[at + i] !== view[i]) return false;
    return true;
  }

  /** Divides the chain of bucket #split between it and a new last bucket. */
  #splitOne(): void {
    const from = this.#split;
    const to = from + this.#base;
    if (to >= this.#heads.length) {
      const larger = new Int32Array(this.#heads.length * 2);
      larger.set(this.#heads);
      this.#heads = larger;
    }
    const next = this.#next;
    let stay = -1;
    let move = -1;
    for (let slot = this.#heads[from]!; slot >= 0; ) {
      const after = next[slot]!;
      if (this.#hash[slot]! & this.#base) {
        next[slot] = move;
        move = slot;
      } else {
        next[slot] = stay;
        stay = slot;
      }
      slot = after;
    }
    this.#heads[from] = stay;
    this.#heads[to] = move;
    if (++this.#split === this.#base) {
      this.#base *= 2;
      this.#split = 0;
    }
  }

  #grow(slot: number): void {
    const slots = Math.max(slot + 1, this.#next.length * 2);
    const columns = [this.#next, this.#hash, this.#key];
    [this.#next, this.#hash, this.#key] = columns.map((column) => {
      const larger = new Int32Array(slots);
      larger.set(column);
      return larger;
    }) as [Int32Array, Int32Array, Int32Array];
    const words = new Uint16Array(slots);
    words.set(this.#words);
    this.#words = words;
  }
}
