/** The command line's way to the file of an SQLite store, whether or not a server runs on it. */
import { resolve } from "node:path";
import type { BindingRow } from "./row.ts";
import { SqliteFile } from "./sqlite-file.ts";
import { openFile, reasonOf } from "./sqlite-schema.ts";
import { StoreError, type StoreTool } from "./store.ts";

export class SqliteTool implements StoreTool {
  readonly #name: string;
  readonly #file: SqliteFile;

  /** @throws StoreError when the file cannot be opened, or is none of ours */
  constructor(file: string) {
    this.#name = resolve(file);
    this.#file = new SqliteFile(openFile(this.#name, false));
  }

  /** As they were written last; what a server gathers is not among them. @throws StoreError when the file is damaged */
  *rows(aor?: string): Generator<BindingRow> {
    const now = Date.now() / 1000;
    // A connection of its own, so that bindings may be removed meanwhile.
    const file = new SqliteFile(openFile(this.#name, false));
    try {
      // One look at the file: else the journal might be folded between the two.
      file.db.run("BEGIN");
      const newest = file.journalLives();
      // Those of the journal may have outlived what their row says.
      for (const row of file.rows(-1, aor)) {
        const current = { ...row, ...newest.get(row.id) };
        if (current.expires > now) yield current;
      }
    } catch (error) {
      throw this.#error(error);
    } finally {
      file.close();
    }
  }

  async remove(row: BindingRow): Promise<boolean> {
    try {
      return this.#file.removeFor(row);
    } catch (error) {
      throw this.#error(error);
    }
  }

  async close(): Promise<void> {
    this.#file.close();
  }

  #error(error: unknown): StoreError {
    return new StoreError(`${this.#name}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Opens the file of an SQLite store for the command line.
 * @throws StoreError when it cannot be opened
 */
export function sqliteTool(file: string): SqliteTool {
  return new SqliteTool(file);
}
