/**
 * One dialog as its UAS sees it (RFC 3261 s12): identity, sequence numbers, route set and remote target.
 *
 * The INVITE that made it is kept whole; From, To, Call-ID and the route set are read from it when a request is to be
 * sent, which most dialogs never need.
 */
import { equalRanges, latin1, utf8 } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { FROM_TAG_END, FROM_TAG_START, URI_END, URI_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { ADDR_SIZE, ADDR_URI_END, ADDR_URI_START, addressesOf, scanNameAddr } from "../message/name-addr.ts";
import type { Channel } from "../transport/channel.ts";
import type { Dialogs } from "./dialogs.ts";

export const DialogState = { Early: 1, Confirmed: 2, Terminated: 3 } as const;

/** Why a dialog came to its end. */
export type DialogEnd =
  /** The peer sent BYE. */
  | "bye"
  /** This side sent BYE. */
  | "local"
  /** No ACK came for the 2xx; a BYE was sent (RFC 3261 s13.3.1.4). */
  | "no-ack"
  /** The INVITE failed or was cancelled before it was answered. */
  | "failed"
  /** The server was closed. */
  | "closed";

const address = new Int32Array(ADDR_SIZE);

export class Dialog {
  /** Its number in the dialog table. */
  readonly slot: number;
  readonly localTag: Uint8Array;
  /** The INVITE that made the dialog. */
  readonly invite: Message;
  state: number = DialogState.Early;
  /** The CSeq number of the peer's last request. */
  remoteCSeq: number;
  /** The CSeq number of our last request. */
  localCSeq = 0;
  /** The INVITE in this dialog that has no final response yet, as its user sees it. */
  pending: object | null = null;
  /** Who waits for the ACK of the 2xx sent last. */
  answered: object | null = null;
  /** What the user of the dialog wants to be asked; set when the call is answered. */
  handlers: object | null = null;
  /** Whatever the user of the dialog keeps with it. */
  data: unknown = undefined;
  /** Where the last request came from and answers to it went: what is used when the remote target names no address. */
  channel: Channel;
  address: string;
  port: number;
  /** The last message whose Contact set the remote target. */
  #target: Message;
  readonly #dialogs: Dialogs;
  #end: DialogEnd | null = null;
  #ended: PromiseWithResolvers<DialogEnd> | null = null;

  constructor(
    dialogs: Dialogs,
    slot: number,
    invite: Message,
    localTag: Uint8Array,
    cseq: number,
    channel: Channel,
    peer: string,
    port: number,
  ) {
    this.#dialogs = dialogs;
    this.slot = slot;
    this.invite = invite;
    this.localTag = localTag;
    this.remoteCSeq = cseq;
    this.channel = channel;
    this.address = peer;
    this.port = port;
    this.#target = invite;
  }

  get callId(): string {
    return this.invite.valueText(this.invite.first(Header.CallId));
  }

  /** The peer's tag, octet for octet; empty for a peer of RFC 2543. */
  get remoteTag(): string {
    const { bytes, table } = this.invite;
    return latin1(bytes, table[FROM_TAG_START]!, table[FROM_TAG_END]!);
  }

  get isConfirmed(): boolean {
    return this.state === DialogState.Confirmed;
  }

  get isTerminated(): boolean {
    return this.state === DialogState.Terminated;
  }

  /** Resolves with the cause when the dialog is over. Never rejects. */
  get ended(): Promise<DialogEnd> {
    this.#ended ??= Promise.withResolvers();
    if (this.#end !== null) this.#ended.resolve(this.#end);
    return this.#ended.promise;
  }

  /** Ends the dialog with a BYE (RFC 3261 s15.1.1). Nothing happens when it is over already. */
  bye(): void {
    this.#dialogs.bye(this, "local");
  }

  /** `await using dialog = ...` hangs up at the end of the block. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.bye();
  }

  /** Whether a From tag is the peer's. */
  isRemoteTag(bytes: Uint8Array, start: number, end: number): boolean {
    const { table } = this.invite;
    return equalRanges(bytes, start, end, this.invite.bytes, table[FROM_TAG_START]!, table[FROM_TAG_END]!);
  }

  /** A target refresh (RFC 3261 s12.2.2): the Contact of `message`, which is kept, is the remote target from now on. */
  refreshTarget(message: Message): void {
    if (message.first(Header.Contact) !== 0) this.#target = message;
  }

  /** The remote target's URI: the Contact of the last target refresh, else the From of the INVITE. */
  get remoteTarget(): string {
    const message = this.#target;
    for (const id of [Header.Contact, Header.From]) {
      const record = message.first(id);
      if (record === 0) continue;
      if (!scanNameAddr(message.bytes, message.valueStart(record), message.valueEnd(record), address)) continue;
      return utf8(message.bytes, address[ADDR_URI_START]!, address[ADDR_URI_END]!);
    }
    return utf8(message.bytes, message.table[URI_START]!, message.table[URI_END]!);
  }

  /** The route set: the Record-Route URIs of the INVITE in their order (RFC 3261 s12.1.1). */
  get routeSet(): string[] {
    return (addressesOf(this.invite, Header.RecordRoute) ?? []).map((route) => route.uriText);
  }

  /** The dialog is over: whoever waits is told. Called by the dialog layer. */
  settle(end: DialogEnd): void {
    this.state = DialogState.Terminated;
    this.#end = end;
    this.#ended?.resolve(end);
  }
}
