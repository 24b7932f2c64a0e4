/** What is subscribed to, by one name whatever its URI's spelling: the canonical address-of-record (RFC 3261 s10.3). */
import { Uri } from "../message/uri.ts";

/**
 * The address-of-record that a URI names: `sip:user@host` without port, password, parameters and headers, escapes undone
 * where they need not be, `sips` the same as `sip`; `tel:` and the number without its visual separators.
 * @returns null for a URI that names nobody here: another scheme, or malformed
 */
export function resourceOf(uri: string | Uri | null): string | null {
  const parsed = typeof uri === "string" ? Uri.parse(uri) : uri;
  if (parsed === null) return null;
  const { scheme, user } = parsed;
  if (scheme === "tel") return `tel:${(user ?? "").replace(/[-.()]/g, "").toLowerCase()}`;
  if (scheme !== "sip" && scheme !== "sips") return null;
  const host = parsed.host.replace(/\.$/, "");
  if (user === undefined) return `sip:${host}`;
  // What is no UTF-8 cannot be escaped anew; its raw form is as good a name as any.
  return `sip:${user.isWellFormed() ? escaped(user) : parsed.rawUser}@${host}`;
}

/** The user with what RFC 3261 s25.1 does not let stand there escaped. */
function escaped(user: string): string {
  return user.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/gu, (c) => encodeURIComponent(c));
}
