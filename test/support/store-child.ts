/**
 * A server's life with a store, to be ended by `kill -9`: `bun store-child.ts FILE WINDOW AWAITED FIRST COUNT`. It registers
 * COUNT users from FIRST on, in chunks, refreshes each chunk once, and says of each chunk that it is registered: at once, or
 * when AWAITED is `true` once the store has settled.
 */
import { sqliteStore } from "../../src/location/sqlite-store.ts";
import { newLocation, register } from "./bindings.ts";

/** What it says of a chunk, in one line of JSON. */
export interface Said {
  /** Users up to this number are registered, and those {@link CHUNK} before are refreshed. */
  readonly registered: number;
  /** When, in milliseconds since 1970. */
  readonly at: number;
  /** The longest that a change has waited for the store so far. */
  readonly longest: number;
}

export const CHUNK = 100;
const PAUSE_MS = 15;

export function userOf(number: number): string {
  return `sip:user${number}@example.com`;
}

if (import.meta.main) {
  const [file = "", window, awaited, first, count] = Bun.argv.slice(2);
  const { location } = newLocation();
  const isAwaited = awaited === "true";
  const store = sqliteStore({ file, window: Number(window), isAwaited });
  await store.open({ location, log: { info() {}, warn: console.warn, error: console.error } });
  location.store = store;
  for (let from = Number(first); from < Number(first) + Number(count); from += CHUNK) {
    for (let user = from; user < from + CHUNK; user++) {
      register(location, { aor: userOf(user) });
      if (user - CHUNK >= Number(first)) register(location, { aor: userOf(user - CHUNK), cseq: 2 });
    }
    if (isAwaited) await store.settled();
    const said: Said = { registered: from + CHUNK, at: Date.now(), longest: store.counters.longest };
    console.log(JSON.stringify(said));
    await Bun.sleep(PAUSE_MS);
  }
  await Bun.sleep(60_000);
}
