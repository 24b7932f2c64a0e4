/**
 * The core of a server: puts transactions, dialogs, calls and what is sent together, and is what the transaction layer and
 * the dialogs tell of what has happened.
 */
import { Authenticator } from "../auth/client.ts";
import type { CredentialsOption } from "../auth/client-credentials.ts";
import type { Dialog, DialogEnd } from "../dialog/dialog.ts";
import { Dialogs, type DialogUser } from "../dialog/dialogs.ts";
import type { TimerPolicy } from "../dialog/session-timer.ts";
import { SessionTimers } from "../dialog/session-timers.ts";
import { DEFAULT_NAT_CONTACTS, type NatContacts } from "../dialog/way.ts";
import { ascii } from "../message/bytes.ts";
import { faultReason, faultStatus } from "../message/fault.ts";
import { joinedLines } from "../message/header-lines.ts";
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
import type { Answer } from "./arrival.ts";
import { Call } from "./call.ts";
import { Calls } from "./calls.ts";
import { Capabilities } from "./capabilities.ts";
import { CoreCounters } from "./counters.ts";
import { Dispatcher, where } from "./dispatcher.ts";
import { IncomingRequest, type ReplyOptions } from "./incoming-request.ts";
import type { Handlers, Log } from "./options.ts";
import type { Plugin } from "./plugin.ts";
import { Responder } from "./responder.ts";
import type { Refusal } from "./screening.ts";
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
  /** Answer challenges to requests of ours. */
  credentials?: CredentialsOption | undefined;
  /** Default `private`. */
  natContacts?: NatContacts | undefined;
}

const LAPSED = writeReason({ protocol: "SIP", cause: 408, text: "Session timer expired" });
const FULL: Refusal = { status: 503, headers: ascii("Retry-After: 5\r\n") };

export class UasCore implements TransactionUser, DialogUser {
  readonly layer: TransactionLayer;
  readonly dialogs: Dialogs;
  readonly sender: Sender;
  readonly calls: Calls;
  readonly alarms: Alarms;
  readonly counters = new CoreCounters();
  readonly log: Log;
  readonly capabilities: Capabilities;
  /** Null where sessions do not expire. */
  readonly sessionTimers: SessionTimers | null;
  /** Set while the server stops: new requests outside dialogs are refused with this. */
  stopping: Refusal | null = null;
  readonly #plugins: readonly Plugin[];
  readonly #responder: Responder;
  readonly #dispatcher: Dispatcher;

  constructor(options: CoreOptions) {
    const { wheel, timers, tokens, sessionTimers: timerPolicy = null } = options;
    this.log = options.log;
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
      authenticator: new Authenticator({ credentials: options.credentials, tokens, log: options.log }),
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
      natContacts: options.natContacts ?? DEFAULT_NAT_CONTACTS,
    });
    const { layer, dialogs, alarms } = this;
    const policy = options.handlers.reliableProvisional ?? "required-only";
    this.calls = new Calls(
      { layer, dialogs, responder: this.#responder, wheel, alarms, timers, tokens, policy },
      this.counters,
      this.sessionTimers,
    );
    this.#dispatcher = new Dispatcher(this, {
      handlers: options.handlers,
      plugins: this.#plugins,
      tokens,
      log: options.log,
      responder: this.#responder,
      isReliable: policy !== "off",
    });
  }

  // ---- from the transaction layer

  request(slot: number, message: Message, address: string, port: number, merged: boolean): void {
    this.#dispatcher.request(slot, message, address, port, merged);
  }

  ack(message: Message): void {
    if (!this.dialogs.acknowledge(message)) this.counters.strayAcks++;
  }

  overloaded(message: Message, channel: Channel, address: string, port: number): void {
    this.counters.rejected++;
    this.#responder.stateless(message, FULL, channel, address, port);
  }

  response(slot: number, message: Message, isThere: boolean): void {
    const user = this.layer.pool.user(slot);
    if (user instanceof OutgoingRequest) user.onResponse(message, isThere);
  }

  strayResponse(): void {
    // Dropped (RFC 6026 s7.2); the transaction layer has counted it.
  }

  timeout(slot: number): void {
    const user = this.layer.pool.user(slot);
    if (user instanceof OutgoingRequest) user.onTimeout();
    else if (user instanceof IncomingRequest) {
      if (user instanceof SessionRequest) user.onUnanswered();
      this.log.debug(where(user), "a request was never answered");
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

  /** A connection was closed or lost, or could not be made. @param cause in words */
  lost(channel: Channel, cause: string): void {
    this.layer.lost(channel, cause);
    for (const plugin of this.#plugins) plugin.lost?.(channel);
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
    this.log.info({ callId: dialog.callId, cause: failure.message }, "a BYE reached nobody");
  }

  // ---- from requests and calls

  /** See {@link IncomingRequest.reply}. */
  reply(request: IncomingRequest, status: number, options: ReplyOptions): boolean {
    return this.#responder.send(request, status, options);
  }

  /** See {@link IncomingRequest.replyLines}. */
  replyLines(request: IncomingRequest, { status, reason, headers }: Answer): boolean {
    return this.#responder.send(request, status, { reason }, headers);
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

  /** The sockets are closed: whoever waits for a dialog or for a call is told. @returns once the plugins are done too */
  async closed(): Promise<void> {
    const plugins = this.#plugins.map((plugin) => plugin.closed?.());
    for (const dialog of this.dialogs.all()) this.dialogs.terminate(dialog, "closed");
    const { pool } = this.layer;
    for (let slot = 0; slot < pool.used; slot++) {
      const user = pool.user(slot);
      if (user instanceof Call) this.calls.abandon(user, "closed");
    }
    await Promise.all(plugins);
  }

  // ---- refusals

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

  /** RFC 4028 s10. */
  #lapsed(dialog: Dialog): void {
    this.log.info({ callId: dialog.callId }, "a session that nobody refreshed was hung up");
    this.dialogs.bye(dialog, "expired", { headers: { Reason: LAPSED } });
  }
}
