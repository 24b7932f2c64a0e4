import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ByteStore } from "../../src/memory/byte-store.ts";

const SEGMENT = 1 << 20;

/** Where a block's octets lie: its segment's number and the offset in it. */
class Placed {
  readonly #segments = new Map<Uint8Array, number>();

  place(store: ByteStore, block: number): [segment: number, offset: number] {
    const segment = store.segment(block);
    if (!this.#segments.has(segment)) this.#segments.set(segment, this.#segments.size);
    return [this.#segments.get(segment)!, store.offset(block)];
  }
}

describe("byte store", () => {
  test("blocks never overlap, keep what was put in, and are used again", () => {
    const length = fc.oneof(
      fc.integer({ min: 1, max: 65_536 }),
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom(1, 31, 32, 33, 2047, 2048, 2049, 4096, 4097, 32_768, 65_535, 65_536),
    );
    const command = fc.record({ length, give: fc.boolean(), which: fc.nat() });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 150 }), (commands) => {
        const store = new ByteStore();
        const live: { block: number; length: number; mark: number }[] = [];
        let mark = 0;
        for (const { length, give, which } of commands) {
          if (give && live.length > 0) {
            const [gone] = live.splice(which % live.length, 1);
            store.give(gone!.block, gone!.length);
            continue;
          }
          const block = store.take(length);
          expect(block).not.toBe(0);
          mark = (mark % 255) + 1;
          const offset = store.offset(block);
          expect(offset + length).toBeLessThanOrEqual(SEGMENT);
          store.segment(block).fill(mark, offset, offset + length);
          live.push({ block, length, mark });
        }
        for (const { block, length, mark } of live) {
          const offset = store.offset(block);
          const octets = store.segment(block).subarray(offset, offset + length);
          expect(octets.every((octet) => octet === mark)).toBe(true);
        }
        const places = new Placed();
        const ranges = live
          .map(({ block, length }) => [...places.place(store, block), length] as const)
          .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        for (let i = 1; i < ranges.length; i++) {
          const [segment, offset] = ranges[i]!;
          const [before, start, length] = ranges[i - 1]!;
          if (before === segment) expect(start + length).toBeLessThanOrEqual(offset);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("what was given back serves the next of its size: memory does not grow", () => {
    const store = new ByteStore();
    for (let round = 0; round < 200; round++) {
      const blocks = [300, 343, 619, 1400, 60_000].map((length) => [store.take(length), length] as const);
      for (const [block, length] of blocks) store.give(block, length);
    }
    expect(store.capacity).toBe(SEGMENT);
  });

  test("a block may be given back with another length of its size class", () => {
    const store = new ByteStore();
    const block = store.take(33);
    store.give(block, 64);
    expect(store.take(50)).toBe(block);
  });

  test("10,000 blocks given back at once are all used again", () => {
    const store = new ByteStore();
    const blocks = Array.from({ length: 10_000 }, () => store.take(400));
    expect(new Set(blocks).size).toBe(10_000);
    const full = store.capacity;
    for (const block of blocks) store.give(block, 400);
    const again = new Set(Array.from({ length: 10_000 }, () => store.take(400)));
    expect(again).toEqual(new Set(blocks));
    expect(store.capacity).toBe(full);
  });

  test("the largest block there is fits a segment", () => {
    const store = new ByteStore();
    for (let i = 0; i < 3; i++) {
      const block = store.take(SEGMENT - 32);
      const offset = store.offset(block);
      store.segment(block).fill(i + 1, offset, offset + SEGMENT - 32);
      expect(store.segment(block)[offset + SEGMENT - 33]).toBe(i + 1);
    }
  });

  test("words and octets are the same memory", () => {
    const store = new ByteStore();
    store.take(1000);
    const block = store.take(100);
    store.wordSegment(block)[store.wordOffset(block)] = 0x04030201;
    const offset = store.offset(block);
    expect([...store.segment(block).subarray(offset, offset + 4)]).toEqual([1, 2, 3, 4]);
  });
});
