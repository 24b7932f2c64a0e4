/**
 * A request outside dialogs at the moment it comes, for a part of the server that answers most of them at once: nothing of
 * it is kept and no object is made for it. Good only until the call returns; {@link open} makes a request of it that lasts.
 */
import type { Message } from "../message/message.ts";
import type { Channel } from "../transport/channel.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { Refusal } from "./screening.ts";

/** What is answered: header lines are octets, each line with its CRLF. */
export type Answer = Refusal;

/** Takes a request at the moment it comes. */
export type ArrivalHandler = (arrival: Arrival) => void;

/** What an arrival is answered and kept by. */
export interface ArrivalHost {
  answer(slot: number, message: Message, answer: Answer, address: string, port: number): void;
  open(slot: number, message: Message, address: string, port: number): IncomingRequest;
}

export class Arrival {
  /** The scanner's own. */
  message!: Message;
  channel!: Channel;
  /** Where it came from, numeric, IPv6 without brackets. */
  address = "";
  port = 0;
  readonly #host: ArrivalHost;
  #slot = -1;
  #opened: IncomingRequest | null = null;

  constructor(host: ArrivalHost) {
    this.#host = host;
  }

  /** Made anew for each request. */
  begin(slot: number, message: Message, channel: Channel, address: string, port: number): this {
    this.#slot = slot;
    this.message = message;
    this.channel = channel;
    this.address = address;
    this.port = port;
    this.#opened = null;
    return this;
  }

  /** Answers it. Once, and not after {@link open}. */
  answer(answer: Answer): void {
    this.#host.answer(this.#slot, this.message, answer, this.address, this.port);
  }

  /** A request to be answered later; the same each time. */
  open(): IncomingRequest {
    this.#opened ??= this.#host.open(this.#slot, this.message, this.address, this.port);
    return this.#opened;
  }
}
