/**
 * The file of the SQLite store: its tables, and how it is opened and known for what it is.
 *
 * What a refresh changes stands apart from the texts, in narrow rows of which 150 share a page. Even so a refresh would cost
 * a page of its own, since they come in no order; so they are first added to a journal, a window's refreshes as one
 * record, and folded into their rows once there are many.
 */
import { Database } from "bun:sqlite";
import { closeSync, openSync, statSync } from "node:fs";
import { StoreError } from "./store.ts";

/** `VIAd`, in the file's header. */
const APPLICATION_ID = 0x56494164;
/** A change of the tables is a new version. */
const VERSION = 1;

const TABLES = `
CREATE TABLE binding (
  id INTEGER PRIMARY KEY,
  aor TEXT NOT NULL,
  name TEXT NOT NULL,
  contact TEXT NOT NULL,
  params TEXT NOT NULL,
  instance TEXT NOT NULL,
  reg_id INTEGER NOT NULL,
  q INTEGER NOT NULL,
  call_id TEXT NOT NULL,
  path TEXT NOT NULL,
  received TEXT NOT NULL,
  user_agent TEXT NOT NULL
) STRICT;
CREATE TABLE life (
  id INTEGER PRIMARY KEY,
  cseq INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  flags INTEGER NOT NULL
) STRICT;
CREATE TABLE journal (number INTEGER PRIMARY KEY, lives BLOB NOT NULL) STRICT;
CREATE TABLE removal (id INTEGER NOT NULL, aor TEXT NOT NULL, key TEXT NOT NULL) STRICT;
CREATE TABLE secret (name TEXT PRIMARY KEY, octets BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE VIEW bindings AS
  SELECT b.aor, b.contact, b.name, b.q / 1000.0 AS q, datetime(l.expires, 'unixepoch') AS expires_utc,
    datetime(l.updated, 'unixepoch') AS updated_utc, b.received, b.path, b.user_agent, b.call_id, l.cseq
  FROM binding b JOIN life l ON l.id = b.id;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${VERSION};
`;

/** Milliseconds to wait for another process that writes: the command line's tool beside a server. */
const BUSY_MS = 1000;

/**
 * Opens the file of a store.
 * @param create whether one that does not exist is made
 * @throws StoreError for a file that cannot be opened, is none of ours, of a later version, or damaged
 */
export function openFile(file: string, create: boolean): Database {
  touchFile(file, create);
  let db: Database | null = null;
  try {
    db = new Database(file, { readwrite: true, create });
    db.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    checkKind(db, file, create);
    return db;
  } catch (error) {
    db?.close();
    throw error instanceof StoreError ? error : new StoreError(`${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** What tells a file from others at its path; empty when there is none. @throws the system's error */
export function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? "" : `${found.dev} ${found.ino}`;
}

/**
 * Sees whether a file can be opened, or made: SQLite says no more than that it cannot. A new one is for our eyes alone,
 * since it holds secrets.
 * @throws StoreError with the system's reason
 */
export function touchFile(file: string, create: boolean): void {
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    // A device, beside which SQLite would lay its own files, or a pipe, where opening it would wait for a reader.
    if (found?.isFile() === false && !found.isDirectory()) throw new StoreError(`${file}: is no file`);
    closeSync(openSync(file, create ? "a" : "r+", 0o600));
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    // A file that is to be made misses nothing but its folder.
    const reason = create && code === "ENOENT" ? NO_FOLDER : SYSTEM_REASONS[code];
    throw new StoreError(`${file}: ${reason ?? code}`, { cause: error });
  }
}

function checkKind(db: Database, file: string, create: boolean): void {
  const kind = pragma(db, "application_id");
  const version = pragma(db, "user_version");
  if (kind === 0 && version === 0 && isEmpty(db)) {
    if (!create) throw new StoreError(`${file}: holds no bindings yet`);
    // Outside the transaction, as SQLite wants it.
    db.run("PRAGMA journal_mode = WAL");
    db.transaction(() => db.run(TABLES)).immediate();
    return;
  }
  if (kind !== APPLICATION_ID) throw new StoreError(`${file}: is an SQLite file of another program`);
  if (version > VERSION) {
    throw new StoreError(
      `${file}: was written by a later Viaduct (version ${version} of the file, ${VERSION} is known)`,
    );
  }
}

function pragma(db: Database, name: string): number {
  return Number(db.query(`PRAGMA ${name}`).values()[0]![0]);
}

function isEmpty(db: Database): boolean {
  return db.query("SELECT count(*) FROM sqlite_schema").values()[0]![0] === 0;
}

/**
 * Reads the whole file for damage: some 300 ns a binding.
 * @throws StoreError when there is any
 */
export function checkWhole(db: Database, file: string): void {
  let found: unknown;
  try {
    found = db.query("PRAGMA quick_check(1)").values()[0]?.[0];
  } catch (error) {
    throw new StoreError(`${file}: ${reasonOf(error)}`, { cause: error });
  }
  if (found !== "ok") throw new StoreError(`${file}: ${DAMAGED} (${String(found).split("\n").at(-1)})`);
}

const DAMAGED = "the file is damaged";

/** What the code of an SQLite error begins with, and what to say. */
const REASONS: readonly (readonly [string, string])[] = [
  ["SQLITE_FULL", "no space left on disk"],
  ["SQLITE_IOERR_SHM", "no space left on disk"],
  ["SQLITE_READONLY", "the file may not be written"],
  ["SQLITE_PERM", "the file may not be written"],
  ["SQLITE_BUSY", "another process holds the file"],
  ["SQLITE_LOCKED", "another process holds the file"],
  ["SQLITE_CORRUPT", DAMAGED],
  ["SQLITE_NOTADB", "is no SQLite file"],
  ["SQLITE_CANTOPEN", "cannot be opened"],
];

const NO_FOLDER = "there is no such folder";

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  ENOTDIR: NO_FOLDER,
  EISDIR: "is a folder",
  EACCES: "may not be read and written",
  EPERM: "may not be read and written",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left on disk",
  EDQUOT: "no space left on disk",
};

/** Why SQLite could not do something, in a few words. */
export function reasonOf(error: unknown): string {
  const { code = "", message } = error as Error & { code?: string };
  const found = REASONS.find(([start]) => code.startsWith(start));
  if (found !== undefined) return found[1];
  return code.startsWith("SQLITE_IOERR") ? `the disk fails (${code})` : message;
}
