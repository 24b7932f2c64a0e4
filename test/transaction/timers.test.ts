import { expect, test } from "bun:test";
import { DEFAULT_TIMERS, timersFrom } from "../../src/transaction/timers.ts";

test("the defaults are RFC 3261's: T1 500 ms, T2 4 s, T4 5 s", () => {
  expect(DEFAULT_TIMERS).toEqual({ t1: 500, t2: 4000, t4: 5000 });
  expect(timersFrom()).toEqual({ t1: 500, t2: 4000, t4: 5000, transaction: 32_000, d: 32_000, lateTrying: 3500 });
});

test("what follows from T1 and T2 follows the settings", () => {
  expect(timersFrom({ t1: 1000 })).toMatchObject({
    t1: 1000,
    t2: 4000,
    transaction: 64_000,
    d: 64_000,
    lateTrying: 3000,
  });
  // D is 32 s at least, however short T1 is (s17.1.1.2).
  expect(timersFrom({ t1: 10 })).toMatchObject({ transaction: 640, d: 32_000 });
  expect(timersFrom({ t2: 8000 })).toMatchObject({ lateTrying: 7500 });
});

test("T2 not above T1: the late 100 comes after one T1", () => {
  expect(timersFrom({ t1: 500, t2: 500 }).lateTrying).toBe(500);
  expect(timersFrom({ t1: 500, t2: 100 }).lateTrying).toBe(500);
});
