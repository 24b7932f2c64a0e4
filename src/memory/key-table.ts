/**
 * Finds a slot by the octets it is known by. The octets are compared, not only their hash.
 *
 * Linear hashing with chains: the table grows by one bucket an insertion, splitting one chain, so there is no moment
 * when millions of entries are hashed again. Chains are links between slots, and four words of each slot's record are the
 * table's. The record is the caller's, so that all of a slot lies together: with millions of slots the cost of a look-up
 * is the number of places in memory it touches.
 */
import type { ByteStore } from "./byte-store.ts";
import type { KeyBuilder } from "./key.ts";

const FIRST_BUCKETS = 256;

// The table's words in a record, from the offset it was given.
const HASH = 0;
const NEXT = 1;
/** The block with the slot's key in the store; 0 when the slot is not in the table. */
const KEY = 2;
const WORDS = 3;
/** Words a table takes in a record. */
export const KEY_WORDS = 4;

export class KeyTable {
  /** Slots in the table. */
  size = 0;
  readonly #store: ByteStore;
  readonly #records: Int32Array;
  /** A slot's record begins at `slot << #shift`; the table's words at #offset from there. */
  readonly #shift: number;
  readonly #offset: number;
  #heads: Int32Array;
  /** Buckets in use: #base of them and #split more that came by splitting. */
  #base = FIRST_BUCKETS;
  #split = 0;

  /**
   * @param store keeps the keys
   * @param records the slots' records, 2^`shift` words each, zero at first
   * @param offset where in a record the table has its {@link KEY_WORDS}
   */
  constructor(store: ByteStore, records: Int32Array, shift: number, offset: number) {
    this.#store = store;
    this.#records = records;
    this.#shift = shift;
    this.#offset = offset;
    const buckets = Math.max(FIRST_BUCKETS, 2 ** Math.ceil(Math.log2((records.length >>> shift) * 2 + 1)));
    // Memory is touched only as buckets come into use.
    this.#heads = new Int32Array(buckets).fill(-1, 0, FIRST_BUCKETS);
  }

  /**
   * The slot with this key, or -1.
   * @param hash the key's own hash, from {@link KeyBuilder.hash}
   */
  find(key: KeyBuilder, hash: number): number {
    const records = this.#records;
    const { words } = key;
    for (let slot = this.#heads[this.#bucket(hash)]!; slot >= 0; ) {
      const at = (slot << this.#shift) + this.#offset;
      if (records[at + HASH] === hash && records[at + WORDS] === words && this.#equal(records[at + KEY]!, key, words)) {
        return slot;
      }
      slot = records[at + NEXT]!;
    }
    return -1;
  }

  /** The block of the store that holds a slot's key. */
  blockOf(slot: number): number {
    return this.#records[(slot << this.#shift) + this.#offset + KEY]!;
  }

  /** Puts a slot under a key. The slot must not be in the table, nor the key. */
  insert(slot: number, key: KeyBuilder, hash: number): void {
    const records = this.#records;
    const { words } = key;
    const at = (slot << this.#shift) + this.#offset;
    const block = this.#store.keep(key.view, 0, words << 2);
    const bucket = this.#bucket(hash);
    records[at + HASH] = hash;
    records[at + NEXT] = this.#heads[bucket]!;
    records[at + KEY] = block;
    records[at + WORDS] = words;
    this.#heads[bucket] = slot;
    if (++this.size * 2 > this.#base + this.#split) {
      this.#splitOne();
      this.#splitOne();
    }
  }

  /** Takes a slot out; nothing happens when it is not in the table. */
  remove(slot: number): void {
    const records = this.#records;
    const at = (slot << this.#shift) + this.#offset;
    const block = records[at + KEY]!;
    if (block === 0) return;
    const bucket = this.#bucket(records[at + HASH]!);
    if (this.#heads[bucket] === slot) this.#heads[bucket] = records[at + NEXT]!;
    else {
      let before = (this.#heads[bucket]! << this.#shift) + this.#offset;
      while (records[before + NEXT] !== slot) before = (records[before + NEXT]! << this.#shift) + this.#offset;
      records[before + NEXT] = records[at + NEXT]!;
    }
    this.#store.give(block, records[at + WORDS]! << 2);
    records[at + KEY] = 0;
    this.size--;
  }

  #bucket(hash: number): number {
    const bucket = hash & (this.#base - 1);
    return bucket < this.#split ? hash & (this.#base * 2 - 1) : bucket;
  }

  #equal(block: number, key: KeyBuilder, words: number): boolean {
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
    const records = this.#records;
    let stay = -1;
    let move = -1;
    for (let slot = this.#heads[from]!; slot >= 0; ) {
      const at = (slot << this.#shift) + this.#offset;
      const after = records[at + NEXT]!;
      if (records[at + HASH]! & this.#base) {
        records[at + NEXT] = move;
        move = slot;
      } else {
        records[at + NEXT] = stay;
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
}
