import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { TICK_MS, TimerWheel } from "../../src/time/wheel.ts";

describe("timer wheel", () => {
  test("a timer fires at the first tick at or after its time, never before", () => {
    const wheel = new TimerWheel(1000);
    const fired: number[] = [];
    const kind = wheel.register((owner) => fired.push(owner));
    wheel.insert(500, kind, 7);
    wheel.advance(1499);
    expect(fired).toEqual([]);
    wheel.advance(1500);
    expect(fired).toEqual([7]);
    expect(wheel.size).toBe(0);
  });

  test("a delay of zero fires at the next tick", () => {
    const wheel = new TimerWheel(0);
    let fired = 0;
    const kind = wheel.register(() => fired++);
    wheel.insert(0, kind, 1);
    wheel.advance(9);
    expect(fired).toBe(0);
    wheel.advance(10);
    expect(fired).toBe(1);
  });

  test("a cancelled timer does not fire, also when cancelled by another of the same tick", () => {
    const wheel = new TimerWheel(0);
    const fired: number[] = [];
    let second = 0;
    const kind = wheel.register((owner) => {
      fired.push(owner);
      if (owner === 1) wheel.cancel(second);
    });
    wheel.insert(50, kind, 1);
    second = wheel.insert(50, kind, 2);
    wheel.insert(50, kind, 3);
    wheel.advance(100);
    expect(fired).toEqual([1, 3]);
  });

  test("timers started by a firing timer wait for their own tick", () => {
    const wheel = new TimerWheel(0);
    const fired: number[] = [];
    const kind = wheel.register((owner) => {
      fired.push(owner);
      if (owner < 3) wheel.insert(0, kind, owner + 1);
    });
    wheel.insert(10, kind, 1);
    wheel.advance(10);
    expect(fired).toEqual([1]);
    wheel.advance(1000);
    expect(fired).toEqual([1, 2, 3]);
  });

  test("hours ahead", () => {
    const wheel = new TimerWheel(0);
    const fired: number[] = [];
    const kind = wheel.register((owner) => fired.push(owner));
    const hours = [0.5, 3, 24, 100];
    hours.forEach((h, i) => {
      wheel.insert(h * 3_600_000, kind, i);
    });
    for (const [i, h] of hours.entries()) {
      wheel.advance(h * 3_600_000 - TICK_MS);
      expect(fired.length).toBe(i);
      wheel.advance(h * 3_600_000);
      expect(fired.length).toBe(i + 1);
    }
  });

  test("makes room for more timers than it was made for", () => {
    const wheel = new TimerWheel(0, 4);
    let fired = 0;
    const kind = wheel.register(() => fired++);
    for (let i = 0; i < 5000; i++) wheel.insert(i, kind, i);
    wheel.advance(10_000);
    expect(fired).toBe(5000);
  });

  test("the longest gap between two advances is kept", () => {
    const wheel = new TimerWheel(0);
    for (const now of [10, 20, 75, 80]) wheel.advance(now);
    expect(wheel.longestGap).toBe(55);
  });

  test("agrees with a sorted list", () => {
    const action = fc.oneof(
      fc.record({
        do: fc.constant("insert" as const),
        delay: fc.oneof(fc.nat(3000), fc.nat(400_000), fc.nat(40_000_000)),
      }),
      fc.record({ do: fc.constant("cancel" as const), pick: fc.nat(1000) }),
      fc.record({ do: fc.constant("advance" as const), by: fc.oneof(fc.nat(30), fc.nat(5000), fc.nat(20_000_000)) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 80 }), (actions) => {
        const wheel = new TimerWheel(0, 2);
        const fired: number[] = [];
        const kind = wheel.register((owner) => fired.push(owner));
        const model: { owner: number; due: number; timer: number }[] = [];
        let now = 0;
        let owner = 0;
        for (const a of actions) {
          if (a.do === "insert") {
            const tick = Math.floor(now / TICK_MS);
            const due = Math.max(Math.ceil((now + a.delay) / TICK_MS), tick + 1);
            model.push({ owner: ++owner, due, timer: wheel.insert(a.delay, kind, owner) });
          } else if (a.do === "cancel") {
            if (model.length === 0) continue;
            const [gone] = model.splice(a.pick % model.length, 1);
            wheel.cancel(gone!.timer);
          } else {
            now += a.by;
            fired.length = 0;
            wheel.advance(now);
            const tick = Math.floor(now / TICK_MS);
            const expected = model.filter((m) => m.due <= tick);
            for (const m of expected) model.splice(model.indexOf(m), 1);
            expect([...fired].sort((a, b) => a - b)).toEqual(expected.map((m) => m.owner));
            const dues = new Map(expected.map((m) => [m.owner, m.due]));
            for (let i = 1; i < fired.length; i++)
              expect(dues.get(fired[i]!)!).toBeGreaterThanOrEqual(dues.get(fired[i - 1]!)!);
          }
          expect(wheel.size).toBe(model.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});
