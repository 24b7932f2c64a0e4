/**
 * The stores of the location service: what a refresh costs the whole process, its writing thread included, over 500,000
 * bindings and in no order; how long the server's thread stands still; how long a start takes. Run: `bun run bench store`.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Location } from "../src/location/location.ts";
import { BindingPacker, Section } from "../src/location/packed.ts";
import { redisStore } from "../src/location/redis-store.ts";
import { sqliteStore } from "../src/location/sqlite-store.ts";
import type { BindingStore } from "../src/location/store.ts";
import { ascii } from "../src/message/bytes.ts";
import { TimerWheel } from "../src/time/wheel.ts";
import { hasRedis, startRedis } from "./load/redis.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { clock } from "./micro/sample.ts";

const BINDINGS = 500_000;
const QUICK_BINDINGS = 50_000;
/** What the store of a REGISTER may cost: the 12 us of one with SQLite less the 8 us of one without. */
const REFRESH_BUDGET = 4000;
const LOAD_BUDGET = 2e9;
const PAUSE_BUDGET = 20e6;
/** Refreshes a second, and for how many seconds. */
const RATE = 50_000;
const SECONDS = 6;
const QUICK_SECONDS = 2;
const TURN_MS = 5;
/** Bindings that are added in one turn. */
const ADDED = 1000;

const log = { info() {}, warn: console.warn, error: console.error };

export default async function store({ quick, figure }: Bench): Promise<void> {
  const count = quick ? QUICK_BINDINGS : BINDINGS;
  const seconds = quick ? QUICK_SECONDS : SECONDS;
  const of = `${count.toLocaleString("en-US")} bindings`;
  const file = join(tmpdir(), `viaduct-bench-store-${process.pid}.sqlite`);
  try {
    const added = await filled(sqliteStore({ file }), count);
    figure({ name: "sqlite: new binding, whole process", unit: "ns", p50: added, note: "Location.add included" });
    const began = clock();
    const { location, store } = await opened(sqliteStore({ file }));
    if (location.size !== count) throw new Error(`${location.size} bindings of ${count} are there again`);
    figure({ name: `sqlite: start with ${of}`, unit: "ns", p50: clock() - began, budget: LOAD_BUDGET });
    const base = await refreshes(location, null, seconds);
    const cost = await refreshes(location, store, seconds);
    const note = `${RATE.toLocaleString("en-US")} a second at random over ${of}`;
    const cpu = Math.max(0, cost.cpu - base.cpu);
    figure({ name: "sqlite: refresh, whole process", unit: "ns", p50: cpu, budget: REFRESH_BUDGET, note });
    const peer = { name: "without", p50: base.pause };
    figure({ name: "sqlite: longest turn late", unit: "ns", p50: cost.pause, budget: PAUSE_BUDGET, peer, note });
    await store.close();
  } finally {
    for (const end of ["", "-wal", "-shm", "-owner"]) rmSync(file + end, { force: true });
  }
  if (hasRedis()) await withRedis({ quick, figure }, count, seconds);
}

async function withRedis({ figure }: Pick<Bench, "quick" | "figure">, count: number, seconds: number): Promise<void> {
  const redis = await startRedis();
  const of = `${count.toLocaleString("en-US")} bindings`;
  try {
    await filled(redisStore({ url: redis.url }), count);
    const began = clock();
    const { location, store } = await opened(redisStore({ url: redis.url }));
    if (location.size !== count) throw new Error(`${location.size} bindings of ${count} are there again`);
    figure({ name: `redis: start with ${of}`, unit: "ns", p50: clock() - began });
    const base = await refreshes(location, null, seconds, RATE / 5);
    const cost = await refreshes(location, store, seconds, RATE / 5);
    const note = `${(RATE / 5).toLocaleString("en-US")} a second; Redis itself not included`;
    figure({ name: "redis: refresh, whole process", unit: "ns", p50: Math.max(0, cost.cpu - base.cpu), note });
    const peer = { name: "without", p50: base.pause };
    figure({ name: "redis: longest turn late", unit: "ns", p50: cost.pause, peer, note });
    await store.close();
  } finally {
    await redis.stop();
  }
}

async function opened<T extends BindingStore>(store: T): Promise<{ location: Location; store: T }> {
  const wheel = new TimerWheel(performance.now(), BINDINGS);
  const epoch = { wall: Date.now(), wheel: wheel.now };
  const location = new Location({ wheel, epoch, ceiling: BINDINGS * 2, seed: [1, 2] });
  await store.open({ location, log });
  location.store = store;
  return { location, store };
}

/** Fills a store and closes it. @returns nanoseconds of CPU a binding */
async function filled(empty: BindingStore, count: number): Promise<number> {
  const { location, store } = await opened(empty);
  const packer = new BindingPacker();
  const before = process.cpuUsage();
  for (let user = 0; user < count; user++) {
    const aor = ascii(`sip:user${user}@example.com`);
    pack(packer, user);
    location.add(aor, 0, aor.length, packer, { expires: 36_000, cseq: 1, q: 1000, regId: 1, flags: 0 });
    if (user % ADDED === 0) await Bun.sleep(0);
  }
  await store.settled();
  const cpu = cpuSince(before) / count;
  await store.close();
  return cpu;
}

function pack(packer: BindingPacker, user: number): void {
  const instance = `<urn:uuid:${String(user).padStart(8, "0")}-0000-1000-8000-000A95A0E128>`;
  const params = `;+sip.instance="${instance}";reg-id=1`;
  packer.begin();
  packer.text(Section.Uri, `sip:user${user}@192.0.2.${user % 250}:5060;transport=udp;ob`);
  packer.text(Section.Params, params);
  packer.text(Section.CallId, `${user}-a84b4c76e66710@192.0.2.${user % 250}`);
  packer.text(Section.Path, user % 4 === 0 ? "<sip:p1.example.com;lr;ob>" : "");
  packer.text(Section.Received, `udp:198.51.100.${user % 250}:${1024 + (user % 60_000)}`);
  packer.text(Section.UserAgent, "Example Phone 1.0.9.135");
  packer.instance(params.indexOf(instance), instance.length);
  packer.end();
}

/** What refreshes cost: nanoseconds of CPU each, and the longest that a turn came late. */
async function refreshes(location: Location, store: BindingStore | null, seconds: number, rate = RATE) {
  const slots = Int32Array.from({ length: rate * seconds }, () => Math.floor(Math.random() * location.used));
  const before = process.cpuUsage();
  const began = performance.now();
  let pause = 0;
  let done = 0;
  while (done < slots.length) {
    const due = Math.min(slots.length, Math.floor(((performance.now() - began) / 1000) * rate));
    for (; done < due; done++) store?.touch(slots[done]!);
    const slept = performance.now();
    await Bun.sleep(TURN_MS);
    pause = Math.max(pause, performance.now() - slept - TURN_MS);
  }
  await store?.settled();
  return { cpu: cpuSince(before) / slots.length, pause: pause * 1e6 };
}

/** Nanoseconds of CPU of all threads. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}

if (import.meta.main) await runOne("store", store);
