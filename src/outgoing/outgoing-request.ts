/**
 * One request of ours on its way: a client transaction for each target, the best first, until one answers
 * (RFC 3263 s4.3). A target that cannot be reached, stays silent or answers 503 is avoided for a while.
 */
import { joinedLines } from "../message/header-lines.ts";
import type { Message } from "../message/message.ts";
import { type RequestParts, writeCancel, writeRequest } from "../message/request.ts";
import { retryAfterOf } from "../message/retry-after.ts";
import type { NextHop, Target } from "../resolve/target.ts";
import { hostPort } from "../transport/address.ts";
import type { Channel } from "../transport/channel.ts";
import { Challenges, isChallenge, unasked, type Way } from "./challenges.ts";
import type { RequestContext } from "./request-context.ts";
import { RequestFailed } from "./request-failed.ts";
import type { Sender } from "./sender.ts";

/** Writes header lines that name this end: what they say depends on the way the request takes. */
export type HeaderWriter = (channel: Channel, peer: string) => Uint8Array;

/** What a request is made of; transport, sent-by and branch are those of each attempt. */
export interface RequestDraft extends Omit<RequestParts, "transport" | "sentBy" | "branch" | "alias"> {
  /** The Contact, and what goes beside it. */
  contact?: HeaderWriter | undefined;
  /** Authorization and Proxy-Authorization as whole lines; an ACK has those of its INVITE (s22.1). */
  credentials?: Uint8Array | undefined;
}

/** A way that is there already: the socket or connection of a dialog, and the peer's end of it. */
export interface Flow {
  readonly channel: Channel;
  readonly address: string;
  readonly port: number;
}

/** A request in its channel's arena. */
interface Written {
  readonly start: number;
  readonly branch: Uint8Array;
}

/** Told what becomes of a request. */
export interface RequestUser {
  /**
   * Every provisional response, and the final one; for an INVITE every 2xx, since a forking proxy may bring several.
   * @param message the scanner's own: `keep` it to have it later
   * @param request where it came from is its {@link OutgoingRequest.way}
   */
  response(message: Message, request: OutgoingRequest): void;
  /** It was challenged, and is about to be sent again: with credentials, the next CSeq, in a transaction of its own. */
  again?(request: OutgoingRequest): void;
  /** No response came, or none will. */
  failed(failure: RequestFailed): void;
}

/** Octets beyond which a request towards UDP goes over TCP (RFC 3261 s18.1.1). */
const UDP_LIMIT = 1300;
const SERVICE_UNAVAILABLE = 503;
/** Letters in a branch behind the cookie. */
export const BRANCH_LETTERS = 16;

export class OutgoingRequest {
  /** Where it goes; null when a flow is all there is. */
  readonly hop: NextHop | null;
  readonly #sender: Sender;
  readonly #user: RequestUser;
  readonly #context: RequestContext | null;
  #draft: RequestDraft;
  #targets: readonly Target[] = [];
  #next = 0;
  /** What the attempt under way goes to; null for a flow. */
  #target: Target | null = null;
  /** The UDP target whose request is tried over TCP now, as it is long. */
  #instead: Target | null = null;
  #failure: RequestFailed | null = null;
  /** Finds targets once the flow has failed. */
  #elsewhere: (() => void) | null = null;
  /** What has been said about credentials; null while nothing was. */
  #challenges: Challenges | null = null;
  /** A challenge is being answered: no transaction is under way. */
  #isAnswering = false;
  #isOver = false;
  #hasProvisional = false;
  #cancel: "no" | "wanted" | "sent" = "no";
  /** The transaction under way. */
  #slot = -1;
  #branch: Uint8Array | null = null;
  #way: Flow | null = null;
  #isAnsweredThere = false;

  /** @param context null for a request that stands alone */
  constructor(
    sender: Sender,
    draft: RequestDraft,
    hop: NextHop | null,
    user: RequestUser,
    context: RequestContext | null,
  ) {
    this.#sender = sender;
    this.#draft = draft;
    this.hop = hop;
    this.#user = user;
    this.#context = context;
  }

  /** As it was sent last. */
  get draft(): RequestDraft {
    return this.#draft;
  }

  /** Why a challenge to it could not be answered, where a function of the user's threw; else null. */
  get challengeError(): unknown {
    return this.#challenges?.error ?? null;
  }

  /** Adds the credentials that a server on the way is known to want. Before it is sent. */
  authorize(way: Way): void {
    const draft = this.#draft;
    this.#challenges = unasked(this.#sender.authenticator, draft, this.#context, way);
    if (this.#challenges !== null) this.#draft = { ...draft, credentials: this.#challenges.credentials(draft) };
  }

  /** Sends it over a flow. @param elsewhere called when the flow is lost; null when there is no other way */
  beginOn(flow: Flow, elsewhere: (() => void) | null): void {
    this.#elsewhere = elsewhere;
    this.#transmit(flow.channel, flow.address, flow.port, this.#write(flow.channel, flow.address));
  }

  /** Sends it to the first of these that takes it. */
  begin(targets: readonly Target[]): void {
    if (this.#isOver) return;
    this.#targets = targets;
    this.#tryNext();
  }

  /** Ends it without a response. Nothing happens when it is over. */
  fail(failure: RequestFailed): void {
    if (this.#isOver) return;
    this.#end();
    this.#user.failed(failure);
  }

  /** The way that the attempt under way has taken; null before the first. */
  get way(): Flow | null {
    return this.#way;
  }

  /** Whether the last response came from there. */
  get isAnsweredThere(): boolean {
    return this.#isAnsweredThere;
  }

  /** Where it would have gone without the flow that it went over; null where it went over none. */
  get passedOver(): NextHop | null {
    return this.#target === null ? this.hop : null;
  }

  /**
   * Gives an INVITE up (s9.1): a CANCEL goes out once a provisional response has come, since before it the CANCEL might
   * overtake the INVITE. A 2xx may come all the same.
   */
  cancel(): void {
    if (this.#isOver || this.#cancel !== "no") return;
    this.#cancel = "wanted";
    if (this.#way === null || this.#isAnswering) this.fail(cancelled());
    else if (this.#hasProvisional) this.#sendCancel();
  }

  #sendCancel(): void {
    const { channel, address, port } = this.#way!;
    this.#cancel = "sent";
    const { layer } = this.#sender;
    const invite = layer.sentRequest(this.#slot);
    if (invite === null) return;
    layer.request(channel, address, port, writeCancel(channel.arena, invite), this.#branch!, "CANCEL", null);
    layer.giveUp(this.#slot);
  }

  // ---- from the transaction

  /** @param isThere whether it came from where the attempt under way went */
  onResponse(message: Message, isThere: boolean): void {
    this.#isAnsweredThere = isThere;
    if (this.#isOver) {
      if (message.status < 300 && message.status >= 200) this.#user.response(message, this);
      return;
    }
    if (message.status < 200) {
      this.#hasProvisional = true;
      if (this.#cancel === "wanted") this.#sendCancel();
    }
    const { locator } = this.#sender;
    const target = this.#target;
    if (message.status === SERVICE_UNAVAILABLE && this.#hasNext && this.#cancel === "no") {
      if (target !== null) locator.failed(target, retryAfterOf(message));
      this.#tryNext();
      return;
    }
    if (target !== null) {
      if (message.status === SERVICE_UNAVAILABLE) locator.failed(target, retryAfterOf(message));
      else locator.worked(target);
    }
    // An answer over TCP: there is no falling back to UDP any more.
    this.#instead = null;
    if (message.status >= 200) {
      if (!isChallenge(message.status)) this.#challenges?.finished(message);
      else if (this.#answer(message)) return;
      this.#end();
    }
    this.#user.response(message, this);
  }

  onTimeout(): void {
    this.#missed(new RequestFailed("timeout", `No response from ${this.#where}`));
  }

  /** @param cause in words */
  onTransportFailed(cause: string): void {
    const udp = this.#instead;
    if (udp !== null) {
      this.#instead = null;
      // So that the next long request does not wait for the same refusal.
      this.#sender.locator.failed({ ...udp, transport: "tcp" });
      const fields = { method: this.#draft.method, peer: hostPort(udp.address, udp.port), cause };
      this.#sender.log.info(fields, "a long request goes over UDP: its peer does not take TCP");
      if (this.#attempt(udp, true)) return;
    }
    const failure = new RequestFailed("unreachable", `${this.#where} cannot be reached: ${cause}`);
    const elsewhere = this.#elsewhere;
    this.#elsewhere = null;
    if (elsewhere === null) this.#missed(failure);
    else {
      this.#failure = failure;
      elsewhere();
    }
  }

  // ---- challenges

  /** @returns whether it is sent again, or may be: nobody is told of the challenge then */
  #answer(message: Message): boolean {
    if (!this.#isWanted || this.#cancel !== "no") return false;
    const way = { hop: this.hop, flow: this.#way };
    this.#challenges ??= new Challenges(this.#sender.authenticator, this.#draft, this.#context, way);
    if (!this.#challenges.isEquipped) return false;
    const kept = message.keep();
    let isAnswered: boolean | Promise<boolean>;
    try {
      isAnswered = this.#challenges.answer(kept);
    } catch (error) {
      this.#unanswerable(error);
      return false;
    }
    if (isAnswered instanceof Promise) {
      this.#isAnswering = true;
      void this.#later(isAnswered, kept);
      return true;
    }
    if (isAnswered) this.#again();
    return isAnswered;
  }

  /** A dialog that has ended by our BYE has not ended for the peer. */
  get #isWanted(): boolean {
    return this.#context === null || this.#context.isAlive || this.#draft.method === "BYE";
  }

  /** Never rejects. */
  async #later(answered: Promise<boolean>, response: Message): Promise<void> {
    const isAnswered = await answered.catch((error: unknown) => {
      this.#unanswerable(error);
      return false;
    });
    this.#isAnswering = false;
    if (this.#isOver) return;
    try {
      if (isAnswered && this.#isWanted) this.#again();
      else {
        this.#end();
        this.#user.response(response, this);
      }
    } catch (err) {
      this.#sender.log.error({ err, method: this.#draft.method }, "a challenge could not be answered");
    }
  }

  #unanswerable(error: unknown): void {
    this.#challenges!.error = error;
    const { method } = this.#draft;
    this.#sender.log.error({ err: error, method }, "a function that answers challenges failed");
  }

  /** Sends it again with credentials, to where it went (s22.2). */
  #again(): void {
    const draft = this.#draft;
    const cseq = this.#context?.nextCSeq(draft.cseq) ?? draft.cseq + 1;
    this.#draft = { ...draft, cseq, credentials: this.#challenges!.credentials(draft) };
    this.#hasProvisional = false;
    this.#user.again?.(this);
    if (this.#isOver) return;
    if (this.#target !== null) {
      if (!this.#attempt(this.#target, false)) this.#tryNext();
      return;
    }
    const { channel, address, port } = this.#way!;
    if (channel.isOpen) this.#transmit(channel, address, port, this.#write(channel, address));
    else this.onTransportFailed("the connection was closed");
  }

  // ----

  #end(): void {
    this.#isOver = true;
    this.#sender.over(this);
  }

  get #hasNext(): boolean {
    return this.#next < this.#targets.length;
  }

  get #where(): string {
    const target = this.#target;
    if (target === null) return "the peer of this dialog";
    const address = `${hostPort(target.address, target.port)} (${target.transport})`;
    return target.domain === target.address ? address : `${target.domain} at ${address}`;
  }

  /** The attempt under way came to nothing. */
  #missed(failure: RequestFailed): void {
    if (this.#target !== null) this.#sender.locator.failed(this.#target);
    this.#failure = failure;
    this.#tryNext();
  }

  #tryNext(): void {
    if (this.#isOver) return;
    if (this.#cancel !== "no") {
      this.fail(cancelled());
      return;
    }
    this.#instead = null;
    this.#hasProvisional = false;
    while (this.#hasNext) {
      const target = this.#targets[this.#next++]!;
      this.#target = target;
      if (this.#attempt(target, false)) return;
      if (this.#isOver) return;
    }
    this.fail(this.#failure ?? new RequestFailed("unreachable", `Nothing to send to ${this.#where} with`));
  }

  /** @param asIs whether it goes over UDP however long it is @returns false when nothing could be sent */
  #attempt(target: Target, asIs: boolean): boolean {
    const { address, port, transport } = target;
    const channel = this.#sender.channelFor(target, this.#context?.near ?? null);
    if (channel === null) {
      this.#failure ??= new RequestFailed("unreachable", `Nothing to send to ${this.#where} with`);
      return false;
    }
    const written = this.#write(channel, address);
    if (transport === "udp" && !asIs && channel.arena.at - written.start > UDP_LIMIT) {
      const tcp: Target = { ...target, transport: "tcp" };
      const over = this.#sender.locator.isAvoided(tcp) ? null : this.#sender.channelTo(tcp);
      if (over !== null) {
        channel.arena.at = written.start;
        this.#instead = target;
        return this.#transmit(over, address, port, this.#write(over, address));
      }
    }
    return this.#transmit(channel, address, port, written);
  }

  /** @param written what stands last in the channel's arena @returns false when there is no transaction left; the request is over then */
  #transmit(channel: Channel, address: string, port: number, written: Written): boolean {
    const { start, branch } = written;
    this.#way = { channel, address, port };
    this.#branch = branch;
    this.#slot = this.#sender.layer.request(channel, address, port, start, branch, this.#draft.method, this);
    if (this.#slot < 0) this.fail(new RequestFailed("overloaded", "No transaction is left for a request"));
    return this.#slot >= 0;
  }

  #write(channel: Channel, address: string): Written {
    const branch = this.#sender.tokens.token(BRANCH_LETTERS, this.#sender.cookie);
    return { start: writeDraft(this.#draft, channel, address, branch), branch };
  }
}

/** Writes a request for the channel it goes over. @returns where it begins in the channel's arena */
export function writeDraft(draft: RequestDraft, channel: Channel, address: string, branch: Uint8Array): number {
  const { transport } = channel;
  const { headers, credentials } = draft;
  const given =
    headers === undefined || credentials === undefined ? (headers ?? credentials) : joinedLines(headers, credentials);
  const own = draft.contact?.(channel, address);
  return writeRequest(channel.arena, {
    ...draft,
    headers: own === undefined || given === undefined ? (own ?? given) : joinedLines(own, given),
    transport,
    sentBy: channel.sentByFor(address),
    branch,
    alias: transport === "TLS",
  });
}

function cancelled(): RequestFailed {
  return new RequestFailed("cancelled", "The request was given up");
}
