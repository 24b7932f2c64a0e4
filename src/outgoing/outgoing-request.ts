/**
 * One request of ours on its way: a client transaction for each target, the best first, until one answers
 * (RFC 3263 s4.3). A target that cannot be reached, stays silent or answers 503 is avoided for a while.
 */
import { Header } from "../message/header.ts";
import type { Message } from "../message/message.ts";
import { type RequestParts, writeRequest } from "../message/request.ts";
import type { Target } from "../resolve/target.ts";
import { hostPort } from "../transport/address.ts";
import type { Channel } from "../transport/channel.ts";
import { RequestFailed } from "./request-failed.ts";
import type { Sender } from "./sender.ts";

/** What a request is made of; transport, sent-by and branch are those of each attempt. */
export type RequestDraft = Omit<RequestParts, "transport" | "sentBy" | "branch" | "alias">;

/** A way that is there already: the socket or connection of a dialog, and the peer's end of it. */
export interface Flow {
  readonly channel: Channel;
  readonly address: string;
  readonly port: number;
}

/** Told what becomes of a request. */
export interface RequestUser {
  /** Every provisional response, and the final one. @param message the scanner's own: `keep` it to have it later */
  response(message: Message): void;
  /** No response came, or none will. */
  failed(failure: RequestFailed): void;
}

/** Octets beyond which a request towards UDP goes over TCP (RFC 3261 s18.1.1). */
const UDP_LIMIT = 1300;
const SERVICE_UNAVAILABLE = 503;
const BRANCH_LETTERS = 16;

export class OutgoingRequest {
  readonly draft: RequestDraft;
  readonly #sender: Sender;
  readonly #user: RequestUser;
  readonly #near: Flow | null;
  #targets: readonly Target[] = [];
  #next = 0;
  /** What the attempt under way goes to; null for a flow. */
  #target: Target | null = null;
  /** The UDP target whose request is tried over TCP now, as it is long. */
  #instead: Target | null = null;
  #failure: RequestFailed | null = null;
  /** Finds targets once the flow has failed. */
  #elsewhere: (() => void) | null = null;
  #isOver = false;

  /** @param near where others of its dialog went: their UDP socket is used, since it is what the peer knows */
  constructor(sender: Sender, draft: RequestDraft, user: RequestUser, near: Flow | null) {
    this.#sender = sender;
    this.draft = draft;
    this.#user = user;
    this.#near = near;
  }

  /** Sends it over a flow. @param elsewhere called when the flow is lost; null when there is no other way */
  beginOn(flow: Flow, elsewhere: (() => void) | null): void {
    this.#elsewhere = elsewhere;
    this.#transmit(flow.channel, flow.address, flow.port);
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

  // ---- from the transaction

  onResponse(message: Message): void {
    if (this.#isOver) return;
    const { locator } = this.#sender;
    const target = this.#target;
    if (message.status === SERVICE_UNAVAILABLE && this.#hasNext) {
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
    if (message.status >= 200) this.#end();
    this.#user.response(message);
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
      const fields = { method: this.draft.method, peer: hostPort(udp.address, udp.port), cause };
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
    this.#instead = null;
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
    const channel = this.#channelTo(target);
    if (channel === null) {
      this.#failure ??= new RequestFailed("unreachable", `Nothing to send to ${this.#where} with`);
      return false;
    }
    if (transport === "udp" && !asIs && this.#isLong(channel, address)) {
      const tcp: Target = { ...target, transport: "tcp" };
      const over = this.#sender.locator.isAvoided(tcp) ? null : this.#sender.channelTo(tcp);
      if (over !== null) {
        this.#instead = target;
        return this.#transmit(over, address, port);
      }
    }
    return this.#transmit(channel, address, port);
  }

  #channelTo(target: Target): Channel | null {
    const near = this.#near;
    if (near !== null && target.transport === "udp" && near.channel.transport === "UDP" && near.channel.isOpen) {
      if (near.address.includes(":") === target.address.includes(":")) return near.channel;
    }
    return this.#sender.channelTo(target);
  }

  #isLong(channel: Channel, address: string): boolean {
    const { start } = this.#write(channel, address);
    const length = channel.arena.at - start;
    channel.arena.at = start;
    return length > UDP_LIMIT;
  }

  /** @returns false when there is no transaction left; the request is over then */
  #transmit(channel: Channel, address: string, port: number): boolean {
    const { start, branch } = this.#write(channel, address);
    const slot = this.#sender.layer.request(channel, address, port, start, branch, this.draft.method, this);
    if (slot < 0) this.fail(new RequestFailed("overloaded", "No transaction is left for a request"));
    return slot >= 0;
  }

  #write(channel: Channel, address: string): { start: number; branch: Uint8Array } {
    const { transport } = channel;
    const branch = this.#sender.tokens.token(BRANCH_LETTERS, this.#sender.cookie);
    const start = writeRequest(channel.arena, {
      ...this.draft,
      transport,
      sentBy: channel.sentByFor(address),
      branch,
      alias: transport === "TLS",
    });
    return { start, branch };
  }
}

/** Retry-After in milliseconds (RFC 3261 s20.33), or undefined. */
function retryAfterOf(message: Message): number | undefined {
  const record = message.first(Header.RetryAfter);
  if (record === 0) return undefined;
  const seconds = /^\d{1,6}/.exec(message.valueText(record));
  return seconds === null ? undefined : Number(seconds[0]) * 1000;
}
