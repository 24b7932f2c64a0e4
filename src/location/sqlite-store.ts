/** Bindings in a file: what is kept of them when the server, or the machine, ends. */
import { resolve } from "node:path";
import { Changes } from "./changes.ts";
import { Flushing } from "./flushing.ts";
import type { Location } from "./location.ts";
import { BindingFlag, type BindingRow } from "./row.ts";
import { drawSecret } from "./secrets.ts";
import { type Batch, BatchPacker, LIFE_WORDS, memoryOf } from "./sqlite-batch.ts";
import { type Removal, SqliteFile } from "./sqlite-file.ts";
import { SqliteOwner } from "./sqlite-owner.ts";
import { checkWhole, reasonOf, touchFile } from "./sqlite-schema.ts";
import type { FromWriter, SyncMode, ToWriter } from "./sqlite-writer.ts";
import { type BindingStore, type StoreCounters, StoreError, type StoreHost } from "./store.ts";
import { Waiting, within } from "./waiting.ts";

/**
 * What may be lost, in changes of the youngest time before the end:
 *
 * | | the process ends, killed or by a fault | the machine ends, or its power |
 * |---|---|---|
 * | `sync: "normal"` | `window`, and what one commit takes | ten seconds more |
 * | `sync: "full"` | the same | the same |
 * | `isAwaited: true` | nothing that was answered with 200 | the same with `sync: "full"`, else ten seconds |
 *
 * A commit takes milliseconds, and up to some tenths of a second now and then while the disk takes in what was written
 * before; `counters.longest` has the longest so far. Whatever is lost, the file opens clean: changes are written in
 * transactions. Nothing is lost when the server is closed.
 */
export interface SqliteStoreOptions {
  /** Path of the file; made when there is none. Three more lie beside it: `-wal` and `-shm`, SQLite's, and `-owner`. */
  file: string;
  /** Milliseconds that changes are gathered. Default 100. */
  window?: number;
  /** Default `normal`. `full` waits at each commit until the disk has it: worth it for power cuts alone. */
  sync?: SyncMode;
  /** Whether a REGISTER is answered once it is written. Changes do not wait for the window then. Default false. */
  isAwaited?: boolean;
}

const DEFAULT_WINDOW = 100;
/** Milliseconds that the writer may take for a batch before changes are refused. */
const PATIENCE = 5000;
/** Milliseconds that closing may take to write what is left, and then to fold and close the file. */
const CLOSE_MS = 5000;
const FOLD_MS = 15_000;

/** Seconds that the system's clock may be behind that of the life before without having been set back. */
const SET_BACK = 60;

const LATE = "the disk does not keep up";

/** What there is once the store is open. */
interface Opened extends StoreHost {
  readonly changes: Changes;
  readonly owner: SqliteOwner;
  readonly secrets: Map<string, Uint8Array>;
}

/** A batch on its way. */
interface Flight {
  /** {@link Changes.drained} behind its last. */
  readonly upTo: number;
  /** How many changes, and when the first of them came. */
  readonly count: number;
  readonly since: number;
  /** Says that it takes too long. */
  readonly late: Timer;
}

export class SqliteStore implements BindingStore {
  readonly name = "sqlite";
  readonly counters: StoreCounters = { written: 0, failures: 0, longest: 0 };
  readonly isAwaited: boolean;
  readonly file: string;
  readonly #window: number;
  readonly #sync: SyncMode;
  readonly #packer = new BatchPacker();
  readonly #waiting = new Waiting();
  readonly #flushing = new Flushing(() => this.#flush());
  /** Secrets that are not written yet. */
  readonly #drawn = new Map<string, { octets: Uint8Array; resolvers: PromiseWithResolvers<Uint8Array> }>();
  #opened: Opened | null = null;
  #worker: Worker | null = null;
  #removed: number[] = [];
  #flight: Flight | null = null;
  /** Batches that were sent on their way. */
  #batches = 0;
  #spare: Batch | null = null;
  /** When the first change came that is not on its way yet; 0 when there is none. */
  #since = 0;
  #trouble: string | null = null;
  #troubled = 0;
  #closing: PromiseWithResolvers<boolean> | null = null;

  constructor({ file, window = DEFAULT_WINDOW, sync = "normal", isAwaited = false }: SqliteStoreOptions) {
    this.file = resolve(file);
    this.isAwaited = isAwaited;
    this.#window = window;
    this.#sync = sync;
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  // ---- opening

  async open(host: StoreHost): Promise<void> {
    const began = performance.now();
    touchFile(this.file, true);
    const owner = new SqliteOwner(this.file);
    // It starts while the bindings are read.
    const worker = new Worker(new URL("./sqlite-writer.ts", import.meta.url));
    try {
      const secrets = this.#load(host);
      await this.#start(worker, host.location);
      this.#opened = { ...host, changes: new Changes(host.location.ceiling), owner, secrets };
    } catch (error) {
      worker.terminate();
      owner.release();
      throw error;
    }
    this.#worker = worker;
    worker.unref();
    worker.onmessage = ({ data }: MessageEvent<FromWriter>) => this.#heard(data);
    worker.onerror = ({ message }) => this.#ended(message);
    const ms = Math.round(performance.now() - began);
    host.log.info({ store: this.name, file: this.file, bindings: host.location.size, ms }, "bindings loaded");
  }

  /** @returns the secrets @throws StoreError */
  #load({ location, log }: StoreHost): Map<string, Uint8Array> {
    const file = SqliteFile.open(this.file, true);
    try {
      checkWhole(file.db, this.file);
      file.fold();
      // Word left for a server that runs no more.
      file.takeRemovals();
      let refused = 0;
      const now = Math.ceil(location.now / 1000);
      for (const row of file.rows(now)) if (location.load(ofFormerLife(row, now)) < 0) refused++;
      if (refused > 0) {
        log.warn({ store: this.name, file: this.file, refused }, "not all bindings of the store could be loaded");
      }
      return file.secrets();
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError(`${this.file}: ${reasonOf(error)}`, { cause: error });
    } finally {
      file.close();
    }
  }

  async #start(worker: Worker, { now }: Location): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<FromWriter>();
    worker.onmessage = ({ data }: MessageEvent<FromWriter>) => resolve(data);
    worker.onerror = ({ message }) => reject(new StoreError(`${this.file}: the writer cannot start: ${message}`));
    post(worker, { kind: "open", file: this.file, sync: this.#sync, now });
    const answer = await promise;
    if (answer.kind === "refused") throw new StoreError(answer.reason);
  }

  // ---- changes

  put(slot: number): void {
    this.#room.changes.put(slot);
    this.#changed();
  }

  touch(slot: number): void {
    this.#room.changes.touch(slot);
    this.#changed();
  }

  clockSet(): void {
    if (this.#worker !== null) post(this.#worker, { kind: "clock", now: this.#room.location.now });
  }

  remove(slot: number): void {
    const { changes, location } = this.#room;
    changes.forget(slot);
    this.#removed.push(location.id(slot));
    this.#changed();
  }

  settled(): Promise<void> {
    if (this.#trouble !== null) return Promise.reject(new StoreError(this.#trouble));
    const isPending = this.#isPending;
    if (!isPending && this.#flight === null) return Promise.resolve();
    if (isPending && this.#flight === null) this.#flushing.soon();
    return this.#waiting.until(isPending ? this.#batches + 1 : this.#batches, this.#room.changes.queued);
  }

  get #room(): Opened {
    if (this.#opened === null) throw new TypeError("The store is not open");
    return this.#opened;
  }

  /** Whether there are changes that are not on their way yet. */
  get #isPending(): boolean {
    return this.#removed.length > 0 || this.#room.changes.size > 0;
  }

  #changed(): void {
    if (this.#since !== 0) return;
    this.#since = performance.now();
    if (this.#flight === null) this.#flushing.after(this.#window);
  }

  /** Sends a batch on its way, unless one is. */
  #flush(): void {
    if (this.#flight !== null || this.#worker === null || !this.#isPending) return;
    const { changes, location } = this.#room;
    const packer = this.#packer;
    packer.begin(this.#spare);
    this.#spare = null;
    while (!packer.isFull) {
      const slot = changes.next();
      if (slot < 0) break;
      // One that has expired meanwhile needs nothing.
      if (location.expires(slot) > 0) packer.add(location, slot, changes.isWhole);
    }
    for (const id of this.#removed.splice(0)) packer.remove(id);
    const batch = packer.take();
    const count = batch.livesLength / LIFE_WORDS + batch.removalsLength;
    const late = setTimeout(() => this.#fail(LATE), PATIENCE).unref();
    this.#flight = { upTo: changes.drained, count, since: this.#since, late };
    this.#since = changes.size > 0 ? performance.now() : 0;
    this.#batches++;
    post(this.#worker, { kind: "batch", batch }, memoryOf(batch));
  }

  // ---- what the writer says

  #heard(message: FromWriter): void {
    switch (message.kind) {
      case "written":
        this.#written(message.batch);
        break;
      case "failed":
        this.counters.failures++;
        clearTimeout(this.#flight!.late);
        this.#fail(message.reason);
        break;
      case "removed":
        this.#room.location.together(() => {
          for (const removal of message.removals) this.#removedElsewhere(removal);
        });
        break;
      case "gone":
        this.#fail(message.reason);
        break;
      case "anew":
        this.#anew();
        break;
      case "upkeep":
        this.#upkeep(message.reason);
        break;
      case "secret":
        this.#drew(message.name, message.reason);
        break;
      case "closed":
        this.#closing?.resolve(message.isWritten);
    }
  }

  #written(batch: Batch): void {
    const { upTo, count, since, late } = this.#flight!;
    clearTimeout(late);
    this.#flight = null;
    this.#spare = batch;
    this.counters.written += count;
    const now = performance.now();
    this.counters.longest = Math.max(this.counters.longest, Math.round(now - since));
    if (this.#trouble !== null) this.#recover(now);
    this.#waiting.written(this.#batches, upTo);
    if (!this.#isPending) return;
    if (this.#waiting.isEmpty) this.#flushing.after(Math.max(0, this.#since + this.#window - now));
    else this.#flush();
  }

  #fail(reason: string): void {
    if (this.#trouble === null) {
      this.#troubled = performance.now();
      this.#room.log.error({ store: this.name, file: this.file, reason }, "bindings cannot be stored");
    }
    this.#trouble = reason;
    this.#waiting.fail(new StoreError(reason));
  }

  #recover(now: number): void {
    const seconds = Math.round((now - this.#troubled) / 1000);
    this.#trouble = null;
    this.#room.log.info({ store: this.name, file: this.file, seconds }, "bindings are stored again");
  }

  /** The file is a new one: all there is goes into it. */
  #anew(): void {
    const { location, log, owner } = this.#room;
    try {
      owner.renew();
    } catch (error) {
      log.warn({ store: this.name, file: this.file, reason: reasonOf(error) }, "the store's file is not ours alone");
    }
    for (let slot = 0; slot < location.used; slot++) if (location.expires(slot) > 0) this.put(slot);
    if (this.#isPending) this.#flush();
    else if (this.#flight === null) this.#recover(performance.now());
  }

  /** The writer has ended, which it never should. */
  #ended(message: string): void {
    this.#worker = null;
    this.#closing?.resolve(false);
    this.#fail(`the writer has ended: ${message}`);
  }

  #removedElsewhere({ id, aor, key }: Removal): void {
    const { location } = this.#room;
    const slot = location.slotOf(aor, key);
    // Removed here too: a batch on its way may have written it anew.
    if (slot >= 0 && location.id(slot) === id) location.remove(slot, "deactivated");
  }

  #upkeep(reason: string | null): void {
    const { log } = this.#room;
    const fields = { store: this.name, file: this.file };
    if (reason === null) log.info(fields, "the store's file is looked after again");
    else log.warn({ ...fields, reason }, "the store's file cannot be looked after");
  }

  // ---- secrets

  secret(name: string): Promise<Uint8Array> {
    const known = this.#room.secrets.get(name);
    if (known !== undefined) return Promise.resolve(known);
    let drawn = this.#drawn.get(name);
    if (drawn === undefined) {
      if (this.#worker === null) return Promise.reject(new StoreError("The store is closed"));
      drawn = { octets: drawSecret(), resolvers: Promise.withResolvers() };
      this.#drawn.set(name, drawn);
      post(this.#worker, { kind: "secret", name, octets: drawn.octets });
    }
    return drawn.resolvers.promise;
  }

  #drew(name: string, reason: string | null): void {
    const { octets, resolvers } = this.#drawn.get(name)!;
    this.#drawn.delete(name);
    if (reason === null) {
      this.#room.secrets.set(name, octets);
      resolvers.resolve(octets);
    } else resolvers.reject(new StoreError(`${this.file}: ${reason}`));
  }

  // ---- closing

  async close(): Promise<void> {
    const worker = this.#worker;
    if (this.#opened === null || this.#closing !== null) return;
    this.#closing = Promise.withResolvers();
    if (worker !== null) {
      await within(CLOSE_MS, this.#writeAll());
      post(worker, { kind: "close" });
    } else this.#closing.resolve(false);
    const isWritten = await within(FOLD_MS, this.#closing.promise);
    this.#worker = null;
    worker?.terminate();
    this.#flushing.stop();
    if (this.#flight !== null) clearTimeout(this.#flight.late);
    const { changes, log, owner } = this.#opened;
    const lost = changes.size + this.#removed.length + (isWritten === true ? 0 : (this.#flight?.count ?? 0));
    if (lost > 0) log.error({ store: this.name, file: this.file, lost }, "changes of bindings were not stored");
    owner.release();
  }

  async #writeAll(): Promise<void> {
    while (this.#trouble === null && (this.#isPending || this.#flight !== null)) {
      await this.settled().catch(() => {});
    }
  }
}

/** A binding as it is in this life of the server. @param now seconds since 1970 */
function ofFormerLife(row: BindingRow, now: number): BindingRow {
  const { flags, expires, updated } = row;
  // Its connection ended with the life before.
  const isLost = (flags & BindingFlag.FlowOnly) !== 0;
  // None lasts longer than it was given: the system's clock may have been set back meanwhile.
  const given = expires - updated;
  const isTooLong = given > 0 && expires - now > given + SET_BACK;
  if (!isLost && !isTooLong) return row;
  return {
    ...row,
    flags: isLost ? flags | BindingFlag.FlowLost : flags,
    expires: isTooLong ? now + given : expires,
  };
}

function post(worker: Worker, message: ToWriter, transfer: ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}

/** Keeps bindings in an SQLite file. What a crash can lose is told at {@link SqliteStoreOptions}. */
export function sqliteStore(options: SqliteStoreOptions): SqliteStore {
  return new SqliteStore(options);
}
