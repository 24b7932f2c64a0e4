/**
 * The provisional responses to calls that come in: sent once and again each minute (RFC 3261 s13.3.1.1), or reliably
 * (RFC 3262 s3).
 */
import type { Dialogs } from "../dialog/dialogs.ts";
import { isDescription, ownDescription } from "../dialog/offer-answer.ts";
import { has100rel } from "../dialog/rack.ts";
import { ReliableProvisionals, type ReliableResponse } from "../dialog/reliable.ts";
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { checkedReason, headerLines } from "../message/header-lines.ts";
import { CSEQ_NUMBER } from "../message/layout.ts";
import type { TokenSource } from "../message/token-source.ts";
import type { Alarms } from "../time/alarms.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Timers } from "../transaction/timers.ts";
import type { Call, ProgressOptions } from "./call.ts";
import type { ReplyOptions } from "./incoming-request.ts";
import type { ReliablePolicy } from "./options.ts";
import type { Responder } from "./responder.ts";

/** How often a provisional response is sent again so that no proxy on the way gives up (s13.3.1.1). */
const REFRESH_MS = 60_000;
/** The same for a reliable one, which is not lost (RFC 3262 s3). */
const RELIABLE_REFRESH_MS = 150_000;

/** A reliable response as it was asked for. */
export interface QueuedProvisional extends ReliableResponse {
  readonly status: number;
  readonly options: ReplyOptions;
}

export interface ProvisionalsOptions {
  layer: TransactionLayer;
  dialogs: Dialogs;
  responder: Responder;
  wheel: TimerWheel;
  alarms: Alarms;
  timers: Timers;
  tokens: TokenSource;
  policy: ReliablePolicy;
}

/** Told what becomes of a call's reliable responses. */
export interface ProvisionalsUser {
  /** All have been acknowledged: a 2xx that waits may go. */
  drained(call: Call): void;
  /** One never was. */
  lapsed(call: Call): void;
  /** No datagram can hold the next one. */
  tooLarge(call: Call): void;
}

export class Provisionals {
  readonly #options: ProvisionalsOptions;
  readonly #user: ProvisionalsUser;
  readonly #refresh: number;

  constructor(options: ProvisionalsOptions, user: ProvisionalsUser) {
    this.#options = options;
    this.#user = user;
    this.#refresh = options.wheel.register((slot) => this.#onRefresh(slot));
  }

  /** Sends 101 to 199. The call has its dialog. @returns false when nothing was sent and nothing will be */
  send(call: Call, status: number, options: ProgressOptions): boolean {
    if (options.handlers !== undefined) call.dialog!.handlers = options.handlers;
    const reliably = this.#isReliable(call, options);
    if (reliably === null) return false;
    if (reliably) {
      this.#enqueue(call, status, options);
      if (call.isOver) return false;
    } else {
      const isSaid = call.reliable !== null && isDescription(options) && !this.#expectsOurs(call);
      const { contact } = this.#options.responder.contactOf(call);
      const parts = isSaid ? withoutBody(options) : options;
      if (!this.#options.responder.send(call, status, parts, contact, true)) return false;
    }
    call.hasProvisional = true;
    if (call.refreshTimer === 0) this.#startRefresh(call);
    return true;
  }

  /** The call has its final response. @returns whether the PRACK of a reliable response may still come */
  stop(call: Call): boolean {
    if (call.refreshTimer !== 0) this.#options.wheel.cancel(call.refreshTimer);
    call.refreshTimer = 0;
    const { reliable, dialog } = call;
    if (reliable === null || dialog === null) return false;
    const isAwaited = reliable.stop();
    if (!isAwaited && dialog.reliable === reliable) dialog.reliable = null;
    return isAwaited;
  }

  /** Whether a response goes reliably; null when it may go neither so nor otherwise. */
  #isReliable(call: Call, options: ProgressOptions): boolean | null {
    const { policy } = this.#options;
    if (policy === "off") return false;
    const { message } = call;
    const isRequired = has100rel(message, Header.Require);
    if (!isRequired) {
      const isWished = options.reliable ?? policy === "always";
      if (!isWished || !has100rel(message, Header.Supported)) return false;
    }
    // RFC 3262 s5: the first reliable response to an INVITE without an offer makes it.
    const isOfferDue = call.dialog!.session.isAsked && !isDescription(options);
    if (isOfferDue && call.reliable?.hasDescriptionWaiting !== true) return isRequired ? null : false;
    return true;
  }

  #enqueue(call: Call, status: number, options: ProgressOptions): void {
    const dialog = call.dialog!;
    const { layer, alarms, timers, tokens } = this.#options;
    if (call.reliable === null) {
      const first = tokens.word() & 0x7fffffff || 1;
      let octets: Uint8Array = new Uint8Array();
      call.reliable = new ReliableProvisionals<QueuedProvisional>(
        alarms,
        timers,
        call.message.table[CSEQ_NUMBER]!,
        first,
        {
          send: (response, rseq) => {
            octets = this.#transmit(call, response, rseq);
          },
          again: () => {
            const { channel, slot } = call;
            if (octets.length === 0 || !layer.pool.isLive(slot, call.generation)) return;
            layer.counters.retransmissionsSent++;
            const start = channel.arena.open(octets.length);
            channel.arena.put(octets);
            channel.send(start, layer.pool.address(slot), layer.pool.port(slot));
          },
          drained: () => this.#user.drained(call),
          lapsed: () => this.#user.lapsed(call),
        },
      );
      dialog.reliable = call.reliable;
    }
    call.lastStatus = status;
    call.reliable.add({ status, options: checked(options), hasDescription: isDescription(options) });
  }

  /** @returns the octets sent, empty when the transaction or with this the call is over */
  #transmit(call: Call, { status, options }: QueuedProvisional, rseq: number): Uint8Array {
    const { layer, responder } = this.#options;
    const { slot, generation, channel, dialog } = call;
    if (!layer.pool.isLive(slot, generation)) return new Uint8Array();
    const isSaid = isDescription(options) && !this.#expectsOurs(call);
    const lines = `Require: 100rel\r\nRSeq: ${rseq}\r\n`;
    const head = Buffer.concat([responder.contactOf(call).contact, ascii(lines)]);
    const start = responder.write(call, status, isSaid ? withoutBody(options) : options, head, true);
    if (start < 0) {
      this.#user.tooLarge(call);
      return new Uint8Array();
    }
    const octets = channel.arena.bytes.slice(start, channel.arena.at);
    // RFC 3262 s5: what goes reliably is the offer or the answer.
    const description = isSaid ? null : ownDescription(options);
    if (description !== null) dialog!.session.say("INVITE", "local", description);
    layer.respond(slot, status, start);
    return octets;
  }

  #expectsOurs(call: Call): boolean {
    return call.dialog!.session.expects("INVITE", "local");
  }

  #startRefresh(call: Call): void {
    const delay = call.reliable === null ? REFRESH_MS : RELIABLE_REFRESH_MS;
    call.refreshTimer = this.#options.wheel.insert(delay, this.#refresh, call.slot);
  }

  #onRefresh(slot: number): void {
    const { layer } = this.#options;
    const call = layer.pool.user(slot) as Call;
    this.#startRefresh(call);
    const { reliable } = call;
    if (reliable === null) layer.resend(slot);
    else if (reliable.isIdle) reliable.add({ status: call.lastStatus, options: {}, hasDescription: false });
  }
}

/** The options with a body of their own, so that they can wait. @throws TypeError for text that would not stand on its line */
export function checked<T extends ReplyOptions>(options: T): T {
  const { headers, reason, contentType, body } = options;
  if (headers !== undefined) headerLines(headers);
  if (reason !== undefined) checkedReason(reason);
  if (contentType !== undefined) checkedReason(contentType);
  return body === undefined || typeof body === "string" ? options : { ...options, body: new Uint8Array(body) };
}

/** RFC 6337 s3.1.1: what follows the answer carries no description any more. */
export function withoutBody({ body: _body, contentType: _type, ...rest }: ReplyOptions): ReplyOptions {
  return rest;
}
