/**
 * The dialogs of this end: finds the one an in-dialog request belongs to, keeps their order of CSeq, and ends them
 * (RFC 3261 s12, s15).
 */

import type { ByteStore } from "../memory/byte-store.ts";
import { KeyBuilder } from "../memory/key.ts";
import { KEY_WORDS, KeyTable } from "../memory/key-table.ts";
import { ascii } from "../message/bytes.ts";
import { Header } from "../message/header.ts";
import { CSEQ_NUMBER, FROM_TAG_END, FROM_TAG_START, TO_TAG_END, TO_TAG_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import type { TokenSource } from "../message/token-source.ts";
import { IncomingResponse } from "../outgoing/incoming-response.ts";
import type { HeaderWriter } from "../outgoing/outgoing-request.ts";
import { RequestFailed } from "../outgoing/request-failed.ts";
import type { Sender } from "../outgoing/sender.ts";
import type { Alarms } from "../time/alarms.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Timers } from "../transaction/timers.ts";
import type { Channel } from "../transport/channel.ts";
import { Dialog, type DialogEnd, DialogState } from "./dialog.ts";
import { Invites } from "./invites.ts";
import { type BodyOptions, isDescription } from "./offer-answer.ts";
import type { DialogPeer } from "./peer-place.ts";
import type { Referrer } from "./refer.ts";
import { type InDialogOptions, sendInDialog } from "./send.ts";
import type { SessionTimers } from "./session-timers.ts";
import { SuccessRetransmitter } from "./success.ts";
import { Updates } from "./updates.ts";
import type { DialogWatcher } from "./watcher.ts";
import type { NatContacts } from "./way.ts";

/** Told what becomes of a dialog. */
export interface DialogUser {
  /** The ACK for the last 2xx has come. Once for each 2xx. */
  acknowledged(dialog: Dialog, ack: Message): void;
  ended(dialog: Dialog, end: DialogEnd): void;
  /** A BYE of ours reached nobody; the dialog is over all the same. */
  byeFailed(dialog: Dialog, failure: RequestFailed): void;
}

const DIALOG = 0x44;
/** Methods that are not sent by {@link Dialogs.request}. */
const NOT_PLAIN = new Set(["INVITE", "ACK", "BYE", "CANCEL"]);
/** Methods of subscriptions: their Contact refreshes the target (RFC 6665 s4.4.1), their failure says nothing of the session. */
const OF_SUBSCRIPTIONS = new Set(["SUBSCRIBE", "NOTIFY", "REFER"]);

export interface DialogsOptions {
  wheel: TimerWheel;
  alarms: Alarms;
  timers: Timers;
  layer: TransactionLayer;
  sender: Sender;
  tokens: TokenSource;
  user: DialogUser;
  /** The most dialogs at once. */
  ceiling: number;
  /** Writes the Contact of requests in a dialog. @param secure whether it is a `sips` URI */
  contact: (channel: Channel, peer: string, secure: boolean) => Uint8Array;
  /** The same for an INVITE or UPDATE. */
  contactOfCall: (channel: Channel, peer: string, secure: boolean) => Uint8Array;
  /** Null where sessions do not expire. */
  sessionTimers: SessionTimers | null;
  natContacts: NatContacts;
}

export class Dialogs {
  readonly success: SuccessRetransmitter;
  readonly invites: Invites;
  /** Told of every dialog that comes, changes and ends. */
  readonly watchers: DialogWatcher[] = [];
  /** Sends REFERs; set by who knows how. */
  referrer: Referrer | null = null;
  readonly updates: Updates;
  /** The most dialogs at once. */
  readonly ceiling: number;
  readonly natContacts: NatContacts;
  readonly #sender: Sender;
  readonly #store: ByteStore;
  readonly #user: DialogUser;
  readonly #contact: DialogsOptions["contact"];
  readonly #key: KeyBuilder;
  readonly #table: KeyTable;
  readonly #dialogs: (Dialog | null)[] = [];
  readonly #free: number[] = [];

  constructor(options: DialogsOptions) {
    const { wheel, alarms, timers, layer, sender, tokens, user, ceiling, contact, contactOfCall, sessionTimers } =
      options;
    this.ceiling = ceiling;
    this.natContacts = options.natContacts;
    this.#sender = sender;
    this.#store = layer.store;
    this.#user = user;
    this.#contact = contact;
    this.#key = new KeyBuilder([tokens.word(), tokens.word()]);
    this.#table = new KeyTable(layer.store, new Int32Array(ceiling * KEY_WORDS), 2, 0);
    this.success = new SuccessRetransmitter(wheel, timers, layer.store, ceiling, (slot) => this.#giveUp(slot));
    const contactOf =
      (dialog: Dialog): HeaderWriter =>
      (channel, peer) =>
        contactOfCall(channel, peer, dialog.isSecure);
    const gone = (dialog: Dialog) => this.bye(dialog, "gone");
    const parts = { sender, alarms, tokens, contact: contactOf, gone, sessionTimers };
    this.invites = new Invites(parts);
    this.updates = new Updates(parts);
  }

  /** Writes the Contact by which the peer of a dialog reaches this end. */
  contactOf(dialog: Pick<Dialog, "isSecure">): HeaderWriter {
    return (channel, peer) => this.#contact(channel, peer, dialog.isSecure);
  }

  /** Dialogs that are early or confirmed. */
  get size(): number {
    return this.#table.size;
  }

  /** Whether a 2xx waits for its ACK. */
  isAnyUnacknowledged(): boolean {
    for (const dialog of this.#dialogs) if (dialog !== null && this.success.isWaiting(dialog.slot)) return true;
    return false;
  }

  /** Every dialog there is. */
  *all(): IterableIterator<Dialog> {
    for (const dialog of this.#dialogs) if (dialog !== null) yield dialog;
  }

  /**
   * Makes an early dialog.
   * @param origin kept by the dialog: the request that came, or the response to ours
   * @param localTag our tag
   * @param hasSession false for the dialog of a subscription alone, which is held once then
   * @returns null when the ceiling is reached
   */
  create(origin: Message, localTag: Uint8Array, peer: DialogPeer, hasSession = true): Dialog | null {
    const slot = this.#free.pop() ?? this.#dialogs.length;
    if (slot >= this.ceiling) return null;
    const { table } = origin;
    const dialog = new Dialog(this, slot, origin, localTag, table[CSEQ_NUMBER]!, peer);
    this.#dialogs[slot] = dialog;
    dialog.holdChannel(true);
    if (!hasSession) {
      dialog.state = DialogState.Terminated;
      dialog.hold();
    }
    const remote = origin.isRequest ? FROM_TAG_START : TO_TAG_START;
    const key = this.#keyOf(origin, localTag, 0, localTag.length, origin.bytes, table[remote]!, table[remote + 1]!);
    this.#table.insert(slot, key, key.hash());
    if (hasSession) this.changed(dialog);
    return dialog;
  }

  /** One that is not in the table, where that has no room: to be acknowledged and hung up. */
  outside(origin: Message, localTag: Uint8Array, peer: DialogPeer): Dialog {
    return new Dialog(this, -1, origin, localTag, origin.table[CSEQ_NUMBER]!, peer);
  }

  /** A dialog was made or confirmed: whoever watches is told. */
  changed(dialog: Dialog): void {
    for (const watcher of this.watchers) watcher.changed(dialog);
  }

  /** The dialog of a request with a To tag, or null (RFC 3261 s12.2.2). */
  find(request: Message): Dialog | null {
    const { bytes, table } = request;
    const key = this.#keyOf(
      request,
      bytes,
      table[TO_TAG_START]!,
      table[TO_TAG_END]!,
      bytes,
      table[FROM_TAG_START]!,
      table[FROM_TAG_END]!,
    );
    const slot = this.#table.find(key, key.hash());
    return slot < 0 ? null : this.#dialogs[slot]!;
  }

  /** The dialog that Replaces or Target-Dialog names, octets as one character each; null when there is none. */
  named(callId: string, localTag: string, remoteTag: string): Dialog | null {
    const [id, local, remote] = [callId, localTag, remoteTag].map((text) => Buffer.from(text, "latin1"));
    const key = this.#key
      .begin(DIALOG)
      .part(local!, 0, local!.length)
      .part(remote!, 0, remote!.length)
      .part(id!, 0, id!.length);
    const slot = this.#table.find(key, key.hash());
    return slot < 0 ? null : this.#dialogs[slot]!;
  }

  /** Takes note of a request's CSeq. @returns false when it is older than the last: out of order (RFC 3261 s12.2.2) */
  inOrder(dialog: Dialog, request: Message): boolean {
    const cseq = request.table[CSEQ_NUMBER]!;
    if (cseq < dialog.remoteCSeq) return false;
    dialog.remoteCSeq = cseq;
    return true;
  }

  /**
   * A 2xx to an INVITE of this dialog has been sent; it is sent again until its ACK comes.
   * @param start where it begins in the channel's arena
   */
  succeeded(dialog: Dialog, cseq: number, channel: Channel, start: number, address: string, port: number): void {
    const isNew = dialog.state === DialogState.Early;
    dialog.state = DialogState.Confirmed;
    if (isNew) this.changed(dialog);
    this.success.begin(dialog.slot, cseq, channel, start, address, port);
  }

  /** An ACK that no transaction absorbed. @returns false when it belongs to no dialog */
  acknowledge(ack: Message): boolean {
    const dialog = this.find(ack);
    if (dialog === null) return false;
    if (this.success.acknowledge(dialog.slot, ack.table[CSEQ_NUMBER]!)) this.#user.acknowledged(dialog, ack);
    return true;
  }

  /**
   * Sends a BYE and ends the dialog. An early one of the callee's just ends, since it may not send BYE in it
   * (RFC 3261 s15).
   */
  bye(dialog: Dialog, end: DialogEnd, options: InDialogOptions = {}): void {
    const { state } = dialog;
    if (state === DialogState.Confirmed || (state === DialogState.Early && dialog.isCaller)) {
      sendInDialog(this.#sender, dialog, "BYE", options, undefined, {
        response() {},
        failed: (failure) => this.#user.byeFailed(dialog, failure),
      });
    }
    this.terminate(dialog, end);
  }

  /** See {@link Dialog.request}. */
  request(dialog: Dialog, method: string, options: InDialogOptions): Promise<IncomingResponse> {
    if (NOT_PLAIN.has(method)) throw new TypeError(`${method} has a method of its own`);
    if (!/^[\w.!%*+`'~-]+$/.test(method)) throw new TypeError(`Not a method: ${JSON.stringify(method)}`);
    if (method === "UPDATE") return this.updates.update(dialog, options);
    if (!dialog.isAlive) return Promise.reject(new RequestFailed("over", "The dialog is over"));
    const { promise, resolve, reject } = Promise.withResolvers<IncomingResponse>();
    const isOfSubscription = OF_SUBSCRIPTIONS.has(method);
    sendInDialog(this.#sender, dialog, method, options, isOfSubscription ? this.contactOf(dialog) : undefined, {
      response: (message, sent) => {
        const { status } = message;
        if (status < 200) return;
        const kept = message.keep();
        if (status < 300 && isOfSubscription) dialog.refreshTarget(kept, sent);
        resolve(new IncomingResponse(kept));
        // What becomes of a subscription says nothing of the session (RFC 5057 s5.1).
        if ((status === 481 || status === 408) && !isOfSubscription) this.bye(dialog, "gone");
      },
      failed: (failure) => {
        reject(failure);
        if (failure.cause === "timeout" && !isOfSubscription) this.bye(dialog, "gone");
      },
    });
    return promise;
  }

  /** See {@link Dialog.invite}. */
  invite(dialog: Dialog, options: InDialogOptions): Promise<IncomingResponse> {
    return this.invites.invite(dialog, options);
  }

  /** Ends a dialog without a message. Nothing happens when it is over already. */
  terminate(dialog: Dialog, end: DialogEnd): void {
    if (dialog.state === DialogState.Terminated) return;
    if (dialog.slot >= 0) this.success.stop(dialog.slot);
    dialog.settle(end);
    if (dialog.holds === 0) this.#forget(dialog);
    this.#user.ended(dialog, end);
    for (const watcher of this.watchers) watcher.ended(dialog, end);
  }

  /** See {@link Dialog.release}. */
  release(dialog: Dialog): void {
    // Somebody may have held it when it was forgotten already.
    if (--dialog.holds === 0 && dialog.isTerminated && this.#dialogs[dialog.slot] === dialog) this.#forget(dialog);
  }

  /** Keeps what our 2xx described, outside the garbage collector's sight: few are ever asked for it. */
  keepDescription(dialog: Dialog, options: BodyOptions): void {
    if (!isDescription(options)) return;
    const { body } = options;
    if (typeof body === "string") dialog.describedAs = body;
    else {
      const { length } = body!;
      const block = this.#store.take(length);
      this.#store.segment(block).set(body!, this.#store.offset(block));
      dialog.describedBlock = block;
      dialog.describedLength = length;
    }
  }

  /** What was kept so, which is not kept any longer; null when nothing was. */
  takeDescription(dialog: Dialog): Uint8Array | null {
    const { describedAs, describedBlock, describedLength } = dialog;
    dialog.describedAs = null;
    if (describedAs !== null) return ascii(describedAs);
    if (describedBlock === 0) return null;
    const offset = this.#store.offset(describedBlock);
    const octets = this.#store.segment(describedBlock).slice(offset, offset + describedLength);
    this.#dropDescription(dialog);
    return octets;
  }

  #dropDescription(dialog: Dialog): void {
    if (dialog.describedBlock !== 0) this.#store.give(dialog.describedBlock, dialog.describedLength);
    dialog.describedBlock = 0;
  }

  #forget(dialog: Dialog): void {
    this.#dropDescription(dialog);
    if (dialog.slot < 0) return;
    dialog.holdChannel(false);
    this.#table.remove(dialog.slot);
    this.#dialogs[dialog.slot] = null;
    this.#free.push(dialog.slot);
  }

  #giveUp(slot: number): void {
    const dialog = this.#dialogs[slot];
    if (dialog) this.bye(dialog, "no-ack");
  }

  #keyOf(
    message: Message,
    local: Uint8Array,
    localStart: number,
    localEnd: number,
    remote: Uint8Array,
    remoteStart: number,
    remoteEnd: number,
  ): KeyBuilder {
    const callId = message.first(Header.CallId);
    return this.#key
      .begin(DIALOG)
      .part(local, localStart, localEnd)
      .part(remote, remoteStart, remoteEnd)
      .part(message.bytes, message.valueStart(callId), message.valueEnd(callId));
  }
}
