/** A store for tests that keeps bindings in a Map, is told what to do by the test, and remembers what it was told. */
import type { Location } from "../../src/location/location.ts";
import { type BindingRow, bindingKey } from "../../src/location/row.ts";
import { drawSecret } from "../../src/location/secrets.ts";
import type { BindingStore, StoreCounters, StoreHost } from "../../src/location/store.ts";

export class KeptStore implements BindingStore {
  readonly name = "kept";
  readonly counters: StoreCounters = { written: 0, failures: 0, longest: 0 };
  /** What it says of itself. */
  trouble: string | null = null;
  readonly isAwaited: boolean;
  /** By address-of-record and key: what is safe. */
  readonly rows = new Map<string, BindingRow>();
  /** What it was told, oldest first: `put sip:bob@192.0.2.1`. */
  readonly told: string[] = [];
  /** Those who wait until all is written; resolve or reject them. */
  readonly waiting: PromiseWithResolvers<void>[] = [];
  isClosed = false;
  readonly #secrets: Map<string, Uint8Array>;
  #location!: Location;

  /** @param before the store of a life before: its rows and secrets are this one's */
  constructor({ isAwaited = false, before = null as KeptStore | null } = {}) {
    this.isAwaited = isAwaited;
    this.#secrets = before === null ? new Map() : before.#secrets;
    for (const [key, row] of before?.rows ?? []) this.rows.set(key, row);
  }

  /** What the server has of its bindings. */
  get location(): Location {
    return this.#location;
  }

  async open({ location }: StoreHost): Promise<void> {
    this.#location = location;
    for (const row of this.rows.values()) location.load(row);
  }

  async secret(name: string): Promise<Uint8Array> {
    const secret = this.#secrets.get(name) ?? drawSecret();
    this.#secrets.set(name, secret);
    return secret;
  }

  put(slot: number): void {
    this.#tell("put", slot);
  }

  touch(slot: number): void {
    this.#tell("touch", slot);
  }

  remove(slot: number): void {
    const row = this.#location.row(slot);
    this.told.push(`remove ${row.contact}`);
    this.rows.delete(keyOf(row));
  }

  settled(): Promise<void> {
    this.waiting.push(Promise.withResolvers<void>());
    return this.waiting.at(-1)!.promise;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  #tell(what: string, slot: number): void {
    const row = this.#location.row(slot);
    this.told.push(`${what} ${row.contact}`);
    this.rows.set(keyOf(row), row);
    this.counters.written++;
  }
}

function keyOf(row: BindingRow): string {
  return `${row.aor} ${bindingKey(row)}`;
}
