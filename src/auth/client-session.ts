/**
 * An authentication session (RFC 7616 s3.6): what a server's challenge and a user's secret make up together, for as long
 * as the server takes the nonce. Each request counts it up by one.
 */
import { type Algorithm, baseOf, ha2Of, hash, type Qop, responseOf, sessionHa1Of } from "./algorithm.ts";
import { type AuthenticationInfo, type Challenge, quotable, unquoted } from "./challenge-scan.ts";
import { type Credentials, ha1For } from "./client-credentials.ts";

/** What of a request its credentials are computed from. */
export interface SignedParts {
  readonly method: string;
  /** The Request-URI as it is sent. */
  readonly uri: string;
  readonly body: Uint8Array | undefined;
}

/** Credentials as they went out in one request. */
export interface Attempt {
  readonly session: ClientSession;
  /** The header line, with its CRLF. */
  readonly line: string;
  readonly rawNonce: string;
  readonly uri: string;
  readonly algorithm: Algorithm;
  readonly ha1: string;
  readonly qop: Qop | null;
  /** Eight hexadecimal digits, and the client's nonce; null where there is no qop. */
  readonly nc: string | null;
  readonly cnonce: string | null;
}

/** The largest count that eight digits hold. */
const MOST_REQUESTS = 0xffffffff;

export class ClientSession {
  readonly isProxy: boolean;
  readonly realm: string;
  /** False once the server has refused it: nobody is to send it any more. */
  isGood = true;
  #challenge: Challenge;
  #credentials: Credentials;
  #ha1: string;
  #rawNonce: string;
  #count = 0;
  /** For a `-sess` algorithm: H(A1) of the session, and the cnonce it was made with. */
  #key: { ha1: string; cnonce: string } | null = null;

  /** @param credentials that {@link ha1For} gives a hash for */
  constructor(challenge: Challenge, credentials: Credentials) {
    this.isProxy = challenge.isProxy;
    this.realm = challenge.realm;
    this.#challenge = challenge;
    this.#credentials = credentials;
    this.#rawNonce = challenge.rawNonce;
    this.#ha1 = ha1For(credentials, challenge.algorithm, challenge.realm)!;
  }

  /** Another challenge of the same realm has come: the session begins anew. */
  renew(challenge: Challenge, credentials: Credentials): void {
    this.#ha1 = ha1For(credentials, challenge.algorithm, challenge.realm)!;
    this.#challenge = challenge;
    this.#credentials = credentials;
    this.#key = null;
    this.isGood = true;
    this.follow(challenge.rawNonce);
  }

  get challenge(): Challenge {
    return this.#challenge;
  }

  get credentials(): Credentials {
    return this.#credentials;
  }

  /** Whether another request can be counted. */
  get isUsable(): boolean {
    return this.isGood && this.#count < MOST_REQUESTS;
  }

  /** The server wants this nonce from now on (s3.5). */
  follow(rawNonce: string): void {
    // Some give the same one to whoever asks in the same second: a count that began anew would look like a replay.
    if (rawNonce !== this.#rawNonce) this.#count = 0;
    this.#rawNonce = rawNonce;
  }

  /** Computes the credentials for a request. @param cnonce a fresh one */
  authorize({ method, uri, body = new Uint8Array() }: SignedParts, cnonce: string): Attempt {
    const { algorithm: name, qop, rawRealm, rawOpaque, algorithmText, hashesUser } = this.#challenge;
    const algorithm = baseOf(name);
    const rawNonce = this.#rawNonce;
    const nonce = unquoted(rawNonce);
    const isSession = name !== algorithm;
    if (isSession) this.#key ??= { ha1: sessionHa1Of(algorithm, this.#ha1, nonce, cnonce), cnonce };
    const nc = (++this.#count).toString(16).padStart(8, "0");
    // The cnonce of a session stays: a server that makes its key of each request's own comes to the same key.
    const counted = qop === null ? null : { nc, cnonce: this.#key?.cnonce ?? cnonce };
    const ha1 = this.#key?.ha1 ?? this.#ha1;
    const ha2 = ha2Of(algorithm, method, uri, qop === "auth-int" ? body : undefined);
    const response = responseOf(algorithm, ha1, { nonce, qop: qop ?? undefined, ...counted }, ha2);
    const { user } = this.#credentials;
    const params = [
      `username="${hashesUser ? hash(algorithm, `${user}:${this.realm}`) : quotable(user)}"`,
      `realm="${rawRealm}"`,
      `nonce="${rawNonce}"`,
      `uri="${quotable(uri)}"`,
      `response="${response}"`,
      ...(algorithmText === null ? [] : [`algorithm=${algorithmText}`]),
      ...(rawOpaque === null ? [] : [`opaque="${rawOpaque}"`]),
      ...(counted === null ? [] : [`qop=${qop}`, `nc=${counted.nc}`, `cnonce="${counted.cnonce}"`]),
      ...(hashesUser ? ["userhash=true"] : []),
    ];
    const field = this.isProxy ? "Proxy-Authorization" : "Authorization";
    const line = `${field}: Digest ${params.join(", ")}\r\n`;
    const sent = { nc: counted?.nc ?? null, cnonce: counted?.cnonce ?? null };
    return { session: this, line, rawNonce, uri, algorithm, ha1, qop, ...sent };
  }
}

/**
 * Whether a server has proved that it knows the secret too (s3.5).
 * @param body the response's
 * @returns null when it has not tried to
 */
export function isProved(attempt: Attempt, info: AuthenticationInfo, body: Uint8Array): boolean | null {
  const { rspauth } = info;
  const { algorithm, ha1, uri, qop, nc, cnonce } = attempt;
  if (rspauth === null) return null;
  if ((info.cnonce ?? cnonce) !== cnonce || !sameCount(info.nc, nc) || (info.qop ?? qop) !== qop) return false;
  const ha2 = ha2Of(algorithm, "", uri, qop === "auth-int" ? body : undefined);
  const counted = { qop: qop ?? undefined, nc: nc ?? undefined, cnonce: cnonce ?? undefined };
  return rspauth.toLowerCase() === responseOf(algorithm, ha1, { nonce: unquoted(attempt.rawNonce), ...counted }, ha2);
}

function sameCount(said: string | null, sent: string | null): boolean {
  return said === null || (sent !== null && Number.parseInt(said, 16) === Number.parseInt(sent, 16));
}
