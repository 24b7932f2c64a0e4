import { describe, expect, test } from "bun:test";
import { TtlCache } from "../../src/resolve/cache.ts";

describe("a cache with times", () => {
  test("gives an entry until its time is over, and not from then on", () => {
    const cache = new TtlCache<number>(4);
    cache.set("a", 1, 100, 1000);
    expect(cache.get("a", 1099)).toBe(1);
    expect(cache.get("a", 1100)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  test("keeps nothing for no time, and forgets what was there", () => {
    const cache = new TtlCache<number>(4);
    cache.set("a", 1, 100, 0);
    cache.set("a", 2, 0, 0);
    cache.set("b", 2, Number.NaN, 0);
    expect(cache.get("a", 0)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  test("never holds more than it may: the oldest goes, and an entry set again is young", () => {
    const cache = new TtlCache<number>(3);
    for (const [at, key] of ["a", "b", "c", "a", "d"].entries()) cache.set(key, at, 1000, 0);
    expect(cache.size).toBe(3);
    expect(["a", "b", "c", "d"].map((key) => cache.get(key, 1))).toEqual([3, undefined, 2, 4]);
  });

  test("lets new entries push out those that are over, though it is not full", () => {
    const cache = new TtlCache<number>(10_000);
    for (let at = 0; at < 1000; at++) cache.set(`old ${at}`, at, 10, 0);
    for (let at = 0; at < 300; at++) cache.set(`new ${at}`, at, 10, 20);
    expect(cache.size).toBe(300);
  });

  test("of one entry works", () => {
    const cache = new TtlCache<number>(1);
    cache.set("a", 1, 10, 0);
    cache.set("b", 2, 10, 0);
    expect(cache.size).toBe(1);
    expect(cache.get("b", 0)).toBe(2);
  });
});
