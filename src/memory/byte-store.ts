/**
 * Keeps runs of octets outside the garbage collector's sight: the responses and keys that wait half a minute for a
 * retransmission. Millions of small `Uint8Array`s would each be an object to mark; here they are blocks in a few large
 * segments, and a block is a number.
 *
 * Blocks are cut from the end of the newest segment in multiples of 32 octets, and freed ones wait for the next of their
 * size. Sizes above 2 KiB are rounded up to a power of two, so that the number of lists stays small.
 */
import type { Arena } from "../message/arena.ts";

const GRAIN_BITS = 5;
const GRAIN = 1 << GRAIN_BITS;
/** A segment's size: 1 MiB, so 32,768 grains. */
const SEGMENT_BITS = 20;
const SEGMENT = 1 << SEGMENT_BITS;
const GRAINS_BITS = SEGMENT_BITS - GRAIN_BITS;
const GRAIN_MASK = (1 << GRAINS_BITS) - 1;
/** Sizes up to here have a list for each multiple of the grain. */
const LINEAR = 2048;
const LINEAR_CLASSES = LINEAR / GRAIN;
const CLASSES = LINEAR_CLASSES + 16;

export class ByteStore {
  readonly #octets: Uint8Array[] = [];
  readonly #words: Int32Array[] = [];
  /** Freed blocks by size class, last in first out. Beside the blocks, so that freeing one does not touch its memory. */
  readonly #free: Int32Array[] = Array.from({ length: CLASSES + 1 }, () => new Int32Array(64));
  readonly #freeCount = new Int32Array(CLASSES + 1);
  #end = SEGMENT;

  /** Octets in segments taken from the system. */
  get capacity(): number {
    return this.#octets.length * SEGMENT;
  }

  /**
   * A block for `length` octets, their content unspecified.
   * @param length 1 to 1 MiB less 32 octets
   * @returns its number, never 0
   */
  take(length: number): number {
    const sizeClass = classOf(length);
    const free = this.#freeCount[sizeClass]!;
    if (free > 0) {
      this.#freeCount[sizeClass] = free - 1;
      return this.#free[sizeClass]![free - 1]!;
    }
    const size = sizeOf(sizeClass);
    if (this.#end + size > SEGMENT) {
      const buffer = new ArrayBuffer(SEGMENT);
      this.#octets.push(new Uint8Array(buffer));
      this.#words.push(new Int32Array(buffer));
      // Number 0 must not be a block.
      this.#end = this.#octets.length === 1 ? GRAIN : 0;
    }
    const block = ((this.#octets.length - 1) << GRAINS_BITS) | (this.#end >>> GRAIN_BITS);
    this.#end += size;
    return block;
  }

  /** Gives a block back. @param length as it was taken with, or any other length of the same size class */
  give(block: number, length: number): void {
    const sizeClass = classOf(length);
    const free = this.#freeCount[sizeClass]!;
    let list = this.#free[sizeClass]!;
    if (free === list.length) {
      const longer = new Int32Array(free * 2);
      longer.set(list);
      this.#free[sizeClass] = list = longer;
    }
    list[free] = block;
    this.#freeCount[sizeClass] = free + 1;
  }

  /** Copies words of another buffer into a block. @param length octets; the last word is copied whole */
  fill(block: number, from: Int32Array, firstWord: number, length: number): void {
    const to = this.#words[block >>> GRAINS_BITS]!;
    const at = (block & GRAIN_MASK) << (GRAIN_BITS - 2);
    const count = (length + 3) >>> 2;
    for (let i = 0; i < count; i++) to[at + i] = from[firstWord + i]!;
  }

  /** Keeps words of another buffer in a block of their own. @returns its number; give it back with the same length */
  keep(from: Int32Array, firstWord: number, length: number): number {
    const block = this.take(length);
    this.fill(block, from, firstWord, length);
    return block;
  }

  /** Writes a kept message into an arena, to be sent again. @returns where it begins */
  copyTo(arena: Arena, block: number, length: number): number {
    const start = arena.open(length);
    const offset = this.offset(block);
    arena.copy(this.segment(block), offset, offset + length);
    return start;
  }

  /** The segment that holds a block; see {@link offset}. */
  segment(block: number): Uint8Array {
    return this.#octets[block >>> GRAINS_BITS]!;
  }

  /** Where a block begins in its segment, in octets. */
  offset(block: number): number {
    return (block & GRAIN_MASK) << GRAIN_BITS;
  }

  /** The same segment as words of four octets. */
  wordSegment(block: number): Int32Array {
    return this.#words[block >>> GRAINS_BITS]!;
  }

  /** Where a block begins in its segment, in words. */
  wordOffset(block: number): number {
    return (block & GRAIN_MASK) << (GRAIN_BITS - 2);
  }
}

function classOf(length: number): number {
  if (length <= LINEAR) return (length + GRAIN - 1) >>> GRAIN_BITS;
  return LINEAR_CLASSES + 32 - Math.clz32((length - 1) >>> 11);
}

function sizeOf(sizeClass: number): number {
  return sizeClass <= LINEAR_CLASSES ? sizeClass << GRAIN_BITS : LINEAR << (sizeClass - LINEAR_CLASSES);
}
