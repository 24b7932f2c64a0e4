/** A request as a handler sees it. Its octets are decoded when they are asked for. */
import type { Role } from "../auth/challenge.ts";
import type { Digest } from "../auth/digest.ts";
import type { Allowed, Verdict } from "../auth/digest-options.ts";
import type { FoundUser } from "../auth/users.ts";
import type { Dialog } from "../dialog/dialog.ts";
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import type { HeaderFields } from "../message/header-lines.ts";
import { CSEQ_NUMBER, TO_TAG_START } from "../message/layout.ts";
import { acceptsMediaType } from "../message/media-type.ts";
import type { Message } from "../message/message.ts";
import { type BodyPart, partsOf } from "../message/multipart.ts";
import { addressesOf, contactsOf, type NameAddr } from "../message/name-addr.ts";
import { tokensOf } from "../message/tokens.ts";
import { Uri } from "../message/uri.ts";
import { type Via, viasOf } from "../message/via.ts";
import type { Channel } from "../transport/channel.ts";
import type { Answer } from "./arrival.ts";
import type { UasCore } from "./core.ts";

/** What may stand in a response beside its status. */
export interface ReplyOptions {
  /** The reason phrase; the registered one when left out. */
  reason?: string;
  headers?: HeaderFields;
  body?: string | Uint8Array;
  /** Default `application/sdp`. */
  contentType?: string;
}

/** Where a request came from. */
export interface Source {
  /** `UDP` */
  transport: string;
  /** Numeric, IPv6 without brackets. */
  address: string;
  port: number;
}

export class IncomingRequest {
  /** The message itself, for what has no getter here. */
  readonly message: Message;
  protected readonly core: UasCore;
  /** The transaction, with the generation that tells whether the slot is still ours. */
  readonly slot: number;
  readonly generation: number;
  readonly channel: Channel;
  readonly address: string;
  readonly port: number;
  /** What our To tag is, when the request has none. */
  readonly localTag: Uint8Array | null;
  /** The dialog that it stands in or has made; null where there is none. */
  dialog: Dialog | null = null;
  /** What digest authentication said of it, where it was asked and let it pass. */
  login: Allowed | null = null;

  constructor(
    core: UasCore,
    slot: number,
    generation: number,
    message: Message,
    channel: Channel,
    address: string,
    port: number,
    localTag: Uint8Array | null,
  ) {
    this.core = core;
    this.slot = slot;
    this.generation = generation;
    this.message = message;
    this.channel = channel;
    this.address = address;
    this.port = port;
    this.localTag = localTag;
  }

  get method(): string {
    return this.message.methodName;
  }

  /**
   * Makes a dialog of the request, for a subscription (RFC 6665 s4.2.1.2). It is held once: release it when it is over.
   * @returns the dialog that it stands in, held once more, where it stands in one; null when there is no room
   */
  openDialog(): Dialog | null {
    if (this.dialog !== null) this.dialog.hold();
    else this.dialog = this.core.dialogs.create(this.message, this.localTag!, this, false);
    return this.dialog;
  }

  /**
   * Answers with header lines that are octets already.
   * @param answer not to be changed while it is held back
   * @param delay milliseconds that the answer is held back
   * @returns as {@link reply} does; true where it is held back
   */
  replyLines(answer: Answer, delay = 0): boolean {
    if (delay <= 0) return this.core.replyLines(this, answer);
    this.core.alarms.set(delay, () => void this.replyLines(answer));
    return true;
  }

  /** @internal judges its credentials: see {@link Digest.check} */
  check(auth: Digest, role: Role): Verdict | Promise<Verdict> {
    return auth.check(this.message, this.address, role, this.core);
  }

  /** Who has proved to have sent it; null where nobody was asked to. */
  get user(): FoundUser | null {
    return this.login?.user ?? null;
  }

  /** Answers with our Contact beside the rest, as a 2xx that makes or refreshes a dialog must. See {@link reply}. */
  replyInDialog(status: number, options: ReplyOptions = {}): boolean {
    return this.core.replyInDialog(this, status, options);
  }

  /** The Request-URI, of whatever scheme; null when it is malformed. */
  get uri(): Uri | null {
    return Uri.parse(this.message.requestUri);
  }

  get from(): NameAddr {
    return addressesOf(this.message, Header.From)![0]!;
  }

  get to(): NameAddr {
    return addressesOf(this.message, Header.To)![0]!;
  }

  get callId(): string {
    return this.message.valueText(this.message.first(Header.CallId));
  }

  /** The CSeq number. */
  get cseq(): number {
    return this.message.table[CSEQ_NUMBER]!;
  }

  /** Every Via, top first. */
  get vias(): Via[] {
    return viasOf(this.message);
  }

  /** The Contacts; `"*"` for a lone star; null when one is malformed. */
  get contacts(): NameAddr[] | "*" | null {
    return contactsOf(this.message, Header.Contact);
  }

  /** Option tags the peer supports. */
  get supported(): string[] {
    return tokensOf(this.message, Header.Supported);
  }

  /** Whether the request stands in a dialog: its To has a tag. */
  get isInDialog(): boolean {
    return this.message.table[TO_TAG_START] !== 0;
  }

  /** The body's octets; empty when there is none. */
  get body(): Uint8Array {
    return this.message.body;
  }

  /** The parts of a multipart body, or the body as its only part (RFC 5621); null when it is a malformed multipart. */
  get parts(): BodyPart[] | null {
    return partsOf(this.message);
  }

  get source(): Source {
    return { transport: this.channel.transport, address: this.address, port: this.port };
  }

  /** The host by which this peer reaches this server, as in Contact; IPv6 without brackets. */
  get localHost(): string {
    return this.channel.hostFor(this.address);
  }

  /** The value of the first header field of this name, in any case, long or compact. */
  header(name: string): string | undefined {
    return this.message.header(name);
  }

  /** The values of all header fields of this name, one a line. */
  headers(name: string): string[] {
    return this.message.headers(name);
  }

  /** Whether an Accept of the request allows this type; a request without Accept takes SDP alone (RFC 3261 s20.1). */
  accepts(type: string, subtype: string): boolean {
    const { message } = this;
    let record = message.first(Header.Accept);
    if (record === 0) return type === "application" && subtype === "sdp";
    const [typeOctets, subtypeOctets] = [ascii(type), ascii(subtype)];
    for (; record !== 0; record = message.next(record)) {
      const start = message.valueStart(record);
      if (acceptsMediaType(message.bytes, start, message.valueEnd(record), typeOctets, subtypeOctets)) return true;
    }
    return false;
  }

  /**
   * Answers the request.
   * @param status 100 to 699
   * @returns false when it has been answered already, or the transaction is over: nothing was sent. Also when the response is
   *   longer than a datagram can be: in the place of a final one the peer gets 500
   * @throws TypeError when a reason or a header would not stand on its line
   */
  reply(status: number, options: ReplyOptions = {}): boolean {
    return this.core.reply(this, status, options);
  }
}
