/**
 * The 401s and 407s to one request of ours (RFC 3261 s22.2, s22.3): answered by its user's function where there is one, else
 * with the credentials there are. And the credentials that go with it unasked, where a server is known to want them.
 */
import type { Authenticator, Place, Sent } from "../auth/client.ts";
import type { CredentialSource } from "../auth/client-credentials.ts";
import type { ClientSession } from "../auth/client-session.ts";
import { ascii, utf8 } from "../message/bytes.ts";
import { headerLines, joinedLines } from "../message/header-lines.ts";
import type { Message } from "../message/message.ts";
import type { Text } from "../message/request.ts";
import { Uri } from "../message/uri.ts";
import { type NextHop, nextHopOf } from "../resolve/target.ts";
import { hostPort } from "../transport/address.ts";
import { type AnswerChallenge, ChallengeScope } from "./challenge-scope.ts";
import { IncomingResponse } from "./incoming-response.ts";
import type { Flow, RequestDraft } from "./outgoing-request.ts";
import type { RequestContext } from "./request-context.ts";

/** Challenges answered for one request. */
const TRIES = 2;
/** A function is asked once about a PRACK: until it is taken the callee waits. */
const PRACK_TRIES = 1;
const BY_HAND = /^(?:proxy-)?authorization[ \t]*:/im;

/** Whether a final response may be answered. */
export function isChallenge(status: number): boolean {
  return status === 401 || status === 407;
}

/** Where a request goes: a next hop, or a flow that is all there is. */
export interface Way {
  readonly hop: NextHop | null;
  readonly flow: Flow | null;
}

/** The credentials that a request carries before it is asked for any; null for none. */
export function unasked(
  authenticator: Authenticator,
  draft: RequestDraft,
  context: RequestContext | null,
  way: Way,
): Challenges | null {
  const known = knownTo(context);
  if ((authenticator.isIdle && known.length === 0) || context?.challenges?.auth !== undefined || isByHand(draft)) {
    return null;
  }
  const challenges = new Challenges(authenticator, draft, context, way);
  return challenges.addUnasked(known) ? challenges : null;
}

export class Challenges {
  /** Why a challenge could not be answered; null where nothing was thrown. */
  error: unknown = null;
  readonly #authenticator: Authenticator;
  readonly #context: RequestContext | null;
  readonly #sources: readonly CredentialSource[];
  readonly #place: Place;
  readonly #isByHand: boolean;
  /** The sessions that the request carries credentials of. */
  #sessions: readonly ClientSession[] = [];
  /** Those nobody had asked for. */
  #unasked: ReadonlySet<ClientSession> = new Set();
  /** As they went out last. */
  #sent: readonly Sent[] = [];
  /** What the user's function has given. */
  #fields: Record<string, string> = {};
  #tries: number;

  constructor(authenticator: Authenticator, draft: RequestDraft, context: RequestContext | null, way: Way) {
    this.#authenticator = authenticator;
    this.#context = context;
    const { source = null, auth } = context?.challenges ?? {};
    this.#sources = [source, authenticator.source].filter((one) => one !== null);
    this.#place = placeOf(draft.uri, way);
    this.#isByHand = isByHand(draft);
    this.#tries = auth !== undefined && draft.method === "PRACK" ? PRACK_TRIES : TRIES;
  }

  /** @returns whether there are any */
  addUnasked(known: readonly ClientSession[]): boolean {
    this.#sessions = this.#authenticator.unasked(this.#place, this.#sources, known);
    this.#unasked = new Set(this.#sessions);
    return this.#sessions.length > 0;
  }

  /** Whether there is anything to answer a challenge with. */
  get isEquipped(): boolean {
    const { auth } = this.#context?.challenges ?? {};
    return !this.#isByHand && (auth !== undefined || this.#sources.length > 0);
  }

  /**
   * Looks for what answers a 401 or 407.
   * @param response kept
   * @returns whether the request is to be sent again. Throws or rejects where a function of the user's does
   */
  answer(response: Message): boolean | Promise<boolean> {
    const { auth } = this.#context?.challenges ?? {};
    if (this.#tries-- === 0) {
      if (auth === undefined) this.#authenticator.counters.unanswered++;
      return false;
    }
    if (auth !== undefined) return this.#ask(auth, response);
    const asked = {
      response,
      place: this.#place,
      sources: this.#sources,
      sent: this.#sent,
      known: knownTo(this.#context),
    };
    const found = this.#authenticator.answer(asked);
    return found instanceof Promise ? found.then((sessions) => this.#take(sessions)) : this.#take(found);
  }

  #ask(auth: AnswerChallenge, response: Message): boolean {
    const fields = auth(new IncomingResponse(response));
    if (fields === null) return false;
    headerLines(fields);
    this.#fields = { ...this.#fields, ...fields };
    return true;
  }

  #take(found: readonly ClientSession[]): boolean {
    const others = this.#sessions.filter((session) => session.isUsable && !found.includes(session));
    this.#sessions = [...found, ...others.filter((one) => !found.some((other) => isSameRealm(one, other)))];
    this.#unasked = new Set([...this.#unasked].filter((session) => !found.includes(session)));
    const context = this.#context;
    if (context !== null && found.length > 0) {
      context.challenges ??= new ChallengeScope();
      for (const session of found) context.challenges.add(session);
    }
    return found.length > 0;
  }

  /** The header lines with the credentials for the request as it is sent next. */
  credentials({ method, uri, body }: RequestDraft): Uint8Array {
    const parts = { method, uri: textOf(uri), body };
    this.#sent = this.#sessions.map((session) =>
      this.#authenticator.authorize(session, parts, this.#unasked.has(session)),
    );
    return joinedLines(ascii(this.#sent.map(({ line }) => line).join("")), headerLines(this.#fields));
  }

  /** A final response has come that is no challenge. */
  finished(response: Message): void {
    if (this.#sent.length > 0) this.#authenticator.finished(response, this.#sent);
  }
}

/** The sessions of a dialog. What one call has made is not for wherever else its INVITE is sent. */
function knownTo(context: RequestContext | null): readonly ClientSession[] {
  return context === null || context.near === null ? [] : (context.challenges?.sessions ?? []);
}

/** Whether the user has written credentials himself: what comes of them is his to see. */
function isByHand({ headers }: RequestDraft): boolean {
  return headers !== undefined && BY_HAND.test(utf8(headers, 0, headers.length));
}

function placeOf(uri: Text, { hop, flow }: Way): Place {
  const parsed = Uri.parse(textOf(uri));
  const target = parsed === null ? null : nextHopOf(parsed);
  const next = hop === null ? hostPort(flow!.address, flow!.port) : serverName(hop);
  return { hop: next, target: target === null ? next : serverName(target), host: hop?.host ?? flow!.address };
}

function serverName({ host, port }: NextHop): string {
  return port === undefined ? host : hostPort(host, port);
}

function isSameRealm(one: ClientSession, other: ClientSession): boolean {
  return one.isProxy === other.isProxy && one.realm === other.realm;
}

function textOf(text: Text): string {
  return typeof text === "string" ? text : utf8(text, 0, text.length);
}
