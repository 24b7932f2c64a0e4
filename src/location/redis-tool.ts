/** The command line's way to bindings in Redis, whether or not servers run on it. */
import { hostOf, RedisLink } from "./redis-link.ts";
import { channelOf, type GoneRow, keyOf, patternOf, readRow, writeNews } from "./redis-rows.ts";
import type { RedisStoreOptions } from "./redis-store.ts";
import { RedisWrite } from "./redis-write.ts";
import { type BindingRow, bindingKey } from "./row.ts";
import { StoreError, type StoreTool } from "./store.ts";

const PATIENCE = 5000;
const COUNT = 500;
/** By what servers know that news are not their own. */
const ORIGIN = "tool";

export class RedisTool implements StoreTool {
  readonly #link: RedisLink;
  readonly #prefix: string;
  readonly #where: string;

  constructor(link: RedisLink, prefix: string, where: string) {
    this.#link = link;
    this.#prefix = prefix;
    this.#where = where;
  }

  /** @throws StoreError when Redis does not answer */
  async *rows(aor?: string): AsyncGenerator<BindingRow> {
    const pattern = patternOf(this.#prefix, aor);
    // SCAN may give a key twice.
    const given = new Set<string>();
    let cursor = "0";
    do {
      const scanned = await this.#ask("SCAN", cursor, "MATCH", pattern, "COUNT", String(COUNT));
      const [next, found] = scanned as [string, string[]];
      const keys = found.filter((key) => !given.has(key));
      for (const key of keys) given.add(key);
      const values = keys.length > 0 ? ((await this.#ask("MGET", ...keys)) as (string | null)[]) : [];
      for (const value of values) {
        const shared = value === null ? null : readRow(value);
        if (shared !== null) yield shared.row;
      }
      cursor = next;
    } while (cursor !== "0");
  }

  async remove(row: BindingRow): Promise<boolean> {
    // Whatever has refreshed it up to now.
    const updated = Math.max(row.updated, Math.ceil(Date.now() / 1000));
    const gone: GoneRow = { updated, id: row.id, cseq: 0xffff_ffff, aor: row.aor, key: bindingKey(row) };
    const before = await this.#ask("GET", keyOf(this.#prefix, gone.aor, gone.key));
    const write = new RedisWrite();
    write.end(this.#prefix, gone, Date.now());
    await this.#guarded(write.send(this.#link));
    await this.#ask("PUBLISH", channelOf(this.#prefix), writeNews(ORIGIN, [], [gone]));
    return typeof before === "string" && readRow(before)?.row.id === row.id;
  }

  async close(): Promise<void> {
    this.#link.end("closed");
  }

  #ask(command: string, ...args: string[]): Promise<unknown> {
    return this.#guarded(this.#link.send(command, ...args));
  }

  async #guarded<T>(reply: Promise<T>): Promise<T> {
    try {
      return await this.#link.answer(reply);
    } catch (error) {
      throw new StoreError(`Redis at ${this.#where}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/**
 * Opens the bindings in Redis for the command line.
 * @throws StoreError when it cannot be reached
 */
export async function redisTool(options: Pick<RedisStoreOptions, "url" | "prefix">): Promise<RedisTool> {
  const { url, prefix = "viaduct:" } = options;
  const where = hostOf(url);
  try {
    const link = await RedisLink.connect({ url, patience: PATIENCE, channel: channelOf(prefix), heard() {} });
    return new RedisTool(link, prefix, where);
  } catch (error) {
    throw new StoreError(`Redis at ${where}: ${(error as Error).message}`, { cause: error });
  }
}
