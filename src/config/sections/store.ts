/** `[store]`: what keeps registrations beyond the life of the process. */

import { z } from "zod";
import { choice, flag, headings, milliseconds, number, optionalChoice, path, text } from "../field.ts";

const STORES = ["memory", "sqlite", "redis"] as const;
const SYNCS = ["normal", "full"] as const;
const AWAY = ["accept", "refuse"] as const;

/** Where registrations are kept when no other file is named, in the working directory. */
export const DEFAULT_STORE_FILE = "viaduct.sqlite";

export const store = z
  .strictObject({
    store: optionalChoice(
      STORES,
      "sqlite, or redis when there is a redis-url",
      "where",
      "Where registrations are kept: memory forgets them when the server ends, sqlite keeps them in a file, redis shares " +
        "them with other servers",
    ),
    "store-file": path(
      "The SQLite file of registrations, made when it is not there",
      "the path of an SQLite file",
      `${DEFAULT_STORE_FILE} in the working directory`,
    ),
    "store-window": number({
      ...milliseconds,
      from: 0,
      to: 60_000,
      default: 100,
      about: "How long changes are gathered before they are written together: what a crash can lose",
    }),
    "store-sync": choice(
      SYNCS,
      "normal",
      "how",
      "When SQLite waits until the disk has what was written: normal every ten seconds, which a loss of power can take " +
        "back, full at each write",
    ),
    "store-wait": flag(
      "Whether a REGISTER is answered once it is written, which then does not wait for the window",
      false,
    ),
    "redis-url": text(isRedisUrl, {
      about: "The Redis server",
      right: "redis://HOST:PORT, or rediss:// for TLS, USER:PASSWORD@ before the HOST where it asks",
      placeholder: "url",
      otherwise: "none",
      isSecret: true,
    }),
    "redis-prefix": text((prefix) => /^[\x21-\x7e]{1,64}$/.test(prefix), {
      about: "What the keys of this server in Redis begin with; servers with the same prefix share registrations",
      right: "1 to 64 visible ASCII characters",
      placeholder: "text",
      otherwise: "viaduct:",
    }),
    "server-name": text((name) => /^[\x21-\x7e]{1,64}$/.test(name), {
      about: "By what this server is told from others on the same Redis, after a restart too",
      right: "1 to 64 visible ASCII characters",
      placeholder: "text",
      otherwise: "the name of the machine",
    }),
    "redis-away": choice(
      AWAY,
      "accept",
      "what",
      "What becomes of REGISTERs while Redis is away: accept keeps them in memory until it is back, refuse answers 503, as " +
        "does store-wait",
    ),
  })
  .register(headings, { heading: "Where registrations are kept" });

function isRedisUrl(url: string): boolean {
  return /^rediss?:\/\/[^\s/]+/.test(url) && URL.canParse(url);
}
