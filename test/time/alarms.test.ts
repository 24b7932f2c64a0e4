import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Alarms } from "../../src/time/alarms.ts";
import { TICK_MS, TimerWheel } from "../../src/time/wheel.ts";

describe("alarms", () => {
  test("each is called once, at its time, in the order of times", () => {
    const wheel = new TimerWheel(5000);
    const alarms = new Alarms(wheel);
    const called: string[] = [];
    alarms.set(300, () => called.push("late"));
    alarms.set(100, () => called.push("soon"));
    wheel.advance(5099);
    expect(called).toEqual([]);
    wheel.advance(5100);
    expect(called).toEqual(["soon"]);
    wheel.advance(9000);
    expect(called).toEqual(["soon", "late"]);
    wheel.advance(90_000);
    expect(called).toHaveLength(2);
    expect(wheel.size).toBe(0);
  });

  test("a cleared one is not called, and leaves no timer", () => {
    const wheel = new TimerWheel(0);
    const alarms = new Alarms(wheel);
    const called: number[] = [];
    const first = alarms.set(100, () => called.push(1));
    alarms.set(100, () => called.push(2));
    alarms.clear(first);
    expect(wheel.size).toBe(1);
    wheel.advance(1000);
    expect(called).toEqual([2]);
  });

  test("one that is called may set others, and clear one of the same tick", () => {
    const wheel = new TimerWheel(0);
    const alarms = new Alarms(wheel);
    const called: string[] = [];
    let other = -1;
    alarms.set(50, () => {
      called.push("first");
      alarms.clear(other);
      alarms.set(50, () => called.push("again"));
    });
    other = alarms.set(50, () => called.push("other"));
    wheel.advance(60);
    expect(called).toEqual(["first"]);
    wheel.advance(200);
    expect(called).toEqual(["first", "again"]);
  });

  test("one that throws takes no other with it", () => {
    const wheel = new TimerWheel(0);
    const alarms = new Alarms(wheel);
    const called: string[] = [];
    const advance = (now: number) => {
      try {
        wheel.advance(now);
      } catch {
        // Whether its caller is told is not what this is about.
      }
    };
    alarms.set(50, () => {
      throw new Error("on purpose");
    });
    alarms.set(50, () => called.push("of the same tick"));
    alarms.set(60, () => called.push("of the next"));
    advance(100);
    advance(200);
    expect(called).toEqual(["of the same tick", "of the next"]);
    expect(wheel.size).toBe(0);
  });

  test("numbers are used again, and one that was is not mistaken for another", () => {
    const wheel = new TimerWheel(0);
    const alarms = new Alarms(wheel);
    const called: number[] = [];
    const numbers = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      numbers.add(alarms.set(10, () => called.push(i)));
      wheel.advance((i + 1) * 20);
    }
    expect(called).toHaveLength(1000);
    expect(numbers.size).toBe(1);
  });

  test("agree with a list, whatever is set and cleared", () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant("set" as const), value: fc.nat(5000) }),
      fc.record({ do: fc.constant("clear" as const), value: fc.nat(50) }),
      fc.record({ do: fc.constant("pass" as const), value: fc.nat(3000) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const wheel = new TimerWheel(0, 4);
        const alarms = new Alarms(wheel);
        const called = new Set<number>();
        let waiting: { name: number; due: number; id: number }[] = [];
        let now = 0;
        for (const [name, { do: what, value }] of actions.entries()) {
          if (what === "set") {
            const due = Math.max(Math.ceil((now + value) / TICK_MS), Math.floor(now / TICK_MS) + 1) * TICK_MS;
            waiting.push({ name, due, id: alarms.set(value, () => called.add(name)) });
          } else if (what === "clear" && waiting.length > 0) {
            alarms.clear(waiting.splice(value % waiting.length, 1)[0]!.id);
          } else if (what === "pass") {
            now += value;
            wheel.advance(now);
            for (const { name, due } of waiting) expect(called.has(name)).toBe(due <= now);
            waiting = waiting.filter(({ due }) => due > now);
          }
          expect(wheel.size).toBe(waiting.length);
        }
      }),
    );
  });
});
