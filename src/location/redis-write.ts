/**
 * Writing to Redis so that the latest word on a binding stands, whichever server says it first. Redis itself compares: a
 * server that has been away, or whose news are on their way, may be behind.
 */
import type { RedisLink } from "./redis-link.ts";
import { type GoneRow, keyOf, VERSION_DIGITS, type Version, versionDigits, writeGone } from "./redis-rows.ts";

/** Seconds that Redis remembers of a binding that it is gone. */
const GONE_SECONDS = 300;
/** Arguments of a key. */
const ARGUMENTS = 4;

/**
 * Of each key: its value, the version in digits, when it expires in milliseconds since 1970, and 1 when the same version that
 * is there already stays. It returns the values that were later than what was to be written.
 */
const SCRIPT = `
local later = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * ${ARGUMENTS}
  local there = redis.pcall('GETRANGE', key, 0, ${VERSION_DIGITS - 1})
  if type(there) == 'table' then there = '' end
  if there > ARGV[at + 2] then
    later[#later + 1] = redis.call('GET', key)
  elseif there ~= ARGV[at + 2] or ARGV[at + 4] == '0' then
    redis.call('SET', key, ARGV[at + 1], 'PXAT', ARGV[at + 3])
  end
end
return later`;

/** Makes Redis know the script. @returns by what it is called */
export async function loadScript(link: RedisLink): Promise<string> {
  return String(await link.ask("SCRIPT", "LOAD", SCRIPT));
}

export class RedisWrite {
  readonly #keys: string[] = [];
  readonly #arguments: string[] = [];

  /**
   * @param json by `writeRow`
   * @param expires seconds since 1970
   * @param isWeak what is of the same version stays as it is
   */
  put(key: string, json: string, version: Version, expires: number, isWeak: boolean): void {
    this.#add(key, json, versionDigits(version, false), expires * 1000, isWeak);
  }

  /** @param now milliseconds since 1970 */
  end(prefix: string, gone: GoneRow, now: number): void {
    const key = keyOf(prefix, gone.aor, gone.key);
    this.#add(key, writeGone(gone), versionDigits(gone, true), Math.floor(now) + GONE_SECONDS * 1000, false);
  }

  /** @returns values of Redis that are later than what was given */
  async send(link: RedisLink, script: string): Promise<string[]> {
    if (this.#keys.length === 0) return [];
    const count = String(this.#keys.length);
    return (await link.send("EVALSHA", script, count, ...this.#keys, ...this.#arguments)) as string[];
  }

  #add(key: string, json: string, version: string, expires: number, isWeak: boolean): void {
    this.#keys.push(key);
    this.#arguments.push(version + json, version, String(expires), isWeak ? "1" : "0");
  }
}
