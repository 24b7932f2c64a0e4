/** What the status line, the watch over counters and the last line of the log tell of a registrar and of logins. */

import type { Mode } from "./modes.ts";

/** The figures of the parts that there are. `bindings` is a gauge, the others are counted since the start. */
export function figuresOf({ registrar, login }: Pick<Mode, "registrar" | "login">): Record<string, number> {
  const figures: Record<string, number> = {};
  if (registrar !== null) {
    const { bindings, requests, registered, refreshed, refused, storeRefused } = registrar.stats;
    const refusals = { registersRefused: refused, registersNotStored: storeRefused };
    Object.assign(figures, { bindings, registers: requests, registered, refreshed, ...refusals });
  }
  if (login !== null) {
    const { accepted, rejected, refused } = login.digest.counters;
    Object.assign(figures, { logins: accepted, loginsFailed: rejected, loginsRefused: refused });
  }
  return figures;
}
