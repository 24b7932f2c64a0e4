/**
 * Users from a file that is read again when it has changed. Nobody watches it: when a user is asked for, and a second has
 * passed since the last look, its time and size are looked at.
 *
 * A file that has become wrong leaves the users that were there before, and is logged once, until it changes again. It
 * should be written beside and renamed into place, so that none is ever read half-written.
 */
import { readFileSync, statSync } from "node:fs";
import { systemClock } from "../time/clock.ts";
import type { Algorithm } from "./algorithm.ts";
import type { AuthLog } from "./lockout.ts";
import { type FoundUser, type UserSource, UserTable } from "./users.ts";
import { readHtdigest, readJsonUsers } from "./users-text.ts";

/** Milliseconds between two looks at whether the file has changed. */
const LOOK_EVERY = 1000;
/** A larger file is not read: reading happens between messages, and takes some 20 ms for 1 MiB (5,000 users). */
const MAX_SIZE = 16 * 1024 * 1024;

export interface FileUsersOptions {
  readonly path: string;
  /** Default `json` for a name that ends so, else `htdigest`. */
  readonly format?: "json" | "htdigest";
  readonly log?: AuthLog;
  /** Milliseconds of any clock that is not set back. Default the process's own. */
  readonly now?: () => number;
}

/** Users from a file of JSON or htdigest lines. @throws Error when it cannot be read, naming path and fault */
export function fileUsers(options: FileUsersOptions): FileUsers {
  return new FileUsers(options);
}

export class FileUsers implements UserSource {
  readonly #path: string;
  readonly #isJson: boolean;
  readonly #log: AuthLog | undefined;
  readonly #now: () => number;
  #users: UserTable;
  #version: string;
  #lookAt: number;
  #generation = 0;

  constructor({ path, format, log, now = systemClock.now }: FileUsersOptions) {
    this.#path = path;
    this.#isJson = (format ?? (path.toLowerCase().endsWith(".json") ? "json" : "htdigest")) === "json";
    this.#log = log;
    this.#now = now;
    this.#lookAt = now() + LOOK_EVERY;
    try {
      this.#version = versionOf(path);
      this.#users = this.#read();
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`);
    }
  }

  get algorithms(): readonly Algorithm[] {
    this.#look();
    return this.#users.algorithms;
  }

  get generation(): number {
    this.#look();
    return this.#generation;
  }

  /** Whether there is anybody who can log in to a realm, as the file was read last. */
  hasRealm(realm: string): boolean {
    return this.#users.hasRealm(realm);
  }

  find(name: string, realm: string): FoundUser | null {
    this.#look();
    return this.#users.find(name, realm);
  }

  findHashed(hash: string, algorithm: Algorithm, realm: string): FoundUser | null {
    this.#look();
    return this.#users.findHashed(hash, algorithm, realm);
  }

  #look(): void {
    const now = this.#now();
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_EVERY;
    if (versionOf(this.#path) !== this.#version) this.reload();
  }

  /** Reads the file now, whether it has changed or not. What is wrong with it is logged, and changes nothing. */
  reload(): void {
    this.#version = versionOf(this.#path);
    try {
      this.#users = this.#read();
      this.#generation++;
      this.#log?.info({ path: this.#path }, "users were read again");
    } catch (error) {
      const reason = (error as Error).message;
      this.#log?.warn({ path: this.#path, reason }, "users cannot be read again: those from before are kept");
    }
  }

  #read(): UserTable {
    const { size } = statSync(this.#path);
    if (size > MAX_SIZE) throw new Error(`over ${MAX_SIZE} octets`);
    const text = readFileSync(this.#path, "utf8");
    return new UserTable(this.#isJson ? readJsonUsers(text) : readHtdigest(text));
  }
}

/** What changes when a file does; of one that is not there, what cannot be a file's. */
function versionOf(path: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "none";
  }
}
