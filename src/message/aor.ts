/**
 * The canonical address-of-record (RFC 3261 s10.3): what is registered and what is subscribed to, by one name whatever its
 * URI's spelling.
 */
import { AT, ascii, CLASS, DOT, LBRACKET, LOWER, UNRESERVED } from "./bytes.ts";
import { parseTel } from "./tel.ts";
import { Uri } from "./uri.ts";
import {
  SCHEME_SIP,
  SCHEME_SIPS,
  scanUri,
  URI_HOST_END,
  URI_HOST_START,
  URI_SCHEME,
  URI_SIZE,
  URI_USER_END,
  URI_USER_START,
  UriResult,
} from "./uri-scan.ts";

/** A canonical address-of-record is no longer than this, in octets. */
export const MAX_AOR = 1024;

/**
 * The address-of-record that a URI names: `sip:user@host` without port, password, parameters and headers, escapes undone
 * where they need not be, `sips` the same as `sip`; `tel:` and the number without its visual separators, a local one with
 * its context.
 * @returns null for a URI that names nobody here: another scheme, or malformed
 */
export function aorOf(uri: string | Uri | null): string | null {
  const parsed = typeof uri === "string" ? Uri.parse(uri) : uri;
  if (parsed === null) return null;
  const { scheme, user } = parsed;
  if (scheme === "tel") return telOf(parsed);
  if (scheme !== "sip" && scheme !== "sips") return null;
  const host = hostOf(parsed);
  if (user === undefined) return `sip:${host}`;
  // What is no UTF-8 cannot be escaped anew; its raw form is as good a name as any.
  return `sip:${user.isWellFormed() ? escaped(user) : parsed.rawUser}@${host}`;
}

/** An IPv6 address in its one form by RFC 5952: not its text counts (RFC 5954 s4.2). */
function hostOf({ host }: Uri): string {
  return host.startsWith("[") ? (URL.parse(`http://${host}`)?.hostname ?? host) : host.replace(/\.$/, "");
}

function telOf(uri: Uri): string {
  const { digits, phoneContext } = parseTel(uri.bytes)!;
  return phoneContext === undefined ? `tel:${digits}` : `tel:${digits};phone-context=${phoneContext}`;
}

/** The user with what RFC 3261 s25.1 does not let stand there escaped. */
function escaped(user: string): string {
  return user.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/gu, (c) => encodeURIComponent(c));
}

const SIP = ascii("sip:");

const at = new Int32Array(URI_SIZE);

/**
 * Writes the address-of-record of the URI that fills `[start, end)`, by {@link aorOf}. The usual ones are copied without a
 * string made.
 * @param out at least {@link MAX_AOR} octets
 * @returns its length; 0 for a URI that names nobody here, or whose address-of-record is too long
 */
export function writeAor(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  if (scanUri(bytes, start, end, at) !== UriResult.OK) return 0;
  const length = end - start <= MAX_AOR ? writePlain(bytes, out) : 0;
  if (length > 0) return length;
  const octets = ascii(aorOf(Uri.parse(bytes, start, end)) ?? "");
  if (octets.length > MAX_AOR) return 0;
  out.set(octets);
  return octets.length;
}

/** The same for a SIP URI whose user holds none but unreserved octets, at a host that is no IPv6 address. @returns 0 for another */
function writePlain(bytes: Uint8Array, out: Uint8Array): number {
  const scheme = at[URI_SCHEME];
  if ((scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) || at[URI_USER_START]! < 0) return 0;
  if (bytes[at[URI_HOST_START]!] === LBRACKET) return 0;
  let length = SIP.length;
  out.set(SIP);
  for (let i = at[URI_USER_START]!; i < at[URI_USER_END]!; i++) {
    if (!(CLASS[bytes[i]!]! & UNRESERVED)) return 0;
    out[length++] = bytes[i]!;
  }
  out[length++] = AT;
  for (let i = at[URI_HOST_START]!; i < at[URI_HOST_END]!; i++) out[length++] = LOWER[bytes[i]!]!;
  return out[length - 1] === DOT ? 0 : length;
}
