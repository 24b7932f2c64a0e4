/** Many phones that register over one socket: each goes on where it was when the server, or the socket, is another one. */
import { DOMAIN } from "./cli-registrar.ts";
import { type RequestShape, requestText, type SipMessage } from "./sip-messages.ts";
import type { StreamClient } from "./stream-client.ts";
import type { WireClient } from "./wire-client.ts";

/** What a phone was answered. */
export interface Answer {
  /** Its number. */
  readonly phone: number;
  readonly cseq: number;
  readonly status: number;
  readonly response: SipMessage;
  /** When it was read, by `performance.now()`. */
  readonly at: number;
}

/** What of a REGISTER is its phone's, or the test's. */
export type RegisterShape = Pick<RequestShape, "contact" | "headers">;

/** So many REGISTERs fit into the buffers of both ends: none is lost. */
const IN_FLIGHT = 64;

export function userOf(phone: number): string {
  return `sip:user${phone}@${DOMAIN}`;
}

/** What a phone has for its Contact. A name is believed: nobody is behind a NAT. */
export function contactOf(phone: number): string {
  return `<sip:user${phone}@phone.example.net>`;
}

export class Crowd {
  /** The CSeq that each phone has sent last, by its number. */
  readonly #cseqs: number[] = [];

  /**
   * Has phones send a REGISTER each, so many at a time, and gives the answers as they come.
   * @param phones their numbers: a phone may come again
   */
  async *register(
    client: WireClient | StreamClient,
    phones: Iterable<number>,
    shape?: RegisterShape,
  ): AsyncGenerator<Answer> {
    let inFlight = 0;
    for (const phone of phones) {
      client.send(this.#next(client, phone, shape));
      if (++inFlight < IN_FLIGHT) continue;
      yield await answerOf(client);
      inFlight--;
    }
    for (; inFlight > 0; inFlight--) yield await answerOf(client);
  }

  /** {@link register}. @returns all answers */
  async all(client: WireClient | StreamClient, phones: Iterable<number>, shape?: RegisterShape): Promise<Answer[]> {
    return await Array.fromAsync(this.register(client, phones, shape));
  }

  /** The Contacts of phones by their numbers, as the server tells them, without the time they have left. */
  async contacts(client: WireClient | StreamClient, phones: Iterable<number>): Promise<Map<number, string[]>> {
    const answers = await this.all(client, phones, { contact: null });
    const told = answers.map(({ phone, response }) => [phone, response.headers("Contact").map(withoutTime)] as const);
    return new Map(told.sort(([one], [other]) => one - other));
  }

  #next(client: WireClient | StreamClient, phone: number, shape: RegisterShape = {}): string {
    const cseq = (this.#cseqs[phone] ?? 0) + 1;
    this.#cseqs[phone] = cseq;
    const party = `<${userOf(phone)}>`;
    return requestText("REGISTER", {
      uri: `sip:${DOMAIN}`,
      transport: "transport" in client ? "TCP" : "UDP",
      sentBy: client.sentBy,
      from: `${party};tag=${phone}`,
      to: party,
      callId: `call-${phone}`,
      cseq,
      contact: contactOf(phone),
      ...shape,
    });
  }
}

function withoutTime(contact: string): string {
  return contact.replace(/;expires=\d+/, "");
}

async function answerOf(client: WireClient | StreamClient): Promise<Answer> {
  const response = await client.next(() => true);
  const phone = Number(/^call-(\d+)$/.exec(response.callId)![1]);
  return { phone, cseq: response.cseq, status: response.status, response, at: performance.now() };
}
