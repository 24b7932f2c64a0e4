/** Telephone numbers: the parts of a `tel` URI, or of a SIP URI whose user is a number (RFC 3966). */
import { ascii, COLON, EQUAL, latin1, PLUS, SEMI } from "./bytes.ts";
import type { Uri } from "./uri.ts";
import { SCHEME_SIP, SCHEME_SIPS, SCHEME_TEL, scanSubscriber, URI_SCHEME } from "./uri-scan.ts";

/** A `telephone-subscriber` (RFC 3966 s3). */
export interface Tel {
  /** Whether it is a global number, one that begins with "+" (s5.1.4). */
  readonly global: boolean;
  /** The number as written, visual separators and all. */
  readonly number: string;
  /** The number without visual separators, letters in lower case; a global one keeps its "+". */
  readonly digits: string;
  /** `phone-context` (s5.1.5) in lower case: a domain name, or digits behind a "+". A local number always has one. */
  readonly phoneContext: string | undefined;
  /** `ext` (s5.3) without visual separators. */
  readonly ext: string | undefined;
  /** `isub` (s5.2) as written, its escapes left in: it may stand for any octets. */
  readonly isub: string | undefined;
  /** All parameters but these three: lower-case names to values as written, `""` for a name alone. */
  readonly params: ReadonlyMap<string, string>;
}

/**
 * Reads the `tel` URI that fills `[start, end)`.
 * @returns `null` when it is not one, which includes a local number without `phone-context` and a parameter that comes
 * twice.
 */
export function parseTel(source: string | Uint8Array, start = 0, end = source.length): Tel | null {
  const bytes = typeof source === "string" ? ascii(source.slice(start, end)) : source.subarray(start, end);
  if (bytes[3] !== COLON || latin1(bytes, 0, 3).toLowerCase() !== "tel") return null;
  return parseSubscriber(bytes, 4, bytes.length);
}

/**
 * The telephone number that a URI names: a `tel` URI, or a SIP or SIPS URI with `user=phone` (RFC 3261 s19.1.6).
 * @returns `null` for any other URI, and when the user is no number by RFC 3966.
 */
export function telOf(uri: Uri): Tel | null {
  const scheme = uri.at[URI_SCHEME];
  if (scheme === SCHEME_TEL) return parseSubscriber(uri.bytes, 4, uri.bytes.length);
  if (scheme !== SCHEME_SIP && scheme !== SCHEME_SIPS) return null;
  if (uri.params.get("user")?.toLowerCase() !== "phone") return null;
  const user = uri.rawUser ?? "";
  const semi = user.indexOf(";");
  const number = semi < 0 ? user : user.slice(0, semi);
  // RFC 3261 s19.1.2: what a user may not hold is escaped there, and in a number that is "#".
  const bytes = ascii(number.replaceAll("%23", "#") + user.slice(number.length));
  return parseSubscriber(bytes, 0, bytes.length);
}

function parseSubscriber(bytes: Uint8Array, start: number, end: number): Tel | null {
  const numberEnd = scanSubscriber(bytes, start, end);
  if (numberEnd < 0) return null;
  const number = latin1(bytes, start, numberEnd);
  const params = new Map<string, string>();
  for (let i = numberEnd; i < end; ) {
    const nameStart = ++i;
    while (i < end && bytes[i] !== EQUAL && bytes[i] !== SEMI) i++;
    const name = latin1(bytes, nameStart, i).toLowerCase();
    if (params.has(name)) return null;
    const valueStart = i + 1;
    while (i < end && bytes[i] !== SEMI) i++;
    params.set(name, latin1(bytes, valueStart, i));
  }
  const context = take(params, "phone-context")?.toLowerCase();
  const ext = take(params, "ext");
  return {
    global: bytes[start] === PLUS,
    number,
    digits: withoutSeparators(number),
    phoneContext: context?.startsWith("+") ? withoutSeparators(context) : context,
    ext: ext === undefined ? undefined : withoutSeparators(ext),
    isub: take(params, "isub"),
    params,
  };
}

function take(params: Map<string, string>, name: string): string | undefined {
  const value = params.get(name);
  params.delete(name);
  return value;
}

function withoutSeparators(number: string): string {
  return number.replace(/[-.()]/g, "").toLowerCase();
}
