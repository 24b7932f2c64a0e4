/**
 * The UAS core (RFC 3261 s8.2, s9.2, s12.2.2, s13.3, s14.2, s15.1.2): takes requests from the transaction layer, refuses
 * what may not pass, hands the rest to the handlers, and sends what they answer.
 */
import type { Dialog, DialogEnd } from "../dialog/dialog.ts";
import { Dialogs, type DialogUser } from "../dialog/dialogs.ts";
import { ascii } from "../message/bytes.ts";
import { faultReason, faultStatus } from "../message/fault.ts";
import { TO_TAG_START, VIA_BRANCH_END, VIA_BRANCH_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import type { TokenSource } from "../message/token-source.ts";
import { OutgoingRequest } from "../outgoing/outgoing-request.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import { Sender } from "../outgoing/sender.ts";
import type { Locator } from "../resolve/locator.ts";
import type { Target } from "../resolve/target.ts";
import type { TimerWheel } from "../time/wheel.ts";
import { TransactionLayer } from "../transaction/layer.ts";
import type { Timers } from "../transaction/timers.ts";
import type { TransactionUser } from "../transaction/user.ts";
import type { Channel } from "../transport/channel.ts";
import { Call, type DialogHandlers } from "./call.ts";
import { Calls } from "./calls.ts";
import { Capabilities } from "./capabilities.ts";
import { CoreCounters } from "./counters.ts";
import { IncomingRequest, type ReplyOptions } from "./incoming-request.ts";
import type { Handlers, Log, RequestHandler } from "./options.ts";
import { Responder } from "./responder.ts";
import { type Refusal, screen } from "./screening.ts";

export interface CoreOptions {
  handlers: Handlers;
  wheel: TimerWheel;
  timers: Timers;
  tokens: TokenSource;
  log: Log;
  /** Finds the servers that requests of ours go to. */
  locator: Locator;
  /** What a request to a target is sent on; null when there is nothing. */
  channelTo: (target: Target) => Channel | null;
  transactions: number;
  dialogs: number;
  software: string | undefined;
}

const OK: Refusal = { status: 200 };
const STRANGER: Refusal = { status: 481 };
const OLD_CSEQ: Refusal = { status: 500, reason: "CSeq Out Of Order" };
const FULL: Refusal = { status: 503, headers: ascii("Retry-After: 5\r\n") };
const NO_REINVITE: Refusal = { status: 488 };

export class UasCore implements TransactionUser, DialogUser {
  readonly layer: TransactionLayer;
  readonly dialogs: Dialogs;
  readonly sender: Sender;
  readonly calls: Calls;
  readonly counters = new CoreCounters();
  readonly capabilities: Capabilities;
  /** Set while the server stops: new requests outside dialogs are refused with this. */
  stopping: Refusal | null = null;
  readonly #handlers: Handlers;
  readonly #tokens: TokenSource;
  readonly #log: Log;
  readonly #responder: Responder;

  constructor(options: CoreOptions) {
    const { wheel, timers, tokens } = options;
    this.#handlers = options.handlers;
    this.#tokens = tokens;
    this.#log = options.log;
    this.capabilities = new Capabilities(options.handlers, options.software);
    this.layer = new TransactionLayer({
      wheel,
      timers,
      user: this,
      ceiling: options.transactions,
      seed: [tokens.word(), tokens.word()],
      sendTrying: (slot) => {
        const request = this.layer.pool.user(slot);
        if (request instanceof IncomingRequest) this.reply(request, 100, {});
      },
    });
    this.#responder = new Responder(this.layer, this.capabilities, tokens);
    this.sender = new Sender({
      layer: this.layer,
      locator: options.locator,
      channelTo: options.channelTo,
      tokens,
      log: options.log,
    });
    this.dialogs = new Dialogs(wheel, timers, this.layer, this.sender, tokens, this, options.dialogs);
    this.calls = new Calls(this.layer, this.dialogs, this.#responder, wheel, this.counters);
  }

  // ---- from the transaction layer

  request(slot: number, message: Message, address: string, port: number, merged: boolean): void {
    const { method } = message;
    if (method === Method.CANCEL) {
      this.#cancel(slot, message, address, port);
      return;
    }
    const inDialog = message.table[TO_TAG_START] !== 0;
    const refusal =
      (inDialog ? null : this.#unhandled(method)) ??
      screen(message, merged, this.capabilities) ??
      (inDialog ? null : this.stopping);
    if (refusal !== null) this.#refuse(slot, message, refusal, address, port);
    else if (inDialog) this.#inDialog(slot, message, address, port);
    else if (method === Method.INVITE) this.#invite(slot, message, address, port);
    else this.#handle(slot, message, address, port, this.#handlerOf(method)!);
  }

  ack(message: Message): void {
    if (!this.dialogs.acknowledge(message)) this.counters.strayAcks++;
  }

  overloaded(message: Message, channel: Channel, address: string, port: number): void {
    this.counters.rejected++;
    this.#responder.stateless(message, FULL, channel, address, port);
  }

  response(slot: number, message: Message): void {
    const user = this.layer.pool.user(slot);
    if (user instanceof OutgoingRequest) user.onResponse(message);
  }

  strayResponse(): void {
    // Dropped (RFC 6026 s7.2); the transaction layer has counted it.
  }

  timeout(slot: number): void {
    const user = this.layer.pool.user(slot);
    if (user instanceof OutgoingRequest) user.onTimeout();
    else if (user instanceof IncomingRequest) this.#log.debug(this.#where(user), "a request was never answered");
  }

  transportFailed(slot: number, cause: string): void {
    const user = this.layer.pool.user(slot);
    if (user instanceof OutgoingRequest) user.onTransportFailed(cause);
  }

  unreachable(slot: number): void {
    const call = this.layer.pool.user(slot);
    if (call instanceof Call) this.calls.abandon(call, "unreachable");
  }

  // ---- from the dialogs

  acknowledged(dialog: Dialog): void {
    this.calls.acknowledged(dialog);
  }

  ended(dialog: Dialog, end: DialogEnd): void {
    this.calls.ended(dialog, end);
  }

  byeFailed(dialog: Dialog, failure: RequestFailed): void {
    this.counters.byesUndelivered++;
    this.#log.info({ callId: dialog.callId, cause: failure.message }, "a BYE reached nobody");
  }

  // ---- from requests and calls

  /** See {@link IncomingRequest.reply}. */
  reply(request: IncomingRequest, status: number, options: ReplyOptions): boolean {
    return this.#responder.send(request, status, options);
  }

  // ---- the end

  /** Whether a request waits for its final response or an answer for its ACK. */
  isBusy(): boolean {
    return this.sender.isBusy || this.layer.isAnyUnanswered() || this.dialogs.isAnyUnacknowledged();
  }

  /** The sockets are closed: whoever waits for a dialog or for a call is told. */
  closed(): void {
    for (const dialog of this.dialogs.all()) this.dialogs.terminate(dialog, "closed");
    const { pool } = this.layer;
    for (let slot = 0; slot < pool.used; slot++) {
      const user = pool.user(slot);
      if (user instanceof Call) this.calls.abandon(user, "closed");
    }
  }

  // ---- refusals

  /** Answers a request in its transaction without a handler. */
  #refuse(slot: number, message: Message, refusal: Refusal, address: string, port: number): void {
    this.#responder.respond(slot, message, refusal, address, port);
    this.counters.rejected++;
  }

  /**
   * A message with a fault: a request is told so, without a transaction (s8.2.7), anything else is dropped.
   * @param answerable whether its Via tells where an answer goes
   */
  malformed(message: Message, answerable: boolean, channel: Channel, address: string, port: number): void {
    this.counters.malformed++;
    const { fault } = message;
    if (!answerable || !message.isRequest || message.method === Method.ACK) {
      this.counters.dropped++;
      return;
    }
    this.counters.rejected++;
    this.#responder.stateless(
      message,
      { status: faultStatus(fault), reason: faultReason(fault) },
      channel,
      address,
      port,
    );
  }

  // ---- dispatch

  /** s8.2.1: 405 for a method that is known but not handled, 501 for one that is not known. */
  #unhandled(method: number): Refusal | null {
    const calls = method === Method.INVITE || method === Method.BYE;
    if (calls ? this.#handlers.invite !== undefined : this.#handlerOf(method) !== undefined) {
      return method === Method.BYE ? STRANGER : null;
    }
    return { status: method === Method.Other ? 501 : 405, headers: this.capabilities.allow };
  }

  #handlerOf(method: number): RequestHandler | undefined {
    const own = this.capabilities.handlerOf(method);
    if (own !== undefined) return own;
    return method === Method.OPTIONS ? this.#describe : this.#handlers.request;
  }

  /** OPTIONS, where nobody else wants it (s11.2). */
  readonly #describe = (request: IncomingRequest): void => {
    this.#responder.send(request, 200, {}, this.capabilities.all);
  };

  #invite(slot: number, message: Message, address: string, port: number): void {
    this.counters.callsStarted++;
    const { pool } = this.layer;
    const tag = this.#responder.tag();
    const channel = pool.channel(slot);
    const call = new Call(this, slot, pool.generation(slot), message.keep(), channel, address, port, tag);
    this.#offer(call, this.#handlers.invite!);
  }

  #reinvite(slot: number, message: Message, address: string, port: number, dialog: Dialog): void {
    if (dialog.pending !== null) {
      // s14.2: the one before has no final response yet.
      const wait = (this.#tokens.word() >>> 0) % 11;
      this.#refuse(slot, message, { status: 500, headers: ascii(`Retry-After: ${wait}\r\n`) }, address, port);
      return;
    }
    const handler = (dialog.handlers as DialogHandlers | null)?.invite;
    if (handler === undefined) {
      this.#refuse(slot, message, NO_REINVITE, address, port);
      return;
    }
    const { pool } = this.layer;
    const channel = pool.channel(slot);
    const call = new Call(this, slot, pool.generation(slot), message.keep(), channel, address, port, null);
    call.dialog = dialog;
    dialog.pending = call;
    this.#offer(call, handler);
  }

  #offer(call: Call, handler: (call: Call) => unknown): void {
    this.layer.pool.setUser(call.slot, call);
    this.#run(call, handler);
    // s17.2.1: a handler that takes its time must not make the caller send again.
    if (!call.isOver && !call.hasProvisional) this.calls.provisional(call, 100, {});
  }

  #handle(slot: number, message: Message, address: string, port: number, handler: RequestHandler): void {
    const { pool } = this.layer;
    const tag = message.table[TO_TAG_START] === 0 ? this.#responder.tag() : null;
    const kept = message.keep();
    const request = new IncomingRequest(
      this,
      slot,
      pool.generation(slot),
      kept,
      pool.channel(slot),
      address,
      port,
      tag,
    );
    pool.setUser(slot, request);
    this.#run(request, handler);
  }

  #run<T extends IncomingRequest>(request: T, handler: (request: T) => unknown): void {
    try {
      const result = handler(request);
      if (result instanceof Promise) result.catch((error) => this.#failed(request, error));
    } catch (error) {
      this.#failed(request, error);
    }
  }

  #failed(request: IncomingRequest, error: unknown): void {
    this.counters.handlerErrors++;
    this.#log.error({ ...this.#where(request), err: error }, "a handler failed");
    if (request instanceof Call) this.calls.reject(request, 500, {});
    else this.reply(request, 500, {});
  }

  #inDialog(slot: number, message: Message, address: string, port: number): void {
    const { method } = message;
    const dialog = this.dialogs.find(message);
    if (dialog === null) {
      this.#refuse(
        slot,
        message,
        this.#handlers.invite === undefined ? (this.#unhandled(method) ?? STRANGER) : STRANGER,
        address,
        port,
      );
      return;
    }
    if (!this.dialogs.inOrder(dialog, message)) {
      this.#refuse(slot, message, OLD_CSEQ, address, port);
      return;
    }
    dialog.channel = this.layer.pool.channel(slot);
    dialog.address = address;
    dialog.port = port;
    if (method === Method.BYE) {
      this.#responder.respond(slot, message, OK, address, port, null);
      this.dialogs.terminate(dialog, "bye");
    } else if (method === Method.INVITE) this.#reinvite(slot, message, address, port, dialog);
    else {
      const own = (dialog.handlers as DialogHandlers | null)?.request;
      const handler = own === undefined ? this.#handlerOf(method) : (request: IncomingRequest) => own(request, dialog);
      if (handler === undefined) this.#refuse(slot, message, this.#unhandled(method)!, address, port);
      else this.#handle(slot, message, address, port, handler);
    }
  }

  /** s9.2: the CANCEL is answered 200, the INVITE it speaks of 487 if it has no final response yet. */
  #cancel(slot: number, message: Message, address: string, port: number): void {
    const invite = this.layer.inviteOf(message);
    if (invite < 0) {
      this.#refuse(slot, message, STRANGER, address, port);
      return;
    }
    const call = this.layer.pool.user(invite);
    const toTag = call instanceof Call && call.localTag !== null ? call.localTag : this.layer.statelessTag(message);
    this.#responder.respond(slot, message, OK, address, port, toTag);
    if (call instanceof Call) this.calls.cancel(call);
  }

  /** What a log line about a request carries. */
  #where(request: IncomingRequest): object {
    const { bytes, table } = request.message;
    const branch = Buffer.from(bytes.subarray(table[VIA_BRANCH_START]!, table[VIA_BRANCH_END]!)).toString("latin1");
    return { method: request.method, callId: request.callId, branch, peer: `${request.address}:${request.port}` };
  }
}
