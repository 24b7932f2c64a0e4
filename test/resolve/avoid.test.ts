import { describe, expect, test } from "bun:test";
import { AvoidedTargets } from "../../src/resolve/avoid.ts";
import type { Target } from "../../src/resolve/target.ts";
import { FakeClock } from "../support/fake-clock.ts";

function target(address: string, more: Partial<Target> = {}): Target {
  return { transport: "udp", address, port: 5060, domain: "example.com", ...more };
}

const [a, b, c] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((address) => target(address)) as [Target, Target, Target];

describe("avoided targets", () => {
  test("go to the end, in their order, and come back when their time is over", () => {
    const clock = new FakeClock();
    const avoided = new AvoidedTargets(clock);
    expect(avoided.last([a, b, c])).toEqual([a, b, c]);
    avoided.add(a, 1000);
    avoided.add(b, 2000);
    expect(avoided.last([a, b, c])).toEqual([c, a, b]);
    clock.skip(1000);
    expect(avoided.last([a, b, c])).toEqual([a, c, b]);
    clock.skip(1000);
    expect(avoided.last([a, b, c])).toEqual([a, b, c]);
  });

  test("are never left out, even when there are no others", () => {
    const avoided = new AvoidedTargets(new FakeClock());
    avoided.add(a, 1000);
    avoided.add(b, 1000);
    expect(avoided.last([b, a])).toEqual([b, a]);
  });

  test("are known by transport, address and port, whatever domain led to them", () => {
    const avoided = new AvoidedTargets(new FakeClock());
    avoided.add(a, 1000);
    expect(avoided.has(target(a.address, { domain: "other.example" }))).toBe(true);
    expect(avoided.has(target(a.address, { transport: "tcp" }))).toBe(false);
    expect(avoided.has(target(a.address, { port: 5070 }))).toBe(false);
    expect(avoided.has(b)).toBe(false);
  });

  test("are forgiven", () => {
    const avoided = new AvoidedTargets(new FakeClock());
    avoided.add(a, 1000);
    avoided.add(b, 1000);
    avoided.delete(a);
    avoided.add(b, 0);
    expect([avoided.has(a), avoided.has(b)]).toEqual([false, false]);
  });
});
