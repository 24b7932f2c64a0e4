/** Reading what Redis has: at the start, and after it was away. */
import type { RedisLink } from "./redis-link.ts";
import { patternOf } from "./redis-rows.ts";
import type { Shared } from "./redis-shared.ts";

/** Keys asked for at once: what is read of them is taken in within a millisecond or two, where calls wait meanwhile. */
const COUNT = 250;
const COUNT_AT_START = 2000;
/** What Redis remembers of a server that is gone, in seconds. */
const SEEN_SECONDS = 7 * 86_400;
/** How much Redis may have lost of what came before the last sign of ours that it has, in seconds. */
const MARGIN = 5;
/** Since when values may be given the time of their expiry. */
const LEAST = 6.2;

/** @throws Error when the server's version is too old */
export async function checkVersion(link: RedisLink): Promise<void> {
  const info = String(await link.ask("INFO", "server"));
  const [, version, number] = /^redis_version:((\d+\.\d+)\S*)/m.exec(info) ?? [];
  if (Number(number) < LEAST) throw new Error(`its version is ${version}, and ${LEAST} is the first that will do`);
}

/** Leaves a sign that this server was here, and that Redis has all it knows. @param now milliseconds since 1970 */
export async function tellSeen(link: RedisLink, prefix: string, origin: string, now: number): Promise<void> {
  await link.ask("SET", `${prefix}seen:${origin}`, String(Math.floor(now)), "EX", String(SEEN_SECONDS));
}

/**
 * The same, where the sign that was left before is still there.
 * @returns false when it is not, and none was left: Redis has lost what it had
 */
export async function renewSeen(link: RedisLink, prefix: string, origin: string, now: number): Promise<boolean> {
  const [key, time, seconds] = [`${prefix}seen:${origin}`, String(Math.floor(now)), String(SEEN_SECONDS)];
  return (await link.ask("SET", key, time, "XX", "EX", seconds)) !== null;
}

export async function forgetSeen(link: RedisLink, prefix: string, origin: string): Promise<void> {
  await link.ask("DEL", `${prefix}seen:${origin}`);
}

/**
 * Up to when Redis has surely kept what it was given: it may have lost all since then, or have gone back to an older state.
 * @returns seconds since 1970; below 0 when it has no sign of this server
 */
export async function readKept(link: RedisLink, prefix: string, origin: string): Promise<number> {
  return Math.floor(Number((await link.ask("GET", `${prefix}seen:${origin}`)) ?? 0) / 1000) - MARGIN;
}

/**
 * Takes in all bindings that Redis has, a few at a time, and ends those that others have ended.
 * @param kept by {@link readKept}
 * @param isStart whether nobody waits for this server yet
 * @returns how many were ended
 */
export async function readAll(
  link: RedisLink,
  prefix: string,
  shared: Shared,
  kept: number,
  isStart: boolean,
): Promise<number> {
  const pattern = patternOf(prefix);
  const count = String(isStart ? COUNT_AT_START : COUNT);
  const scan = (cursor: string) => link.send("SCAN", cursor, "MATCH", pattern, "COUNT", count);
  shared.begin();
  let scanning: Promise<unknown> | null = scan("0");
  while (scanning !== null) {
    const [cursor, keys] = (await link.answer(scanning)) as [string, string[]];
    // Redis goes on while the values are read.
    const values = keys.length > 0 ? link.send("MGET", ...keys) : Promise.resolve([]);
    scanning = cursor === "0" ? null : scan(cursor);
    shared.read((await link.answer(values)) as (string | null)[]);
  }
  const steps = shared.end(kept);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await Bun.sleep(0);
  }
}
