/** What the settings of authentication ask of each other: users from one place, and a realm for them. */

import { ConfigError } from "./error.ts";
import type { NameOf } from "./layer.ts";
import type { Parsed, Settings } from "./schema.ts";

/** Where users may come from, one of them at a time. */
const SOURCES = ["users", "users-file", "users-database"] as const;

/** The settings of `[auth]`, checked. */
export function completeAuth({ auth, registrar }: Parsed, nameOf: NameOf): Settings["auth"] {
  const given = SOURCES.filter((source) => auth[source] !== undefined);
  const name = (key: string) => nameOf(`auth.${key}`);
  if (given.length > 1) {
    const [first, second] = given.map(name);
    throw new ConfigError(`${first} and ${second}: users come from one place: leave one of the two out`);
  }
  const isAsked = auth.auth ?? given.length > 0;
  if (isAsked && given.length === 0) {
    throw new ConfigError(`${name("auth")}: needs users: set users, users-file or users-database in [auth]`);
  }
  const realm = auth.realm ?? registrar.domains?.[0];
  if (isAsked && realm === undefined) {
    throw new ConfigError(`${name(given[0]!)}: needs a realm: set realm in [auth], or domains in [registrar]`);
  }
  return { ...auth, auth: isAsked, realm };
}
