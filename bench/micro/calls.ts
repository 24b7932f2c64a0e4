/** Batches of whole calls put through a {@link Subject}. */
import { readFields } from "../../src/message/fields.ts";
import { TO_TAG_END, TO_TAG_START } from "../../src/message/layout.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { CallTemplate } from "./messages.ts";
import { clock } from "./sample.ts";
import type { Subject } from "./server.ts";

/** Calls in a batch: what a server gathers of responses before it sends them comes of some sixteen INVITEs. */
export const BATCH = 16;
/** 100, 180 and 200. */
const RESPONSES = 3;

export class CallBatches {
  readonly #subject: Subject;
  readonly #templates = Array.from({ length: BATCH }, (_, i) => new CallTemplate(i));
  readonly #scanner = new Scanner();
  #number = 1;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /**
   * INVITE to 200, ACK, and BYE to 200 of {@link BATCH} calls.
   * @param passing milliseconds that the clock moves on afterwards
   * @returns nanoseconds that the server took, timers included
   */
  run(passing: number): number {
    const subject = this.#subject;
    const { channel } = subject;
    const first = this.#number;
    this.#number += BATCH;

    const invites = this.#templates.map((template, i) => template.invite(first + i));
    let began = clock();
    for (let i = 0; i < BATCH; i++) subject.datagram(invites[i]!, ADDRESSES[i]!, 5060);
    let taken = clock() - began;

    const tags = this.#tags();
    channel.empty();
    const acks = this.#templates.map((template, i) => template.ack(first + i, tags[i]!));
    const byes = this.#templates.map((template, i) => template.bye(first + i, tags[i]!));
    began = clock();
    for (let i = 0; i < BATCH; i++) {
      subject.datagram(acks[i]!, ADDRESSES[i]!, 5060);
      subject.datagram(byes[i]!, ADDRESSES[i]!, 5060);
    }
    taken += clock() - began;
    this.#expectSent(BATCH, "BYE");
    channel.empty();

    began = clock();
    subject.pass(passing);
    return taken + clock() - began;
  }

  /** The To tags of the 200s. */
  #tags(): Uint8Array[] {
    this.#expectSent(BATCH * RESPONSES, "INVITE");
    const { channel } = this.#subject;
    return Array.from({ length: BATCH }, (_, i) => {
      const message = this.#scanner.scanDatagram(channel.message(i * RESPONSES + RESPONSES - 1));
      readFields(message, DEFAULT_LIMITS);
      const tag = message.bytes.slice(message.table[TO_TAG_START], message.table[TO_TAG_END]);
      if (message.status !== 200 || tag.length !== CallTemplate.tagLength) throw new Error(`unexpected ${message}`);
      return tag;
    });
  }

  #expectSent(count: number, method: string): void {
    const { channel } = this.#subject;
    if (channel.sent === count) return;
    const last = channel.sent > 0 ? new TextDecoder().decode(channel.message(channel.sent - 1)) : "";
    throw new Error(`${channel.sent} responses to ${BATCH} ${method}, not ${count}: ${last}`);
  }
}

/** As a socket would give them: each a string of its own. */
const ADDRESSES = Array.from({ length: BATCH }, (_, i) => `203.0.113.${20 + i}`);
