/**
 * Where requests go (RFC 3261 s8.2, s9.2, s12.2.2, s14.2): refuses what may not pass, finds the dialog a request stands in,
 * and hands it to its handler, or to the part of the server whose it is.
 */
import { CheckFailed } from "../auth/failed-checks.ts";
import type { Dialog } from "../dialog/dialog.ts";
import { descriptionOf } from "../dialog/offer-answer.ts";
import { isUnchanged } from "../dialog/session-timer.ts";
import { ascii } from "../message/bytes.ts";
import { TO_TAG_START, VIA_BRANCH_END, VIA_BRANCH_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import type { TokenSource } from "../message/token-source.ts";
import { cameDirectly } from "../message/via.ts";
import { Arrival, type ArrivalHandler } from "./arrival.ts";
import { Call, type DialogHandlers } from "./call.ts";
import type { UasCore } from "./core.ts";
import { IncomingRequest } from "./incoming-request.ts";
import { type MidCallHost, outOfTurn, takePrack, takeUpdate } from "./mid-call.ts";
import type { Handlers, Log, RequestHandler } from "./options.ts";
import type { Plugin } from "./plugin.ts";
import type { Responder } from "./responder.ts";
import { OLD_CSEQ, type Refusal, screen } from "./screening.ts";
import { SessionRequest } from "./session-request.ts";

const OF_SUBSCRIPTIONS: ReadonlySet<number> = new Set([Method.SUBSCRIBE, Method.NOTIFY, Method.REFER]);
const OK: Refusal = { status: 200 };
const STRANGER: Refusal = { status: 481 };
const NO_REINVITE: Refusal = { status: 488 };
const GLARE: Refusal = { status: 491 };

/** What requests are handed to, and answered with. */
export interface DispatcherParts {
  readonly handlers: Handlers;
  readonly plugins: readonly Plugin[];
  readonly tokens: TokenSource;
  readonly log: Log;
  readonly responder: Responder;
  /** Whether reliable provisional responses are sent, and so PRACKs awaited. */
  readonly isReliable: boolean;
}

export class Dispatcher {
  /** What takes requests of a method at the moment they come, by method. */
  readonly #arrivals: (ArrivalHandler | undefined)[];
  readonly #arrival: Arrival;
  readonly #core: UasCore;
  readonly #handlers: Handlers;
  readonly #plugins: readonly Plugin[];
  readonly #tokens: TokenSource;
  readonly #log: Log;
  readonly #responder: Responder;
  readonly #isReliable: boolean;

  constructor(core: UasCore, { handlers, plugins, tokens, log, responder, isReliable }: DispatcherParts) {
    this.#core = core;
    this.#handlers = handlers;
    this.#plugins = plugins;
    this.#tokens = tokens;
    this.#log = log;
    this.#responder = responder;
    this.#isReliable = isReliable;
    this.#arrivals = arrivalsOf(plugins, handlers);
    this.#arrival = new Arrival({
      answer: (slot, message, answer, address, port) => this.#responder.respond(slot, message, answer, address, port),
      open: (slot, message, address, port) => this.#requestOf(slot, message, address, port),
    });
  }

  /** A new request, from the transaction layer. */
  request(slot: number, message: Message, address: string, port: number, merged: boolean): void {
    const { method } = message;
    if (method === Method.CANCEL) {
      this.#cancel(slot, message, address, port);
      return;
    }
    const inDialog = message.table[TO_TAG_START] !== 0;
    const refusal =
      (inDialog ? null : this.#unhandled(method)) ??
      screen(message, merged, this.#core.capabilities) ??
      this.#screenTimer(message) ??
      (inDialog ? null : this.#core.stopping);
    if (refusal !== null) this.#refuse(slot, message, refusal, address, port);
    else if (inDialog) this.#inDialog(slot, message, address, port);
    else if (method === Method.INVITE) this.#invite(slot, message, address, port);
    else if (this.#arrivals[method] !== undefined) this.#arrive(slot, message, address, port, this.#arrivals[method]);
    else this.#handle(slot, message, address, port, this.#handlerOf(method)!);
  }

  /** Answers a request in its transaction without a handler. */
  #refuse(slot: number, message: Message, refusal: Refusal, address: string, port: number): void {
    this.#responder.respond(slot, message, refusal, address, port);
    this.#core.counters.rejected++;
  }

  /** RFC 4028 s9. */
  #screenTimer(message: Message): Refusal | null {
    const { method } = message;
    if (this.#core.sessionTimers === null || (method !== Method.INVITE && method !== Method.UPDATE)) return null;
    return this.#core.sessionTimers.screen(message);
  }

  /** A re-INVITE that refreshes the session and changes nothing is no question to anybody (RFC 4028 s7.4). */
  #refresher(message: Message, dialog: Dialog): ((call: Call) => unknown) | undefined {
    if (this.#core.sessionTimers === null || this.#core.sessionTimers.stateOf(dialog) === null) return undefined;
    const { local, remote } = dialog.session;
    const offer = descriptionOf(message);
    if (local === null || (offer !== null && !isUnchanged(offer, remote))) return undefined;
    return (call) => void call.answer(local);
  }

  /** s8.2.1: 405 for a method that is known but not handled, 501 for one that is not known. */
  #unhandled(method: number): Refusal | null {
    const calls = method === Method.INVITE || method === Method.BYE;
    const takesCalls = this.#handlers.invite !== undefined;
    if (calls ? takesCalls : this.#handlerOf(method) !== undefined) return method === Method.BYE ? STRANGER : null;
    // Allowed, but never outside a dialog.
    if (takesCalls && (method === Method.UPDATE || (method === Method.PRACK && this.#isReliable))) return STRANGER;
    return { status: method === Method.Other ? 501 : 405, headers: this.#core.capabilities.allow };
  }

  /** Whether a request in a dialog that is not known is one for which there could be a dialog, taken or placed. */
  #isStranger(method: number): boolean {
    return this.#handlers.invite !== undefined || (method === Method.BYE && this.#core.counters.callsPlaced > 0);
  }

  #handlerOf(method: number): RequestHandler | undefined {
    const own = this.#core.capabilities.handlerOf(method);
    if (own !== undefined) return own;
    return method === Method.OPTIONS ? this.#describe : this.#handlers.request;
  }

  /** OPTIONS, where nobody else wants it (s11.2). */
  readonly #describe = (request: IncomingRequest): void => {
    this.#responder.send(request, 200, {}, this.#core.capabilities.all);
  };

  #invite(slot: number, message: Message, address: string, port: number): void {
    this.#core.counters.callsStarted++;
    const { pool } = this.#core.layer;
    const tag = this.#responder.tag();
    const channel = pool.channel(slot);
    const call = new Call(this.#core, slot, pool.generation(slot), message.keep(), channel, address, port, tag);
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
    const { pool } = this.#core.layer;
    const channel = pool.channel(slot);
    const call = new Call(this.#core, slot, pool.generation(slot), message.keep(), channel, address, port, null);
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
    this.#core.layer.pool.setUser(call.slot, call);
    this.#run(call, handler);
    // s17.2.1: a handler that takes its time must not make the caller send again.
    if (!call.isOver && !call.hasProvisional) this.#core.calls.provisional(call, 100, {});
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

  #arrive(slot: number, message: Message, address: string, port: number, handler: ArrivalHandler): void {
    const arrival = this.#arrival.begin(slot, message, this.#core.layer.pool.channel(slot), address, port);
    try {
      handler(arrival);
    } catch (error) {
      this.#failed(arrival.open(), error);
    }
  }

  #requestOf(slot: number, message: Message, address: string, port: number): IncomingRequest {
    const { pool } = this.#core.layer;
    const tag = message.table[TO_TAG_START] === 0 ? this.#responder.tag() : null;
    const channel = pool.channel(slot);
    const request = new IncomingRequest(
      this.#core,
      slot,
      pool.generation(slot),
      message.keep(),
      channel,
      address,
      port,
      tag,
    );
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
    this.#core.counters.handlerErrors++;
    // Users that cannot be looked up were told of, once for many requests.
    if (!(error instanceof CheckFailed)) this.#log.error({ ...where(request), err: error }, "a handler failed");
    if (request instanceof Call) this.#core.calls.reject(request, 500, {});
    else request.reply(500);
  }

  #inDialog(slot: number, message: Message, address: string, port: number): void {
    const { method } = message;
    const dialog = this.#core.dialogs.find(message);
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
    if (!this.#core.dialogs.inOrder(dialog, message)) {
      this.#refuse(slot, message, OLD_CSEQ, address, port);
      return;
    }
    dialog.heardFrom(this.#core.layer.pool.channel(slot), address, port, cameDirectly(message));
    // What there is of a dialog without a session is not for these.
    if (dialog.isTerminated && !OF_SUBSCRIPTIONS.has(method) && !isLatePrack(method, dialog)) {
      this.#refuse(slot, message, STRANGER, address, port);
    } else if (method === Method.BYE) {
      this.#responder.respond(slot, message, OK, address, port, null);
      this.#core.dialogs.terminate(dialog, "bye");
    } else if (method === Method.INVITE) this.#reinvite(slot, message, address, port, dialog);
    else if (method === Method.PRACK && this.#isReliable) {
      takePrack(message, dialog, this.#midCall(slot, message, address, port, dialog));
    } else if (method === Method.UPDATE) {
      takeUpdate(message, dialog, this.#handlerOf(method), this.#midCall(slot, message, address, port, dialog));
    } else if (!this.#isClaimed(slot, message, address, port, dialog)) {
      // A subscription is not the session's, whose handler knows nothing of it (RFC 6665 s4.5.2).
      const isOfEvents = method === Method.SUBSCRIBE || method === Method.NOTIFY;
      const isTaken = isOfEvents && this.#core.capabilities.handlerOf(method) !== undefined;
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
        const { pool } = this.#core.layer;
        const [generation, channel] = [pool.generation(slot), pool.channel(slot)];
        const request = new SessionRequest(this.#core, slot, generation, message.keep(), channel, address, port, null);
        request.dialog = dialog;
        pool.setUser(slot, request);
        return request;
      },
    };
  }

  /** s9.2: the CANCEL is answered 200, the INVITE it speaks of 487 if it has no final response yet. */
  #cancel(slot: number, message: Message, address: string, port: number): void {
    const invite = this.#core.layer.inviteOf(message);
    if (invite < 0) {
      this.#refuse(slot, message, STRANGER, address, port);
      return;
    }
    const call = this.#core.layer.pool.user(invite);
    const toTag =
      call instanceof Call && call.localTag !== null ? call.localTag : this.#core.layer.statelessTag(message);
    this.#responder.respond(slot, message, OK, address, port, toTag);
    if (call instanceof Call) this.#core.calls.cancel(call);
  }
}

/** What takes requests as they come, of plugins whose handlers nobody has replaced. */
function arrivalsOf(plugins: readonly Plugin[], handlers: Handlers): (ArrivalHandler | undefined)[] {
  const arrivals: (ArrivalHandler | undefined)[] = [];
  for (const { register, handlers: own } of plugins) {
    if (register !== undefined && own.register === handlers.register) arrivals[Method.REGISTER] = register;
  }
  return arrivals;
}

/** What a log line about a request carries. */
export function where(request: IncomingRequest): object {
  const { bytes, table } = request.message;
  const branch = Buffer.from(bytes.subarray(table[VIA_BRANCH_START]!, table[VIA_BRANCH_END]!)).toString("latin1");
  return { method: request.method, callId: request.callId, branch, peer: `${request.address}:${request.port}` };
}

/** RFC 3262 s3: the PRACK of a provisional response comes after the final one. */
function isLatePrack(method: number, dialog: Dialog): boolean {
  return method === Method.PRACK && dialog.reliable !== null;
}
