import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ByteStore } from "../../src/memory/byte-store.ts";
import { KeyBuilder } from "../../src/memory/key.ts";
import { KEY_WORDS, KeyTable } from "../../src/memory/key-table.ts";
import { ascii } from "../../src/message/bytes.ts";

const SEED = [0x01234567, 0x76543210] as const;

/** Two tables that share their slots' records, as the transaction layer has them. */
function tables(slots: number) {
  const store = new ByteStore();
  const records = new Int32Array(slots * KEY_WORDS * 2);
  return { store, first: new KeyTable(store, records, 3, 0), second: new KeyTable(store, records, 3, KEY_WORDS) };
}

function keyOf(builder: KeyBuilder, text: string): KeyBuilder {
  const octets = ascii(text);
  return builder.begin(1).part(octets, 0, octets.length);
}

describe("key table", () => {
  test("agrees with a Map, whatever is put in and taken out; two tables do not disturb each other", () => {
    const slots = 64;
    const command = fc.record({
      table: fc.boolean(),
      add: fc.boolean(),
      slot: fc.integer({ min: 0, max: slots - 1 }),
      name: fc.oneof(
        fc.string({ maxLength: 12 }),
        fc.integer({ min: 0, max: 9 }).map((n) => `branch${n}`),
        fc.integer({ min: 59_000, max: 60_000 }).map((n) => "x".repeat(n)),
      ),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
        const { first, second } = tables(slots);
        const builder = new KeyBuilder(SEED);
        const models = [new Map<string, number>(), new Map<string, number>()];
        for (const { table: which, add, slot, name } of commands) {
          const table = which ? first : second;
          const model = models[which ? 0 : 1]!;
          const isUsed = [...model.values()].includes(slot);
          if (add && !model.has(name) && !isUsed) {
            const key = keyOf(builder, name);
            table.insert(slot, key, key.hash());
            model.set(name, slot);
          } else if (!add) {
            table.remove(slot);
            for (const [other, at] of model) if (at === slot) model.delete(other);
          }
          expect(table.size).toBe(model.size);
          const key = keyOf(builder, name);
          expect(table.find(key, key.hash())).toBe(model.get(name) ?? -1);
        }
        for (const [table, model] of [
          [first, models[0]!],
          [second, models[1]!],
        ] as const) {
          for (const [name, slot] of model) {
            const key = keyOf(builder, name);
            expect(table.find(key, key.hash())).toBe(slot);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test("100,000 keys: all are found while the chains split, and none is when all have gone", () => {
    const slots = 100_000;
    const { store, first: table } = tables(slots);
    const builder = new KeyBuilder(SEED);
    for (let slot = 0; slot < slots; slot++) {
      const key = keyOf(builder, `z9hG4bK${slot}`);
      table.insert(slot, key, key.hash());
      const early = keyOf(builder, `z9hG4bK${slot >> 1}`);
      if (table.find(early, early.hash()) !== slot >> 1) throw new Error(`Lost ${slot >> 1} at ${slot}`);
    }
    expect(table.size).toBe(slots);
    const full = store.capacity;
    for (let slot = 0; slot < slots; slot += 2) table.remove(slot);
    let wrong = 0;
    for (let slot = 0; slot < slots; slot++) {
      const key = keyOf(builder, `z9hG4bK${slot}`);
      if (table.find(key, key.hash()) !== (slot % 2 === 0 ? -1 : slot)) wrong++;
    }
    expect(wrong).toBe(0);
    expect(table.size).toBe(slots / 2);
    for (let slot = 0; slot < slots; slot += 2) {
      const key = keyOf(builder, `again${slot}`);
      table.insert(slot, key, key.hash());
    }
    for (let slot = 0; slot < slots; slot++) table.remove(slot);
    expect(table.size).toBe(0);
    for (let slot = 0; slot < slots; slot++) {
      const key = keyOf(builder, `z9hG4bK${slot}`);
      if (table.find(key, key.hash()) !== -1) wrong++;
    }
    expect(wrong).toBe(0);
    // What was given back was used again.
    expect(store.capacity).toBe(full);
  });

  test("keys with the same hash are told apart by their octets", () => {
    const { first: table } = tables(300);
    const builder = new KeyBuilder(SEED);
    const ended = (slot: number) => {
      const key = keyOf(builder, `k${slot}`);
      key.hash();
      return key;
    };
    for (let slot = 0; slot < 300; slot++) table.insert(slot, ended(slot), 7);
    for (let slot = 0; slot < 300; slot += 3) table.remove(slot);
    for (let slot = 0; slot < 300; slot++) expect(table.find(ended(slot), 7)).toBe(slot % 3 === 0 ? -1 : slot);
  });

  test("taking out what is not in changes nothing", () => {
    const { first: table } = tables(4);
    table.remove(2);
    expect(table.size).toBe(0);
    const key = keyOf(new KeyBuilder(SEED), "k");
    table.insert(2, key, key.hash());
    table.remove(1);
    table.remove(2);
    table.remove(2);
    expect(table.size).toBe(0);
  });
});

describe("key", () => {
  /** The octets and the hash of a key of these parts. */
  function built(parts: readonly string[], builder = new KeyBuilder(SEED)): { octets: string; hash: number } {
    builder.begin(9);
    for (const part of parts) builder.part(ascii(part), 0, ascii(part).length);
    const hash = builder.hash();
    return { octets: Buffer.from(builder.octets.subarray(0, builder.length)).toString("latin1"), hash };
  }

  test("two lists of parts give the same octets only when they are the same list", () => {
    const part = fc.string({ unit: fc.constantFrom("a", "b", "\0", "\u0001"), maxLength: 5 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), fc.array(part, { maxLength: 4 }), (one, other) => {
        const same = JSON.stringify(one) === JSON.stringify(other);
        expect(built(one).octets === built(other).octets).toBe(same);
        if (same) expect(built(one).hash).toBe(built(other).hash);
      }),
    );
  });

  test("the hash does not depend on what was built before", () => {
    const builder = new KeyBuilder(SEED);
    const fresh = built(["call", "id"]);
    built(["x".repeat(5000), "longer than all that follows"], builder);
    expect(built(["call", "id"], builder)).toEqual(fresh);
  });

  test("another seed gives other hashes, each input octet changes the hash, and buckets fill evenly", () => {
    const other = new KeyBuilder([1, 2]);
    let same = 0;
    const buckets = new Int32Array(256);
    const seen = new Set<number>();
    for (let i = 0; i < 10_000; i++) {
      const { hash } = built([`z9hG4bK${i}`]);
      if (hash === built([`z9hG4bK${i}`], other).hash) same++;
      seen.add(hash);
      buckets[hash & 255]!++;
    }
    expect(same).toBeLessThan(3);
    expect(seen.size).toBeGreaterThan(9_990);
    // 39 expected in each; a bucket of 90 would be eight standard deviations away.
    expect(Math.max(...buckets)).toBeLessThan(90);
  });

  test("letters are made small only where asked", () => {
    const builder = new KeyBuilder(SEED);
    const octets = ascii("Host.EXAMPLE");
    const small = builder.begin(1).lowerPart(octets, 0, octets.length).hash();
    const lower = ascii("host.example");
    expect(builder.begin(1).part(lower, 0, lower.length).hash()).toBe(small);
    expect(builder.begin(1).part(octets, 0, octets.length).hash()).not.toBe(small);
  });

  test("a part of 200,000 octets has room", () => {
    const builder = new KeyBuilder(SEED);
    const long = new Uint8Array(200_000).fill(0x61);
    const one = builder.begin(1).number(5).part(long, 0, long.length).hash();
    long[199_999] = 0x62;
    expect(builder.begin(1).number(5).part(long, 0, long.length).hash()).not.toBe(one);
  });
});
