/**
 * `registrar`: keeps where users are, and tells who may know. It takes REGISTER, and SUBSCRIBE for the `reg` package
 * (RFC 3680), answers OPTIONS, and everything else gets 405.
 *
 *     const server = await serve({ ...registrarMode({ domains: ["example.com"] }), listen });
 */
import { type Events, events } from "../events/events.ts";
import { RegPackage } from "../events/reg.ts";
import { type Registrar, registrar } from "../registrar/registrar.ts";
import type { RegistrarOptions } from "../registrar/settings.ts";
import { guard } from "../server/guard.ts";
import type { Plugin } from "../server/plugin.ts";

export type RegistrarModeSettings = Omit<RegistrarOptions, "reg">;

/**
 * The options of the mode for `serve()`; `plugins[0]` is asked for bindings. Where there are users, a subscriber is one of
 * them and watches what it may register; else anybody watches anything.
 * @throws RangeError for settings that cannot be
 */
export function registrarMode(settings: RegistrarModeSettings = {}): { plugins: [Registrar, Events, ...Plugin[]] } {
  const reg = new RegPackage();
  const phones = registrar({ ...settings, reg });
  const watchers = events({
    packages: [reg],
    publications: false,
    subscriber: false,
    authorize: ({ request, resource }) => request.user === null || phones.mayRegister(request.user, resource),
  });
  const { auth } = settings;
  return { plugins: auth === undefined ? [phones, watchers] : [phones, watchers, guard(auth)] };
}
