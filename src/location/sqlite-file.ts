/** What is done with the tables of the SQLite store, by its writer, at the start and by the command line's tool. */
import type { Database, Statement } from "bun:sqlite";
import { Section } from "./packed.ts";
import type { BindingRow } from "./row.ts";
import { bindingKey } from "./row.ts";
import { type Batch, LIFE_WORDS, Lives, Texts } from "./sqlite-batch.ts";
import { openFile, reasonOf } from "./sqlite-schema.ts";
import { StoreError } from "./store.ts";

/** A binding that another process has taken away. */
export interface Removal {
  readonly id: number;
  readonly aor: string;
  /** By {@link bindingKey}. */
  readonly key: string;
}

/** Rows of `life` that one call of {@link SqliteFile.sweep} looks at, and deletes at most. */
const SWEEP_ROWS = 20_000;
const SWEEP_DELETES = 2000;

const COLUMNS = `b.id, b.aor, b.name, b.contact, b.params, b.instance, b.reg_id AS regId, b.q, b.call_id AS callId, b.path,
  b.received, b.user_agent AS userAgent, l.cseq, l.expires, l.updated, l.flags`;
// The order is said, since SQLite would begin with the narrow table.
const ROWS = `SELECT ${COLUMNS} FROM binding b CROSS JOIN life l ON l.id = b.id`;

/** What {@link ROWS} gives, in the order of the table. */
const PUT_COLUMNS = "name contact params instance reg_id q call_id path received user_agent".split(" ");
const PUT = `INSERT INTO binding (id, aor, ${PUT_COLUMNS.join(", ")}) VALUES (?, ?, ${PUT_COLUMNS.map(() => "?").join(", ")})
  ON CONFLICT (id) DO UPDATE SET ${PUT_COLUMNS.map((name) => `${name} = excluded.${name}`).join(", ")}`;

export class SqliteFile {
  readonly db: Database;
  /** Lives in the journal. */
  journaled = 0;
  readonly #statements: Statement[] = [];
  readonly #put: Statement;
  readonly #putLife: Statement;
  readonly #touch: Statement;
  readonly #delete: Statement;
  readonly #deleteLife: Statement;
  readonly #addToJournal: Statement;
  /** Up to which id {@link sweep} has come. */
  #swept = -1;

  /** Opens the file of a store. @throws StoreError as `openFile` does, and for one that lacks a table */
  static open(name: string, create: boolean): SqliteFile {
    const db = openFile(name, create);
    try {
      return new SqliteFile(db);
    } catch (error) {
      db.close();
      throw new StoreError(`${name}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** @param db by `openFile` */
  constructor(db: Database) {
    this.db = db;
    this.#put = this.#prepare(PUT);
    // One that is there gets its new life from the journal, so that its page need not be written twice.
    this.#putLife = this.#prepare("INSERT OR IGNORE INTO life VALUES (?, ?, ?, ?, ?)");
    this.#touch = this.#prepare("UPDATE life SET cseq = ?2, expires = ?3, updated = ?4, flags = ?5 WHERE id = ?1");
    this.#delete = this.#prepare("DELETE FROM binding WHERE id = ?");
    this.#deleteLife = this.#prepare("DELETE FROM life WHERE id = ?");
    this.#addToJournal = this.#prepare("INSERT INTO journal (lives) VALUES (?)");
  }

  #prepare(sql: string): Statement {
    const statement = this.db.prepare(sql);
    this.#statements.push(statement);
    return statement;
  }

  /** Closes the file. */
  close(): void {
    // SQLite keeps it open for as long as a statement is there.
    for (const statement of this.#statements) statement.finalize();
    this.db.close();
  }

  /** Does it all in one transaction, or nothing of it. @throws what it throws, and what SQLite does */
  transaction<T>(work: () => T, kind: "IMMEDIATE" | "DEFERRED" = "IMMEDIATE"): T {
    this.db.run(`BEGIN ${kind}`);
    try {
      const result = work();
      this.db.run("COMMIT");
      return result;
    } catch (error) {
      // After some errors, a full disk for one, SQLite has rolled back already.
      if (this.db.inTransaction) this.db.run("ROLLBACK");
      throw error;
    }
  }

  /** Writes a batch. */
  apply(batch: Batch): void {
    this.transaction(() => {
      for (let i = 0; i < batch.removalsLength; i++) this.#remove(batch.removals[i]!);
      if (batch.livesLength === 0) return;
      const lives = new Lives(batch.lives, batch.livesLength);
      const texts = new Texts(batch.texts);
      while (lives.next()) if (lives.hasTexts) this.#putWhole(lives, texts);
      this.#addToJournal.run(new Uint8Array(batch.lives.buffer, 0, batch.livesLength << 2));
    });
    this.journaled += batch.livesLength / LIFE_WORDS;
  }

  #putWhole(lives: Lives, texts: Texts): void {
    texts.next();
    this.#put.run(
      lives.id,
      texts.aor,
      texts.text(Section.Name),
      texts.text(Section.Uri),
      texts.text(Section.Params),
      texts.instance,
      texts.regId,
      texts.q,
      texts.text(Section.CallId),
      texts.text(Section.Path),
      texts.text(Section.Received),
      texts.text(Section.UserAgent),
    );
    this.#putLife.run(lives.id, lives.cseq, lives.expires, lives.updated, lives.flags);
  }

  #remove(id: number): void {
    this.#delete.run(id);
    this.#deleteLife.run(id);
  }

  /** Brings what the journal holds into the rows, and empties it. */
  fold(): void {
    this.transaction(() => {
      for (const lives of this.#journal()) {
        // One that was removed meanwhile has no row, and gets none.
        while (lives.next()) this.#touch.run(lives.id, lives.cseq, lives.expires, lives.updated, lives.flags);
      }
      this.db.run("DELETE FROM journal");
    });
    this.journaled = 0;
  }

  *#journal(): Generator<Lives> {
    for (const [octets] of this.db.query("SELECT lives FROM journal ORDER BY number").values() as [Uint8Array][]) {
      yield new Lives(new Int32Array(octets.slice().buffer));
    }
  }

  /** Deletes a piece of what expired before `before`, in seconds since 1970, and goes on there when it is called again. */
  sweep(before: number): void {
    const [end] = this.db
      .query<{ id: number }, [number, number]>("SELECT id FROM life WHERE id > ? ORDER BY id LIMIT 1 OFFSET ?")
      .all(this.#swept, SWEEP_ROWS - 1);
    const last = end?.id ?? Number.MAX_SAFE_INTEGER;
    const expired = this.db
      .query<{ id: number }, [number, number, number, number]>(
        "SELECT id FROM life WHERE id > ? AND id <= ? AND expires < ? ORDER BY id LIMIT ?",
      )
      .all(this.#swept, last, before, SWEEP_DELETES);
    if (expired.length > 0) {
      this.transaction(() => {
        for (const { id } of expired) this.#remove(id);
      });
    }
    if (expired.length === SWEEP_DELETES) this.#swept = expired.at(-1)!.id;
    else this.#swept = end === undefined ? -1 : last;
  }

  /** The rows that expire after `after`, in seconds since 1970. The journal counts for nothing. */
  rows(after: number): Iterable<BindingRow> {
    return this.db.query<BindingRow, [number]>(`${ROWS} WHERE l.expires > ?`).iterate(after);
  }

  /** At most so many rows with numbers above `id`, in their order, as the journal has them. */
  page(id: number, most: number): BindingRow[] {
    return this.#current(() =>
      this.db.query<BindingRow, [number, number]>(`${ROWS} WHERE b.id > ? ORDER BY b.id LIMIT ?`).all(id, most),
    );
  }

  /** The rows of an address-of-record, as the journal has them. */
  rowsOf(aor: string): BindingRow[] {
    return this.#current(() => this.db.query<BindingRow, [string]>(`${ROWS} WHERE b.aor = ?`).all(aor));
  }

  #current(read: () => BindingRow[]): BindingRow[] {
    // One look at the file: else the journal might be folded between the two.
    return this.transaction(() => {
      const rows = read();
      const newest = this.#journalLives();
      return newest.size === 0 ? rows : rows.map((row) => ({ ...row, ...newest.get(row.id) }));
    }, "DEFERRED");
  }

  /** The newest lives in the journal, by binding. */
  #journalLives(): Map<number, Pick<BindingRow, "cseq" | "expires" | "updated" | "flags">> {
    const newest = new Map<number, Pick<BindingRow, "cseq" | "expires" | "updated" | "flags">>();
    for (const lives of this.#journal()) {
      while (lives.next()) {
        const { id, cseq, expires, updated, flags } = lives;
        newest.set(id, { cseq, expires, updated, flags });
      }
    }
    return newest;
  }

  /** Takes a binding away and leaves word of it for a server that runs on the file. @returns whether it was there */
  removeFor(row: BindingRow): boolean {
    return this.transaction(() => {
      const isThere = this.#delete.run(row.id).changes > 0;
      this.#deleteLife.run(row.id);
      this.db.run("INSERT INTO removal VALUES (?, ?, ?)", [row.id, row.aor, bindingKey(row)]);
      return isThere;
    });
  }

  /** Reads what word there is of removals, and takes it away. */
  takeRemovals(): Removal[] {
    const removals = this.db.query<Removal, []>("SELECT id, aor, key FROM removal").all();
    if (removals.length === 0) return removals;
    return this.transaction(() => {
      const taken = this.db.query<Removal, []>("SELECT id, aor, key FROM removal").all();
      this.db.run("DELETE FROM removal");
      return taken;
    });
  }

  /** The secrets by their names. */
  secrets(): Map<string, Uint8Array> {
    const rows = this.db.query<{ name: string; octets: Uint8Array }, []>("SELECT name, octets FROM secret").all();
    return new Map(rows.map(({ name, octets }) => [name, octets]));
  }

  putSecret(name: string, octets: Uint8Array): void {
    this.db.run("INSERT INTO secret VALUES (?, ?)", [name, octets]);
  }

  /** A number that is another one once another connection has written. */
  get version(): number {
    return this.db.query<{ data_version: number }, []>("PRAGMA data_version").get()!.data_version;
  }

  /** Brings what was written into the file itself, and to the disk. @param whole waits for readers, and empties the log */
  checkpoint(whole = false): void {
    this.db.run(`PRAGMA wal_checkpoint(${whole ? "TRUNCATE" : "PASSIVE"})`);
  }
}
