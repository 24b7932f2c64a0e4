/**
 * The thread that writes the file of the SQLite store, so that neither a commit nor the disk ever holds the server's.
 * `sqlite-store.ts` starts it and talks to it by the messages below.
 */
import { type Batch, memoryOf } from "./sqlite-batch.ts";
import { type Removal, SqliteFile } from "./sqlite-file.ts";
import { identityOf, reasonOf } from "./sqlite-schema.ts";
import { StoreError } from "./store.ts";

/** How a commit reaches the disk: `full` waits for it, `normal` leaves it to the system and to the next {@link SYNC_MS}. */
export type SyncMode = "normal" | "full";

/** What the writer is told. One batch at a time. */
export type ToWriter =
  /** `now`: milliseconds since 1970 by the server's clock. */
  | { readonly kind: "open"; readonly file: string; readonly sync: SyncMode; readonly now: number }
  | { readonly kind: "batch"; readonly batch: Batch }
  /** That clock was set. */
  | { readonly kind: "clock"; readonly now: number }
  | { readonly kind: "secret"; readonly name: string; readonly octets: Uint8Array }
  | { readonly kind: "close" };

/** What it answers. */
export type FromWriter =
  | { readonly kind: "opened" }
  | { readonly kind: "refused"; readonly reason: string }
  /** The batch is written; its memory comes back. */
  | { readonly kind: "written"; readonly batch: Batch }
  /** It is not, and is tried again by and by. */
  | { readonly kind: "failed"; readonly reason: string }
  /** What is done beside batches does not work, or does again. */
  | { readonly kind: "upkeep"; readonly reason: string | null }
  /** The file has gone from its path: what was written is lost with it. */
  | { readonly kind: "gone"; readonly reason: string }
  /** There is a new one at the path, with the secrets in it and nothing else. */
  | { readonly kind: "anew" }
  | { readonly kind: "removed"; readonly removals: readonly Removal[] }
  | { readonly kind: "secret"; readonly name: string; readonly reason: string | null }
  /** @property isWritten whether no batch was left over */
  | { readonly kind: "closed"; readonly isWritten: boolean };

/** How often a batch that could not be written is tried again, and what runs beside batches is looked after. */
const TICK_MS = 1000;
/** How often at least what was written is brought to the disk. */
const SYNC_MS = 10_000;
/** The journal is folded once it holds so many lives, or its oldest is so old. */
const FOLD_LIVES = 65_536;
const FOLD_MS = 60_000;
/**
 * A row is deleted so long after it has expired by the rows: longer than the journal can hold a refresh of it back. And no
 * sooner after writing was held up, when refreshes were older than that as they were written.
 */
const SWEEP_AFTER_MS = 3 * FOLD_MS;
/** 16 MiB of pages: what the log grows to before it is brought into the file, whatever the time. */
const CHECKPOINT_PAGES = 4096;
/** The widest that the log's file stays. */
const LOG_LIMIT = 64 * 1024 * 1024;
/** KiB of pages in memory: the lives of a million bindings. */
const CACHE_KIB = 32 * 1024;

declare const self: Worker;

const DELETED = "the file was deleted";
const REPLACED = "another file is in the place of the store's";

class Writer {
  readonly #path: string;
  readonly #sync: SyncMode;
  /** Null while it has gone from its path. */
  #opened: SqliteFile | null;
  /** Which file it is, wherever it may be moved to. */
  #identity: string;
  #reason = "";
  /** For a new file. */
  readonly #secrets: Map<string, Uint8Array>;
  /** Milliseconds from `performance.now()` to the server's time. */
  #epoch: number;
  readonly #timer: Timer;
  /** A batch that could not be written yet. */
  #held: Batch | null = null;
  #version = -1;
  #isDirty = false;
  #synced = 0;
  /** When the journal's oldest life came; 0 while it is empty. */
  #journalSince = 0;
  #hasTrouble = false;
  /** When writing was held up last. */
  #behind = Number.NEGATIVE_INFINITY;

  /** @throws StoreError or what SQLite throws */
  constructor({ file, sync, now }: Extract<ToWriter, { kind: "open" }>) {
    this.#path = file;
    this.#sync = sync;
    this.#opened = this.#open(false);
    this.#identity = identityOf(file);
    this.#secrets = this.#opened.secrets();
    this.#epoch = now - performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #open(create: boolean): SqliteFile {
    const file = SqliteFile.open(this.#path, create);
    const { db } = file;
    db.run(`PRAGMA synchronous = ${this.#sync}`);
    db.run(`PRAGMA cache_size = -${CACHE_KIB}`);
    db.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    db.run(`PRAGMA journal_size_limit = ${LOG_LIMIT}`);
    return file;
  }

  /** @throws StoreError while there is none */
  get #file(): SqliteFile {
    if (this.#opened === null) throw new StoreError(this.#reason);
    return this.#opened;
  }

  /** The rows have the times of before until the journal is folded again. */
  clockSet(now: number): void {
    this.#behind = performance.now();
    this.#epoch = now - this.#behind;
  }

  write(batch: Batch): void {
    const began = performance.now();
    this.#held = batch;
    try {
      this.#file.apply(batch);
    } catch (error) {
      this.#behind = performance.now();
      post({ kind: "failed", reason: reasonOf(error) });
      return;
    }
    const now = performance.now();
    if (now - began >= TICK_MS) this.#behind = now;
    this.#held = null;
    this.#isDirty = true;
    if (this.#journalSince === 0 && this.#file.journaled > 0) this.#journalSince = now;
    post({ kind: "written", batch }, memoryOf(batch));
    // What does not work waits for the next tick.
    if (this.#hasTrouble) return;
    this.#upkeep(() => {
      if (this.#file.journaled >= FOLD_LIVES) this.#fold();
      this.#readRemovals();
    });
  }

  secret(name: string, octets: Uint8Array): void {
    try {
      this.#file.putSecret(name, octets);
      this.#secrets.set(name, octets);
      post({ kind: "secret", name, reason: null });
    } catch (error) {
      post({ kind: "secret", name, reason: reasonOf(error) });
    }
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#held !== null) this.write(this.#held);
    const isWritten = this.#held === null;
    this.#upkeep(() => {
      if (isWritten) this.#file.fold();
      this.#file.checkpoint(true);
    });
    this.#opened?.close();
    post({ kind: "closed", isWritten });
  }

  #tick(): void {
    if (!this.#isThere()) return;
    if (this.#held !== null) {
      this.write(this.#held);
      return;
    }
    this.#upkeep(() => {
      this.#readRemovals();
      const now = performance.now();
      const isLate = this.#hasTrouble || (this.#journalSince !== 0 && now - this.#journalSince >= FOLD_MS);
      if (isLate && this.#file.journaled > 0) this.#fold();
      if (now - this.#behind >= SWEEP_AFTER_MS) {
        this.#file.sweep(Math.floor((this.#epoch + now - SWEEP_AFTER_MS) / 1000));
      }
      if (this.#isDirty && (this.#hasTrouble || now - this.#synced >= SYNC_MS)) {
        this.#file.checkpoint();
        this.#isDirty = false;
        this.#synced = now;
      }
    });
  }

  /**
   * Whether the file is still at its path. SQLite would go on with one that was deleted, which nobody finds again. Where the
   * path is free a new one is made; what others have put there is theirs.
   */
  #isThere(): boolean {
    let found: string;
    try {
      found = identityOf(this.#path);
    } catch {
      // Whoever may not look says nothing of the file.
      return this.#opened !== null;
    }
    if (this.#opened !== null && found === this.#identity) return true;
    if (found !== "" && found !== this.#identity) this.#lose(REPLACED);
    else {
      if (this.#opened !== null) this.#lose(DELETED);
      this.#begin();
    }
    return this.#opened !== null;
  }

  #lose(reason: string): void {
    // It closes first: the files beside it have the names of those that are to come.
    this.#opened?.close();
    this.#opened = null;
    this.#say(reason);
  }

  #say(reason: string): void {
    if (reason !== this.#reason) post({ kind: "gone", reason });
    this.#reason = reason;
  }

  #begin(): void {
    let file: SqliteFile | null = null;
    try {
      file = this.#open(true);
      const known = file.secrets();
      for (const [name, octets] of this.#secrets) if (!known.has(name)) file.putSecret(name, octets);
      this.#identity = identityOf(this.#path);
    } catch (error) {
      file?.close();
      // Whoever registers is told it too, and need not know the path.
      this.#say(reasonOf(error).replace(`${this.#path}: `, ""));
      return;
    }
    this.#opened = file;
    this.#reason = "";
    this.#version = -1;
    this.#journalSince = 0;
    post({ kind: "anew" });
  }

  #fold(): void {
    this.#file.fold();
    this.#journalSince = 0;
  }

  #readRemovals(): void {
    const { version } = this.#file;
    if (version === this.#version) return;
    const removals = this.#file.takeRemovals();
    this.#version = version;
    if (removals.length > 0) post({ kind: "removed", removals });
  }

  /** Does what can wait; says it once when it fails, and once when it works again. */
  #upkeep(work: () => void): void {
    try {
      work();
      if (this.#hasTrouble) post({ kind: "upkeep", reason: null });
      this.#hasTrouble = false;
    } catch (error) {
      if (!this.#hasTrouble) post({ kind: "upkeep", reason: reasonOf(error) });
      this.#hasTrouble = true;
    }
  }
}

function post(message: FromWriter, transfer: ArrayBuffer[] = []): void {
  self.postMessage(message, transfer);
}

let writer: Writer | null = null;

self.onmessage = ({ data }: MessageEvent<ToWriter>) => {
  switch (data.kind) {
    case "open":
      try {
        writer = new Writer(data);
        post({ kind: "opened" });
      } catch (error) {
        post({ kind: "refused", reason: error instanceof Error ? reasonOf(error) : String(error) });
      }
      break;
    case "batch":
      writer?.write(data.batch);
      break;
    case "clock":
      writer?.clockSet(data.now);
      break;
    case "secret":
      writer?.secret(data.name, data.octets);
      break;
    case "close":
      writer?.close();
      break;
  }
};
