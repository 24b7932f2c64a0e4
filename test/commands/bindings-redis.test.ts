/** `viaduct bindings`, and servers of the command, on one Redis. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { killChildren, refusalOf, runCli } from "../support/cli-child.ts";
import { startRegistrar } from "../support/cli-registrar.ts";
import { RedisServer, redisPath } from "../support/redis.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);
afterAll(killChildren);

describe.skipIf(redisPath() === null)("on Redis", () => {
  test("two servers share registrations, and the command line sees and ends them", async () => {
    await using redis = await RedisServer.start();
    const store = ["--redis-url", redis.url, "--redis-prefix", "test:"];
    const first = await startRegistrar(...store, "--server-name", "first");
    const second = await startRegistrar(...store, "--server-name", "second");
    await first.register();
    await until("the second server to know", async () => (await second.fetch("bob")).length === 1);
    const listed = await runCli("bindings", "list", "--json", ...store);
    expect(listed.stderr).toBe("");
    expect(JSON.parse(listed.stdout)).toMatchObject({ aor: "sip:bob@example.com", contact: "sip:bob@127.0.0.1:9" });
    expect((await runCli("bindings", "remove", "bob@example.com", ...store)).code).toBe(0);
    for (const server of [first, second]) {
      await until("the server to have heard of it", async () => (await server.fetch("bob")).length === 0);
    }
    expect((await runCli("bindings", "list", ...store)).code).toBe(1);
    for (const server of [first, second]) expect(await server.stop()).toBe(0);
  });

  test("that goes away refuses REGISTERs where the settings say so", async () => {
    await using redis = await RedisServer.start();
    const server = await startRegistrar("--redis-url", redis.url, "--redis-away", "refuse");
    expect((await server.register()).status).toBe(200);
    await redis.kill();
    await until("a refusal", async () => (await server.register()).status === 503);
    expect(await server.stop()).toBe(0);
  });
});

test("a Redis that is not there is named without its password, and nothing starts", async () => {
  const url = ["--redis-url", "redis://user:geheim@127.0.0.1:1"];
  const registrar = ["--mode", "registrar", "--listen", "udp://127.0.0.1:0", ...url];
  for (const args of [registrar, ["bindings", "list", ...url]]) {
    const message = await refusalOf(...args);
    expect(message).toStartWith("redis-url: Redis at 127.0.0.1:1: ");
    expect(message).not.toContain("geheim");
  }
});
