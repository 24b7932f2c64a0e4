/**
 * The client's side of digest authentication (RFC 3261 s22.2, s22.3; RFC 7616; RFC 8760): picks among the challenges of a
 * response those that can be answered, and remembers what comes of it for the next request to the same server.
 *
 *     a response's challenges of one realm            what is done
 *     schemes, algorithms, qop that are not known     passed over; with none left the 401 or 407 is the result
 *     several                                         the strongest hash there is a secret for, the topmost of those
 *     weaker than that realm has asked for before     not answered
 *     for credentials that answered one already       not answered, unless it says that the nonce was stale
 */
import type { Message } from "../message/message.ts";
import type { TokenSource } from "../message/token-source.ts";
import { type AuthenticationInfo, authenticationInfoOf, type Challenge, challengesOf } from "./challenge-scan.ts";
import { CredentialSource, type Credentials, type CredentialsOption, canHash, isSame } from "./client-credentials.ts";
import { ClientMemory, rankOf } from "./client-memory.ts";
import { type Attempt, ClientSession, isProved, type SignedParts } from "./client-session.ts";

/** Where a request goes, as challenges are remembered by it. */
export interface Place {
  /** `host:port` of the next server: who a proxy is known by. */
  readonly hop: string;
  /** `host:port` of the Request-URI: who a server is known by. */
  readonly target: string;
  /** What a function that gives credentials is told: the next server's host. */
  readonly host: string;
}

/** Credentials that went out, and whether nobody had asked for them. */
export interface Sent extends Attempt {
  readonly isUnasked: boolean;
}

/** Who asks, and how they were answered in the request that this is the response to. */
export interface Asked {
  readonly response: Message;
  readonly place: Place;
  /** Whose credentials are looked for, the first one's first. */
  readonly sources: readonly CredentialSource[];
  readonly sent: readonly Sent[];
  /** Sessions of the dialog. */
  readonly known: readonly ClientSession[];
}

/** The part of a log that is written to here. */
export interface AuthenticatorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface AuthenticatorOptions {
  /** For requests without credentials of their own, and after those. */
  credentials?: CredentialsOption | undefined;
  tokens: TokenSource;
  log: AuthenticatorLog;
  /** Servers that are remembered. Default 1,000. */
  remembered?: number;
}

/** Counts kept since the start. */
export class AuthenticatorCounters {
  /** Requests sent again with credentials. */
  answered = 0;
  /** 401 and 407 that were the result although there were credentials. */
  unanswered = 0;
}

/** The challenges of one realm. */
interface Ask {
  readonly isProxy: boolean;
  readonly realm: string;
  readonly challenges: Challenge[];
}

/** Realms that one response may ask for. */
const MOST_REALMS = 8;
/** Letters of a cnonce, five random bits in each. */
const CNONCE_LETTERS = 16;
const DEFAULT_REMEMBERED = 1000;

export class Authenticator {
  readonly counters = new AuthenticatorCounters();
  /** Of the server's own credentials; null without. */
  readonly source: CredentialSource | null;
  readonly #memory: ClientMemory;
  readonly #tokens: TokenSource;
  readonly #log: AuthenticatorLog;

  /** @throws TypeError for credentials that cannot be used */
  constructor({ credentials, tokens, log, remembered = DEFAULT_REMEMBERED }: AuthenticatorOptions) {
    this.source = credentials === undefined ? null : new CredentialSource(credentials);
    this.#memory = new ClientMemory(remembered);
    this.#tokens = tokens;
    this.#log = log;
  }

  /** Whether no server has asked yet: nothing is sent unasked then. */
  get isIdle(): boolean {
    return this.#memory.isEmpty;
  }

  /** The sessions whose credentials go with a request unasked: one a realm. @param known those of its dialog, if it has one */
  unasked(
    place: Place,
    sources: readonly CredentialSource[],
    known: readonly ClientSession[],
  ): readonly ClientSession[] {
    const chosen: ClientSession[] = [];
    const choose = (session: ClientSession) => {
      if (session.isUsable && !chosen.some((one) => isOfRealm(one, session))) chosen.push(session);
    };
    known.forEach(choose);
    for (const [at, source] of sources.entries()) {
      // Who goes first in the answer to a challenge goes first here.
      const isLeftTo = (realm: string) => !sources.slice(0, at).some((one) => one.mightGive(realm));
      for (const session of this.#remembered(place, source)) if (isLeftTo(session.realm)) choose(session);
    }
    return chosen;
  }

  *#remembered(place: Place, source: CredentialSource): IterableIterator<ClientSession> {
    for (const tag of source.tags) {
      for (const server of new Set([place.hop, place.target])) {
        for (const session of this.#memory.sessions(server, tag)) {
          const isItsServer = server === serverOf(place, session.isProxy);
          if (isItsServer && source.stillGives(session.credentials, session.realm)) yield session;
        }
      }
    }
  }

  /** Computes the credentials of a session for a request. */
  authorize(session: ClientSession, parts: SignedParts, isUnasked: boolean): Sent {
    const cnonce = Buffer.from(this.#tokens.token(CNONCE_LETTERS)).toString("latin1");
    return { ...session.authorize(parts, cnonce), isUnasked };
  }

  /**
   * Finds the sessions that answer a response's challenges.
   * @returns none where the response is the result. Throws or rejects where a function that gives credentials does
   */
  answer(asked: Asked): readonly ClientSession[] | Promise<readonly ClientSession[]> {
    const asks = asksOf(challengesOf(asked.response));
    const found = asks.map(({ realm }) => credentialsFor(asked.sources, realm, asked.place.host));
    const isKnown = (one: (typeof found)[number]): one is Found | null => !(one instanceof Promise);
    if (found.every(isKnown)) return this.#settle(asked, asks, found);
    return Promise.all(found).then((all) => this.#settle(asked, asks, all));
  }

  #settle(asked: Asked, asks: readonly Ask[], found: readonly (Found | null)[]): readonly ClientSession[] {
    const sessions: ClientSession[] = [];
    for (const [at, ask] of asks.entries()) {
      const one = found[at];
      if (one === null || one === undefined) continue;
      const session = this.#session(asked, ask, one);
      if (session !== null) sessions.push(session);
    }
    if (sessions.length > 0) this.counters.answered++;
    else if (found.some((one) => one !== null)) this.counters.unanswered++;
    return sessions;
  }

  /** The session that answers for one realm; null where it is not answered. */
  #session(asked: Asked, ask: Ask, { source, credentials }: Found): ClientSession | null {
    const { place, sent, known } = asked;
    const server = serverOf(place, ask.isProxy);
    const { realm } = ask;
    const challenge = strongestOf(ask.challenges, credentials);
    const before = sent.find(({ session }) => isOfRealm(session, ask))?.session;
    const ofDialog = known.find((session) => isOfRealm(session, ask));
    const floor = Math.max(
      this.#memory.strongest(server, realm),
      ofDialog === undefined ? -1 : rankOfSession(ofDialog),
    );
    // What was asked for, if not answered: the next challenge may not fall below it.
    this.#memory.asked(server, realm, rankOf((challenge ?? strongestOf(ask.challenges, null)!).algorithm));
    if (challenge === null) return null;
    if (rankOf(challenge.algorithm) < floor) {
      const fields = { realm, server, algorithm: challenge.algorithm };
      this.#log.warn(
        fields,
        "a challenge was not answered: its algorithm is weaker than the realm has asked for before",
      );
      return null;
    }
    const tag = source.tagOf(credentials);
    if (before !== undefined && this.#isRefused(asked, before, challenge, credentials)) {
      before.isGood = false;
      this.#memory.forget(server, tag, before);
      this.#log.info({ realm, server, user: credentials.user }, "credentials were refused");
      return null;
    }
    const remembered = this.#memory.sessions(server, tag).find((session) => isOfRealm(session, ask));
    const standing = [before, ofDialog, remembered].find((session) => session?.credentials.user === credentials.user);
    if (remembered !== undefined && remembered !== standing) this.#memory.forget(server, tag, remembered);
    const session = standing ?? new ClientSession(challenge, credentials);
    if (standing !== undefined) session.renew(challenge, credentials);
    this.#memory.remember(server, tag, session);
    return session;
  }

  /** Whether the same credentials have answered a challenge in the request already, and not just with a nonce too old. */
  #isRefused({ sent }: Asked, before: ClientSession, challenge: Challenge, credentials: Credentials): boolean {
    const attempt = sent.find(({ session }) => session === before)!;
    // A nonce that is remembered may be too old without anybody saying so.
    return !attempt.isUnasked && !challenge.isStale && isSame(attempt.session.credentials, credentials);
  }

  /** A final response has come that is no challenge: follows the next nonce in it (RFC 7616 s3.5). */
  finished(response: Message, sent: readonly Sent[]): void {
    for (const isProxy of [false, true]) {
      const attempts = sent.filter(({ session }) => session.isProxy === isProxy);
      const info = attempts.length === 0 ? null : authenticationInfoOf(response, isProxy);
      // It names no realm: of several only the cnonce tells.
      const attempt = attempts.length === 1 ? attempts[0] : attempts.find(({ cnonce }) => cnonce === info?.cnonce);
      if (info !== null && attempt !== undefined) this.#follow(attempt, info, response);
    }
  }

  #follow(attempt: Attempt, info: AuthenticationInfo, response: Message): void {
    const { session } = attempt;
    if (isProved(attempt, info, response.body) === false) {
      session.isGood = false;
      const fields = { realm: session.realm, user: session.credentials.user };
      this.#log.warn(fields, "a server has not proved that it knows the password: its rspauth is wrong");
    } else if (info.nextNonce !== null) session.follow(info.nextNonce);
  }
}

interface Found {
  readonly source: CredentialSource;
  readonly credentials: Credentials;
}

/** Asks one source after the other; at once where none of those asked has to be waited for. */
function credentialsFor(
  sources: readonly CredentialSource[],
  realm: string,
  host: string,
): Found | null | Promise<Found | null> {
  for (const [at, source] of sources.entries()) {
    const found = source.find(realm, host);
    if (found instanceof Promise) {
      const later = sources.slice(at + 1);
      return found.then((credentials) =>
        credentials === null ? credentialsFor(later, realm, host) : { source, credentials },
      );
    }
    if (found !== null) return { source, credentials: found };
  }
  return null;
}

/** The challenges by their realms, in the order of those. */
function asksOf(challenges: readonly Challenge[]): Ask[] {
  const asks: Ask[] = [];
  for (const challenge of challenges) {
    const ask = asks.find((one) => isOfRealm(one, challenge));
    if (ask !== undefined) ask.challenges.push(challenge);
    else if (asks.length < MOST_REALMS) {
      asks.push({ isProxy: challenge.isProxy, realm: challenge.realm, challenges: [challenge] });
    }
  }
  return asks;
}

/** The topmost of those with the strongest hash. @param credentials that have to have a secret for it; null for any */
function strongestOf(challenges: readonly Challenge[], credentials: Credentials | null): Challenge | null {
  let best: Challenge | null = null;
  for (const challenge of challenges) {
    if (credentials !== null && !canHash(credentials, challenge.algorithm)) continue;
    if (best === null || rankOf(challenge.algorithm) > rankOf(best.algorithm)) best = challenge;
  }
  return best;
}

interface OfRealm {
  readonly isProxy: boolean;
  readonly realm: string;
}

function isOfRealm(one: OfRealm, other: OfRealm): boolean {
  return one.isProxy === other.isProxy && one.realm === other.realm;
}

function rankOfSession({ challenge }: ClientSession): number {
  return rankOf(challenge.algorithm);
}

/** Whom a challenge is remembered by. */
function serverOf({ hop, target }: Place, isProxy: boolean): string {
  return isProxy ? hop : target;
}
