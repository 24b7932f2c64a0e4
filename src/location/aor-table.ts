/**
 * Addresses-of-record that have a binding: slots of eight words, each with the list of its bindings, found by their octets.
 *
 *     0-3  the key table's
 *     4    the first binding; the next slot of those that are free
 *     5    how many bindings
 */
import type { ByteStore } from "../memory/byte-store.ts";
import { KeyBuilder } from "../memory/key.ts";
import { KEY_WORDS, KeyTable } from "../memory/key-table.ts";
import { latin1 } from "../message/bytes.ts";

const SHIFT = 3;
const FIRST = KEY_WORDS;
const COUNT = KEY_WORDS + 1;

/** What a key begins with, and where the address-of-record stands in one. */
const KIND = 0x41;
const KEY_HEAD = 3;
/** The length of an address-of-record is kept in 16 bits. */
const MAX_KEPT = 0xffff;

export class AorTable {
  readonly #bytes: ByteStore;
  readonly #records: Int32Array;
  readonly #key: KeyBuilder;
  readonly #table: KeyTable;
  readonly #text = new Uint8Array(MAX_KEPT);
  #used = 0;
  #free = -1;

  /**
   * @param bytes where their octets are kept
   * @param ceiling the most of them at once
   * @param seed two random words
   */
  constructor(bytes: ByteStore, ceiling: number, seed: readonly [number, number]) {
    this.#bytes = bytes;
    this.#records = new Int32Array(ceiling << SHIFT);
    this.#key = new KeyBuilder(seed);
    this.#table = new KeyTable(bytes, this.#records, SHIFT, 0);
  }

  get size(): number {
    return this.#table.size;
  }

  /** The slot of a canonical address-of-record that fills `[start, end)`; -1 when there is none. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const key = this.#key.begin(KIND).part(bytes, start, end);
    return this.#table.find(key, key.hash());
  }

  /** The same by its text. */
  findText(aor: string): number {
    const text = this.#text;
    const length = Math.min(aor.length, MAX_KEPT);
    for (let i = 0; i < length; i++) text[i] = aor.charCodeAt(i);
    return this.find(text, 0, length);
  }

  /** Its slot, made when there is none: a binding is to be put into it at once. */
  open(bytes: Uint8Array, start: number, end: number): number {
    const key = this.#key.begin(KIND).part(bytes, start, end);
    const hash = key.hash();
    const found = this.#table.find(key, hash);
    if (found >= 0) return found;
    const records = this.#records;
    let slot = this.#free;
    if (slot >= 0) this.#free = records[(slot << SHIFT) + FIRST]!;
    else slot = this.#used++;
    records[(slot << SHIFT) + FIRST] = -1;
    records[(slot << SHIFT) + COUNT] = 0;
    this.#table.insert(slot, key, hash);
    return slot;
  }

  /** Its first binding; -1 when it has none yet. */
  first(aor: number): number {
    return this.#records[(aor << SHIFT) + FIRST]!;
  }

  /** How many it has. */
  countOf(aor: number): number {
    return this.#records[(aor << SHIFT) + COUNT]!;
  }

  /** Another binding is its first one now; whoever calls has linked it with the others. */
  put(aor: number, binding: number): void {
    this.#records[(aor << SHIFT) + FIRST] = binding;
    this.#records[(aor << SHIFT) + COUNT]!++;
  }

  /** One of its bindings is gone; it goes with the last. @param first the one that is its first now */
  drop(aor: number, first: number): void {
    const records = this.#records;
    const at = aor << SHIFT;
    records[at + FIRST] = first;
    if (--records[at + COUNT]! > 0) return;
    this.#table.remove(aor);
    records[at + FIRST] = this.#free;
    this.#free = aor;
  }

  // ---- its octets

  text(aor: number): string {
    const block = this.#table.blockOf(aor);
    const at = this.#bytes.offset(block) + KEY_HEAD;
    return latin1(this.#bytes.segment(block), at, at + this.length(aor));
  }

  length(aor: number): number {
    const block = this.#table.blockOf(aor);
    const octets = this.#bytes.segment(block);
    const at = this.#bytes.offset(block);
    return octets[at + 1]! | (octets[at + 2]! << 8);
  }

  copy(aor: number, to: Uint8Array, at: number): void {
    const block = this.#table.blockOf(aor);
    const octets = this.#bytes.segment(block);
    const from = this.#bytes.offset(block) + KEY_HEAD;
    for (let i = this.length(aor); i-- > 0; ) to[at + i] = octets[from + i]!;
  }
}
