/** Sends requests: finds where each one goes, and over what (RFC 3261 s8.1.2, RFC 3263). */
import type { Authenticator } from "../auth/client.ts";
import { ascii } from "../message/bytes.ts";
import type { TokenSource } from "../message/token-source.ts";
import { LocateError } from "../resolve/locate-error.ts";
import type { Locator } from "../resolve/locator.ts";
import type { NextHop, Target } from "../resolve/target.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Channel } from "../transport/channel.ts";
import { type Flow, OutgoingRequest, type RequestDraft, type RequestUser } from "./outgoing-request.ts";
import type { RequestContext } from "./request-context.ts";
import { RequestFailed } from "./request-failed.ts";

/** The part of a log that is written to here. */
export interface SenderLog {
  info(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface SenderOptions {
  layer: TransactionLayer;
  locator: Locator;
  tokens: TokenSource;
  log: SenderLog;
  /** Answers challenges. */
  authenticator: Authenticator;
  /** What a request to a target is sent on; null when there is nothing. */
  channelTo: (target: Target) => Channel | null;
}

export class Sender {
  readonly layer: TransactionLayer;
  readonly locator: Locator;
  readonly tokens: TokenSource;
  readonly log: SenderLog;
  readonly authenticator: Authenticator;
  readonly channelTo: (target: Target) => Channel | null;
  /** What a branch begins with (RFC 3261 s8.1.1.7). */
  readonly cookie = ascii("z9hG4bK");
  /** Requests that have no final response yet. */
  readonly #underWay = new Set<OutgoingRequest>();
  #isClosed = false;

  constructor({ layer, locator, tokens, log, authenticator, channelTo }: SenderOptions) {
    this.layer = layer;
    this.locator = locator;
    this.tokens = tokens;
    this.log = log;
    this.authenticator = authenticator;
    this.channelTo = channelTo;
  }

  /**
   * Sends a request; at once where no name has to be looked up. A challenge to it is answered where that can be.
   * @param hop where it goes; null when a flow is all there is
   * @param flow tried first: a connection that its peer is known to be at the end of
   * @param context the dialog it is sent in, or what it may make one for; null for a request that stands alone
   */
  send(
    draft: RequestDraft,
    hop: NextHop | null,
    flow: Flow | null,
    user: RequestUser,
    context: RequestContext | null = null,
  ): OutgoingRequest {
    const request = new OutgoingRequest(this, draft, hop, user, context);
    if (this.#isClosed) {
      request.fail(closed());
      return request;
    }
    this.#underWay.add(request);
    if (hop !== null || flow !== null) request.authorize({ hop, flow });
    if (flow !== null) request.beginOn(flow, hop === null ? null : () => this.#locate(request, hop));
    else if (hop !== null) this.#locate(request, hop);
    else request.fail(new RequestFailed("unreachable", "The connection to the peer is gone"));
    return request;
  }

  /** Whether a request has no final response yet. */
  get isBusy(): boolean {
    return this.#underWay.size > 0;
  }

  /** A request is over: told by the request. */
  over(request: OutgoingRequest): void {
    this.#underWay.delete(request);
  }

  /** Every request under way fails, and so do those to come. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#underWay) request.fail(closed());
  }

  #locate(request: OutgoingRequest, hop: NextHop): void {
    const found = this.locate(hop);
    if (!(found instanceof Promise)) request.begin(found);
    else {
      found.then(
        (targets) => request.begin(targets),
        (failure: RequestFailed) => request.fail(failure),
      );
    }
  }

  /** The targets of a next hop, best first; at once where no name has to be looked up. Rejects with RequestFailed. */
  locate(hop: NextHop): readonly Target[] | Promise<readonly Target[]> {
    try {
      const found = this.locator.locate(hop);
      return found instanceof Promise ? found.catch((error) => Promise.reject(unresolved(error))) : found;
    } catch (error) {
      return Promise.reject(unresolved(error));
    }
  }

  /** What a request to a target is sent on. @param near the way of others of its dialog, whose UDP socket is used again */
  channelFor(target: Target, near: Flow | null): Channel | null {
    if (near !== null && target.transport === "udp" && near.channel.transport === "UDP" && near.channel.isOpen) {
      if (near.address.includes(":") === target.address.includes(":")) return near.channel;
    }
    return this.channelTo(target);
  }
}

function closed(): RequestFailed {
  return new RequestFailed("closed", "The server was closed");
}

function unresolved(error: unknown): RequestFailed {
  if (!(error instanceof LocateError)) throw error;
  return new RequestFailed("unresolved", error.message);
}
