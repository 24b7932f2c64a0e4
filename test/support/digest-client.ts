/**
 * The client's side of digest authentication for tests: REGISTERs and what answers a challenge, computed with node:crypto
 * and written apart from `src/`, so that a mistake there is not made here too.
 */
import { createHash } from "node:crypto";
import type { Role } from "../../src/auth/challenge.ts";
import type { Denied, Verdict } from "../../src/auth/digest-options.ts";
import type { Message } from "../../src/message/message.ts";
import { scan } from "./scan.ts";
import { textOf } from "./sip-text.ts";

const HASHES = { MD5: "md5", "SHA-256": "sha256", "SHA-512-256": "sha512-256" } as const;

/** The parameters of one challenge or of Authentication-Info, names in lower case and values unquoted. */
export type Params = Readonly<Record<string, string>>;

/** What credentials are made of. */
export interface Login {
  username: string;
  password: string;
  nonce: string;
  realm?: string;
  algorithm?: string;
  /** The empty string leaves it out, as RFC 2069 does. */
  qop?: string;
  uri?: string;
  method?: string;
  body?: string;
  nc?: number;
  cnonce?: string;
  /** The cnonce of a session's first request, where it is another. */
  sessionCnonce?: string;
}

/** H of the algorithm's name, a `-sess` being passed over. */
export function hashed(algorithm: string, text: string): string {
  const name = HASHES[algorithm.replace(/-sess$/, "") as keyof typeof HASHES];
  return createHash(name).update(text, "latin1").digest("hex");
}

/** UTF-8 as one character an octet. */
function octets(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The response to a challenge (RFC 7616 s3.4.1). */
export function responseTo(login: Login): string {
  const { method = "REGISTER", algorithm = "MD5", qop = "auth", uri = "sip:example.com", body = "" } = login;
  return computed(login, `${method}:${uri}`, qop === "auth-int" ? `:${hashed(algorithm, body)}` : "");
}

/** What the server proves itself with (RFC 7616 s3.5). */
export function proofOf(login: Login): string {
  const { algorithm = "MD5", qop = "auth", uri = "sip:example.com", body = "" } = login;
  return computed(login, `:${uri}`, qop === "auth-int" ? `:${hashed(algorithm, body)}` : "");
}

function computed(login: Login, a2: string, bodyPart: string): string {
  const { algorithm = "MD5", realm = "example.com", nonce, qop = "auth", cnonce = "0a4f113b", nc = 1 } = login;
  const h = (text: string) => hashed(algorithm, text);
  let ha1 = h(octets(`${login.username}:${realm}:${login.password}`));
  if (algorithm.endsWith("-sess")) ha1 = h(`${ha1}:${nonce}:${login.sessionCnonce ?? cnonce}`);
  const ha2 = h(a2 + bodyPart);
  return qop === "" ? h(`${ha1}:${nonce}:${ha2}`) : h(`${ha1}:${nonce}:${count(nc)}:${cnonce}:${qop}:${ha2}`);
}

function count(nc: number): string {
  return nc.toString(16).padStart(8, "0");
}

/**
 * The value of Authorization.
 * @param changes parameters as they are to be written, in the place of those that are right; undefined leaves one out
 */
export function credentials(login: Login, changes: Readonly<Record<string, string | undefined>> = {}): string {
  const {
    algorithm,
    realm = "example.com",
    uri = "sip:example.com",
    qop = "auth",
    cnonce = "0a4f113b",
    nc = 1,
  } = login;
  const params: Record<string, string | undefined> = {
    username: `"${login.username}"`,
    realm: `"${realm}"`,
    nonce: `"${login.nonce}"`,
    uri: `"${uri}"`,
    response: `"${responseTo(login)}"`,
    ...(algorithm !== undefined && { algorithm }),
    ...(qop !== "" && { cnonce: `"${cnonce}"`, qop, nc: count(nc) }),
    ...changes,
  };
  const written = Object.entries(params).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  return octets(`Digest ${written.join(", ")}`);
}

/** A REGISTER, or another request, with these values of Authorization, or Proxy-Authorization for a proxy. */
export function request(
  values: readonly string[] | string = [],
  { method = "REGISTER", uri = "sip:example.com", body = "", role = "uas" as Role, more = [] as string[] } = {},
): Message {
  const header = role === "proxy" ? "Proxy-Authorization" : "Authorization";
  return scan(
    [
      `${method} ${uri} SIP/2.0`,
      "Via: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bKnashds7;rport",
      "Max-Forwards: 70",
      "To: <sip:alice@example.com>",
      "From: <sip:alice@example.com>;tag=456248",
      "Call-ID: 843817637684230@998sdasdh09",
      `CSeq: 1826 ${method}`,
      "Contact: <sip:alice@192.0.2.4>",
      ...more,
      ...[values].flat().map((value) => `${header}: ${value}`),
      "Expires: 7200",
      `Content-Length: ${body.length}`,
      "",
      body,
    ].join("\r\n"),
  );
}

/** The lines of a verdict. @throws Error when there are none */
export function linesOf(verdict: Verdict): string[] {
  if (verdict.headers === undefined || verdict.headers === null) throw new Error("no lines");
  const text = textOf(verdict.headers);
  if (!text.endsWith("\r\n")) throw new Error(`no line end: ${JSON.stringify(text)}`);
  return text.slice(0, -2).split("\r\n");
}

/** Reads what stands behind a line's scheme or name. @throws Error where it is not a list of parameters */
export function paramsOf(line: string): Params {
  const params: Record<string, string> = {};
  let rest = line.replace(/^[A-Za-z-]+: (Digest )?/, "");
  while (rest !== "") {
    const match = /^([a-z0-9*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))(?:, |$)/i.exec(rest);
    if (match === null || match[1]! in params) throw new Error(`not a parameter: ${rest}`);
    params[match[1]!.toLowerCase()] = match[2]?.replace(/\\(.)/g, "$1") ?? match[3]!;
    rest = rest.slice(match[0].length);
  }
  return params;
}

/** The challenges of a verdict, in order. @throws Error when it is none, or one of them not of this role */
export function challengesOf(verdict: Verdict, role: Role = "uas"): Params[] {
  const header = role === "proxy" ? "Proxy-Authenticate" : "WWW-Authenticate";
  return linesOf(verdict).map((line) => {
    if (!line.startsWith(`${header}: Digest `)) throw new Error(`not a challenge: ${line}`);
    return paramsOf(line);
  });
}

/** A verdict that must have been given at once. */
export function now(verdict: Verdict | Promise<Verdict>): Verdict {
  if (verdict instanceof Promise) throw new Error("not at once");
  return verdict;
}

/** A verdict that must be no. */
export function denied(verdict: Verdict | Promise<Verdict>): Denied {
  const given = now(verdict);
  if (given.isAllowed) throw new Error("allowed");
  return given;
}
