/**
 * Users from a table of an SQLite database, which is only read. What was found is kept until the database changes, which
 * is looked for once a second at most: a query costs ten times a digest.
 *
 *     CREATE TABLE users (
 *       name TEXT NOT NULL, realm TEXT NOT NULL,
 *       password TEXT,                                          -- in clear, or
 *       ha1_md5 TEXT, ha1_sha256 TEXT, ha1_sha512_256 TEXT,     -- H(A1) in hexadecimal, as `viaduct hash-password` makes it
 *       aors TEXT,                                              -- further addresses-of-record, white space between them
 *       PRIMARY KEY (name, realm)
 *     );
 *
 * Table and columns may have other names, and but for the user's name be missing.
 */
import { Database, type Statement } from "bun:sqlite";
import { systemClock } from "../time/clock.ts";
import { ALGORITHMS, type Algorithm } from "./algorithm.ts";
import { FoundUser, type UserSecrets, type UserSource } from "./users.ts";

/** Milliseconds between two looks at whether the database has changed. */
const LOOK_EVERY = 1000;
/** Milliseconds that a query waits for a writer to be done; with write-ahead logging none has to. */
const BUSY = 20;
/** Names kept. */
const MAX_KEPT = 65_536;

/** What each column is called; null for one that the table has not. */
export interface UserColumns {
  readonly name: string;
  /** Null when all users are of whichever realm asks. */
  readonly realm: string | null;
  readonly password: string | null;
  readonly md5: string | null;
  readonly sha256: string | null;
  readonly sha512: string | null;
  readonly aors: string | null;
}

export const DEFAULT_COLUMNS: UserColumns = {
  name: "name",
  realm: "realm",
  password: "password",
  md5: "ha1_md5",
  sha256: "ha1_sha256",
  sha512: "ha1_sha512_256",
  aors: "aors",
};

export interface SqliteUsersOptions {
  readonly path: string;
  /** Default `users`. */
  readonly table?: string;
  readonly columns?: Partial<UserColumns>;
  /**
   * The algorithms that every row can serve. Default those for which no row lacks both H(A1) and password, looked up once
   * at the start.
   */
  readonly algorithms?: readonly Algorithm[];
  /** Milliseconds of any clock that is not set back. Default the process's own. */
  readonly now?: () => number;
}

interface Row {
  readonly password: string | null;
  readonly md5: string | null;
  readonly sha256: string | null;
  readonly sha512: string | null;
  readonly aors: string | null;
}

const COLUMN_OF: Readonly<Record<Algorithm, "md5" | "sha256" | "sha512">> = {
  MD5: "md5",
  "SHA-256": "sha256",
  "SHA-512-256": "sha512",
};

/** Users from an SQLite database. @throws Error when it cannot be opened, or has not the table and columns named */
export function sqliteUsers(options: SqliteUsersOptions): SqliteUsers {
  return new SqliteUsers(options);
}

export class SqliteUsers implements UserSource {
  readonly algorithms: readonly Algorithm[];
  readonly #database: Database;
  readonly #query: Statement<Row, string[]>;
  readonly #dataVersion: Statement<{ data_version: number }, []>;
  readonly #hasRealm: boolean;
  readonly #now: () => number;
  /** Null for a name that is nobody's: it is asked for as cheaply as one that is. */
  readonly #kept = new Map<string, FoundUser | null>();
  #version: number;
  #lookAt: number;
  #realm = "";
  #generation = 0;

  constructor({ path, table = "users", columns, algorithms, now = systemClock.now }: SqliteUsersOptions) {
    const names = { ...DEFAULT_COLUMNS, ...columns };
    this.#now = now;
    this.#hasRealm = names.realm !== null;
    try {
      this.#database = new Database(path, { readonly: true });
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
    try {
      this.#database.run(`PRAGMA busy_timeout = ${BUSY}`);
      const where = `WHERE ${id(names.name)} = ?${names.realm === null ? "" : ` AND ${id(names.realm)} = ?`}`;
      this.#query = this.#database.query(`SELECT ${selected(names)} FROM ${id(table)} ${where}`);
      this.#dataVersion = this.#database.query("PRAGMA data_version");
      this.algorithms = algorithms ?? ALGORITHMS.filter((name) => this.#isServed(table, names, COLUMN_OF[name]));
      this.#version = this.#dataVersion.get()!.data_version;
    } catch (error) {
      this.#database.close();
      throw new Error(`${path}: ${(error as Error).message}`);
    }
    this.#lookAt = now() + LOOK_EVERY;
  }

  #isServed(table: string, names: UserColumns, column: "md5" | "sha256" | "sha512"): boolean {
    const missing = [names.password, names[column]].map((name) => `${columnValue(name)} IS NULL`);
    return this.#database.query(`SELECT 1 FROM ${id(table)} WHERE ${missing.join(" AND ")} LIMIT 1`).get() === null;
  }

  /** @throws SQLiteError when the database cannot be read */
  get generation(): number {
    this.#look(this.#realm);
    return this.#generation;
  }

  /** @throws SQLiteError when the database cannot be read; TypeError when a row is no user's */
  find(name: string, realm: string): FoundUser | null {
    this.#look(realm);
    const kept = this.#kept.get(name);
    if (kept !== undefined) return kept;
    const row = this.#hasRealm ? this.#query.get(name, realm) : this.#query.get(name);
    const secrets = row === null ? null : secretsOf(row);
    const user = secrets === null ? null : new FoundUser(name, secrets);
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(name, user);
    return user;
  }

  close(): void {
    this.#database.close();
  }

  /** Forgets what is kept when another connection has written, or another realm is asked for. */
  #look(realm: string): void {
    if (realm !== this.#realm) {
      this.#realm = realm;
      this.#kept.clear();
    }
    const now = this.#now();
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_EVERY;
    const version = this.#dataVersion.get()!.data_version;
    if (version === this.#version) return;
    this.#version = version;
    this.#generation++;
    this.#kept.clear();
  }
}

function selected({ password, md5, sha256, sha512, aors }: UserColumns): string {
  const columns = Object.entries({ password, md5, sha256, sha512, aors });
  return columns.map(([as, name]) => `${columnValue(name)} AS ${as}`).join(", ");
}

/** Null for a row without a secret: nobody can log in with it. */
function secretsOf({ password, md5, sha256, sha512, aors }: Row): UserSecrets | null {
  if (password === null && md5 === null && sha256 === null && sha512 === null) return null;
  return {
    ...(password !== null && { password }),
    ha1: {
      ...(md5 !== null && { MD5: md5 }),
      ...(sha256 !== null && { "SHA-256": sha256 }),
      ...(sha512 !== null && { "SHA-512-256": sha512 }),
    },
    ...(aors !== null && { aors: aors.split(/\s+/).filter((aor) => aor !== "") }),
  };
}

/** A name as SQL takes it, whatever it holds. Between double quotes SQLite would take one that is missing for a text. */
function id(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

/** A column's value, an empty one being none. */
function columnValue(column: string | null): string {
  return column === null ? "NULL" : `NULLIF(${id(column)}, '')`;
}
