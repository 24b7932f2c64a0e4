/** The command line's way to the file of an SQLite store, whether or not a server runs on it. */
import { resolve } from "node:path";
import type { BindingRow } from "./row.ts";
import { SqliteFile } from "./sqlite-file.ts";
import { reasonOf } from "./sqlite-schema.ts";
import { StoreError, type StoreTool } from "./store.ts";

/** Rows that are read at once. */
const PAGE = 5000;

export class SqliteTool implements StoreTool {
  readonly #name: string;
  readonly #file: SqliteFile;

  /** @throws StoreError when the file cannot be opened, or is none of ours */
  constructor(file: string) {
    this.#name = resolve(file);
    this.#file = SqliteFile.open(this.#name, false);
  }

  /** As they were written last; what a server gathers is not among them. @throws StoreError when the file is damaged */
  *rows(aor?: string): Generator<BindingRow> {
    const now = Date.now() / 1000;
    for (const page of this.#pages(aor)) for (const row of page) if (row.expires > now) yield row;
  }

  /** Nothing of the file is held while somebody reads a page: the server's log could not be cut short meanwhile. */
  *#pages(aor: string | undefined): Generator<BindingRow[]> {
    try {
      if (aor !== undefined) {
        yield this.#file.rowsOf(aor);
        return;
      }
      for (let last = -1; ; ) {
        const page = this.#file.page(last, PAGE);
        yield page;
        if (page.length < PAGE) return;
        last = page.at(-1)!.id;
      }
    } catch (error) {
      throw this.#error(error);
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
