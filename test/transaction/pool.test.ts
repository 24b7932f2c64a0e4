import { expect, test } from "bun:test";
import fc from "fast-check";
import { Kind, State, TransactionPool } from "../../src/transaction/pool.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { RecordingChannel } from "../support/recording-channel.ts";

const channel = new RecordingChannel(new FakeClock());

function take(pool: TransactionPool, port = 5060): number {
  return pool.take(Kind.ServerInvite, State.Proceeding, channel, "192.0.2.10", port);
}

test("a handle is live from taking its slot to giving it back, and never again", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 200 }), (choices) => {
      const pool = new TransactionPool(8);
      const live: { slot: number; generation: number }[] = [];
      const stale: { slot: number; generation: number }[] = [];
      for (const choice of choices) {
        if (choice % 2 === 0) {
          const slot = take(pool);
          if (live.length === 8) expect(slot).toBe(-1);
          else {
            expect(live.some((other) => other.slot === slot)).toBe(false);
            live.push({ slot, generation: pool.generation(slot) });
          }
        } else if (live.length > 0) {
          const [gone] = live.splice(choice % live.length, 1);
          pool.give(gone!.slot);
          stale.push(gone!);
        }
        expect(pool.live).toBe(live.length);
        for (const { slot, generation } of live) expect(pool.isLive(slot, generation)).toBe(true);
        for (const { slot, generation } of stale) expect(pool.isLive(slot, generation)).toBe(false);
      }
    }),
    { numRuns: 100 },
  );
});

test("at the ceiling there is no slot, and one given back is there again", () => {
  const pool = new TransactionPool(3);
  const slots = [take(pool), take(pool), take(pool)];
  expect(new Set(slots).size).toBe(3);
  expect(take(pool)).toBe(-1);
  expect(pool.live).toBe(3);
  pool.give(slots[1]!);
  expect(take(pool)).toBe(slots[1]!);
  expect(take(pool)).toBe(-1);
});

test("kind, state, status and port lie in one word and do not disturb each other", () => {
  const pool = new TransactionPool(1);
  for (const port of [0, 1, 5060, 65_535]) {
    const slot = take(pool, port);
    for (const state of Object.values(State)) {
      for (const status of [0, 100, 486, 699]) {
        pool.setState(slot, state);
        pool.setStatus(slot, status);
        expect([pool.kind(slot), pool.state(slot), pool.status(slot), pool.port(slot)]).toEqual([
          Kind.ServerInvite,
          state,
          status,
          port,
        ]);
      }
    }
    pool.give(slot);
  }
});
