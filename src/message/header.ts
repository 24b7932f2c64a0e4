/**
 * The header fields Viaduct knows by number, and the table that finds a number from a field name's octets, in any case
 * and in compact form (RFC 3261 s7.3.3, s20).
 */
import { ascii, LOWER } from "./bytes.ts";

/** Numbers of the header fields that are indexed when a message is scanned. `Other` is every name not listed. */
export const Header = {
  Other: 0,
  Via: 1,
  From: 2,
  To: 3,
  CallId: 4,
  CSeq: 5,
  Contact: 6,
  MaxForwards: 7,
  ContentLength: 8,
  ContentType: 9,
  Route: 10,
  RecordRoute: 11,
  Require: 12,
  ProxyRequire: 13,
  Supported: 14,
  Unsupported: 15,
  Allow: 16,
  Accept: 17,
  Expires: 18,
  Date: 19,
  Timestamp: 20,
  UserAgent: 21,
  Server: 22,
  Subject: 23,
  ContentDisposition: 24,
  ContentEncoding: 25,
  AcceptEncoding: 26,
  Authorization: 27,
  ProxyAuthorization: 28,
  WwwAuthenticate: 29,
  ProxyAuthenticate: 30,
  RetryAfter: 31,
  Warning: 32,
  MinExpires: 33,
  Event: 34,
  AllowEvents: 35,
  SubscriptionState: 36,
  ReferTo: 37,
  ReferredBy: 38,
  Replaces: 39,
  RSeq: 40,
  RAck: 41,
  SessionExpires: 42,
  MinSE: 43,
  Reason: 44,
  SipEtag: 45,
  SipIfMatch: 46,
  Path: 47,
  ServiceRoute: 48,
  Privacy: 49,
  PAssertedIdentity: 50,
  MimeVersion: 51,
} as const;
/** The number of a header field. */
export type Header = (typeof Header)[keyof typeof Header];

/** One more than the greatest header number. */
export const HEADER_IDS = 52;

/** Canonical name of each number, and its compact form where one is registered. */
const NAMES: readonly (readonly [Header, string, string?])[] = [
  [Header.Via, "Via", "v"],
  [Header.From, "From", "f"],
  [Header.To, "To", "t"],
  [Header.CallId, "Call-ID", "i"],
  [Header.CSeq, "CSeq"],
  [Header.Contact, "Contact", "m"],
  [Header.MaxForwards, "Max-Forwards"],
  [Header.ContentLength, "Content-Length", "l"],
  [Header.ContentType, "Content-Type", "c"],
  [Header.Route, "Route"],
  [Header.RecordRoute, "Record-Route"],
  [Header.Require, "Require"],
  [Header.ProxyRequire, "Proxy-Require"],
  [Header.Supported, "Supported", "k"],
  [Header.Unsupported, "Unsupported"],
  [Header.Allow, "Allow"],
  [Header.Accept, "Accept"],
  [Header.Expires, "Expires"],
  [Header.Date, "Date"],
  [Header.Timestamp, "Timestamp"],
  [Header.UserAgent, "User-Agent"],
  [Header.Server, "Server"],
  [Header.Subject, "Subject", "s"],
  [Header.ContentDisposition, "Content-Disposition"],
  [Header.ContentEncoding, "Content-Encoding", "e"],
  [Header.AcceptEncoding, "Accept-Encoding"],
  [Header.Authorization, "Authorization"],
  [Header.ProxyAuthorization, "Proxy-Authorization"],
  [Header.WwwAuthenticate, "WWW-Authenticate"],
  [Header.ProxyAuthenticate, "Proxy-Authenticate"],
  [Header.RetryAfter, "Retry-After"],
  [Header.Warning, "Warning"],
  [Header.MinExpires, "Min-Expires"],
  [Header.Event, "Event", "o"],
  [Header.AllowEvents, "Allow-Events", "u"],
  [Header.SubscriptionState, "Subscription-State"],
  [Header.ReferTo, "Refer-To", "r"],
  [Header.ReferredBy, "Referred-By", "b"],
  [Header.Replaces, "Replaces"],
  [Header.RSeq, "RSeq"],
  [Header.RAck, "RAck"],
  [Header.SessionExpires, "Session-Expires", "x"],
  [Header.MinSE, "Min-SE"],
  [Header.Reason, "Reason"],
  [Header.SipEtag, "SIP-ETag"],
  [Header.SipIfMatch, "SIP-If-Match"],
  [Header.Path, "Path"],
  [Header.ServiceRoute, "Service-Route"],
  [Header.Privacy, "Privacy"],
  [Header.PAssertedIdentity, "P-Asserted-Identity"],
  [Header.MimeVersion, "MIME-Version"],
];

const SLOTS = 512;
const slotId = new Uint8Array(SLOTS);
const slotName: Uint8Array[] = new Array(SLOTS).fill(new Uint8Array(0));

/**
 * Where a field name is looked for first: made of its length, first and last octet, which no two of the names share. A
 * hash over all octets would cost a multiplication for each.
 */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  return (end - start + (bytes[start]! | 32) * 2 + (bytes[end - 1]! | 32) * 63) & (SLOTS - 1);
}

function put(name: string, id: Header): void {
  const bytes = ascii(name.toLowerCase());
  let slot = slotOf(bytes, 0, bytes.length);
  while (slotId[slot] !== 0) slot = (slot + 1) & (SLOTS - 1);
  slotId[slot] = id;
  slotName[slot] = bytes;
}

for (const [id, name, compact] of NAMES) {
  put(name, id);
  if (compact) put(compact, id);
}

/** The number of the header field named in `bytes[start, end)`, which is not empty. */
export function headerId(bytes: Uint8Array, start: number, end: number): Header {
  let slot = slotOf(bytes, start, end);
  for (;;) {
    const id = slotId[slot]!;
    if (id === 0) return Header.Other;
    const name = slotName[slot]!;
    if (name.length === end - start) {
      let i = 0;
      while (i < name.length && LOWER[bytes[start + i]!] === name[i]) i++;
      if (i === name.length) return id as Header;
    }
    slot = (slot + 1) & (SLOTS - 1);
  }
}

/** The number for a field name given as text, in any case or compact; `Header.Other` when it is not one that is indexed. */
export function headerIdOf(name: string): Header {
  const bytes = ascii(name);
  return bytes.length === 0 ? Header.Other : headerId(bytes, 0, bytes.length);
}
