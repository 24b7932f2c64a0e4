/** A SIP peer over UDP for tests: sends messages as text, and takes what comes back in the order it asks for it. */
import { DatagramClient } from "./datagram-client.ts";
import { probe } from "./exchange.ts";
import { type RequestShape, requestText, responseText, SipMessage, unique } from "./sip-messages.ts";

/** What a test waits for: a status, a method, or whatever a predicate says. */
export type Wanted = number | string | ((message: SipMessage) => boolean);

export class WireClient {
  readonly host: string;
  readonly #client: DatagramClient;
  readonly #server: { address: string; port: number };
  /** What came and was not asked for yet. */
  #unread: SipMessage[] = [];
  #read = 0;

  private constructor(client: DatagramClient, server: { address: string; port: number }, host: string) {
    this.#client = client;
    this.#server = server;
    this.host = host;
  }

  /**
   * @param server where messages go; a wildcard is reached by the address of `host`'s kind
   * @param host the address to send from
   */
  static async open(server: { address: string; port: number }, host = "127.0.0.1", port = 0): Promise<WireClient> {
    const wildcard = server.address === "0.0.0.0" || server.address === "::";
    const address = wildcard ? host : server.address;
    return new WireClient(await DatagramClient.open(host, port), { address, port: server.port }, host);
  }

  get port(): number {
    return this.#client.port;
  }

  /** `host:port` of this end, as it stands in a Via or a URI. */
  get sentBy(): string {
    return this.host.includes(":") ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  /** Sends a message as it is. */
  send(text: string | Uint8Array): void {
    this.#client.send(text, this.#server.port, this.#server.address);
  }

  /** Writes a request of this peer's, and sends it. @returns it */
  request(method: string, shape: RequestShape = {}): SipMessage {
    const text = requestText(method, {
      sentBy: this.sentBy,
      contact: method === "INVITE" ? `<sip:alice@${this.sentBy}>` : null,
      ...shape,
    });
    this.send(text);
    return new SipMessage(Buffer.from(text));
  }

  /** Answers a request of the server's. */
  respond(request: SipMessage, status: number): void {
    this.send(responseText(request, status));
  }

  /** Sends an INVITE and waits for a response to it. */
  async invite(shape: RequestShape = {}, wanted: Wanted = 200): Promise<ClientCall> {
    const invite = this.request("INVITE", shape);
    return new ClientCall(this, invite, await this.next(wanted, invite));
  }

  /** Sends a request and waits for its final response. */
  async ask(method: string, shape: RequestShape = {}): Promise<SipMessage> {
    const request = this.request(method, shape);
    return this.next((message) => message.status >= 200, request);
  }

  /**
   * Takes the first message that came and was not taken yet, among those that `wanted` is about.
   * @param of only responses to this request, by Call-ID and CSeq
   */
  async next(wanted: Wanted, of?: SipMessage): Promise<SipMessage> {
    const isWanted = (message: SipMessage): boolean => {
      if (of !== undefined && (message.callId !== of.callId || message.header("CSeq") !== of.header("CSeq")))
        return false;
      if (typeof wanted === "function") return wanted(message);
      return typeof wanted === "number" ? message.status === wanted : message.status === 0 && message.method === wanted;
    };
    for (;;) {
      const at = this.#unread.findIndex(isWanted);
      if (at >= 0) return this.#unread.splice(at, 1)[0]!;
      const said = typeof wanted === "function" ? "a message" : wanted;
      await this.#client
        .until(() => true, this.#read)
        .catch(() => {
          throw new Error(`Waited in vain for ${said}; unread: ${this.#unread.map((m) => m.startLine).join(" | ")}`);
        });
      this.#gather();
    }
  }

  /** Everything that the server has sent up to now and that was not taken yet: its answer to a last question ends it. */
  async rest(): Promise<SipMessage[]> {
    const { text, callId } = probe(this.sentBy);
    this.send(text);
    await this.next((message) => message.callId === callId && message.status >= 200);
    return this.#unread.splice(0);
  }

  /** The same as statuses and methods. */
  async restBrief(): Promise<(number | string)[]> {
    return (await this.rest()).map((message) => message.status || message.method);
  }

  #gather(): void {
    for (; this.#read < this.#client.received.length; this.#read++) {
      this.#unread.push(new SipMessage(this.#client.received[this.#read]!));
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** An INVITE of a {@link WireClient} with a response to it: what the requests that follow are written from. */
export class ClientCall {
  readonly client: WireClient;
  readonly invite: SipMessage;
  readonly response: SipMessage;
  #cseq: number;

  constructor(client: WireClient, invite: SipMessage, response: SipMessage) {
    this.client = client;
    this.invite = invite;
    this.response = response;
    this.#cseq = invite.cseq;
  }

  /** The parts that make a request one of this dialog; CSeq is the next one. */
  shape(more: RequestShape = {}): RequestShape {
    return {
      uri: this.response.contactUri ?? this.invite.uri,
      from: this.invite.header("From")!,
      to: this.response.header("To")!,
      callId: this.invite.callId,
      cseq: ++this.#cseq,
      ...more,
    };
  }

  /** Sends a request in the dialog. @returns it */
  send(method: string, more: RequestShape = {}): SipMessage {
    return this.client.request(method, this.shape(more));
  }

  /** Sends a request in the dialog and waits for its final response. */
  ask(method: string, more: RequestShape = {}): Promise<SipMessage> {
    return this.client.ask(method, this.shape(more));
  }

  /** Acknowledges: a 2xx with a transaction of its own, another final response in the INVITE's (RFC 3261 s17.1.1.3). */
  ack(invite: SipMessage = this.invite, response: SipMessage = this.response): SipMessage {
    const success = response.status < 300;
    return this.client.request("ACK", {
      uri: success ? (response.contactUri ?? invite.uri) : invite.uri,
      branch: success ? unique("z9hG4bK") : invite.branch!,
      from: invite.header("From")!,
      to: response.header("To")!,
      callId: invite.callId,
      cseq: invite.cseq,
    });
  }

  /** Cancels the INVITE (RFC 3261 s9.1). @returns the CANCEL */
  cancel(): SipMessage {
    return this.client.request("CANCEL", cancelShape(this.invite));
  }
}

/** The parts of the CANCEL for an INVITE. */
export function cancelShape(invite: SipMessage): RequestShape {
  return {
    uri: invite.uri,
    branch: invite.branch!,
    from: invite.header("From")!,
    to: invite.header("To")!,
    callId: invite.callId,
    cseq: invite.cseq,
  };
}
