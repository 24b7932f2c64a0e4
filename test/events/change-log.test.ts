/** What a subscriber is told of changes, against a list of all that happened. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ChangeLogs } from "../../src/events/change-log.ts";

test("who is told the changes now and then knows what there is, whatever happens between", () => {
  const step = fc.oneof(
    fc.record({ what: fc.constant("set" as const), key: fc.nat(40) }),
    fc.record({ what: fc.constant("remove" as const), key: fc.nat(40) }),
    fc.record({ what: fc.constant("tell" as const), key: fc.nat(1) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const logs = new ChangeLogs<number, { key: number; value: number }>(() => 1);
      const truth = new Map<number, number>();
      const known = new Map<number, number>();
      let since = -1;
      const tell = () => {
        const { isFull, values, revision } = logs.since("r", since);
        if (isFull) known.clear();
        for (const { key, value } of values) {
          if (value < 0) known.delete(key);
          else known.set(key, value);
        }
        since = revision;
        expect([...known].toSorted((a, b) => a[0] - b[0])).toEqual([...truth].toSorted((a, b) => a[0] - b[0]));
      };
      for (const [at, { what, key }] of steps.entries()) {
        if (what === "tell") tell();
        else if (what === "set") {
          truth.set(key, at);
          logs.set("r", key, { key, value: at });
        } else {
          truth.delete(key);
          logs.remove("r", key, { key, value: -1 });
        }
      }
      tell();
    }),
  );
});

test("the log of a resource with nothing in it goes once nobody watches", () => {
  let watchers = 1;
  const logs = new ChangeLogs<string, number>(() => watchers);
  const come = (resource: string) => {
    logs.set(resource, "k", 1);
    logs.remove(resource, "k", 1);
  };
  for (let i = 0; i < 100; i++) come(`r${i}`);
  expect(logs.size).toBe(100);
  watchers = 0;
  for (let i = 0; i < 101; i++) come("other");
  expect(logs.size).toBeLessThanOrEqual(1);
  // A log that comes anew goes on counting: who knew the old one is told the whole.
  const { revision } = logs.since("r1", -1);
  logs.set("r1", "k", 1);
  expect(logs.since("r1", revision - 1).isFull).toBe(true);
});
