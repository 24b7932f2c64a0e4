/**
 * Sees to it that one server at a time has the file of an SQLite store: two would each overlook what the other does.
 *
 * The owner holds a transaction open in a small file beside the store's. That lock is the system's, so it ends with the
 * process, however that ends, and a process number that comes up twice misleads nobody.
 */
import { Database } from "bun:sqlite";
import { realpathSync } from "node:fs";
import { reasonOf } from "./sqlite-schema.ts";
import { StoreError } from "./store.ts";

export class SqliteOwner {
  readonly #db: Database;

  /**
   * Takes the file.
   * @param file of the store, which is there
   * @throws StoreError when another server has it: names its process
   */
  constructor(file: string) {
    // However many links lead to it, it is one file.
    const name = `${realpathSync(file)}-owner`;
    try {
      this.#db = new Database(name, { create: true });
    } catch (error) {
      throw new StoreError(`${name}: ${reasonOf(error)}`, { cause: error });
    }
    try {
      this.#take();
    } catch (error) {
      const isTaken = (error as { code?: string }).code === "SQLITE_BUSY";
      const reason = isTaken ? `is in use by another server${this.#whose()}` : `${reasonOf(error)} (${name})`;
      this.#db.close();
      throw new StoreError(`${file}: ${reason}`, { cause: error });
    }
  }

  release(): void {
    this.#db.run("ROLLBACK");
    this.#db.close();
  }

  #take(): void {
    this.#db.run("BEGIN IMMEDIATE");
    this.#db.run("CREATE TABLE IF NOT EXISTS owner (pid INTEGER NOT NULL, since TEXT NOT NULL) STRICT");
    this.#db.run("DELETE FROM owner");
    this.#db.run("INSERT INTO owner VALUES (?, ?)", [process.pid, new Date().toISOString()]);
    this.#db.run("COMMIT");
    // Held from here; whoever came in between has it.
    this.#db.run("BEGIN IMMEDIATE");
  }

  #whose(): string {
    try {
      const owner = this.#db.query<{ pid: number; since: string }, []>("SELECT pid, since FROM owner").get();
      return owner === null ? "" : `, process ${owner.pid} since ${owner.since}`;
    } catch {
      return "";
    }
  }
}
