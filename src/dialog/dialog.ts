/**
 * One dialog (RFC 3261 s12): identity, sequence numbers, route set and remote target, seen from this side.
 *
 * The message that made it is kept whole: the request for the one who was asked, the response for the one who asked. From,
 * To, Call-ID and the route set are read from it when a request is to be sent, which most dialogs never need.
 */
import { ascii, copyOf, equalRanges, latin1, utf8 } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { FROM_TAG_END, FROM_TAG_START, TO_TAG_END, TO_TAG_START, URI_END, URI_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import { ADDR_SIZE, ADDR_URI_END, ADDR_URI_START, addressesOf, scanNameAddr } from "../message/name-addr.ts";
import type { Uri } from "../message/uri.ts";
import { isSipsAt } from "../message/uri-scan.ts";
import { cameDirectly } from "../message/via.ts";
import type { ChallengeScope } from "../outgoing/challenge-scope.ts";
import type { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { Flow, OutgoingRequest } from "../outgoing/outgoing-request.ts";
import type { RequestContext } from "../outgoing/request-context.ts";
import type { Dialogs } from "./dialogs.ts";
import { descriptionOf, Session } from "./offer-answer.ts";
import { type DialogPeer, PeerPlace } from "./peer-place.ts";
import type { ReferOptions, Referred } from "./refer.ts";
import type { AwaitsPrack } from "./reliable.ts";
import type { InDialogOptions } from "./send.ts";
import type { NatContacts } from "./way.ts";

export const DialogState = { Early: 1, Confirmed: 2, Terminated: 3 } as const;

/** Why a dialog came to its end. */
export type DialogEnd =
  /** The peer sent BYE. */
  | "bye"
  /** This side sent BYE. */
  | "local"
  /** No ACK came for the 2xx; a BYE was sent (RFC 3261 s13.3.1.4). */
  | "no-ack"
  /** The peer knows the dialog no more, or does not answer: 481 or 408 to a request in it (RFC 3261 s12.2.1.2). */
  | "gone"
  /** Nobody has refreshed the session; a BYE was sent (RFC 4028 s10). */
  | "expired"
  /** The INVITE failed or was cancelled before it was answered. */
  | "failed"
  /** The server was closed. */
  | "closed";

const address = new Int32Array(ADDR_SIZE);

export class Dialog extends PeerPlace implements RequestContext {
  /** Its number in the dialog table. */
  readonly slot: number;
  readonly localTag: Uint8Array;
  /** Whether this side sent the request that made it. */
  readonly isCaller: boolean;
  /** What made the dialog: the request that came, or the response to ours. */
  origin: Message;
  state: number = DialogState.Early;
  /** The CSeq number of the peer's last request; -1 before the first. */
  remoteCSeq: number;
  /** The CSeq number of our last request. */
  localCSeq: number;
  /** Uses of the dialog beside its session: subscriptions. It is known as long as there is one (RFC 5057). */
  holds = 0;
  /** The INVITE in this dialog that has no final response yet, as its user sees it. */
  pending: object | null = null;
  /** Whether an INVITE of ours has no final response yet. */
  isInviting = false;
  /** Whether the Request-URI of our INVITE was a `sips` URI. */
  isSecureCall = false;
  /** The call of ours that has made it, for as long as it is early. */
  call: { cancel(): void } | null = null;
  /** Who waits for the ACK of the 2xx sent last. */
  answered: object | null = null;
  /** What the user of the dialog wants to be asked; set when the call is answered. */
  handlers: object | null = null;
  /** @internal how challenges to our requests in it are answered; null where nobody has said how, and none has been answered */
  challenges: ChallengeScope | null = null;
  /** Whatever the user of the dialog keeps with it. */
  data: unknown = undefined;
  /** The reliable provisional responses to the INVITE in it, while a PRACK may come for one. */
  reliable: AwaitsPrack | null = null;
  /** The description in our 2xx, until somebody asks for the session: as text, or as a block of the store. */
  describedAs: string | null = null;
  describedBlock = 0;
  describedLength = 0;
  /** The last message whose Contact set the remote target. */
  #target: Message;
  readonly #dialogs: Dialogs;
  #session: Session | null = null;
  #end: DialogEnd | null = null;
  #ended: PromiseWithResolvers<DialogEnd> | null = null;

  /** @param origin kept; a request for the one who was asked, a response for the one who asked */
  constructor(dialogs: Dialogs, slot: number, origin: Message, localTag: Uint8Array, cseq: number, peer: DialogPeer) {
    super(peer, origin.isRequest && cameDirectly(origin));
    this.#dialogs = dialogs;
    this.slot = slot;
    this.origin = origin;
    this.isCaller = origin.isResponse;
    this.localTag = localTag;
    this.localCSeq = this.isCaller ? cseq : 0;
    this.remoteCSeq = this.isCaller ? -1 : cseq;
    this.#target = origin;
  }

  get callId(): string {
    return this.origin.valueText(this.origin.first(Header.CallId));
  }

  /** The peer's tag, octet for octet; empty for a peer of RFC 2543. */
  get remoteTag(): string {
    const { table } = this.origin;
    return latin1(this.origin.bytes, table[this.#tagStart]!, table[this.#tagStart + 1]!);
  }

  /** The same as text. */
  get localTagText(): string {
    return latin1(this.localTag, 0, this.localTag.length);
  }

  get #tagStart(): number {
    return this.isCaller ? TO_TAG_START : FROM_TAG_START;
  }

  /** Whether it was asked for by a `sips` URI: what is told of this end is one too (RFC 3261 s12.1.1, s12.1.2). */
  get isSecure(): boolean {
    const { bytes, table } = this.origin;
    return this.isCaller ? this.isSecureCall : isSipsAt(bytes, table[URI_START]!);
  }

  get isConfirmed(): boolean {
    return this.state === DialogState.Confirmed;
  }

  /** Whether its session is over, or it never had one. */
  get isTerminated(): boolean {
    return this.state === DialogState.Terminated;
  }

  /** Whether requests can be sent in it: its session or a subscription stands. */
  get isAlive(): boolean {
    return this.state !== DialogState.Terminated || this.holds > 0;
  }

  /** @internal where its requests went so far */
  get near(): Flow {
    return this;
  }

  /** @internal which of the peer's Contacts are not believed */
  get natContacts(): NatContacts {
    return this.#dialogs.natContacts;
  }

  /** @internal the CSeq number of our next request */
  nextCSeq(): number {
    return ++this.localCSeq;
  }

  /**
   * What the two ends agreed on, and whose turn it is (RFC 3264). What was said before the dialog ended is known after its
   * end only where it was asked for before.
   */
  get session(): Session {
    this.#session ??= this.#recall();
    return this.#session;
  }

  /** Whether {@link session} has been asked for. Most calls end without that, and keep no more than they came with. */
  get hasSession(): boolean {
    return this.#session !== null;
  }

  /** The session of one who was asked, from what the INVITE and its 2xx said. */
  #recall(): Session {
    const session = new Session();
    if (this.isCaller || this.origin.method !== Method.INVITE) return session;
    session.begin("INVITE", "remote", descriptionOf(this.origin));
    if (this.state === DialogState.Early) return session;
    const described = this.#dialogs.takeDescription(this);
    if (described !== null) session.say("INVITE", "local", described);
    // Nobody answers any more: no 2xx went out, or it brought nothing, or its ACK has come and brought nothing.
    if (described === null || this.answered === null) session.end("INVITE", this.isConfirmed ? "unanswered" : "failed");
    return session;
  }

  /** Keeps the dialog known for a subscription; {@link release} once for each. */
  hold(): void {
    this.holds++;
  }

  /** A subscription is over. */
  release(): void {
    this.#dialogs.release(this);
  }

  /** Resolves with the cause when the dialog is over. Never rejects. */
  get ended(): Promise<DialogEnd> {
    this.#ended ??= Promise.withResolvers();
    if (this.#end !== null) this.#ended.resolve(this.#end);
    return this.#ended.promise;
  }

  /** Ends the dialog with a BYE (RFC 3261 s15.1.1). Nothing happens when it is over already. */
  bye(options: InDialogOptions = {}): void {
    this.#dialogs.bye(this, "local", options);
  }

  /** Ends it whatever its state: a call of ours that is not answered yet is cancelled, any other gets a BYE. */
  hangUp(): void {
    if (this.state === DialogState.Early && this.call !== null) this.call.cancel();
    else this.bye();
  }

  /**
   * Sends a request in the dialog and waits for its final response.
   * @param method any but those with a method of their own here: INVITE, ACK, BYE, CANCEL
   * @returns rejects with `RequestFailed` when there is no response. A 481 or 408 ends the dialog (s12.2.1.2)
   */
  request(method: string, options: InDialogOptions = {}): Promise<IncomingResponse> {
    return this.#dialogs.request(this, method, options);
  }

  /**
   * Offers the session anew (s14.1); glare is waited out and tried again.
   * @param sdp an offer; none asks the peer for one, and `options.answer` answers it
   * @returns the final response; whatever it is but 2xx, the session is as it was
   */
  invite(sdp?: string | Uint8Array, options: InDialogOptions = {}): Promise<IncomingResponse> {
    return this.#dialogs.invite(this, { ...options, body: sdp });
  }

  /**
   * UPDATE (RFC 3311): as {@link invite}, without an ACK, and in an early dialog too; there with an offer only once an
   * answer has gone through reliably. Without one it refreshes the target.
   * @returns rejects with `RequestFailed` of cause `pending`, and nothing is sent, while an offer is open in the dialog
   */
  update(sdp?: string | Uint8Array, options: InDialogOptions = {}): Promise<IncomingResponse> {
    return this.#dialogs.updates.update(this, { ...options, body: sdp });
  }

  /** INFO (RFC 6086). */
  info(options: InDialogOptions): Promise<IncomingResponse> {
    return this.request("INFO", options);
  }

  /**
   * Asks the peer to call somebody (REFER, RFC 3515): a transfer, attended with `options.replaces`.
   * @returns what becomes of it
   * @throws TypeError when the server has no `transfers()` among its plugins
   */
  refer(target: string | Uri, options?: ReferOptions): Referred {
    const { referrer } = this.#dialogs;
    if (referrer === null) throw new TypeError("A server without transfers() among its plugins cannot refer");
    return referrer(this, target, options);
  }

  /** NOTIFY in the dialog (RFC 6665), for an event that this side keeps a subscription of by itself. */
  notify(event: string, subscriptionState: string, options: InDialogOptions = {}): Promise<IncomingResponse> {
    const headers = { ...options.headers, Event: event, "Subscription-State": subscriptionState };
    return this.request("NOTIFY", { ...options, headers });
  }

  /** MESSAGE in the dialog (RFC 3428). @param contentType default `text/plain` */
  message(body: string | Uint8Array, contentType = "text/plain"): Promise<IncomingResponse> {
    return this.request("MESSAGE", { body, contentType });
  }

  /** `await using dialog = ...` hangs up at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.bye();
  }

  /** Whether a From tag is the peer's. */
  isRemoteTag(bytes: Uint8Array, start: number, end: number): boolean {
    const { table } = this.origin;
    const own = this.#tagStart;
    return equalRanges(bytes, start, end, this.origin.bytes, table[own]!, table[own + 1]!);
  }

  /** The 2xx to our INVITE has come: it is what the dialog is known by from now on, route set included (s13.2.2.4). */
  confirm(response: Message): void {
    this.origin = response;
    this.#target = response;
    this.state = DialogState.Confirmed;
    this.#dialogs.changed(this);
  }

  /**
   * A target refresh (RFC 3261 s12.2): the Contact of `message`, which is kept, is the remote target from now on.
   * @param request of ours, where the message is the response to it
   */
  refreshTarget(message: Message, request?: OutgoingRequest): void {
    if (message.first(Header.Contact) === 0) return;
    this.#target = message;
    if (request !== undefined) this.answeredBy(request);
  }

  /** The remote target's URI: the Contact of the last target refresh, else the peer's own address. */
  get remoteTarget(): string {
    const message = this.#target;
    const peer = message.isResponse ? Header.To : Header.From;
    for (const id of [Header.Contact, peer]) {
      const record = message.first(id);
      if (record === 0) continue;
      if (!scanNameAddr(message.bytes, message.valueStart(record), message.valueEnd(record), address)) continue;
      return utf8(message.bytes, address[ADDR_URI_START]!, address[ADDR_URI_END]!);
    }
    return utf8(message.bytes, message.table[URI_START]!, message.table[URI_END]!);
  }

  /** The route set: the Record-Route URIs in their order, turned round for the one who asked (RFC 3261 s12.1). */
  get routeSet(): string[] {
    const routes = (addressesOf(this.origin, Header.RecordRoute) ?? []).map((route) => route.uriText);
    return this.isCaller ? routes.reverse() : routes;
  }

  /** The value of From in our requests, tag included. */
  get localAddress(): Uint8Array {
    if (this.isCaller) return this.#value(Header.From);
    // A NOTIFY that makes a dialog has our tag already (RFC 6665 s4.4.1).
    if (this.origin.table[TO_TAG_START] !== 0) return this.#value(Header.To);
    const to = this.#value(Header.To);
    const mark = ascii(";tag=");
    const value = new Uint8Array(to.length + mark.length + this.localTag.length);
    value.set(to);
    value.set(mark, to.length);
    value.set(this.localTag, to.length + mark.length);
    return value;
  }

  /** The value of To in our requests, tag included. */
  get remoteAddress(): Uint8Array {
    return this.#value(this.isCaller ? Header.To : Header.From);
  }

  /** The octets of the Call-ID. */
  get callIdOctets(): Uint8Array {
    return this.#value(Header.CallId);
  }

  #value(id: Header): Uint8Array {
    const record = this.origin.first(id);
    return this.origin.bytes.subarray(this.origin.valueStart(record), this.origin.valueEnd(record));
  }

  /** The dialog is over: whoever waits is told. Called by the dialog layer. */
  settle(end: DialogEnd): void {
    this.state = DialogState.Terminated;
    this.#end = end;
    this.#ended?.resolve(end);
  }
}

/** The tag of ours in a response to our request: From's. */
export function localTagOf(response: Message): Uint8Array {
  return copyOf(response.bytes, response.table[FROM_TAG_START]!, response.table[FROM_TAG_END]!);
}

/** Whether a response names a dialog: its To has a tag. */
export function hasToTag(response: Message): boolean {
  return response.table[TO_TAG_END]! > response.table[TO_TAG_START]!;
}
