/**
 * The dialogs of this UAS: finds the one an in-dialog request belongs to, keeps their order of CSeq, and ends them
 * (RFC 3261 s12, s15).
 */

import { Header } from "../message/header.ts";
import { CSEQ_NUMBER, FROM_TAG_END, FROM_TAG_START, TO_TAG_END, TO_TAG_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import type { TokenSource } from "../message/token-source.ts";
import type { RequestFailed } from "../outgoing/request-failed.ts";
import type { Sender } from "../outgoing/sender.ts";
import type { TimerWheel } from "../time/wheel.ts";
import { KeyBuilder } from "../transaction/key.ts";
import { KEY_WORDS, KeyTable } from "../transaction/key-table.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import type { Timers } from "../transaction/timers.ts";
import type { Channel } from "../transport/channel.ts";
import { Dialog, type DialogEnd, DialogState } from "./dialog.ts";
import { sendInDialog } from "./send.ts";
import { SuccessRetransmitter } from "./success.ts";

/** Told what becomes of a dialog. */
export interface DialogUser {
  /** The ACK for the last 2xx has come. Once for each 2xx. */
  acknowledged(dialog: Dialog, ack: Message): void;
  ended(dialog: Dialog, end: DialogEnd): void;
  /** A BYE of ours reached nobody; the dialog is over all the same. */
  byeFailed(dialog: Dialog, failure: RequestFailed): void;
}

const DIALOG = 0x44;

export class Dialogs {
  readonly success: SuccessRetransmitter;
  /** The most dialogs at once. */
  readonly ceiling: number;
  readonly #sender: Sender;
  readonly #user: DialogUser;
  readonly #key: KeyBuilder;
  readonly #table: KeyTable;
  readonly #dialogs: (Dialog | null)[] = [];
  readonly #free: number[] = [];

  constructor(
    wheel: TimerWheel,
    timers: Timers,
    layer: TransactionLayer,
    sender: Sender,
    tokens: TokenSource,
    user: DialogUser,
    ceiling: number,
  ) {
    this.ceiling = ceiling;
    this.#sender = sender;
    this.#user = user;
    this.#key = new KeyBuilder([tokens.word(), tokens.word()]);
    this.#table = new KeyTable(layer.store, new Int32Array(ceiling * KEY_WORDS), 2, 0);
    this.success = new SuccessRetransmitter(wheel, timers, layer.store, ceiling, (slot) => this.#giveUp(slot));
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
   * Makes the early dialog of an INVITE.
   * @param invite kept by the dialog
   * @returns null when the ceiling is reached
   */
  create(invite: Message, localTag: Uint8Array, channel: Channel, address: string, port: number): Dialog | null {
    const slot = this.#free.pop() ?? this.#dialogs.length;
    if (slot >= this.ceiling) return null;
    const { bytes, table } = invite;
    const dialog = new Dialog(this, slot, invite, localTag, table[CSEQ_NUMBER]!, channel, address, port);
    this.#dialogs[slot] = dialog;
    const key = this.#keyOf(invite, localTag, 0, localTag.length, bytes, table[FROM_TAG_START]!, table[FROM_TAG_END]!);
    this.#table.insert(slot, key, key.hash());
    return dialog;
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
    dialog.state = DialogState.Confirmed;
    this.success.begin(dialog.slot, cseq, channel, start, address, port);
  }

  /** An ACK that no transaction absorbed. @returns false when it belongs to no dialog */
  acknowledge(ack: Message): boolean {
    const dialog = this.find(ack);
    if (dialog === null) return false;
    if (this.success.acknowledge(dialog.slot, ack.table[CSEQ_NUMBER]!)) this.#user.acknowledged(dialog, ack);
    return true;
  }

  /** Sends a BYE and ends the dialog; an early one just ends, since a UAS may not send BYE in it (RFC 3261 s15). */
  bye(dialog: Dialog, end: DialogEnd): void {
    if (dialog.state === DialogState.Confirmed) {
      sendInDialog(this.#sender, dialog, "BYE", {
        response() {},
        failed: (failure) => this.#user.byeFailed(dialog, failure),
      });
    }
    this.terminate(dialog, end);
  }

  /** Ends a dialog without a message. Nothing happens when it is over already. */
  terminate(dialog: Dialog, end: DialogEnd): void {
    if (dialog.state === DialogState.Terminated) return;
    this.success.stop(dialog.slot);
    this.#table.remove(dialog.slot);
    this.#dialogs[dialog.slot] = null;
    this.#free.push(dialog.slot);
    dialog.settle(end);
    this.#user.ended(dialog, end);
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
