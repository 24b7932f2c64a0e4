/**
 * The transaction layer (RFC 3261 s17): matches each message to its transaction, makes new ones, and runs the machines.
 */

import type { ByteStore } from "../memory/byte-store.ts";
import { KeyBuilder } from "../memory/key.ts";
import { KeyTable } from "../memory/key-table.ts";
import { ascii } from "../message/bytes.ts";
import { FROM_TAG_START, TO_TAG_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { Method } from "../message/method.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { Channel } from "../transport/channel.ts";
import { ClientInvite } from "./client-invite.ts";
import { ClientNonInvite } from "./client-non-invite.ts";
import { TransactionContext, type TransactionCounters } from "./context.ts";
import { clientKey, mergedKey, responseKey, serverKey } from "./matching.ts";
import { Kind, MERGED_WORDS, RECORD_SHIFT, State, TABLE_WORDS, type TransactionPool } from "./pool.ts";
import { responsePort } from "./response-address.ts";
import { ServerInvite } from "./server-invite.ts";
import { ServerNonInvite } from "./server-non-invite.ts";
import type { Timers } from "./timers.ts";
import type { TransactionUser } from "./user.ts";

export interface TransactionLayerOptions {
  wheel: TimerWheel;
  timers: Timers;
  user: TransactionUser;
  /** The most transactions at once, server and client together. */
  ceiling: number;
  /** Two random words for the key tables. */
  seed: readonly [number, number];
  /** Has the user answer 100 to a non-INVITE request that waits long (RFC 4320). */
  sendTrying: (slot: number) => void;
}

export class TransactionLayer {
  readonly pool: TransactionPool;
  readonly counters: TransactionCounters;
  readonly #context: TransactionContext;
  readonly #key: KeyBuilder;
  readonly #table: KeyTable;
  readonly #merged: KeyTable;
  readonly #serverInvite: ServerInvite;
  readonly #serverNonInvite: ServerNonInvite;
  readonly #clientInvite: ClientInvite;
  readonly #clientNonInvite: ClientNonInvite;

  constructor(options: TransactionLayerOptions) {
    const context = new TransactionContext(options.wheel, options.timers, options.user, options.ceiling);
    this.#context = context;
    this.pool = context.pool;
    this.counters = context.counters;
    this.#key = new KeyBuilder(options.seed);
    this.#table = new KeyTable(context.store, this.pool.records, RECORD_SHIFT, TABLE_WORDS);
    this.#merged = new KeyTable(context.store, this.pool.records, RECORD_SHIFT, MERGED_WORDS);
    this.#serverInvite = new ServerInvite(context);
    this.#serverNonInvite = new ServerNonInvite(context, options.sendTrying);
    this.#clientInvite = new ClientInvite(context);
    this.#clientNonInvite = new ClientNonInvite(context);
    context.forget = (slot) => {
      this.#table.remove(slot);
      this.#merged.remove(slot);
      this.pool.channel(slot).dependants?.delete(slot);
      this.pool.give(slot);
    };
  }

  /** Where kept messages and keys lie. */
  get store(): ByteStore {
    return this.#context.store;
  }

  /**
   * Takes in a message without faults whose fields have been read.
   * @param address where it came from, numeric
   */
  receive(message: Message, channel: Channel, address: string, port: number): void {
    if (message.isRequest) this.#request(message, channel, address, port);
    else this.#response(message, channel, address, port);
  }

  #request(message: Message, channel: Channel, address: string, port: number): void {
    const { method } = message;
    const key = serverKey(this.#key, message);
    const hash = key.hash();
    const found = this.#table.find(key, hash);
    if (found >= 0) {
      if (method === Method.ACK) {
        if (!this.#serverInvite.ack(found)) this.#context.user.ack(message, channel);
      } else if (this.pool.kind(found) === Kind.ServerInvite) this.#serverInvite.retransmission(found);
      else this.#serverNonInvite.retransmission(found);
      return;
    }
    if (method === Method.ACK) {
      this.#context.user.ack(message, channel);
      return;
    }

    const invite = method === Method.INVITE;
    const slot = this.pool.take(
      invite ? Kind.ServerInvite : Kind.ServerNonInvite,
      invite ? State.Proceeding : State.Trying,
      channel,
      address,
      responsePort(message, port, channel),
    );
    if (slot < 0) {
      this.counters.overloaded++;
      this.#context.user.overloaded(message, channel, address, port);
      return;
    }
    this.counters.serverTransactions++;
    channel.dependants?.add(slot);
    this.#table.insert(slot, key, hash);
    const merged = this.#isMerged(slot, message);
    const generation = this.pool.generation(slot);
    this.#context.user.request(slot, message, address, port, merged);
    if (invite || !this.pool.isLive(slot, generation)) return;
    const state = this.pool.state(slot);
    if (state === State.Trying || state === State.Proceeding) this.#serverNonInvite.waiting(slot);
  }

  /** RFC 3261 s8.2.2.2, for requests outside a dialog. The first of its kind is entered in the table. */
  #isMerged(slot: number, message: Message): boolean {
    const { table } = message;
    if (table[TO_TAG_START] !== 0 || table[FROM_TAG_START] === 0 || message.method === Method.CANCEL) return false;
    const key = mergedKey(this.#key, message);
    const hash = key.hash();
    if (this.#merged.find(key, hash) >= 0) {
      this.counters.merged++;
      return true;
    }
    this.#merged.insert(slot, key, hash);
    return false;
  }

  #response(message: Message, channel: Channel, address: string, port: number): void {
    const key = responseKey(this.#key, message);
    const slot = this.#table.find(key, key.hash());
    if (slot < 0) {
      this.counters.strayResponses++;
      this.#context.user.strayResponse(message);
      return;
    }
    if (message.status >= 200) this.pool.channel(slot).dependants?.delete(slot);
    const isThere = this.#wentTo(slot, channel, address, port);
    if (this.pool.kind(slot) === Kind.ClientInvite) this.#clientInvite.response(slot, message, isThere);
    else this.#clientNonInvite.response(slot, message, isThere);
  }

  /** Whether a request of ours went to where its response came from. A datagram may come in at another socket of ours. */
  #wentTo(slot: number, channel: Channel, address: string, port: number): boolean {
    const { pool } = this;
    const way = pool.channel(slot);
    if (way.reliable || channel.reliable) return way === channel;
    return pool.port(slot) === port && pool.address(slot) === address;
  }

  /** The INVITE transaction that a CANCEL speaks of (RFC 3261 s9.2), or -1. */
  inviteOf(cancel: Message): number {
    const key = serverKey(this.#key, cancel, true);
    return this.#table.find(key, key.hash());
  }

  /**
   * Answers a request with what its channel's arena holds from `start`.
   * @returns false when the transaction's state does not allow it and nothing was sent
   */
  respond(slot: number, status: number, start: number): boolean {
    // Before it is sent: a connection that is found lost must not end a transaction that is being answered.
    const { dependants } = this.pool.channel(slot);
    const depended = status >= 200 && dependants !== null && dependants.delete(slot);
    const sent =
      this.pool.kind(slot) === Kind.ServerInvite
        ? this.#serverInvite.respond(slot, status, start)
        : this.#serverNonInvite.respond(slot, status, start);
    if (depended && !sent) dependants.add(slot);
    return sent;
  }

  /**
   * A connection was closed or lost, or could not be made. Its client transactions fail at once (RFC 3261 s17.1.4,
   * s18.4); a server transaction goes on, since its response may be sent over a new connection (s18.2.2), unless there is
   * no other way to the peer.
   */
  lost(channel: Channel, cause: string): void {
    const { dependants } = channel;
    if (dependants === null || dependants.size === 0) return;
    this.ended(channel, cause);
    if (channel.isOnlyWay) {
      for (const slot of [...dependants]) {
        // Whoever was told of another may have answered this one.
        if (!dependants.has(slot)) continue;
        this.#context.user.unreachable(slot);
        this.#context.terminate(slot);
      }
    }
    dependants.clear();
  }

  /** The peer of a connection sends no more: the client transactions on it fail, its requests can still be answered. */
  ended(channel: Channel, cause: string): void {
    const { pool } = this;
    for (const slot of [...(channel.dependants ?? [])]) {
      if (pool.kind(slot) !== Kind.ClientInvite && pool.kind(slot) !== Kind.ClientNonInvite) continue;
      this.counters.transportFailures++;
      this.#context.user.transportFailed(slot, cause);
      this.#context.terminate(slot);
    }
  }

  /** Sends an INVITE's last provisional response again (RFC 3261 s13.3.1.1). */
  resend(slot: number): void {
    this.#context.retransmit(slot);
  }

  /**
   * Begins a client transaction with the request that the channel's arena holds from `start`.
   * @param branch as it stands in the request's Via
   * @returns the slot, or -1 when the ceiling is reached and nothing was sent
   */
  request(
    channel: Channel,
    address: string,
    port: number,
    start: number,
    branch: Uint8Array,
    method: string,
    user: object | null,
  ): number {
    const invite = method === "INVITE";
    const slot = this.pool.take(
      invite ? Kind.ClientInvite : Kind.ClientNonInvite,
      invite ? State.Calling : State.Trying,
      channel,
      address,
      port,
    );
    if (slot < 0) {
      this.counters.overloaded++;
      return -1;
    }
    this.counters.clientTransactions++;
    channel.dependants?.add(slot);
    this.pool.setUser(slot, user);
    const name = ascii(method);
    const key = clientKey(this.#key, branch, 0, branch.length, name, 0, name.length);
    this.#table.insert(slot, key, key.hash());
    if (invite) this.#clientInvite.begin(slot, start);
    else this.#clientNonInvite.begin(slot, start);
    return slot;
  }

  /** The octets of an INVITE of ours that has no final response yet, or null. */
  sentRequest(slot: number): Uint8Array | null {
    const { pool, store } = this;
    const block = pool.block(slot);
    if (pool.kind(slot) !== Kind.ClientInvite || block === 0) return null;
    const offset = store.offset(block);
    return store.segment(block).slice(offset, offset + pool.blockLength(slot));
  }

  /** An INVITE of ours was cancelled: without a final response in 64*T1 it is over (RFC 3261 s9.1). */
  giveUp(slot: number): void {
    this.#clientInvite.giveUp(slot);
  }

  /** A tag that is the same for each retransmission of a request that no transaction keeps (RFC 3261 s8.2.7). */
  statelessTag(message: Message): Uint8Array {
    const hash = serverKey(this.#key, message, true).hash() >>> 0;
    return ascii(hash.toString(16).padStart(8, "0"));
  }

  /** Whether there is a transaction that has no final response yet. */
  isAnyUnanswered(): boolean {
    const { pool } = this;
    for (let slot = 0; slot < pool.used; slot++) {
      const state = pool.state(slot);
      if (state === State.Trying || state === State.Proceeding) return true;
    }
    return false;
  }
}
