/** The store of registrations, by the settings of `[store]`. Only the one that is asked for is loaded. */

import { ConfigError } from "../config/error.ts";
import type { Settings } from "../config/schema.ts";
import { DEFAULT_STORE_FILE } from "../config/sections/store.ts";
import type { RedisStoreOptions } from "../location/redis-store.ts";
import type { BindingStore, StoreTool } from "../location/store.ts";

/** The file of the SQLite store. */
function storeFile({ store }: Settings): string {
  return store["store-file"] ?? DEFAULT_STORE_FILE;
}

/** The store for a server; `undefined` for memory alone. It is opened by the server. */
export async function makeStore(settings: Settings): Promise<BindingStore | undefined> {
  const { store, "store-window": window, "store-sync": sync, "store-wait": isAwaited } = settings.store;
  if (store === "memory") return undefined;
  if (store === "redis") {
    const { "redis-away": whileAway } = settings.store;
    const { redisStore } = await import("../location/redis-store.ts");
    return redisStore({ ...redisOf(settings), window, whileAway, isAwaited });
  }
  const { sqliteStore } = await import("../location/sqlite-store.ts");
  return sqliteStore({ file: storeFile(settings), window, sync, isAwaited });
}

/** Which Redis it is; what is not said is the store's own default. */
function redisOf({ store }: Settings): RedisStoreOptions {
  const { "redis-url": url, "redis-prefix": prefix, "server-name": server } = store;
  return {
    url: url!,
    ...(prefix === undefined ? {} : { prefix }),
    ...(server === undefined ? {} : { server }),
  };
}

/** An error of a store as one of the setting that names it; any other as it is. */
export function storeFault(error: unknown, { store }: Settings): unknown {
  if (!(error instanceof Error) || error.name !== "StoreError") return error;
  const setting = store.store === "redis" ? "redis-url" : "store-file";
  return new ConfigError(`${setting}: ${error.message}`);
}

/** The store for the command line. @throws StoreError when it cannot be opened, ConfigError for a store that is no other's */
export async function openStoreTool(settings: Settings): Promise<StoreTool> {
  const { store } = settings.store;
  if (store === "memory") throw new ConfigError("store: memory is the server's own: nobody else can look into it");
  if (store === "redis") return (await import("../location/redis-tool.ts")).redisTool(redisOf(settings));
  return (await import("../location/sqlite-tool.ts")).sqliteTool(storeFile(settings));
}
