/**
 * `registrar`: keeps where users are. It takes REGISTER, answers OPTIONS, and everything else gets 405.
 *
 *     const server = await serve({ ...registrarMode({ domains: ["example.com"] }), listen });
 */
import { type Registrar, registrar } from "../registrar/registrar.ts";
import type { RegistrarOptions } from "../registrar/settings.ts";

export type RegistrarModeSettings = RegistrarOptions;

/**
 * The options of the mode for `serve()`; `plugins[0]` is asked for bindings.
 * @throws RangeError for settings that cannot be
 */
export function registrarMode(settings: RegistrarModeSettings = {}): { plugins: [Registrar] } {
  // SUBSCRIBE for the `reg` package (RFC 3680) is another plugin here, that watches this one.
  return { plugins: [registrar(settings)] };
}
