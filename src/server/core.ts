/**
 * The UAS core (RFC 3261 s8.2, s9.2, s12.2.2, s13.3, s14.2, s15.1.2): takes requests from the transaction layer, refuses
 * what may not pass, hands the rest to the handlers, and sends what they answer.
 */
import type { Dialog, DialogEnd } from "../dialog/dialog.ts";
import { Dialogs, type DialogUser } from "../dialog/dialogs.ts";
import { descriptionOf } from "../dialog/offer-answer.ts";
import { isUnchanged, type TimerPolicy } from "../dialog/session-timer.ts";
import { SessionTimers } from "../dialog/session-timers.ts";
import { ascii } from "../message/bytes.ts";
import { faultReason, faultStatus } from "../message/fault.ts";
import { joinedLines } from "../message/header-lines.ts";
import { TO_TAG_START, VIA_BRANCH_END, VIA_BRANCH_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import { writeReason } from "../message/reason.ts";
import type { TokenSource } from "../message/token-source.ts";
import { OutgoingRequest } from "../outgoing/outgoing-request.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import { Sender } from "../outgoing/sender.ts";
import type { Locator } from "../resolve/locator.ts";
import type { Target } from "../resolve/target.ts";
import { Alarms } from "../time/alarms.ts";
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
import { type MidCallHost, outOfTurn, takePrack, takeUpdate } from "./mid-call.ts";
import type { Handlers, Log, RequestHandler } from "./options.ts";
import type { Plugin } from "./plugin.ts";
import { Responder } from "./responder.ts";
import { type Refusal, screen } from "./screening.ts";
import { SessionRequest } from "./session-request.ts";

export interface CoreOptions {
  handlers: Handlers;
  plugins?: readonly Plugin[];
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
  /** Left out or null where sessions do not expire. */
  sessionTimers?: TimerPolicy | null;
}

const OF_SUBSCRIPTIONS: ReadonlySet<number> = new Set([Method.SUBSCRIBE, Method.NOTIFY, Method.REFER]);
const LAPSED = writeReason({ protocol: "SIP", cause: 408, text: "Session timer expired" });
const OK: Refusal = { status: 200 };
const STRANGER: Refusal = { status: 481 };
const OLD_CSEQ: Refusal = { status: 500, reason: "CSeq Out Of Order" };
const FULL: Refusal = { status: 503, headers: ascii("Retry-After: 5\r\n") };
const NO_REINVITE: Refusal = { status: 488 };
const GLARE: Refusal = { status: 491 };

export class UasCore implements TransactionUser, DialogUser {
  readonly layer: TransactionLayer;
  readonly dialogs: Dialogs;
  readonly sender: Sender;
  readonly calls: Calls;
  readonly alarms: Alarms;
  readonly counters = new CoreCounters();
  readonly capabilities: Capabilities;
  /** Null where sessions do not expire. */
  readonly sessionTimers: SessionTimers | null;
  /** Set while the server stops: new requests outside dialogs are refused with this. */
  stopping: Refusal | null = null;
  readonly #handlers: Handlers;
  readonly #plugins: readonly Plugin[];
  readonly #tokens: TokenSource;
  readonly #log: Log;
  readonly #responder: Responder;
  /** Whether reliable provisional responses are sent, and so PRACKs awaited. */
  readonly #isReliable: boolean;

  constructor(options: CoreOptions) {
    const { wheel, timers, tokens, sessionTimers: timerPolicy = null } = options;
    this.#handlers = options.handlers;
    this.#tokens = tokens;
    this.#log = options.log;
    this.#plugins = options.plugins ?? [];
    this.capabilities = new Capabilities(options.handlers, options.software, this.#plugins, timerPolicy !== null);
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
    this.alarms = new Alarms(wheel, (error) => options.log.error({ err: error }, "a timer failed"));
    this.sessionTimers =
      timerPolicy === null
        ? null
        : new SessionTimers({
            policy: timerPolicy,
            alarms: this.alarms,
            now: () => wheel.now,
            description: (dialog) => dialog.session.local,
            lapse: (dialog) => this.#lapsed(dialog),
          });
    this.dialogs = new Dialogs({
      wheel,
      alarms: this.alarms,
      timers,
      layer: this.layer,
      sender: this.sender,
      tokens,
      user: this,
      ceiling: options.dialogs,
      contact: (channel, peer, secure) => this.capabilities.contact(channel, peer, secure).forRequest,
      contactOfCall: (channel, peer, secure) => this.capabilities.contact(channel, peer, secure).forCall,
      sessionTimers: this.sessionTimers,
    });
    const { layer, dialogs, alarms } = this;
    const policy = options.handlers.reliableProvisional ?? "required-only";
    this.#isReliable = policy !== "off";
    this.calls = new Calls(
      { layer, dialogs, responder: this.#responder, wheel, alarms, timers, tokens, policy },
      this.counters,
      this.sessionTimers,
    );
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
      this.#screenTimer(message) ??
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
    else if (user instanceof IncomingRequest) {
      if (user instanceof SessionRequest) user.onUnanswered();
      this.#log.debug(this.#where(user), "a request was never answered");
    }
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

  acknowledged(dialog: Dialog, ack: Message): void {
    this.calls.acknowledged(dialog, ack);
  }

  ended(dialog: Dialog, end: DialogEnd): void {
    this.sessionTimers?.ended(dialog);
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

  /** See {@link IncomingRequest.replyInDialog}. */
  replyInDialog(request: IncomingRequest, status: number, options: ReplyOptions): boolean {
    const { contact } = this.#responder.contactOf(request);
    const { dialog, message } = request;
    const isRefresh = message.method === Method.UPDATE && status >= 200 && status < 300;
    if (!isRefresh || dialog === null || this.sessionTimers === null) {
      return this.#responder.send(request, status, options, contact, true);
    }
    const timer = this.sessionTimers.answerFor(dialog, message);
    const lines = timer === null ? contact : joinedLines(contact, timer.lines);
    const isSent = this.#responder.send(request, status, options, lines, true);
    if (isSent) this.sessionTimers.answered(dialog, message, timer);
    return isSent;
  }

  // ---- the end

  /** Whether a request waits for its final response or an answer for its ACK. */
  isBusy(): boolean {
    return this.sender.isBusy || this.layer.isAnyUnanswered() || this.dialogs.isAnyUnacknowledged();
  }

  /** The sockets are closed: whoever waits for a dialog or for a call is told. */
  closed(): void {
    for (const plugin of this.#plugins) plugin.closed?.();
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

  // ---- session timers

  /** RFC 4028 s9. */
  #screenTimer(message: Message): Refusal | null {
    const { method } = message;
    if (this.sessionTimers === null || (method !== Method.INVITE && method !== Method.UPDATE)) return null;
    return this.sessionTimers.screen(message);
  }

  /** A re-INVITE that refreshes the session and changes nothing is no question to anybody (RFC 4028 s7.4). */
  #refresher(message: Message, dialog: Dialog): ((call: Call) => unknown) | undefined {
    if (this.sessionTimers === null || this.sessionTimers.stateOf(dialog) === null) return undefined;
    const { local, remote } = dialog.session;
    const offer = descriptionOf(message);
    if (local === null || (offer !== null && !isUnchanged(offer, remote))) return undefined;
    return (call) => void call.answer(local);
  }

  /** RFC 4028 s10. */
  #lapsed(dialog: Dialog): void {
    this.#log.info({ callId: dialog.callId }, "a session that nobody refreshed was hung up");
    this.dialogs.bye(dialog, "expired", { headers: { Reason: LAPSED } });
  }

  // ---- dispatch

  /** s8.2.1: 405 for a method that is known but not handled, 501 for one that is not known. */
  #unhandled(method: number): Refusal | null {
    const calls = method === Method.INVITE || method === Method.BYE;
    const takesCalls = this.#handlers.invite !== undefined;
    if (calls ? takesCalls : this.#handlerOf(method) !== undefined) return method === Method.BYE ? STRANGER : null;
    // Allowed, but never outside a dialog.
    if (takesCalls && (method === Method.UPDATE || (method === Method.PRACK && this.#isReliable))) return STRANGER;
    return { status: method === Method.Other ? 501 : 405, headers: this.capabilities.allow };
  }

  /** Whether a request in a dialog that is not known is one for which there could be a dialog, taken or placed. */
  #isStranger(method: number): boolean {
    return this.#handlers.invite !== undefined || (method === Method.BYE && this.counters.callsPlaced > 0);
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
    for (let i = 0; i < this.#plugins.length; i++) if (this.#plugins[i]!.invite?.(call) === true) return;
    this.#offer(call, this.#handlers.invite!);
  }

  #reinvite(slot: number, message: Message, address: string, port: number, dialog: Dialog): void {
    if (dialog.pending !== null) {
      // s14.2: the one before has no final response yet.
      this.#refuse(slot, message, this.#later(), address, port);
      return;
    }
    if (dialog.isInviting) {
      // s14.2: two INVITEs have met.
      this.#refuse(slot, message, GLARE, address, port);
      return;
    }
    // A caller that goes on has had the offer in our 2xx: its ACK with the answer was lost.
    if (dialog.session.expects("INVITE", "remote")) dialog.session.end("INVITE", "unanswered");
    const refusal = outOfTurn(dialog.session, { later: () => this.#later() });
    if (refusal !== null) {
      this.#refuse(slot, message, refusal, address, port);
      return;
    }
    const handler = (dialog.handlers as DialogHandlers | null)?.invite ?? this.#refresher(message, dialog);
    if (handler === undefined) {
      this.#refuse(slot, message, NO_REINVITE, address, port);
      return;
    }
    const { pool } = this.layer;
    const channel = pool.channel(slot);
    const call = new Call(this, slot, pool.generation(slot), message.keep(), channel, address, port, null);
    call.dialog = dialog;
    dialog.pending = call;
    dialog.session.begin("INVITE", "remote", descriptionOf(call.message));
    this.#offer(call, handler);
  }

  /** s14.2, RFC 3311 s5.2: to be tried again in a while that another does not pick too. */
  #later(): Refusal {
    return { status: 500, headers: ascii(`Retry-After: ${(this.#tokens.word() >>> 0) % 11}\r\n`) };
  }

  #offer(call: Call, handler: (call: Call) => unknown): void {
    this.layer.pool.setUser(call.slot, call);
    this.#run(call, handler);
    // s17.2.1: a handler that takes its time must not make the caller send again.
    if (!call.isOver && !call.hasProvisional) this.calls.provisional(call, 100, {});
  }

  #handle(
    slot: number,
    message: Message,
    address: string,
    port: number,
    handler: RequestHandler,
    dialog: Dialog | null = null,
  ): void {
    const request = this.#requestOf(slot, message, address, port);
    request.dialog = dialog;
    this.#run(request, handler);
  }

  #requestOf(slot: number, message: Message, address: string, port: number): IncomingRequest {
    const { pool } = this.layer;
    const tag = message.table[TO_TAG_START] === 0 ? this.#responder.tag() : null;
    const channel = pool.channel(slot);
    const request = new IncomingRequest(this, slot, pool.generation(slot), message.keep(), channel, address, port, tag);
    pool.setUser(slot, request);
    return request;
  }

  /** A request of no dialog that a plugin takes for its own: a NOTIFY may come before the answer to its SUBSCRIBE. */
  #isAdopted(slot: number, message: Message, address: string, port: number): boolean {
    if (message.method !== Method.NOTIFY || !this.#plugins.some((plugin) => plugin.orphan !== undefined)) return false;
    const request = this.#requestOf(slot, message, address, port);
    try {
      return this.#plugins.some((plugin) => plugin.orphan?.(request) === true);
    } catch (error) {
      this.#failed(request, error);
      return true;
    }
  }

  /** A request in a dialog that is about a subscription of a plugin's. */
  #isClaimed(slot: number, message: Message, address: string, port: number, dialog: Dialog): boolean {
    const { method } = message;
    if (method !== Method.SUBSCRIBE && method !== Method.NOTIFY) return false;
    if (!this.#plugins.some((plugin) => plugin.claim !== undefined)) return false;
    const request = this.#requestOf(slot, message, address, port);
    request.dialog = dialog;
    return this.#plugins.some((plugin) => plugin.claim?.(request) === true);
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
    else request.reply(500);
  }

  #inDialog(slot: number, message: Message, address: string, port: number): void {
    const { method } = message;
    const dialog = this.dialogs.find(message);
    if (dialog === null) {
      if (this.#isAdopted(slot, message, address, port)) return;
      this.#refuse(
        slot,
        message,
        this.#isStranger(method) ? STRANGER : (this.#unhandled(method) ?? STRANGER),
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
    // What there is of a dialog without a session is not for these.
    if (dialog.isTerminated && !OF_SUBSCRIPTIONS.has(method) && !isLatePrack(method, dialog)) {
      this.#refuse(slot, message, STRANGER, address, port);
    } else if (method === Method.BYE) {
      this.#responder.respond(slot, message, OK, address, port, null);
      this.dialogs.terminate(dialog, "bye");
    } else if (method === Method.INVITE) this.#reinvite(slot, message, address, port, dialog);
    else if (method === Method.PRACK && this.#isReliable) {
      takePrack(message, dialog, this.#midCall(slot, message, address, port, dialog));
    } else if (method === Method.UPDATE) {
      takeUpdate(message, dialog, this.#handlerOf(method), this.#midCall(slot, message, address, port, dialog));
    } else if (!this.#isClaimed(slot, message, address, port, dialog)) {
      // A subscription is not the session's, whose handler knows nothing of it (RFC 6665 s4.5.2).
      const isOfEvents = method === Method.SUBSCRIBE || method === Method.NOTIFY;
      const isTaken = isOfEvents && this.capabilities.handlerOf(method) !== undefined;
      const own = isTaken ? undefined : (dialog.handlers as DialogHandlers | null)?.request;
      const handler = own === undefined ? this.#handlerOf(method) : (request: IncomingRequest) => own(request, dialog);
      if (handler === undefined) this.#refuse(slot, message, this.#unhandled(method)!, address, port);
      else this.#handle(slot, message, address, port, handler, dialog);
    }
  }

  /** What PRACK and UPDATE in a dialog are answered by. */
  #midCall(slot: number, message: Message, address: string, port: number, dialog: Dialog): MidCallHost {
    return {
      refuse: (refusal) => this.#refuse(slot, message, refusal, address, port),
      accept: () => this.#responder.respond(slot, message, OK, address, port, null),
      later: () => this.#later(),
      run: (request, handler) => this.#run(request, handler),
      open: () => {
        const { pool } = this.layer;
        const [generation, channel] = [pool.generation(slot), pool.channel(slot)];
        const request = new SessionRequest(this, slot, generation, message.keep(), channel, address, port, null);
        request.dialog = dialog;
        pool.setUser(slot, request);
        return request;
      },
    };
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

/** RFC 3262 s3: the PRACK of a provisional response comes after the final one. */
function isLatePrack(method: number, dialog: Dialog): boolean {
  return method === Method.PRACK && dialog.reliable !== null;
}
