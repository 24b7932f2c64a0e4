/** What each mode of the command gives to `serve()`, made of the settings. */

import { fullUas } from "../apps/full-uas.ts";
import { minimal } from "../apps/minimal.ts";
import { registrarMode } from "../apps/registrar.ts";
import { subscriptionServer } from "../apps/subscription-server.ts";
import type { Settings } from "../config/schema.ts";
import { toRegistrarSettings, toUasSettings } from "../config/to-options.ts";
import type { Registrar } from "../registrar/registrar.ts";
import { guard } from "../server/guard.ts";
import type { Log, ServeOptions } from "../server/options.ts";
import { type Login, openLogin } from "./login.ts";
import { makeStore } from "./store.ts";

/** A mode that is ready to be served. */
export interface Mode {
  readonly options: Partial<ServeOptions>;
  /** Null but in mode `registrar`. */
  readonly registrar: Registrar | null;
  /** Null where nobody is asked to log in. */
  readonly login: Login | null;
}

/** @throws ConfigError when something that the settings name cannot be used */
export async function openMode(settings: Settings, log: Log): Promise<Mode> {
  const login = openLogin(settings, log);
  if (settings.mode === "registrar") {
    const options = registrarMode({
      ...toRegistrarSettings(settings),
      auth: login?.digest,
      store: await makeStore(settings),
    });
    return { options, registrar: options.plugins[0], login };
  }
  const options = optionsOf(settings);
  const plugins = login === null ? options.plugins : [guard(login.digest), ...(options.plugins ?? [])];
  return { options: { ...options, plugins }, registrar: null, login };
}

function optionsOf(settings: Settings): Partial<ServeOptions> {
  if (settings.mode === "minimal") return minimal();
  return settings.mode === "full-uas" ? fullUas(toUasSettings(settings)) : subscriptionServer();
}
