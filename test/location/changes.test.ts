import { expect, test } from "bun:test";
import fc from "fast-check";
import { Changes } from "../../src/location/changes.ts";

function all(changes: Changes): [number, boolean][] {
  const taken: [number, boolean][] = [];
  for (let slot = changes.next(); slot >= 0; slot = changes.next()) taken.push([slot, changes.isWhole]);
  return taken;
}

test("a binding that changes often waits once, and whole when one of its changes was", () => {
  const changes = new Changes(10);
  changes.touch(3);
  changes.put(3);
  changes.touch(3);
  changes.touch(5);
  expect(changes.size).toBe(2);
  expect(all(changes)).toEqual([
    [3, true],
    [5, false],
  ]);
  changes.touch(3);
  expect(all(changes)).toEqual([[3, false]]);
});

test("what was forgotten is not given; a slot that is used again keeps its place", () => {
  const changes = new Changes(10);
  changes.put(1);
  changes.put(2);
  changes.forget(1);
  expect(changes.has(1)).toBe(false);
  changes.touch(1);
  expect([changes.has(1), changes.has(2), changes.has(3)]).toEqual([true, true, false]);
  expect(all(changes)).toEqual([
    [1, false],
    [2, true],
  ]);
});

test("whatever comes, each slot is given once, with all that happened to it", () => {
  const step = fc.record({ slot: fc.nat(4999), kind: fc.constantFrom("put", "touch", "touch", "forget", "next") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 6000, size: "max" }), (steps) => {
      const changes = new Changes(5000);
      const known = new Map<number, boolean>();
      for (const { slot, kind } of steps) {
        if (kind === "forget") {
          changes.forget(slot);
          known.delete(slot);
        } else if (kind === "next") {
          const given = changes.next();
          expect(given < 0 ? undefined : changes.isWhole).toBe(known.get(given));
          if (given < 0) expect(known.size).toBe(0);
          known.delete(given);
        } else {
          changes[kind](slot);
          known.set(slot, kind === "put" || known.get(slot) === true);
        }
      }
      expect(new Map(all(changes))).toEqual(known);
      expect(changes.size).toBe(0);
    }),
    { numRuns: 30 },
  );
});
