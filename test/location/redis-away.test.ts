/** Redis is away, and comes back. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { readRow, writeNews, writeRow } from "../../src/location/redis-rows.ts";
import { StoreError } from "../../src/location/store.ts";
import { register, rowsOf } from "../support/bindings.ts";
import { RedisServer, redisPath } from "../support/redis.ts";
import { type RedisLife, RedisLives, sharedRowsOf } from "../support/redis-lives.ts";
import { peerVerdict } from "../support/sipp.ts";
import { TcpRelay } from "../support/tcp-relay.ts";
import { until } from "../support/until.ts";

const verdict = peerVerdict(redisPath(), process.env.CI);

const user = (number: number) => `sip:user${number}@example.com`;
const CONTACT = "sip:bob@192.0.2.1";
/** The same by RFC 3261 s19.1.4. */
const RESPELLED = "SIP:bob@192.0.2.1";

function slotOf({ location }: RedisLife, number: number): number {
  return location.slotOf(user(number), CONTACT);
}

/** As a registrar finds it: the one with this Contact to the octet, else one that is spelled otherwise. */
function equalSlotOf({ location }: RedisLife, number: number, contact: string): number {
  const exact = location.slotOf(user(number), contact);
  const aor = location.findText(user(number));
  return exact >= 0 || aor < 0 ? exact : location.first(aor);
}

async function away(...lives: RedisLife[]): Promise<void> {
  for (const { store } of lives) await until("the server to see that Redis is away", () => store.isAway);
}

async function back(...lives: RedisLife[]): Promise<void> {
  for (const { store } of lives) {
    await until("the server to have Redis back", () => !store.isAway);
    await store.settled();
  }
}

/** What one knows, all know, and Redis too: whoever begins now. */
async function expectSame(lives: RedisLives, url: string, ...some: RedisLife[]): Promise<void> {
  const known = () => some.map(({ location }) => JSON.stringify(sharedRowsOf(location)));
  await until("all to know the same", () => new Set(known()).size === 1);
  for (const { store } of some) await store.settled();
  const { location } = await lives.begin({ url });
  expect(sharedRowsOf(location)).toEqual(sharedRowsOf(some[0]!.location));
}

describe.skipIf(verdict !== "run")("while Redis is away", () => {
  test("look-ups and REGISTERs go on from memory, which is said; back and empty, it gets all there is", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const b = await lives.begin({ url: redis.url, server: "b" });
    for (let i = 0; i < 50; i++) register(a.location, { aor: user(i) });
    await until("b to know them", () => b.location.size === 50);

    await redis.kill();
    await away(a, b);
    expect([a.location.size, b.location.size]).toEqual([50, 50]);
    expect(a.store.trouble).toBeNull();
    await expect(a.store.settled()).rejects.toThrow(StoreError);
    await expect(a.store.secret("nonce")).rejects.toThrow(StoreError);
    register(a.location, { aor: user(50) });
    register(b.location, { aor: user(51) });
    a.location.remove(slotOf(a, 0), "unregistered");
    // Longer than one try takes.
    await Bun.sleep(120);

    await redis.start();
    await back(a, b);
    await until("both to know all", () => a.location.size === 51 && b.location.size === 51);
    await expectSame(lives, redis.url, a, b);
    expect(a.log.of("error")).toEqual(["Redis is away; what is known of bindings goes on being used"]);
    expect(a.log.of("info")).toEqual(["bindings loaded", "Redis is back"]);
    expect(a.store.counters.away).toBe(1);
    // What a removes from now on is gone.
    a.location.remove(slotOf(a, 1), "unregistered");
    await until("b to hear of it", () => b.location.size === 50);
  });

  test.each([
    ["where it is set so", "refuse"],
    ["since they wait for it", "accept"],
  ] as const)("REGISTERs are refused %s, and those that wait are told", async (_, whileAway) => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const life = await lives.begin({ url: redis.url, whileAway, isAwaited: true, patience: 100 });
    const { location, store } = life;
    expect(store.isAwaited).toBe(true);
    register(location, { aor: user(1) });
    await store.settled();
    expect(store.trouble).toBeNull();
    // It hangs, which its connection does not show.
    redis.freeze();
    register(location, { aor: user(2) });
    await expect(store.settled()).rejects.toThrow("Redis is away");
    await away(life);
    expect(store.trouble).toBe("Redis is away");
    redis.thaw();
    await back(life);
    expect(store.trouble).toBeNull();
    await expectSame(lives, redis.url, life);
  });

  test("emptied while its links stand, it gets all there is again, secrets too, and nothing is taken for ended", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    // All of it is old: what Redis lacks of that was ended elsewhere, so long as it has not lost anything.
    const wall = Date.now();
    const a = await lives.begin({ url: redis.url, server: "a" }, wall - 60_000);
    const b = await lives.begin({ url: redis.url, server: "b" }, wall - 60_000);
    for (let i = 0; i < 20; i++) register(a.location, { aor: user(i) });
    await until("b to know them", () => b.location.size === 20);
    const [secret] = await Promise.all([a.store.secret("gruu"), b.store.secret("gruu")]);
    for (const life of [a, b]) life.pass(60_000);
    // Signs of now.
    const signs = async () => (await redis.ask("MGET", ...(await redis.keys("viaduct:seen:*")))) as string[];
    await until("signs of now", async () => (await signs()).every((sign) => Number(sign) >= wall));
    await redis.ask("FLUSHALL");
    for (const { store } of [a, b]) await until("the server to see it", () => store.counters.away === 1);
    await back(a, b);
    expect([a.location.size, b.location.size, (await redis.keys("viaduct:b:*")).length]).toEqual([20, 20, 20]);
    expect(await (await lives.begin({ url: redis.url })).store.secret("gruu")).toEqual(secret);
    await expectSame(lives, redis.url, a, b);
  });

  test("what was ended since it saved stays ended, in Redis too", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const b = await lives.begin({ url: redis.url, server: "b" });
    for (let i = 0; i < 10; i++) register(a.location, { aor: user(i) });
    await a.store.settled();
    await until("b to know them", () => b.location.size === 10);
    await redis.ask("SAVE");
    a.location.remove(slotOf(a, 1), "unregistered");
    b.location.remove(slotOf(b, 2), "unregistered");
    await Promise.all([a.store.settled(), b.store.settled()]);
    await redis.kill();
    await away(a, b);
    a.location.remove(slotOf(a, 3), "unregistered");
    await redis.start();
    await back(a, b);
    await expectSame(lives, redis.url, a, b);
    expect(a.location.size).toBe(7);
  });

  test("what was ended stays ended though it lost word of that, and a server that had not heard says otherwise", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const slot = register(a.location, { aor: user(1) });
    const json = writeRow(a.location.row(slot), "b");
    await a.store.settled();
    const [key] = await redis.keys();
    const before = String(await redis.ask("GET", key!));
    a.location.remove(slot, "unregistered");
    await a.store.settled();
    await redis.ask("FLUSHALL");
    await redis.ask("SET", key!, before);
    await redis.ask("PUBLISH", "viaduct:news", writeNews("b", [json], []));
    await until("a to say so", async () => readRow(String(await redis.ask("GET", key!))) === null);
    expect(a.location.size).toBe(0);
    await expectSame(lives, redis.url, a);
  });

  test("news that fall silent are missed, though commands are answered", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url });
    const b = await lives.begin({ url: redis.url });
    await redis.ask("CLIENT", "KILL", "TYPE", "pubsub");
    register(b.location, { aor: user(1) });
    await until("a to have it back", () => a.store.counters.away === 1 && !a.store.isAway);
    await until("a to know what b knows", () => a.location.size === 1);
  });

  test("changes that Redis refuses are kept, said not to be taken, and tried again", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const life = await lives.begin({ url: redis.url, whileAway: "refuse" });
    const { location, store, log } = life;
    await redis.ask("CONFIG", "SET", "maxmemory", "1");
    register(location, { aor: user(1) });
    await expect(store.settled()).rejects.toThrow("Redis takes no changes");
    expect([store.trouble, store.isAway]).toEqual(["Redis takes no changes", true]);
    expect(log.lines.at(-1)).toMatchObject({ level: "error", message: "Redis takes no changes" });
    expect(String(log.lines.at(-1)!.fields.reason)).toStartWith("OOM");
    await redis.ask("CONFIG", "SET", "maxmemory", "0");
    await back(life);
    expect(log.of("info").at(-1)).toBe("Redis takes changes again");
    expect(log.of("error")).toHaveLength(1);
    expect(store.counters.away).toBe(0);
    await expectSame(lives, redis.url, life);
  });

  test("traffic goes on, and after three ends of Redis all servers know all of it", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const b = await lives.begin({ url: redis.url, server: "b" });
    let users = 0;
    let isOver = false;
    const traffic = (async () => {
      for (; !isOver; await Bun.sleep(2)) {
        for (let i = 0; i < 20; i++, users++) register((users % 2 ? a : b).location, { aor: user(users) });
        // Some of a while ago come again, and one of those goes.
        for (let old = users - 200; old >= 0 && old < users - 190; old++) {
          const life = old % 2 ? a : b;
          if (old % 10 === 3) life.location.remove(slotOf(life, old), "unregistered");
          else register(life.location, { aor: user(old), cseq: 2 });
          expect(slotOf(life, old) >= 0).toBe(old % 10 !== 3);
        }
      }
    })();
    for (let round = 0; round < 3; round++) {
      await Bun.sleep(100);
      await redis.kill();
      await away(a, b);
      await Bun.sleep(30);
      await redis.start();
      await until("both to have it back", () => !a.store.isAway && !b.store.isAway);
    }
    isOver = true;
    await traffic;
    await back(a, b);
    await expectSame(lives, redis.url, a, b);
    expect(a.location.size).toBeGreaterThan(users * 0.9);
  }, 30_000);

  test("from one server alone, whatever each does meanwhile, both agree afterwards", async () => {
    await using redis = await RedisServer.start();
    const step = fc.record({
      isA: fc.boolean(),
      user: fc.nat(7),
      kind: fc.constantFrom("register", "respell", "remove", "pass"),
    });
    const steps = fc.array(step, { maxLength: 25 });
    await fc.assert(
      fc.asyncProperty(steps, steps, steps, async (before, meanwhile, afterwards) => {
        await redis.ask("FLUSHALL");
        using relay = new TcpRelay(redis.port);
        await using lives = new RedisLives();
        // A while ago, so that what was registered before the cut is not taken for lost by Redis.
        const wall = Date.now() - 60_000;
        const a = await lives.begin({ url: `redis://127.0.0.1:${relay.port}`, server: "a" }, wall);
        const b = await lives.begin({ url: redis.url, server: "b" }, wall);
        let cseq = 0;
        const run = (some: typeof before) => {
          for (const { isA, user: number, kind } of some) {
            const life = isA ? a : b;
            const contact = kind === "respell" ? RESPELLED : CONTACT;
            const slot = equalSlotOf(life, number, contact);
            const said = { aor: user(number), contact, cseq: ++cseq, userAgent: `${cseq}` };
            if (kind === "register" || kind === "respell") register(life.location, said, slot);
            else if (kind === "pass") for (const { pass } of [a, b]) pass(1000);
            else if (slot >= 0) life.location.remove(slot, "unregistered");
          }
        };
        run(before);
        await back(a, b);
        relay.cut();
        await away(a);
        for (const { pass } of [a, b]) pass(20_000);
        run(meanwhile);
        relay.mend();
        await back(a, b);
        run(afterwards);
        await expectSame(lives, redis.url, a, b);
        expect(rowsOf(a.location).every(({ flags }) => flags === 0 || flags === 32)).toBe(true);
      }),
      { numRuns: 12 },
    );
  }, 60_000);
});
