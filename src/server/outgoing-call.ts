/**
 * A call of ours (RFC 3261 s13.2): the INVITE, the early dialogs that its provisional responses make, and the dialog of
 * the first 2xx. A forking proxy may bring more than one; those that come later are acknowledged and hung up.
 */
import type { AnswerOffer } from "../dialog/answering.ts";
import { type Dialog, DialogState, hasToTag, localTagOf } from "../dialog/dialog.ts";
import { ownDescription } from "../dialog/offer-answer.ts";
import { acknowledgeProvisional, ProvisionalOrder } from "../dialog/prack.ts";
import { INTERVAL_TOO_SMALL, type TimerOffer } from "../dialog/session-timer.ts";
import { latin1 } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { headerLines, joinedLines } from "../message/header-lines.ts";
import { TO_TAG_END, TO_TAG_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { contactsOf } from "../message/name-addr.ts";
import type { Uri } from "../message/uri.ts";
import type { Acknowledgement } from "../outgoing/acknowledgement.ts";
import { type AnswerChallenge, scopeOf } from "../outgoing/challenge-scope.ts";
import type { Composer, RequestOptions } from "../outgoing/composer.ts";
import { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { Flow, OutgoingRequest, RequestDraft, RequestUser } from "../outgoing/outgoing-request.ts";
import type { RequestContext } from "../outgoing/request-context.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import { type NextHop, nextHopOf } from "../resolve/target.ts";
import type { DialogHandlers } from "./call.ts";
import type { UasCore } from "./core.ts";

/** How a call is placed. */
export interface CallOptions extends Omit<RequestOptions, "body"> {
  /** Our offer; none asks the callee for one, and `answer` answers it. */
  sdp?: string | Uint8Array;
  /**
   * Makes the answer to an offer in the 2xx or in a reliable provisional response before it; it goes in the ACK or PRACK.
   * When it throws, the call is given up.
   */
  answer?: AnswerOffer;
  /** How long it may take to a final response before it is cancelled, in milliseconds. Default 180,000. */
  timeout?: number;
  /** Cancels the call when it is aborted; once it is answered nothing happens. */
  signal?: AbortSignal;
  /** How many times a redirection (3xx) is followed, to its best Contact first. Default 0. */
  redirects?: number;
  /** Called with every provisional response but 100, and its early dialog where it makes one. */
  progress?: (response: IncomingResponse, dialog: Dialog | null) => void;
  /**
   * Called with a 401 or 407 to the INVITE or to a request in its dialogs: the header fields that answer its challenge, or
   * null to give up. Asked at most twice for one request, once for a PRACK. Where it is given no credentials are used.
   */
  auth?: AnswerChallenge;
  /** What is done with requests in the dialog, an early one too. */
  handlers?: DialogHandlers;
}

/** A call that was not answered. */
export class CallFailed extends Error {
  /** The final response's status; 408, 487 or 503 where there was none. */
  readonly status: number;
  /** The final response; null when none came. */
  readonly response: IncomingResponse | null;

  constructor(status: number, message: string, response: IncomingResponse | null) {
    super(message);
    this.name = "CallFailed";
    this.status = status;
    this.response = response;
  }
}

const DEFAULT_TIMEOUT = 180_000;
/** Early dialogs of one call: a proxy that forks further is not followed. */
const MAX_EARLY = 32;

export class OutgoingCall {
  /** Resolves with the dialog once the call is answered; rejects with {@link CallFailed}. */
  readonly answered: Promise<Dialog>;
  readonly #core: UasCore;
  readonly #options: CallOptions;
  /** How challenges are answered: to the INVITE, and to requests in its dialogs. */
  readonly #context: RequestContext;
  readonly #outcome = Promise.withResolvers<Dialog>();
  /** The dialogs of this call by the callee's tag. */
  readonly #dialogs = new Map<string, Dialog>();
  readonly #acknowledgements = new Map<string, Acknowledgement>();
  /** The order of the reliable provisional responses, by the same tag. */
  readonly #orders = new Map<string, ProvisionalOrder>();
  readonly #onAbort = () => this.cancel();
  /** What the INVITE says of the session's timer. */
  #timer: TimerOffer | null;
  /** The INVITE under way; null when the call was given up before there was one. */
  #request: OutgoingRequest | null = null;
  /** Whether no proxy is asked to take the call on. */
  readonly #isDirect: boolean;
  /** Where every INVITE of a call with a route goes (s8.1.2); null without one. */
  readonly #route: NextHop | null;
  /** The URIs that were tried: none is tried twice (s8.1.3.4). */
  readonly #tried = new Set<string>();
  /** Where a redirection still leads. */
  #targets: Uri[] = [];
  /** Ours, in the INVITE; null when it has none. */
  readonly #offer: Uint8Array | null;
  #redirects: number;
  #alarm: number;
  #isSettled = false;
  #isCancelled = false;
  /** Why this side has given the call up, where nobody asked for it. */
  #failure: CallFailed | null = null;

  /** @internal use `server.call` */
  constructor(core: UasCore, composer: Composer, uri: string | Uri, options: CallOptions) {
    const { sdp, signal, timeout = DEFAULT_TIMEOUT, redirects = 0 } = options;
    this.#core = core;
    this.#options = options;
    const isAlive = () => !this.#isSettled && !this.#isCancelled;
    this.#context = {
      near: null,
      challenges: scopeOf(options),
      get isAlive() {
        return isAlive();
      },
      nextCSeq: (last) => this.#nextCSeq(last),
    };
    this.#redirects = redirects;
    this.#offer = ownDescription({ body: sdp, contentType: options.contentType });
    this.answered = this.#outcome.promise;
    // A call may be placed without anybody waiting for it: that is not an unhandled rejection.
    this.answered.catch(() => {});
    this.#timer = core.sessionTimers?.offerFor(null) ?? null;
    const isSecure = isSips(uri) || isSips(options.route ?? "");
    const { draft, hop, flow } = composer.compose("INVITE", uri, { ...options, body: sdp }, (channel, peer) =>
      this.#withTimer(core.capabilities.contact(channel, peer, isSecure).forCall),
    );
    this.#alarm = core.alarms.set(timeout, () => {
      this.#alarm = -1;
      this.cancel();
    });
    this.#route = options.route === undefined ? null : hop;
    this.#isDirect = options.route === undefined && (options.binding?.path ?? "") === "";
    this.#tried.add(draft.uri.toString());
    if (signal?.aborted) {
      this.#settle(cancelled());
      return;
    }
    this.#request = this.#send(draft, hop, flow);
    if (!this.#isSettled) signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Gives the call up (s9.1). Nothing happens once it is answered; a 2xx that comes all the same is hung up. */
  cancel(): void {
    if (this.#isSettled) return;
    this.#isCancelled = true;
    this.#request?.cancel();
  }

  #withTimer(lines: Uint8Array): Uint8Array {
    return this.#timer === null ? lines : joinedLines(lines, headerLines(this.#timer.fields));
  }

  /** The CSeq number of the next INVITE: above those of requests in early dialogs, too. */
  #nextCSeq(last: number): number {
    let highest = last;
    for (const { localCSeq } of this.#dialogs.values()) highest = Math.max(highest, localCSeq);
    return highest + 1;
  }

  #send(draft: RequestDraft, hop: NextHop, flow: Flow | null = null): OutgoingRequest {
    let last = draft;
    const user: RequestUser = {
      response: (message, request) => this.#respond(message, request),
      again: (request) => {
        last = request.draft;
        this.#refusedBefore();
      },
      failed: (failure) => this.#failed(failure, last),
    };
    return this.#core.sender.send(draft, hop, flow, user, this.#context);
  }

  /** A final response that is no 2xx ends the early dialogs (s13.2.2.3); another INVITE may make others, of the same tags. */
  #refusedBefore(): void {
    this.#orders.clear();
    for (const dialog of this.#dialogs.values()) {
      if (dialog.state === DialogState.Early) this.#core.dialogs.terminate(dialog, "failed");
    }
    this.#dialogs.clear();
  }

  #respond(message: Message, request: OutgoingRequest): void {
    const { status } = message;
    if (status < 200) this.#progress(message, request);
    else if (status < 300) this.#success(message, request);
    else this.#refused(message, request);
  }

  #progress(message: Message, request: OutgoingRequest): void {
    if (message.status === 100 || this.#isSettled) return;
    const kept = message.keep();
    const isKnown = this.#dialogs.size < MAX_EARLY || this.#dialogs.has(toTagOf(kept));
    const dialog = hasToTag(kept) && isKnown ? this.#dialogOf(kept, request) : null;
    if (dialog !== null && !this.#isInOrder(kept, dialog, request)) return;
    this.#options.progress?.(new IncomingResponse(kept), dialog);
  }

  /** Acknowledges a reliable provisional response. @returns false when it came before or too soon (RFC 3262 s4) */
  #isInOrder(kept: Message, dialog: Dialog, request: OutgoingRequest): boolean {
    const tag = toTagOf(kept);
    const order = this.#orders.get(tag) ?? new ProvisionalOrder();
    this.#orders.set(tag, order);
    const kind = order.take(kept);
    if (kind === "next") {
      const { answer } = this.#options;
      acknowledgeProvisional(this.#core.sender, dialog, kept, request.draft.cseq, {
        answer,
        failed: (status, why) => this.#legFailed(dialog, new CallFailed(status, why, null)),
      });
    }
    return kind !== "drop";
  }

  /** An early dialog leads nowhere; nor does the call when there is no other one. */
  #legFailed(dialog: Dialog, failure: CallFailed): void {
    if (dialog.state !== DialogState.Early || this.#isSettled) return;
    this.#core.dialogs.terminate(dialog, "gone");
    for (const other of this.#dialogs.values()) if (other.state === DialogState.Early) return;
    this.#failure ??= failure;
    this.cancel();
  }

  #success(message: Message, request: OutgoingRequest): void {
    const tag = toTagOf(message);
    const acknowledged = this.#acknowledgements.get(tag);
    if (acknowledged !== undefined) {
      acknowledged.again();
      return;
    }
    const kept = message.keep();
    const isGivenUp = this.#dialogs.get(tag)?.isTerminated === true;
    const dialog = this.#dialogOf(kept, request);
    if (dialog === null) {
      this.#turnAway(kept, request);
      this.#settle(new CallFailed(503, "No dialog is left for a call", new IncomingResponse(kept)));
      return;
    }
    dialog.confirm(kept);
    dialog.isInviting = false;
    dialog.call = null;
    const { invites } = this.#core.dialogs;
    const { acknowledgement, error } = invites.acknowledge(dialog, request.draft, kept, this.#options);
    this.#acknowledgements.set(tag, acknowledgement);
    if (error !== null) {
      // s13.2.2.4: an offer that is not taken is answered all the same, and the call hung up.
      this.#failure ??= new CallFailed(
        488,
        `An offer could not be answered: ${error.message}`,
        new IncomingResponse(kept),
      );
      this.#isCancelled = true;
    }
    if (this.#isSettled || this.#isCancelled || isGivenUp) {
      // s13.2.2.4: another fork answered first, or the CANCEL came too late, or a BYE in the early dialog.
      dialog.bye();
      this.#settle(this.#failure ?? cancelled());
      return;
    }
    if (this.#timer !== null) this.#core.sessionTimers!.accepted(dialog, kept, this.#timer);
    this.#core.counters.callsPlaced++;
    this.#settle(dialog);
  }

  #refused(message: Message, request: OutgoingRequest): void {
    const response = new IncomingResponse(message.keep());
    const { status } = response;
    if (this.#isCancelled) {
      this.#settle(this.#failure ?? cancelled());
      return;
    }
    const { challengeError } = request;
    if (challengeError !== null) {
      this.#settle(new CallFailed(status, `A challenge could not be answered: ${challengeError}`, response));
      return;
    }
    if (status === INTERVAL_TOO_SMALL && this.#timer !== null) {
      const raised = this.#core.sessionTimers!.raised(null, this.#timer, response.message);
      if (raised !== null) {
        this.#timer = raised;
        this.#again(request.draft, request.hop!);
        return;
      }
    }
    if (status >= 300 && status < 400 && this.#redirects > 0) {
      this.#redirects--;
      const isNew = (uri: Uri) => !this.#tried.has(uri.toString());
      this.#targets = redirectionsOf(response.message).filter(isNew);
    }
    if (this.#redirect(request.draft)) return;
    this.#settle(new CallFailed(status, `${status} ${response.reason}`, response));
  }

  /** Goes on with the next URI of a redirection. @returns false when there is none */
  #redirect(before: RequestDraft): boolean {
    const next = this.#targets.shift();
    if (next === undefined) return false;
    const uri = next.toString();
    this.#tried.add(uri);
    this.#again({ ...before, uri }, this.#route ?? nextHopOf(next)!);
    return true;
  }

  /** Another INVITE of the same call (s8.1.3.4): the same but for the next CSeq and what is changed. */
  #again(before: RequestDraft, hop: NextHop): void {
    const cseq = this.#nextCSeq(before.cseq);
    this.#refusedBefore();
    this.#request = this.#send({ ...before, cseq, credentials: undefined }, hop);
  }

  #failed(failure: RequestFailed, draft: RequestDraft): void {
    if (this.#isCancelled) this.#settle(this.#failure ?? cancelled());
    else if (failure.cause === "closed" || !this.#redirect(draft)) {
      this.#settle(new CallFailed(failure.status, failure.message, null));
    }
  }

  /** s13.2.2.4: a 2xx that there is no room for is acknowledged and hung up. */
  #turnAway(kept: Message, request: OutgoingRequest): void {
    const { dialogs } = this.#core;
    const dialog = dialogs.outside(kept, localTagOf(kept), request.way!);
    dialog.challenges = this.#context.challenges;
    this.#heard(dialog, request);
    dialog.confirm(kept);
    dialog.session.begin("INVITE", "local", this.#offer);
    const { acknowledgement } = dialogs.invites.acknowledge(dialog, request.draft, kept, {});
    this.#acknowledgements.set(toTagOf(kept), acknowledgement);
    dialog.bye();
  }

  /** The dialog that a response makes or belongs to; null when the ceiling is reached. */
  #dialogOf(kept: Message, request: OutgoingRequest): Dialog | null {
    const tag = toTagOf(kept);
    const known = this.#dialogs.get(tag);
    // A callee may answer where it had lost the early dialog.
    if (known !== undefined && !known.isTerminated) {
      this.#heard(known, request);
      return known;
    }
    const dialog = this.#core.dialogs.create(kept, localTagOf(kept), request.way!);
    if (dialog === null) return null;
    this.#dialogs.set(tag, dialog);
    dialog.call = this;
    dialog.challenges = this.#context.challenges;
    dialog.handlers = this.#options.handlers ?? null;
    dialog.isInviting = true;
    dialog.isSecureCall = isSips(request.draft.uri);
    dialog.session.begin("INVITE", "local", this.#offer);
    this.#heard(dialog, request);
    return dialog;
  }

  /** The callee of a dialog has answered. */
  #heard(dialog: Dialog, request: OutgoingRequest): void {
    dialog.answeredBy(request, this.#isDirect);
    dialog.boundTo = request.passedOver;
  }

  /** The call is answered, or has failed. */
  #settle(outcome: Dialog | CallFailed): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (this.#alarm >= 0) this.#core.alarms.clear(this.#alarm);
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    for (const dialog of this.#dialogs.values()) {
      if (dialog !== outcome && dialog.state === DialogState.Early) this.#core.dialogs.terminate(dialog, "failed");
    }
    if (outcome instanceof CallFailed) this.#outcome.reject(outcome);
    else this.#outcome.resolve(outcome);
  }
}

function toTagOf({ bytes, table }: Message): string {
  return latin1(bytes, table[TO_TAG_START]!, table[TO_TAG_END]!);
}

function isSips(uri: string | Uint8Array | Uri): boolean {
  return (uri instanceof Uint8Array ? latin1(uri, 0, uri.length) : uri.toString()).toLowerCase().startsWith("sips:");
}

/** The SIP URIs of a redirection, best first (s8.1.3.4). */
function redirectionsOf(message: Message): Uri[] {
  const contacts = contactsOf(message, Header.Contact);
  if (contacts === null || contacts === "*") return [];
  return (
    contacts
      .toSorted((a, b) => (b.q ?? 1) - (a.q ?? 1))
      .map((contact) => contact.uri)
      .filter((uri) => uri !== null && nextHopOf(uri) !== null)
      // s19.1.1: the headers of a URI are no part of a Request-URI.
      .map((uri) => uri!.with({ headers: null }))
  );
}

function cancelled(): CallFailed {
  return new CallFailed(487, "The call was cancelled", null);
}
