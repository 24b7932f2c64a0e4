/**
 * A server's side of digest authentication for tests (RFC 7616), written apart from Viaduct's own so that a mistake there is
 * not made here too: `node:crypto` and regular expressions.
 */
import { createHash } from "node:crypto";
import type { SipMessage } from "./sip-messages.ts";

export interface ChallengeShape {
  /** Default `biloxi.example`. */
  realm?: string;
  nonce?: string;
  /** Default none, which means MD5. */
  algorithm?: string;
  /** Default `auth`; null leaves it out, as in RFC 2069. */
  qop?: string | null;
  opaque?: string;
  stale?: boolean;
  /** More parameters, with their commas. */
  more?: string;
}

export const REALM = "biloxi.example";

/** The value of WWW-Authenticate or Proxy-Authenticate. */
export function challengeText(shape: ChallengeShape = {}): string {
  const { realm = REALM, nonce = "n0nce", algorithm, qop = "auth", opaque, stale, more = "" } = shape;
  const params = [
    `realm="${realm}"`,
    `nonce="${nonce}"`,
    ...(algorithm === undefined ? [] : [`algorithm=${algorithm}`]),
    ...(qop === null ? [] : [`qop="${qop}"`]),
    ...(opaque === undefined ? [] : [`opaque="${opaque}"`]),
    ...(stale === undefined ? [] : [`stale=${stale}`]),
  ];
  return `Digest ${params.join(", ")}${more}`;
}

/** The header line of a server's challenge. */
export function asks(shape: ChallengeShape = {}): string {
  return `WWW-Authenticate: ${challengeText(shape)}`;
}

/** The header line of a proxy's challenge. */
export function proxyAsks(shape: ChallengeShape = {}): string {
  return `Proxy-Authenticate: ${challengeText(shape)}`;
}

/** Credentials taken apart: names in lower case, quoted strings without their quotes and backslashes. */
export type Given = Readonly<Record<string, string>>;

/** All values of Authorization, or Proxy-Authorization. @throws Error for one that is not well formed */
export function givenIn(message: SipMessage, isProxy = false): Given[] {
  return message.headers(isProxy ? "Proxy-Authorization" : "Authorization").map(readCredentials);
}

/** The only one. @throws Error when there is none, or more */
export function onlyGiven(message: SipMessage, isProxy = false): Given {
  const given = givenIn(message, isProxy);
  if (given.length !== 1) throw new Error(`${given.length} credentials`);
  return given[0]!;
}

const PARAM = /([\w*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))(?:, |$)/y;
/** Which have to be quoted strings, and which must not be (RFC 7616 s3.4). */
const QUOTED = new Set(["username", "realm", "nonce", "uri", "response", "cnonce", "opaque"]);

function readCredentials(value: string): Given {
  if (!value.startsWith("Digest ")) throw new Error(`Not digest credentials: ${value}`);
  const given: Record<string, string> = {};
  PARAM.lastIndex = "Digest ".length;
  while (PARAM.lastIndex < value.length) {
    const at = PARAM.lastIndex;
    const found = PARAM.exec(value);
    if (found === null) throw new Error(`Not a parameter: ${value.slice(at)}`);
    const [, name, quoted, token] = found;
    if (name! in given || QUOTED.has(name!) !== (quoted !== undefined)) throw new Error(`Not a good ${name}: ${value}`);
    // Text is one character an octet.
    given[name!] = Buffer.from(token ?? quoted!.replace(/\\(.)/g, "$1"), "latin1").toString();
  }
  return given;
}

export interface Secret {
  user: string;
  password: string;
}

/** The response that would be right for these credentials. @param first the first of the session, for `-sess` */
export function rightResponse(
  given: Given,
  { user, password }: Secret,
  message: { method: string; body: string },
  first: Given = given,
): string {
  const [, base, sess] = /^(.*?)(-sess)?$/i.exec(given.algorithm ?? "MD5")!;
  const name = { md5: "md5", "sha-256": "sha256", "sha-512-256": "sha512-256" }[base!.toLowerCase()]!;
  const h = (text: string) => createHash(name).update(text).digest("hex");
  const plain = h(`${user}:${given.realm}:${password}`);
  const ha1 = sess === undefined ? plain : h(`${plain}:${first.nonce}:${first.cnonce}`);
  const body = createHash(name).update(Buffer.from(message.body, "latin1")).digest("hex");
  const ha2 = h(`${message.method}:${given.uri}${given.qop === "auth-int" ? `:${body}` : ""}`);
  if (given.qop === undefined) return h(`${ha1}:${given.nonce}:${ha2}`);
  return h([ha1, given.nonce, given.nc, given.cnonce, given.qop, ha2].join(":"));
}

/** Whether credentials are right, and for this request. */
export function isRight(given: Given, secret: Secret, message: SipMessage, first: Given = given): boolean {
  return given.uri === message.uri && given.response === rightResponse(given, secret, message, first);
}
