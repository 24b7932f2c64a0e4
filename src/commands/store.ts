/** The store of registrations, by the settings of `[store]`. */

import { ConfigError } from "../config/error.ts";
import type { Settings } from "../config/schema.ts";
import { DEFAULT_STORE_FILE } from "../config/sections/store.ts";
import { sqliteStore } from "../location/sqlite-store.ts";
import { sqliteTool } from "../location/sqlite-tool.ts";
import type { BindingStore, StoreTool } from "../location/store.ts";

/** The file of the SQLite store. */
export function storeFile({ store }: Settings): string {
  return store["store-file"] ?? DEFAULT_STORE_FILE;
}

/** The store for a server; `undefined` for memory alone. It is opened by the server. */
export function makeStore(settings: Settings): BindingStore | undefined {
  const { store, "store-window": window, "store-sync": sync, "store-wait": isAwaited } = settings.store;
  if (store === "memory") return undefined;
  return sqliteStore({ file: storeFile(settings), window, sync, isAwaited });
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
  return sqliteTool(storeFile(settings));
}
