import { expect, test } from "bun:test";
import { steadyTime } from "../../src/time/clock.ts";

test("a time that is never set back goes on where the system's is, and follows it forward within a second", () => {
  const start = Date.UTC(2026, 0, 1);
  let wall = start;
  let monotonic = 5000.25;
  const now = steadyTime({ now: () => monotonic }, () => wall);
  const pass = (milliseconds: number) => {
    monotonic += milliseconds;
    wall += milliseconds;
    return now() - start;
  };
  expect(now()).toBe(start);
  expect(pass(1500)).toBe(1500);
  wall -= 3_600_000;
  expect([pass(10), pass(2000), pass(0)]).toEqual([1510, 3510, 3510]);
  wall = start + 60_000;
  expect(pass(1000)).toBe(61_000);
  expect(pass(0.5)).toBe(61_000);
});
