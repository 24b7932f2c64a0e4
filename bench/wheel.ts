/**
 * The timer wheel with 100,000 live timers, beside setTimeout and clearTimeout with as many. Run: `bun run bench wheel`.
 */
import { TICK_MS, TimerWheel } from "../src/time/wheel.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { clock, type Effort, selfTimed, type Times, timeOf } from "./micro/sample.ts";

const LIVE = 100_000;
const BUDGET_NS = 10;
/** The delays of SIP's timers: T1 and its doublings, timers I and K, 64*T1, a dialog's refresh. */
const DELAYS = [500, 1000, 2000, 4000, 5000, 32_000, 32_000, 60_000];
/** Timers started and stopped in one call. */
const BATCH = 1024;
/** Expiry: over how many milliseconds the timers are spread. */
const SPREAD_MS = 500;

export default async function wheel({ effort, quick, figure }: Bench): Promise<void> {
  figure({
    name: "insert and cancel, 100,000 live",
    unit: "ns",
    ...(await insertAndCancel(effort)),
    budget: BUDGET_NS,
    peer: { name: "setTimeout, clearTimeout", p50: (await setAndClear(effort)).p50 },
  });
  figure({ name: "insert, cancelled 1,024 later, 100,000 live", unit: "ns", ...(await inAnyOrder(effort)) });
  figure({
    name: "expiry of 100,000, each",
    unit: "ns",
    ...(await expiry(effort)),
    peer: { name: "setTimeout", p50: await timeoutExpiry(quick ? 1 : 5) },
  });
}

/** A wheel whose timers lie where those of a busy server lie. */
function filled(): { wheel: TimerWheel; kind: number } {
  const wheel = new TimerWheel(0, LIVE + 2 * BATCH);
  const kind = wheel.register(() => {});
  for (let i = 0; i < LIVE; i++) wheel.insert(10_000 + ((i * 7919) % 50_000), kind, i);
  return { wheel, kind };
}

async function insertAndCancel(effort: Effort): Promise<Times> {
  const { wheel, kind } = filled();
  return await timeOf(
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) wheel.cancel(wheel.insert(DELAYS[i & 7]!, kind, i));
    },
    effort,
  );
}

/** The same two operations, with other timers started in between: the links are no longer in the cache's first level. */
async function inAnyOrder(effort: Effort): Promise<Times> {
  const { wheel, kind } = filled();
  const timers = new Int32Array(BATCH);
  for (let i = 0; i < BATCH; i++) timers[i] = wheel.insert(DELAYS[i & 7]!, kind, i);
  return await timeOf(
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) {
        // 389 is odd, so that every place of the table comes up once.
        const place = (i * 389) & (BATCH - 1);
        wheel.cancel(timers[place]!);
        timers[place] = wheel.insert(DELAYS[i & 7]!, kind, i);
      }
    },
    effort,
  );
}

async function setAndClear(effort: Effort): Promise<Times> {
  const live = Array.from({ length: LIVE }, (_, i) => setTimeout(() => {}, 600_000 + ((i * 7919) % 50_000)));
  const fire = (): void => {};
  const times = await timeOf(
    BATCH,
    () => {
      for (let i = 0; i < BATCH; i++) clearTimeout(setTimeout(fire, DELAYS[i & 7]!));
    },
    effort,
  );
  for (const timer of live) clearTimeout(timer);
  return times;
}

/** Only the firing counts, in steps of a tick; filling the wheel does not. */
async function expiry(effort: Effort): Promise<Times> {
  let fired = 0;
  let time = 0;
  const wheel = new TimerWheel(time, LIVE);
  const kind = wheel.register((owner) => {
    fired += owner & 1;
  });
  return await selfTimed(
    LIVE,
    () => {
      for (let i = 0; i < LIVE; i++) wheel.insert(((i * 7919) % SPREAD_MS) + 1, kind, 2 * i + 1);
      const expected = fired + LIVE;
      const began = clock();
      for (const end = time + SPREAD_MS + TICK_MS; time < end; ) {
        time += TICK_MS;
        wheel.advance(time);
      }
      const taken = clock() - began;
      if (fired !== expected) throw new Error(`${expected - fired} timers did not fire`);
      return taken;
    },
    effort,
  );
}

/** CPU of the process while 100,000 time-outs run out, in nanoseconds a timer; the best of `rounds`. */
async function timeoutExpiry(rounds: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = LIVE;
    const fire = (): void => {
      if (--left === 0) resolve();
    };
    // None runs out before all are set: a timer fires only when this function waits.
    for (let i = 0; i < LIVE; i++) setTimeout(fire, ((i * 7919) % SPREAD_MS) + 1);
    const before = process.cpuUsage();
    await promise;
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / LIVE);
  }
  return best;
}

if (import.meta.main) await runOne("wheel", wheel);
