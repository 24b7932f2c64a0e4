/**
 * The ACK for a 2xx (RFC 3261 s13.2.2.4): a request without a transaction, sent again for each 2xx that comes again, the
 * same octets each time.
 */
import type { NextHop } from "../resolve/target.ts";
import { BRANCH_LETTERS, type Flow, type RequestDraft, writeDraft } from "./outgoing-request.ts";
import type { Sender } from "./sender.ts";

export class Acknowledgement {
  readonly #sender: Sender;
  readonly #draft: RequestDraft;
  #way: Flow | null = null;
  #octets: Uint8Array | null = null;

  /** @param draft an ACK */
  constructor(sender: Sender, draft: RequestDraft) {
    this.#sender = sender;
    this.#draft = draft;
  }

  /**
   * Sends it, at once where no name has to be looked up.
   * @param flow taken where there is one
   * @param near whose UDP socket is used where there is none
   */
  async send(hop: NextHop | null, flow: Flow | null, near: Flow): Promise<void> {
    if (flow !== null) this.#sendOn(flow);
    else if (hop !== null) {
      const found = this.#sender.locate(hop);
      const targets = found instanceof Promise ? await found : found;
      for (const target of targets) {
        const channel = this.#sender.channelFor(target, near);
        if (channel === null) continue;
        this.#sendOn({ channel, address: target.address, port: target.port });
        return;
      }
    }
  }

  #sendOn(way: Flow): void {
    const { channel, address, port } = way;
    const branch = this.#sender.tokens.token(BRANCH_LETTERS, this.#sender.cookie);
    const start = writeDraft(this.#draft, channel, address, branch);
    this.#octets = channel.arena.bytes.slice(start, channel.arena.at);
    this.#way = way;
    channel.send(start, address, port);
  }

  /** Sends it again; nothing when it was not sent yet. */
  again(): void {
    if (this.#way === null || this.#octets === null) return;
    const { channel, address, port } = this.#way;
    const start = channel.arena.open(this.#octets.length);
    channel.arena.put(this.#octets);
    channel.send(start, address, port);
  }
}
