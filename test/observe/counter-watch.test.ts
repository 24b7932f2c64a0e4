import { expect, test } from "bun:test";
import { watchCounters } from "../../src/observe/counter-watch.ts";

function setUp(initial: Record<string, number> = {}) {
  const stats: Record<string, number> = { rejected: 0, malformed: 0, sendDropped: 0, messagesReceived: 0, ...initial };
  const clock = { now: 0 };
  const reports: Record<string, number>[] = [];
  // The same object each time, as a server that counts in place hands it out.
  const watch = watchCounters({ stats: () => stats, now: () => clock.now, report: (growth) => reports.push(growth) });
  return { stats, clock, reports, watch };
}

test("the first move is reported at the next look, with what has moved only", () => {
  const { stats, reports, watch } = setUp();
  watch.look();
  expect(reports).toEqual([]);
  stats.rejected = 3;
  stats.messagesReceived = 100;
  watch.look();
  expect(reports).toEqual([{ rejected: 3 }]);
});

test("while counters keep moving there is one report in five seconds, and nothing is lost from it", () => {
  const { stats, clock, reports, watch } = setUp();
  for (let second = 0; second < 12; second++) {
    clock.now = second * 1000;
    stats.rejected! += 10;
    stats.sendDropped! += 1;
    watch.look();
  }
  expect(reports).toEqual([
    { rejected: 10, sendDropped: 1 },
    { rejected: 50, sendDropped: 5 },
    { rejected: 50, sendDropped: 5 },
  ]);
});

test("a move in the quiet time is reported after it, though nothing moves any more", () => {
  const { stats, clock, reports, watch } = setUp();
  stats.malformed = 1;
  watch.look();
  clock.now = 1000;
  stats.malformed = 2;
  watch.look();
  clock.now = 5000;
  watch.look();
  clock.now = 10_000;
  watch.look();
  expect(reports).toEqual([{ malformed: 1 }, { malformed: 1 }]);
});

test("what was counted before the watch began is not reported", () => {
  const { stats, reports, watch } = setUp({ rejected: 50 });
  watch.look();
  stats.rejected = 51;
  watch.look();
  expect(reports).toEqual([{ rejected: 1 }]);
});
