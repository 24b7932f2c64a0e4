/** A server with events on a fake clock, and the two sides of a subscription written by hand. */
import { type Events, type EventsOptions, events } from "../../src/events/events.ts";
import type { ServeOptions } from "../../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { type RequestShape, responseText, type SipMessage, unique } from "./sip-messages.ts";
import { testServer } from "./test-server.ts";
import { WireClient } from "./wire-client.ts";

/** A server with the plugin and a client that talks to it, closed together. */
export async function eventsPeer(options: EventsOptions, serve: ServeOptions = {}) {
  const plugin = events(options);
  const clock = new FakeClock();
  const running = await testServer({ plugins: [plugin], clock, ...serve });
  const client = await WireClient.open(running.address);
  return {
    clock,
    client,
    events: plugin as Events,
    server: running.server,
    log: running.log,
    /** Time goes by in steps, so that what is due within it happens in its order. */
    async pass(ms: number, step = 1000): Promise<void> {
      for (let left = ms; left > 0; left -= step) await clock.pass(Math.min(step, left));
    },
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

/** The subscriber's side of a subscription at the server. */
export class WireSubscriber {
  readonly client: WireClient;
  readonly subscribe: SipMessage;
  readonly response: SipMessage;
  readonly #headers: readonly string[];
  #cseq: number;

  private constructor(client: WireClient, subscribe: SipMessage, response: SipMessage, headers: readonly string[]) {
    this.client = client;
    this.subscribe = subscribe;
    this.response = response;
    this.#headers = headers;
    this.#cseq = subscribe.cseq;
  }

  /** Subscribes, and takes the final response. @param expires null leaves the header out */
  static async open(
    client: WireClient,
    event = "presence",
    expires: number | null = 600,
    shape: RequestShape = {},
  ): Promise<WireSubscriber> {
    const headers = [`Event: ${event}`, ...(shape.headers ?? [])];
    const subscribe = client.request("SUBSCRIBE", {
      uri: "sip:bob@127.0.0.1",
      to: "<sip:bob@127.0.0.1>",
      contact: `<sip:alice@${client.sentBy}>`,
      ...shape,
      headers: [...headers, ...(expires === null ? [] : [`Expires: ${expires}`])],
    });
    return new WireSubscriber(client, subscribe, await client.next(isFinal, subscribe), headers);
  }

  /** Takes its next NOTIFY. @param status what it is answered; null leaves it unanswered */
  async notified(status: number | null = 200, headers: readonly string[] = []): Promise<SipMessage> {
    const { callId } = this.subscribe;
    const notify = await this.client.next((message) => message.method === "NOTIFY" && message.callId === callId);
    if (status !== null) this.client.send(responseText(notify, status, { headers }));
    return notify;
  }

  /** Sends another SUBSCRIBE in the dialog. @returns its final response */
  again(expires: number, more: RequestShape = {}): Promise<SipMessage> {
    return this.client.ask("SUBSCRIBE", {
      ...this.shape(),
      headers: [...this.#headers, `Expires: ${expires}`],
      ...more,
    });
  }

  /** The parts that make a request one of its dialog. */
  shape(): RequestShape {
    return {
      uri: this.response.contactUri!,
      from: this.subscribe.header("From")!,
      to: this.response.header("To")!,
      callId: this.subscribe.callId,
      cseq: ++this.#cseq,
      contact: `<sip:alice@${this.client.sentBy}>`,
    };
  }
}

/** The notifier's side of a subscription of the server's. */
export class WireNotifier {
  readonly client: WireClient;
  readonly subscribe: SipMessage;
  readonly tag = unique("n");
  #cseq = 0;

  constructor(client: WireClient, subscribe: SipMessage) {
    this.client = client;
    this.subscribe = subscribe;
  }

  /** Takes the next SUBSCRIBE that makes a dialog. */
  static async asked(client: WireClient): Promise<WireNotifier> {
    const wanted = (message: SipMessage) => message.status === 0 && message.method === "SUBSCRIBE";
    return new WireNotifier(client, await client.next((message) => wanted(message) && message.toTag === undefined));
  }

  /** Takes the next SUBSCRIBE in its dialog. */
  asked(): Promise<SipMessage> {
    return this.client.next(
      (message) => message.method === "SUBSCRIBE" && message.status === 0 && this.#isMine(message),
    );
  }

  /** Answers a SUBSCRIBE. */
  answer(status: number, headers: readonly string[] = [], subscribe = this.subscribe): void {
    const contact = status < 300 ? [`Contact: <sip:notifier@${this.client.sentBy}>`] : [];
    this.client.send(responseText(subscribe, status, { toTag: this.tag, headers: [...contact, ...headers] }));
  }

  /** Sends a NOTIFY. @returns its final response */
  notify(state: string, more: RequestShape = {}): Promise<SipMessage> {
    return this.client.ask("NOTIFY", {
      uri: this.subscribe.contactUri!,
      from: `${this.subscribe.header("To")};tag=${this.tag}`,
      to: this.subscribe.header("From")!,
      callId: this.subscribe.callId,
      cseq: ++this.#cseq,
      contact: `<sip:notifier@${this.client.sentBy}>`,
      ...more,
      headers: more.headers ?? [`Event: ${this.subscribe.header("Event")}`, `Subscription-State: ${state}`],
    });
  }

  #isMine(message: SipMessage): boolean {
    return message.callId === this.subscribe.callId && message.toTag === this.tag;
  }
}

/** A final response. */
export function isFinal(message: SipMessage): boolean {
  return message.status >= 200;
}
