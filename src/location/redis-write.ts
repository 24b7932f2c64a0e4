/**
 * Writing to Redis so that the latest word on a binding stands, whichever server says it first. Redis itself compares: a
 * server that has been away, or whose news are on their way, may be behind.
 */
import { createHash } from "node:crypto";
import { isReply, type RedisLink } from "./redis-link.ts";
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

/** By what Redis calls the script once it knows it. */
const SCRIPT_NAME = createHash("sha1").update(SCRIPT).digest("hex");

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
  async send(link: RedisLink): Promise<string[]> {
    if (this.#keys.length === 0) return [];
    const all = [String(this.#keys.length), ...this.#keys, ...this.#arguments];
    try {
      return (await link.send("EVALSHA", SCRIPT_NAME, ...all)) as string[];
    } catch (error) {
      // It does not know the script yet, or had to forget it.
      if (!(isReply(error) && error.message.startsWith("NOSCRIPT"))) throw error;
      return (await link.send("EVAL", SCRIPT, ...all)) as string[];
    }
  }

  #add(key: string, json: string, version: string, expires: number, isWeak: boolean): void {
    this.#keys.push(key);
    this.#arguments.push(version + json, version, String(expires), isWeak ? "1" : "0");
  }
}
