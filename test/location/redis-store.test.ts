/** Bindings in Redis that several servers share, while Redis is there. */
import { describe, expect, test } from "bun:test";
import type { UnboundEvent } from "../../src/location/location.ts";
import { redisStore } from "../../src/location/redis-store.ts";
import { redisTool } from "../../src/location/redis-tool.ts";
import { BindingFlag } from "../../src/location/row.ts";
import { StoreError } from "../../src/location/store.ts";
import { inOrder, newLocation, register, rowsOf, StoreLines } from "../support/bindings.ts";
import { RedisServer, redisPath } from "../support/redis.ts";
import { RedisLives, sharedRowsOf } from "../support/redis-lives.ts";
import { peerVerdict } from "../support/sipp.ts";
import { until } from "../support/until.ts";

const verdict = peerVerdict(redisPath(), process.env.CI);

test("where tests run unattended, redis-server is there", () => {
  expect(verdict, "CI is set and there is no redis-server: install it (apt-get install redis-server)").not.toBe("fail");
});

const BOB = "sip:bob@example.com";
const CONTACT = "sip:bob@192.0.2.1";

describe.skipIf(verdict !== "run")("Redis", () => {
  test("keeps bindings beyond the server's life, as they were, until they expire", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const first = await lives.begin({ url: redis.url });
    register(first.location, { aor: BOB, name: '"B\u00f6b \x01\xff"', path: "<sip:p1;lr>", q: 500, flags: 2 });
    register(first.location, { aor: BOB, contact: "sip:bob@192.0.2.2", cseq: 0xffff_ffff });
    register(first.location, { aor: "sip:web@example.com", flags: BindingFlag.FlowOnly, expires: 60 });
    const before = rowsOf(first.location);
    await first.store.close();
    expect(await redis.keys()).toEqual([
      `viaduct:b:${BOB}|${CONTACT}`,
      `viaduct:b:${BOB}|sip:bob@192.0.2.2`,
      `viaduct:b:sip:web@example.com|${CONTACT}`,
    ]);
    const left = Number(await redis.ask("PTTL", `viaduct:b:sip:web@example.com|${CONTACT}`));
    expect(left).toBeWithin(50_000, 61_001);

    const second = await lives.begin({ url: redis.url });
    // The connection that one depends on is gone.
    before[2] = { ...before[2]!, flags: BindingFlag.FlowOnly | BindingFlag.FlowLost };
    expect(rowsOf(second.location)).toEqual(before);
    expect(second.log.lines).toMatchObject([{ message: "bindings loaded", fields: { bindings: 3 } }]);
  });

  test("has the last word on a binding, of a server whose clock is behind too, and within one second", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const wall = Date.now();
    const a = await lives.begin({ url: redis.url, server: "a" }, wall);
    const b = await lives.begin({ url: redis.url, server: "b" }, wall - 5000);
    register(a.location, { aor: BOB, callId: "first", cseq: 7 });
    await until("b to hear of it", () => b.location.size === 1);
    // The client has begun anew, and counts from the beginning.
    for (const callId of ["second", "third"]) register(b.location, { aor: BOB, callId, cseq: 1, expires: 60 });
    await b.store.settled();
    await until("a to hear of it", () => a.location.row(0).callId === "third");
    expect(b.location.row(0)).toMatchObject({ callId: "third", expires: Math.ceil((wall - 5000) / 1000) + 60 });
    const { location } = await lives.begin({ url: redis.url }, wall);
    expect(location.row(0).callId).toBe("third");
    const tool = await redisTool({ url: redis.url });
    expect(await tool.remove(location.row(0))).toBe(true);
    await tool.close();
    await until("all to hear of it", () => a.location.size + b.location.size + location.size === 0);
  });

  test("goes on taking changes once it was told to forget all scripts", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const { location, store, log } = await lives.begin({ url: redis.url });
    for (const cseq of [1, 2]) {
      await redis.ask("SCRIPT", "FLUSH");
      register(location, { aor: BOB, cseq });
      await store.settled();
    }
    expect([log.of("error"), store.counters.failures]).toEqual([[], 0]);
    const next = await lives.begin({ url: redis.url });
    expect(next.location.row(0).cseq).toBe(2);
  });

  test("is shared: what one server changes, the other knows, whose it is and where it went", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const b = await lives.begin({ url: redis.url, server: "b" });
    const events: [string, UnboundEvent | "taken"][] = [];
    a.location.watcher = {
      bound() {},
      unbound: (slot, event) => void events.push([a.location.aorOf(slot), event]),
      taken: (slot) => void events.push([a.location.aorOf(slot), "taken"]),
    };
    register(a.location, { aor: BOB, flags: BindingFlag.Nat });
    await until("b to hear of it", () => b.location.size === 1);
    expect(b.location.flags(0)).toBe(BindingFlag.Nat | BindingFlag.Elsewhere);
    expect(sharedRowsOf(b.location)).toEqual(sharedRowsOf(a.location));

    // The client comes to the other one.
    b.pass(2000);
    register(b.location, { aor: BOB, flags: BindingFlag.Nat, cseq: 2 });
    expect(b.location.flags(0)).toBe(BindingFlag.Nat);
    await until("a to hear of it", () => a.location.cseq(0) === 2);
    expect(a.location.flags(0)).toBe(BindingFlag.Nat | BindingFlag.Elsewhere);
    expect(events).toEqual([[BOB, "taken"]]);

    b.location.remove(0, "unregistered");
    await until("a to hear of it", () => a.location.size === 0);
    expect(events).toEqual([
      [BOB, "taken"],
      [BOB, "deactivated"],
    ]);
    const c = await lives.begin({ url: redis.url });
    expect(c.location.size).toBe(0);
    expect(a.store.counters.learnt).toBe(1);
  });

  test("tells what one server has changed at once as one change at the other", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const b = await lives.begin({ url: redis.url, server: "b" });
    const events: string[] = [];
    b.location.watcher = {
      bound: (_, event) => void events.push(event),
      unbound: (_, event) => void events.push(event),
      settled: () => void events.push("."),
    };
    const contacts = [1, 2, 3].map((n) => `sip:bob@192.0.2.${n}`);
    for (const contact of contacts) register(a.location, { aor: BOB, contact });
    await until("b to hear of them", () => events.includes("."));
    expect(events.splice(0)).toEqual(["created", "created", "created", "."]);
    for (const contact of contacts) a.location.remove(a.location.slotOf(BOB, contact), "unregistered");
    await until("b to hear of their end", () => events.includes("."));
    expect(events).toEqual(["deactivated", "deactivated", "deactivated", "."]);
  });

  test("has the binding that was registered again at once after it was removed", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const { location, store } = await lives.begin({ url: redis.url, window: 60_000 });
    // More removals than go in one piece.
    for (let user = 0; user < 500; user++) register(location, { aor: `sip:u${user}@example.com` });
    await store.settled();
    for (let slot = 0; slot < 500; slot++) location.remove(slot, "unregistered");
    for (let user = 499; user >= 400; user--) register(location, { aor: `sip:u${user}@example.com` });
    await store.settled();
    const other = await lives.begin({ url: redis.url });
    expect(sharedRowsOf(other.location)).toEqual(sharedRowsOf(location));
    expect(location.size).toBe(100);
    expect(store.counters).toMatchObject({ written: 500 + 500 + 100, failures: 0 });
    await store.settled();
  });

  test("has a binding once, however its Contact is spelled, and so do all servers", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url, server: "a" });
    const b = await lives.begin({ url: redis.url, server: "b" });
    const events: string[] = [];
    b.location.watcher = {
      bound: (slot, event) => void events.push(`${event} ${b.location.row(slot).contact}`),
      unbound: (_, event) => void events.push(event),
    };
    const [lower, upper] = ["sip:bob@phone.example.net", "sip:bob@PHONE.example.net"];
    const slot = register(a.location, { aor: BOB, contact: lower });
    await until("b to hear of it", () => events.length === 1);
    register(a.location, { aor: BOB, contact: upper, cseq: 2 }, slot);
    await until("b to hear of it", () => events.length === 2);
    // There and back before anybody was told.
    register(a.location, { aor: BOB, contact: lower, cseq: 3 }, slot);
    register(a.location, { aor: BOB, contact: upper, cseq: 4 }, slot);
    await until("b to hear of it", () => events.length === 3);
    expect(events).toEqual([`created ${lower}`, `refreshed ${upper}`, `refreshed ${upper}`]);
    expect(sharedRowsOf(b.location)).toEqual(sharedRowsOf(a.location));
    const c = await lives.begin({ url: redis.url, server: "c" });
    expect(sharedRowsOf(c.location)).toEqual(sharedRowsOf(a.location));

    register(b.location, { aor: BOB, contact: lower, cseq: 5 }, 0);
    b.location.remove(0, "unregistered");
    await until("all to hear of it", () => a.location.size + c.location.size === 0);
    expect((await lives.begin({ url: redis.url })).location.size).toBe(0);
  });

  test("has the bindings of a server whose clock was behind or ahead, once that is set", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const wall = Date.now();
    const a = await lives.begin({ url: redis.url, server: "a" });
    for (const [server, seconds] of [
      ["behind", -86_400],
      ["ahead", 86_400],
    ] as const) {
      const aor = `sip:${server}@example.com`;
      const b = await lives.begin({ url: redis.url, server }, wall + seconds * 1000);
      const slot = register(b.location, { aor, expires: 600, flags: BindingFlag.FlowOnly });
      await b.store.settled();
      expect(b.location.follow(wall)).toBe(-seconds);
      await until("a to hear of it", () => a.location.slotOf(aor, CONTACT) >= 0);
      const known = a.location.slotOf(aor, CONTACT);
      await until("a to hear of its time", () => a.location.expires(known) === Math.ceil(wall / 1000) + 600);
      expect([b.location.remaining(slot), b.location.flags(slot)]).toEqual([600, BindingFlag.FlowOnly]);
      // Refreshed, it is known to be.
      register(b.location, { aor, expires: 700, cseq: 2, flags: BindingFlag.FlowOnly });
      await until("a to hear of it", () => a.location.expires(known) === Math.ceil(wall / 1000) + 700);
    }
  });

  test("says the same secrets to all servers, and in all their lives", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const a = await lives.begin({ url: redis.url });
    const b = await lives.begin({ url: redis.url });
    const [one, other, gruu] = await Promise.all([
      a.store.secret("nonce"),
      b.store.secret("nonce"),
      b.store.secret("gruu"),
    ]);
    expect(one).toHaveLength(32);
    expect(other).toEqual(one);
    expect(gruu).not.toEqual(one);
    await a.store.close();
    const c = await lives.begin({ url: redis.url });
    expect(await c.store.secret("nonce")).toEqual(one);
  });

  test("may hold anything: what is no binding is counted and left alone", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    await redis.ask("SET", "viaduct:b:nonsense", "}{");
    await redis.ask("RPUSH", "viaduct:b:list", "x");
    const { location, store } = await lives.begin({ url: redis.url });
    for (const news of ["", "x", "x {}", 'x {"rows":[1],"gone":[null]}', 'x {"rows":[],"gone":[]}']) {
      await redis.ask("PUBLISH", "viaduct:news", news);
    }
    await until("the news", () => store.counters.malformed === 4);
    register(location, { aor: BOB });
    await store.settled();
    expect(location.size).toBe(1);
    expect(await redis.ask("TYPE", "viaduct:b:list")).toBe("list");
  });

  test("that cannot be used is named, and its password is not", async () => {
    await using redis = await RedisServer.start();
    const { port } = redis;
    const refusal = async (url: string) => {
      const { location } = newLocation();
      const error = await redisStore({ url, patience: 1000 })
        .open({ location, log: new StoreLines() })
        .catch((error) => error);
      expect(error).toBeInstanceOf(StoreError);
      return (error as StoreError).message;
    };
    await redis.ask("CONFIG", "SET", "requirepass", "another");
    const unreachable = `Redis at 127.0.0.1:${port}: it cannot be reached, or refuses the password`;
    expect(await refusal(`redis://:secret@127.0.0.1:${port}/2`)).toBe(unreachable);
    expect(await refusal("http://127.0.0.1")).toContain("127.0.0.1");
    redis.freeze();
    expect(await refusal(redis.url)).toBe(`Redis at 127.0.0.1:${port}: it does not answer`);
    redis.thaw();
    await redis.kill();
    expect(await refusal(redis.url)).toBe(unreachable);
  });

  test("is read and changed from the command line, and servers follow", async () => {
    await using redis = await RedisServer.start();
    await using lives = new RedisLives();
    const { location, store } = await lives.begin({ url: redis.url });
    for (const user of ["bob", "b*b", "b[o]b"]) register(location, { aor: `sip:${user}@example.com` });
    for (let user = 0; user < 1500; user++) register(location, { aor: `sip:u${user}@example.com`, expires: 60 });
    await store.settled();
    const tool = await redisTool({ url: redis.url });
    expect(inOrder(await Array.fromAsync(tool.rows()))).toEqual(rowsOf(location));
    const [starred, ...others] = await Array.fromAsync(tool.rows("sip:b*b@example.com"));
    expect(others).toEqual([]);
    expect(starred!.aor).toBe("sip:b*b@example.com");
    expect(await tool.remove(starred!)).toBe(true);
    await until("the server to hear of it", () => location.size === 1502);
    expect(await tool.remove(starred!)).toBe(false);
    expect(await Array.fromAsync(tool.rows("sip:b*b@example.com"))).toEqual([]);
    await tool.close();
    await redis.kill();
    await expect(redisTool({ url: redis.url })).rejects.toThrow(StoreError);
  });
});

test("what is no URL of Redis is refused, and its password is in no message", async () => {
  for (const url of [
    "redis://me:hidden@no where",
    "redis://me:hidden@127.0.0.1:99999",
    "http://me:hidden@127.0.0.1:1",
  ]) {
    const store = redisStore({ url });
    const error = await store.open({ location: newLocation().location, log: new StoreLines() }).catch((error) => error);
    expect(error).toBeInstanceOf(StoreError);
    expect(Bun.inspect(error)).not.toContain("hidden");
    await store.close();
  }
});
