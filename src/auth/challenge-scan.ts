/**
 * Reads what a server says to a client about authentication: WWW-Authenticate, Proxy-Authenticate (RFC 7616 s3.3) and
 * the two Authentication-Info fields (s3.5). Once a challenge, not once a message: text, not octets.
 *
 * A challenge that is not understood is passed over (RFC 8760 s2.4), and so is one that says a thing twice.
 */
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { ALGORITHM_NAMES, type AlgorithmName, algorithmNumberOf, type Qop } from "./algorithm.ts";

/** A digest challenge that can be answered. */
export interface Challenge {
  /** Whether a proxy asks, by Proxy-Authenticate. */
  readonly isProxy: boolean;
  /** What the realm's quoted string stands for. */
  readonly realm: string;
  /** `realm`, `nonce` and `opaque` as they stand between their quotes: they are given back like that. */
  readonly rawRealm: string;
  readonly rawNonce: string;
  readonly rawOpaque: string | null;
  readonly algorithm: AlgorithmName;
  /** The algorithm's name as it was written; null where none was, which means MD5. */
  readonly algorithmText: string | null;
  /** Null for a challenge of RFC 2069. */
  readonly qop: Qop | null;
  /** The credentials were right, the nonce was too old. */
  readonly isStale: boolean;
  /** The user's name is to be sent as a hash (s3.4.4). */
  readonly hashesUser: boolean;
}

/** What an Authentication-Info or Proxy-Authentication-Info says; null for what it does not. Raw, as above. */
export interface AuthenticationInfo {
  readonly nextNonce: string | null;
  readonly qop: string | null;
  readonly rspauth: string | null;
  readonly cnonce: string | null;
  readonly nc: string | null;
}

/** Challenges of one response that are looked at. */
const MOST_CHALLENGES = 32;
/** Characters of realm, nonce and opaque together: what comes with every request, and is remembered. */
const MOST_CHARACTERS = 2048;

/** A token, and what it is set to: a quoted string without its quotes, or anything up to a comma or white space. */
const ITEM = /[\s,]*([\w\-.!%*+`'~]+)(?:\s*=\s*(?:"((?:[^"\\]|\\[\s\S])*)"|([^\s,"\\]*)))?/y;
/** What cannot stand in a line of ours, or was not UTF-8. */
const UNFIT = /[\p{Cc}\ufffd]/u;

type Params = Map<string, string>;

/** The digest challenges of a response, in its order: those of the server, then those of proxies. */
export function challengesOf(response: Message): Challenge[] {
  return [...challengesIn(response, false), ...challengesIn(response, true)];
}

function* challengesIn(response: Message, isProxy: boolean): IterableIterator<Challenge> {
  let count = 0;
  for (const value of valuesOf(response, isProxy ? Header.ProxyAuthenticate : Header.WwwAuthenticate)) {
    for (const { scheme, params } of schemesOf(value)) {
      if (++count > MOST_CHALLENGES) return;
      const challenge = scheme === "digest" ? challengeOf(params, isProxy) : null;
      if (challenge !== null) yield challenge;
    }
  }
}

/** The first Authentication-Info, or Proxy-Authentication-Info; null when there is none that can be read. */
export function authenticationInfoOf(response: Message, isProxy: boolean): AuthenticationInfo | null {
  const value = response.header(isProxy ? "Proxy-Authentication-Info" : "Authentication-Info");
  const params = value === undefined ? null : paramsOf(unfolded(value));
  if (params === null) return null;
  const get = (name: string) => params.get(name) ?? null;
  const nextNonce = get("nextnonce");
  return {
    nextNonce: nextNonce === null || nextNonce === "" || nextNonce.length > MOST_CHARACTERS ? null : nextNonce,
    qop: get("qop"),
    rspauth: get("rspauth"),
    cnonce: get("cnonce"),
    nc: get("nc"),
  };
}

/** What a quoted string's inside stands for: quoted pairs without their backslashes. */
export function unquoted(raw: string): string {
  return raw.includes("\\") ? raw.replace(/\\([\s\S])/g, "$1") : raw;
}

/** The inside of a quoted string that stands for `text`. */
export function quotable(text: string): string {
  return text.replace(/["\\]/g, "\\$&");
}

function* valuesOf(response: Message, id: Header): IterableIterator<string> {
  for (let record = response.first(id); record !== 0; record = response.next(record)) {
    yield unfolded(response.valueText(record));
  }
}

/** A fold counts as a blank (RFC 3261 s7.3.1). */
function unfolded(value: string): string {
  return value.replace(/\r?\n[ \t]/g, " ");
}

interface Scheme {
  readonly scheme: string;
  /** Null when one stands twice, or holds what no line of ours may. */
  params: Params | null;
}

/**
 * The challenges of one field. The grammar has one in each (s20.44); several with commas between them are taken as well.
 * What follows something that cannot be read is left.
 */
function schemesOf(value: string): Scheme[] {
  const schemes: Scheme[] = [];
  let current: Scheme | undefined;
  const isRead = eachItem(value, (name, raw) => {
    if (raw === null) {
      current = { scheme: name, params: new Map() };
      schemes.push(current);
    } else if (current !== undefined) add(current, name, raw);
  });
  if (!isRead) schemes.pop();
  return schemes;
}

function add(scheme: Scheme, name: string, raw: string): void {
  if (scheme.params?.has(name) || UNFIT.test(raw)) scheme.params = null;
  else scheme.params?.set(name, raw);
}

function paramsOf(value: string): Params | null {
  const all: Scheme = { scheme: "", params: new Map() };
  const isRead = eachItem(value, (name, raw) => {
    if (raw === null) all.params = null;
    else add(all, name, raw);
  });
  return isRead ? all.params : null;
}

/** @param item told each name in lower case, and its value; null for a token without one @returns whether all was read */
function eachItem(value: string, item: (name: string, raw: string | null) => void): boolean {
  ITEM.lastIndex = 0;
  for (let at = 0; ; at = ITEM.lastIndex) {
    const found = ITEM.exec(value);
    if (found === null) return /^[\s,]*$/.test(value.slice(at));
    item(found[1]!.toLowerCase(), found[2] ?? found[3] ?? null);
  }
}

/** @returns null for a challenge that cannot be answered */
function challengeOf(params: Params | null, isProxy: boolean): Challenge | null {
  const rawRealm = params?.get("realm");
  const rawNonce = params?.get("nonce");
  if (params === null || rawRealm === undefined || rawNonce === undefined) return null;
  const rawOpaque = params.get("opaque") ?? null;
  if (rawRealm.length + rawNonce.length + (rawOpaque?.length ?? 0) > MOST_CHARACTERS) return null;
  const algorithmText = params.get("algorithm") ?? null;
  const algorithm = ALGORITHM_NAMES[algorithmNumberOf(algorithmText ?? "MD5")];
  const qop = qopOf(params.get("qop"));
  // RFC 3261 s22.4, 8: what takes a cnonce needs a qop.
  if (algorithm === undefined || qop === undefined || (qop === null && algorithm.endsWith("-sess"))) return null;
  return {
    isProxy,
    realm: unquoted(rawRealm),
    rawRealm,
    rawNonce,
    rawOpaque,
    algorithm,
    algorithmText,
    qop,
    isStale: isTrue(params.get("stale")),
    hashesUser: isTrue(params.get("userhash")),
  };
}

/** `auth` where it is offered, since what covers the body does not outlive a proxy that changes it; undefined for none we know. */
function qopOf(offered: string | undefined): Qop | null | undefined {
  if (offered === undefined) return null;
  const known = offered.toLowerCase().split(/[\s,]+/);
  return known.includes("auth") ? "auth" : known.includes("auth-int") ? "auth-int" : undefined;
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === "true";
}
