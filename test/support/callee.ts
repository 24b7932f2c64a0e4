/** A phone that is called, over UDP: it answers as a test says, under as many tags as there are forks. */

import { type RequestShape, requestText, SipMessage, unique } from "./sip-messages.ts";
import { bytesOf } from "./sip-text.ts";
import { type Wanted, WireClient } from "./wire-client.ts";

/** What a response is written from, beside what the request gives. */
export interface AnswerShape {
  /** The To tag; default `callee`. Null leaves it out. */
  tag?: string | null;
  /** Default: this phone, for 101 to 299. Null leaves it out. */
  contact?: string | null;
  /** Values of Record-Route, in order. */
  routes?: readonly string[];
  /** More header lines. */
  headers?: readonly string[];
  body?: string;
}

/** The answer of a phone that takes PCMU. */
export const ANSWER = [
  "v=0",
  "o=bob 7 7 IN IP4 127.0.0.1",
  "s=-",
  "c=IN IP4 127.0.0.1",
  "t=0 0",
  "m=audio 41000 RTP/AVP 0",
  "a=rtpmap:0 PCMU/8000",
  "",
].join("\r\n");

export class Callee {
  readonly wire: WireClient;

  private constructor(wire: WireClient) {
    this.wire = wire;
  }

  /** @param server who calls @param host the address it is called at */
  static async open(server: { address: string; port: number }, host?: string): Promise<Callee> {
    return new Callee(await WireClient.open(server, host));
  }

  /** The URI it is called by. */
  get uri(): string {
    return `sip:bob@${this.wire.sentBy}`;
  }

  /** Takes the next request of this method that came and was not taken yet. */
  next(wanted: Wanted, of?: SipMessage): Promise<SipMessage> {
    return this.wire.next(wanted, of);
  }

  /** Sends a response. @returns its text, to be sent again */
  respond(request: SipMessage, status: number, shape: AnswerShape = {}): string {
    const { tag = "callee", routes = [], headers = [], body = "" } = shape;
    const makesDialog = status > 100 && status < 300 && request.method !== "CANCEL";
    const { contact = makesDialog ? `<${this.uri}>` : null } = shape;
    const to = request.header("To")!;
    const lines = [
      `SIP/2.0 ${status} Whatever`,
      ...request.headers("Via").map((via) => `Via: ${via}`),
      ...routes.map((route) => `Record-Route: ${route}`),
      `From: ${request.header("From")}`,
      `To: ${tag === null || request.toTag !== undefined ? to : `${to};tag=${tag}`}`,
      `Call-ID: ${request.callId}`,
      `CSeq: ${request.header("CSeq")}`,
      ...(contact === null ? [] : [`Contact: ${contact}`]),
      ...headers,
      ...(body === "" ? [] : ["Content-Type: application/sdp"]),
      `Content-Length: ${body.length}`,
    ];
    const text = `${lines.join("\r\n")}\r\n\r\n${body}`;
    this.wire.send(bytesOf(text));
    return text;
  }

  /** Answers an INVITE and takes the ACK. */
  async answer(invite: SipMessage, shape: AnswerShape = {}): Promise<SipMessage> {
    this.respond(invite, 200, { body: ANSWER, ...shape });
    return this.next("ACK");
  }

  /** Sends a request in the dialog that an INVITE made. @param tag of this side @returns it */
  send(invite: SipMessage, method: string, shape: RequestShape & { tag?: string } = {}): SipMessage {
    const { tag = "callee", ...rest } = shape;
    const text = requestText(method, {
      uri: invite.contactUri ?? "sip:unknown@127.0.0.1",
      sentBy: this.wire.sentBy,
      branch: unique("z9hG4bK"),
      from: `${invite.header("To")};tag=${tag}`,
      to: invite.header("From")!,
      callId: invite.callId,
      contact: method === "INVITE" ? `<${this.uri}>` : null,
      ...rest,
    });
    this.wire.send(text);
    return new SipMessage(bytesOf(text));
  }

  /** The same, and waits for the final response. */
  async ask(invite: SipMessage, method: string, shape: RequestShape & { tag?: string } = {}): Promise<SipMessage> {
    const request = this.send(invite, method, shape);
    return this.next((message) => message.status >= 200, request);
  }

  /** What the server has sent and was not taken, as statuses and methods: its answer to a last question ends it. */
  rest(): Promise<(number | string)[]> {
    return this.wire.restBrief();
  }

  [Symbol.dispose](): void {
    this.wire[Symbol.dispose]();
  }
}
