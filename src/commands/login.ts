/** How clients log in, by the settings of `[auth]`: the users from where they are, and the digest authentication of them. */

import { closeSync, openSync, readSync } from "node:fs";
import { type Digest, digest } from "../auth/digest.ts";
import { FileUsers } from "../auth/file-users.ts";
import type { AuthLog } from "../auth/lockout.ts";
import { sqliteUsers } from "../auth/sqlite-users.ts";
import { type UserSource, usersOf } from "../auth/users.ts";
import { ConfigError } from "../config/error.ts";
import { fileFault } from "../config/file-fault.ts";
import type { Settings } from "../config/schema.ts";
import { toDigestSettings } from "../config/to-options.ts";
import { namesThisMachine } from "./own-addresses.ts";

export interface Login {
  readonly digest: Digest;
  /** The users, where they are from a file that can be read again. */
  readonly file: FileUsers | null;
}

/**
 * Opens the users.
 * @returns null where nobody is asked
 * @throws ConfigError when they cannot be read
 */
export function openLogin(settings: Settings, log: AuthLog): Login | null {
  if (!settings.auth.auth) return null;
  const users = openUsers(settings, log);
  const file = users instanceof FileUsers ? users : null;
  const { realm } = settings.auth;
  if (file?.hasRealm(realm!) === false) {
    log.warn({ file: settings.auth["users-file"], realm }, "nobody can log in: no user of the file is of this realm");
  }
  return { digest: digest({ ...toDigestSettings(settings), users, log, acceptUri: namesThisMachine }), file };
}

function openUsers({ auth }: Settings, log: AuthLog): UserSource {
  const { users = {}, "users-file": file, "users-database": database } = auth;
  if (file !== undefined) return opened("users-file", file, () => new FileUsers({ path: file, log }));
  if (database !== undefined) return opened("users-database", database, () => sqliteUsers({ path: database }));
  if (Object.keys(users).length === 0) log.warn({}, "nobody can log in: there is no user in [auth.users]");
  return usersOf(users);
}

function opened(setting: string, path: string, open: () => UserSource): UserSource {
  try {
    checkReadable(path);
  } catch (error) {
    throw new ConfigError(`${setting}: ${path}: ${fileFault(error)}`);
  }
  try {
    return open();
  } catch (error) {
    throw new ConfigError(`${setting}: ${(error as Error).message}`);
  }
}

/** @throws what the system says: SQLite would not tell */
function checkReadable(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    readSync(descriptor, new Uint8Array(1));
  } finally {
    closeSync(descriptor);
  }
}
