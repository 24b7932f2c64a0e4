/**
 * Sees to it that one server at a time has the file of an SQLite store: two would each overlook what the other does.
 *
 * The owner holds a transaction open in a small file beside the store's. That lock is the system's, so it ends with the
 * process, however that ends, and a process number that comes up twice misleads nobody.
 */
import { Database } from "bun:sqlite";
import { realpathSync } from "node:fs";
import { identityOf, reasonOf } from "./sqlite-schema.ts";
import { StoreError } from "./store.ts";

export class SqliteOwner {
  readonly #file: string;
  /** Of the small file, and which one it is. */
  readonly #name: string;
  #identity: string;
  #db: Database;

  /**
   * Takes the file.
   * @param file of the store, which is there
   * @throws StoreError when another server has it: names its process
   */
  constructor(file: string) {
    this.#file = file;
    // However many links lead to it, it is one file.
    this.#name = `${realpathSync(file)}-owner`;
    this.#db = this.#take();
    this.#identity = identityOf(this.#name);
  }

  /**
   * Takes the file again where the small one has been deleted: that lock would keep nobody away.
   * @throws StoreError when another server has it by now
   */
  renew(): void {
    if (identityOf(this.#name) === this.#identity) return;
    const db = this.#take();
    this.release();
    this.#db = db;
    this.#identity = identityOf(this.#name);
  }

  release(): void {
    this.#db.run("ROLLBACK");
    this.#db.close();
  }

  #take(): Database {
    let db: Database;
    try {
      db = new Database(this.#name, { create: true });
    } catch (error) {
      throw new StoreError(`${this.#name}: ${reasonOf(error)}`, { cause: error });
    }
    try {
      this.#hold(db);
      return db;
    } catch (error) {
      const isTaken = (error as { code?: string }).code === "SQLITE_BUSY";
      const reason = isTaken ? `is in use by another server${this.#whose(db)}` : `${reasonOf(error)} (${this.#name})`;
      db.close();
      throw new StoreError(`${this.#file}: ${reason}`, { cause: error });
    }
  }

  #hold(db: Database): void {
    db.run("BEGIN IMMEDIATE");
    db.run("CREATE TABLE IF NOT EXISTS owner (pid INTEGER NOT NULL, since TEXT NOT NULL) STRICT");
    db.run("DELETE FROM owner");
    db.run("INSERT INTO owner VALUES (?, ?)", [process.pid, new Date().toISOString()]);
    db.run("COMMIT");
    // Held from here; whoever came in between has it.
    db.run("BEGIN IMMEDIATE");
  }

  #whose(db: Database): string {
    try {
      const owner = db.query<{ pid: number; since: string }, []>("SELECT pid, since FROM owner").get();
      return owner === null ? "" : `, process ${owner.pid} since ${owner.since}`;
    } catch {
      return "";
    }
  }
}
