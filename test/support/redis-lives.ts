/** Servers' lives on a Redis store. */
import type { Location } from "../../src/location/location.ts";
import { type RedisStore, type RedisStoreOptions, redisStore } from "../../src/location/redis-store.ts";
import type { BindingRow } from "../../src/location/row.ts";
import { newLocation, rowsOf, StoreLines } from "./bindings.ts";

export interface RedisLife {
  readonly store: RedisStore;
  readonly location: Location;
  readonly log: StoreLines;
  readonly pass: (ms: number) => void;
}

export class RedisLives implements AsyncDisposable {
  readonly #stores: RedisStore[] = [];

  /** Begins one. @param wall its time, in milliseconds since 1970 */
  async begin(options: RedisStoreOptions, wall = Date.now()): Promise<RedisLife> {
    const { location, pass } = newLocation(wall);
    const log = new StoreLines();
    const store = redisStore({ window: 5, ...options });
    await store.open({ location, log });
    this.#stores.push(store);
    location.store = store;
    return { store, location, log, pass };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
  }
}

/** What servers have in common of their bindings: not where the client is, which each knows for itself. */
export function sharedRowsOf(location: Location): Omit<BindingRow, "flags">[] {
  return rowsOf(location).map(({ flags: _, ...row }) => row);
}
