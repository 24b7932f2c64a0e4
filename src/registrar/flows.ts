/**
 * Which flow a binding came over (RFC 5626 s6): the channel it can be reached by as long as that stands. The bindings of a
 * connection are a list, so that they are found when it is lost; three words of each binding's record are its links.
 */
import { BINDING_SHIFT, FLOW_WORDS } from "../location/binding-table.ts";
import type { Channel } from "../transport/channel.ts";

// The words, from FLOW_WORDS. Numbers are one higher, so that 0 is none.
const FLOW = 0;
const NEXT = 1;
const PREV = 2;

interface Flow {
  readonly channel: Channel;
  readonly number: number;
  /** Whether it can be lost: its bindings are a list then. */
  readonly isConnection: boolean;
  /** The first binding; 0 for none. */
  first: number;
  count: number;
}

export class Flows {
  readonly #records: Int32Array;
  readonly #flows: (Flow | null)[] = [];
  readonly #free: number[] = [];
  readonly #byChannel = new Map<Channel, Flow>();
  #last: Flow | null = null;

  /** @param records those of the location */
  constructor(records: Int32Array) {
    this.#records = records;
  }

  /** Connections and sockets that a binding came over. */
  get size(): number {
    return this.#byChannel.size;
  }

  /** The channel of a binding; null when it is gone, or was never known. */
  channelOf(slot: number): Channel | null {
    const number = this.#records[at(slot) + FLOW]!;
    return number === 0 ? null : this.#flows[number - 1]!.channel;
  }

  /** A binding came over a channel. */
  attach(slot: number, channel: Channel): void {
    const number = this.#records[at(slot) + FLOW]!;
    if (number !== 0) {
      if (this.#flows[number - 1]!.channel === channel) return;
      this.detach(slot);
    }
    const flow = this.#flowOf(channel);
    const records = this.#records;
    records[at(slot) + FLOW] = flow.number;
    flow.count++;
    if (!flow.isConnection) return;
    records[at(slot) + NEXT] = flow.first;
    records[at(slot) + PREV] = 0;
    if (flow.first !== 0) records[at(flow.first - 1) + PREV] = slot + 1;
    flow.first = slot + 1;
  }

  /** A binding has none any more; nothing happens when it had none. */
  detach(slot: number): void {
    const records = this.#records;
    const number = records[at(slot) + FLOW]!;
    if (number === 0) return;
    const flow = this.#flows[number - 1]!;
    if (flow.isConnection) {
      const next = records[at(slot) + NEXT]!;
      const prev = records[at(slot) + PREV]!;
      if (prev === 0) flow.first = next;
      else records[at(prev - 1) + NEXT] = next;
      if (next !== 0) records[at(next - 1) + PREV] = prev;
    }
    records[at(slot) + FLOW] = records[at(slot) + NEXT] = records[at(slot) + PREV] = 0;
    if (--flow.count === 0) this.#close(flow);
  }

  /** The bindings that came over a connection. */
  slotsOf(channel: Channel): number[] {
    const slots: number[] = [];
    let next = this.#byChannel.get(channel)?.first ?? 0;
    for (; next !== 0; next = this.#records[at(next - 1) + NEXT]!) slots.push(next - 1);
    return slots;
  }

  #flowOf(channel: Channel): Flow {
    if (this.#last?.channel === channel && this.#last.count > 0) return this.#last;
    let flow = this.#byChannel.get(channel);
    if (flow === undefined) {
      const number = this.#free.pop() ?? this.#flows.length + 1;
      flow = { channel, number, isConnection: channel.dependants !== null, first: 0, count: 0 };
      this.#flows[number - 1] = flow;
      this.#byChannel.set(channel, flow);
      // A binding belongs to its flow: this end does not end that for its silence (RFC 5626 s6).
      channel.holders++;
    }
    this.#last = flow;
    return flow;
  }

  #close(flow: Flow): void {
    this.#byChannel.delete(flow.channel);
    flow.channel.holders--;
    this.#flows[flow.number - 1] = null;
    this.#free.push(flow.number);
    if (this.#last === flow) this.#last = null;
  }
}

function at(slot: number): number {
  return (slot << BINDING_SHIFT) + FLOW_WORDS;
}
