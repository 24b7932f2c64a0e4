/** `minimal`: answers OPTIONS alone, the way a monitor asks whether a host is alive (RFC 3261 s11). */
import type { Handlers } from "../server/options.ts";

/** The handlers of the mode. OPTIONS needs none: the server says what it can do by itself. */
export function minimal(): Handlers {
  return {};
}
