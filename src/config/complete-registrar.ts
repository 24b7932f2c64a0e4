/** What the settings of registrations and of their store ask of each other. */

import { DEFAULT_REGISTRAR } from "../registrar/settings.ts";
import { ConfigError } from "./error.ts";
import type { NameOf } from "./layer.ts";
import type { Parsed, Settings } from "./schema.ts";

/** The settings of `[registrar]`, checked: min-expires, default-expires and max-expires are in this order. */
export function completeRegistrar({ registrar }: Parsed, nameOf: NameOf): Settings["registrar"] {
  const { "min-expires": least, "max-expires": most, "default-expires": given } = registrar;
  if (most < least) {
    throw new ConfigError(`${nameOf("registrar.max-expires")}: ${most} is shorter than min-expires, ${least}`);
  }
  const usual = given ?? Math.min(Math.max(DEFAULT_REGISTRAR.defaultExpires, least), most);
  if (usual < least || usual > most) {
    const bound = usual < least ? `shorter than min-expires, ${least}` : `longer than max-expires, ${most}`;
    throw new ConfigError(`${nameOf("registrar.default-expires")}: ${usual} is ${bound}`);
  }
  return { ...registrar, "default-expires": usual };
}

/** The settings of `[store]`, checked. */
export function completeStore({ store }: Parsed, nameOf: NameOf): Settings["store"] {
  const { "redis-url": url } = store;
  const kind = store.store ?? (url === undefined ? "sqlite" : "redis");
  if (kind === "redis" && url === undefined) {
    throw new ConfigError(`${nameOf("store.store")}: redis needs its URL: set redis-url in [store], or --redis-url`);
  }
  return { ...store, store: kind };
}
