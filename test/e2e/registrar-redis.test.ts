/** Two servers of the command on one Redis that goes away and comes back, while phones register at both. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { killChildren } from "../support/cli-child.ts";
import { type Answer, Crowd, contactOf, userOf } from "../support/crowd.ts";
import { RedisServer, redisPath } from "../support/redis.ts";
import { listedOn, RegistrarLife } from "../support/registrar-life.ts";
import { peerVerdict } from "../support/sipp.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);
afterAll(killChildren);

const verdict = peerVerdict(redisPath(), process.env.CI);

test("where tests run unattended, redis-server is there", () => {
  expect(
    verdict,
    "CI is set and there is no redis-server on the PATH: install it (apt-get install redis-server)",
  ).not.toBe("fail");
});

const AWAY = "Redis is away; what is known of bindings goes on being used";
const BACK = "Redis is back";
const UNREGISTER = { headers: ["Expires: 0"] };
/** Phones that are new at each server in one round; those of the round before refresh, and one of them leaves. */
const NEW = 4;
/** Phones that register now here, now there. */
const ROAMING = Array.from({ length: 10 }, (_, number) => 1_000_000 + number);

type Lives = readonly [RegistrarLife, RegistrarLife];

function begin(redis: RedisServer, name: string, ...flags: string[]): Promise<RegistrarLife> {
  return RegistrarLife.begin("udp", ...storeOf(redis), "--server-name", name, ...flags);
}

function storeOf(redis: RedisServer): string[] {
  return ["--redis-url", redis.url, "--redis-prefix", "test:"];
}

/** Phones at two servers. */
class Traffic {
  readonly crowd = new Crowd();
  readonly answers: Answer[] = [];
  /** What is to be known of each phone in the end. */
  readonly expected = new Map<number, string[]>();
  readonly #lives: Lives;
  #rounds = 0;
  #isOver = false;
  #running: Promise<void> | null = null;

  constructor(lives: Lives) {
    this.#lives = lives;
    for (const phone of ROAMING) this.expected.set(phone, [contactOf(phone)]);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Waits until so many rounds more have gone by. */
  async pass(rounds: number): Promise<void> {
    const last = this.#rounds + rounds;
    await Promise.race([this.#running, until("more traffic", () => this.#rounds >= last)]);
  }

  async #run(): Promise<void> {
    for (; !this.#isOver; this.#rounds++) {
      await Promise.all(this.#lives.map((life, index) => this.#round(life, index)));
      await this.#register(this.#lives[this.#rounds % 2]!, ROAMING);
      await Bun.sleep(10);
    }
  }

  async #round(life: RegistrarLife, index: number): Promise<void> {
    const numbers = (round: number) => Array.from({ length: NEW }, (_, i) => 2 * (round * NEW + i) + index);
    const fresh = numbers(this.#rounds);
    await this.#register(life, fresh);
    for (const phone of fresh) this.expected.set(phone, [contactOf(phone)]);
    if (this.#rounds === 0) return;
    const [leaving, ...staying] = numbers(this.#rounds - 1);
    await this.#register(life, staying);
    this.answers.push(...(await this.crowd.all(life.client, [leaving!], UNREGISTER)));
    this.expected.set(leaving!, []);
  }

  async #register({ client }: RegistrarLife, phones: readonly number[]): Promise<void> {
    this.answers.push(...(await this.crowd.all(client, phones)));
  }
}

/** What all servers know, once it is the same, and what Redis has. */
async function expectAgreed(
  redis: RedisServer,
  lives: readonly RegistrarLife[],
  { crowd, expected }: Traffic,
): Promise<void> {
  const known = () => Promise.all(lives.map(({ client }) => crowd.contacts(client, expected.keys())));
  const [one] = await until("all to know the same", async () => {
    const all = await known();
    return all.every((each) => Bun.deepEquals(each, all[0])) && all;
  });
  expect(one).toEqual(new Map([...expected].sort(([a], [b]) => a - b)));
  const bound = [...expected].filter(([, contacts]) => contacts.length > 0).map(([phone]) => userOf(phone));
  await until("Redis to have it", async () => (await listedOn(...storeOf(redis))).size === bound.length);
  expect([...(await listedOn(...storeOf(redis))).keys()].sort()).toEqual(bound.sort());
}

describe.skipIf(verdict !== "run")("while Redis is away", () => {
  test.each([false, true])(
    "phones notice nothing, and all agree when it is back; with what it had saved: %p",
    async (isSaved) => {
      await using redis = await RedisServer.start();
      await using first = await begin(redis, "first");
      await using second = await begin(redis, "second");
      const lives: Lives = [first, second];
      const traffic = new Traffic(lives);
      traffic.start();
      await traffic.pass(20);
      if (isSaved) await redis.ask("SAVE");
      await traffic.pass(20);
      await redis.kill();
      for (const life of lives) await life.until(AWAY);
      await traffic.pass(20);
      await redis.start();
      for (const life of lives) await life.until(BACK);
      await traffic.pass(10);
      await traffic.stop();

      expect(traffic.answers.filter(({ status }) => status !== 200)).toEqual([]);
      await expectAgreed(redis, lives, traffic);
      for (const life of lives) {
        expect(life.logged("info", "warn", "error", "fatal")).toEqual(["bindings loaded", AWAY, BACK]);
        expect(await life.stop()).toBe(0);
      }
      // Another life knows what they knew.
      await using third = await begin(redis, "third");
      await expectAgreed(redis, [third], traffic);
    },
  );

  test("REGISTERs are refused with --redis-away refuse, and questions answered", async () => {
    await using redis = await RedisServer.start();
    const refuse = ["--redis-away", "refuse"];
    await using first = await begin(redis, "first", ...refuse);
    await using second = await begin(redis, "second", ...refuse);
    const lives: Lives = [first, second];
    const traffic = new Traffic(lives);
    traffic.start();
    await traffic.pass(10);
    await traffic.stop();
    await redis.kill();
    for (const life of lives) {
      await life.until(AWAY);
      const refused = await traffic.crowd.all(life.client, ROAMING);
      for (const { response } of refused) {
        expect([response.status, response.reason]).toEqual([503, "Bindings Cannot Be Stored: Redis is away"]);
      }
      expect((await life.client.ask("OPTIONS")).status).toBe(200);
      const known = await traffic.crowd.contacts(life.client, ROAMING);
      expect([...known.values()]).toEqual(ROAMING.map((phone) => [contactOf(phone)]));
    }
    await redis.start();
    for (const life of lives) {
      await life.until(BACK);
      const again = await traffic.crowd.all(life.client, ROAMING);
      expect(again.filter(({ status }) => status !== 200)).toEqual([]);
      expect(life.logged("error", "fatal")).toEqual([AWAY]);
    }
    await expectAgreed(redis, lives, traffic);
  });
});
