/**
 * A UDP flood faster than one core can answer. Bun reads a socket until it is empty, so that without a guard nothing else
 * of the process would run: no timer, no other socket.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { type FloodKind, flood } from "../support/flood.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { WireClient } from "../support/wire-client.ts";

const DURATION = 3000;
/**
 * A third of the flood: without a guard it is all of it. The promise is 50 ms on a machine of one's own, which
 * `bun run bench calls --flood` measures; here flood, server and test share the cores with whatever else there is.
 */
const LONGEST_GAP = 1000;
/** How late something else in the process may be answered. */
const LATEST = 1500;
const T1 = 100;
const T2 = 400;
/** Of the 200s that go out again at T1, 3*T1, 7*T1 and then every T2: nine in three seconds, some late on a busy machine. */
const REPEATED = 5;

let server: ServerProcess | null = null;

afterEach(async () => {
  await server?.stop();
  server = null;
});

/** Asks again and again while `isOver` does not say so. @returns the longest that an answer took, in milliseconds */
async function longestAnswer(isOver: () => boolean, ask: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  while (!isOver()) {
    const asked = performance.now();
    await ask();
    longest = Math.max(longest, performance.now() - asked);
    await Bun.sleep(40);
  }
  return longest;
}

interface Flooded {
  /** Milliseconds, the longest there was. */
  gap: number;
  http: number;
  listener: number;
  /** Times that the 200 of a call without its ACK came again while the flood lasted. */
  repeated: number;
  received: number;
  pauses: number;
}

async function underFlood(kind: FloodKind, native: boolean): Promise<Flooded> {
  const listen = ["udp://127.0.0.1:0", "udp://127.0.0.1:0"];
  server = await startServer({ listen, timers: { t1: T1, t2: T2 }, udp: { native } });
  const { ports, http } = server;
  using caller = await WireClient.open({ address: "127.0.0.1", port: ports[0]! });
  using other = await WireClient.open({ address: "127.0.0.1", port: ports[1]! });
  const { invite } = await caller.invite();
  await server.reset();
  let over = false;
  const flooding = flood({ kind, port: ports[0]!, duration: DURATION }).finally(() => {
    over = true;
  });
  let repeated = 0;
  const counting = (async () => {
    while (!over) {
      await caller.next(200, invite);
      if (!over) repeated++;
    }
  })();
  const [httpLongest, listenerLongest] = await Promise.all([
    longestAnswer(
      () => over,
      async () => expect(await (await fetch(`http://127.0.0.1:${http}/`)).text()).toBe("ok"),
    ),
    native
      ? longestAnswer(
          () => over,
          () => other.ask("OPTIONS"),
        )
      : 0,
  ]);
  await flooding;
  const { longestTickGapMs, messagesReceived, floodPauses } = await server.stats();
  await counting;
  const result: Flooded = {
    gap: longestTickGapMs,
    http: httpLongest,
    listener: listenerLongest,
    repeated,
    received: messagesReceived,
    pauses: floodPauses,
  };
  console.log(`${kind}, native ${native}: ${JSON.stringify(result)}`);
  return result;
}

/** Floods until `isGood`, three times at most: a guard that does not work fails each, a machine that is busy but one. */
async function bestFlood(kind: FloodKind, native: boolean, isGood: (seen: Flooded) => boolean): Promise<Flooded> {
  for (let left = 2; ; left--) {
    const seen = await underFlood(kind, native);
    if (left === 0 || isGood(seen)) return seen;
    await server?.stop();
  }
}

describe.each<FloodKind>(["options", "garbage"])("a flood of %s", (kind) => {
  test("leaves room for timers, HTTP and another listener", async () => {
    const { gap, http, listener, repeated, received, pauses } = await bestFlood(
      kind,
      true,
      (seen) => seen.gap < LONGEST_GAP && seen.http < LATEST && seen.listener < LATEST,
    );
    // It was a flood: the guard had to step in.
    expect(received).toBeGreaterThan(10_000);
    expect(pauses).toBeGreaterThan(10);
    expect(gap).toBeLessThan(LONGEST_GAP);
    expect(http).toBeLessThan(LATEST);
    expect(listener).toBeLessThan(LATEST);
    expect(repeated).toBeGreaterThanOrEqual(REPEATED);
  }, 45_000);

  test("leaves room for timers where there is no native code", async () => {
    const { gap, repeated, received, pauses } = await bestFlood(kind, false, (seen) => seen.gap < LONGEST_GAP);
    expect(received).toBeGreaterThan(10_000);
    expect(pauses).toBe(0);
    expect(gap).toBeLessThan(LONGEST_GAP);
    expect(repeated).toBeGreaterThanOrEqual(REPEATED);
  }, 45_000);
});
