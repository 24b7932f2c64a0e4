/**
 * SIP messages as text, for tests: written from a few parts with defaults for the rest, and read with the tests' own
 * parser.
 */
import { bytesOf, listOf, readSip, type SipText, textOf, valuesOf } from "./sip-text.ts";

/** What a request is written from. Lines are without their CRLF. */
export interface RequestShape {
  uri?: string;
  /** The top Via: `sentBy` and `branch` go into it. A 2543 branch has no cookie; null leaves the parameter out. */
  transport?: string;
  sentBy?: string;
  branch?: string | null;
  /** Parameters of the top Via beside the branch, with their semicolons. */
  viaParams?: string;
  /** Values of From and To, tags included. */
  from?: string;
  to?: string;
  callId?: string;
  cseq?: number;
  contact?: string | null;
  /** More header lines. */
  headers?: readonly string[];
  body?: string;
  /** Default `application/sdp`; goes with a body. */
  contentType?: string | null;
}

let counter = 0;

/** A name that no other message of this process has; all with one prefix are equally long, as messages with them are. */
export function unique(prefix: string): string {
  return `${prefix}${process.pid.toString(36).padStart(5, "0")}${(++counter).toString(36).padStart(5, "0")}`;
}

/** Writes a request. Call-ID, From tag and branch are new ones unless given. */
export function requestText(method: string, shape: RequestShape = {}): string {
  const {
    uri = "sip:bob@192.0.2.1",
    transport = "UDP",
    sentBy = "192.0.2.10:5060",
    branch = unique("z9hG4bK"),
    viaParams = "",
    from = `"Alice" <sip:alice@192.0.2.10>;tag=${unique("a")}`,
    to = "<sip:bob@192.0.2.1>",
    callId = `${unique("c")}@192.0.2.10`,
    cseq = 1,
    contact = method === "INVITE" ? "<sip:alice@192.0.2.10:5060>" : null,
    headers = [],
    body = "",
    contentType = body === "" ? null : "application/sdp",
  } = shape;
  const lines = [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/${transport} ${sentBy}${branch === null ? "" : `;branch=${branch}`}${viaParams}`,
    "Max-Forwards: 70",
    `From: ${from}`,
    `To: ${to}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    ...(contact === null ? [] : [`Contact: ${contact}`]),
    ...headers,
    ...(contentType === null ? [] : [`Content-Type: ${contentType}`]),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Writes a response to a request: its Vias, From, To, Call-ID and CSeq, a To tag when one is given. */
export function responseText(
  request: SipMessage,
  status: number,
  { toTag = "", headers = [] as readonly string[], reason = "Whatever" } = {},
): string {
  const to = request.header("To")!;
  const lines = [
    `SIP/2.0 ${status} ${reason}`,
    ...request.headers("Via").map((via) => `Via: ${via}`),
    `From: ${request.header("From")}`,
    `To: ${toTag === "" || /;tag=/.test(to) ? to : `${to};tag=${toTag}`}`,
    `Call-ID: ${request.header("Call-ID")}`,
    `CSeq: ${request.header("CSeq")}`,
    ...headers,
    "Content-Length: 0",
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** A message taken apart, with what tests ask of one by name. */
export class SipMessage {
  /** As it came, one character an octet. */
  readonly text: string;
  readonly #parts: SipText;

  /** @throws Error for what a sender of messages must not do; see `readSip` */
  constructor(octets: Uint8Array) {
    this.text = textOf(octets);
    this.#parts = readSip(octets);
  }

  get startLine(): string {
    return this.#parts.startLine;
  }

  /** The status of a response, 0 for a request. */
  get status(): number {
    return this.#parts.status;
  }

  get reason(): string {
    return this.#parts.reason;
  }

  get body(): string {
    return this.#parts.body;
  }

  /** The method of a request; of a response the one in its CSeq. */
  get method(): string {
    return this.status === 0 ? this.startLine.split(" ")[0]! : this.header("CSeq")!.split(" ")[1]!;
  }

  /** The Request-URI. */
  get uri(): string {
    return this.startLine.split(" ")[1]!;
  }

  get cseq(): number {
    return Number(this.header("CSeq")!.split(" ")[0]);
  }

  get callId(): string {
    return this.header("Call-ID")!;
  }

  /** The branch of the top Via. */
  get branch(): string | undefined {
    return /;branch=([^;,\s]+)/.exec(this.header("Via") ?? "")?.[1];
  }

  get fromTag(): string | undefined {
    return tagOf(this.header("From"));
  }

  get toTag(): string | undefined {
    return tagOf(this.header("To"));
  }

  /** The URI in the first Contact. */
  get contactUri(): string | undefined {
    return /<([^>]*)>/.exec(this.header("Contact") ?? "")?.[1];
  }

  /** The value of the first header field of this name, long, in any case. */
  header(name: string): string | undefined {
    return this.headers(name)[0];
  }

  /** The values of all header fields of this name, one a line, in order. */
  headers(name: string): string[] {
    return valuesOf(this.#parts, name.toLowerCase());
  }

  /** The elements of a header that is a list of tokens. */
  list(name: string): string[] {
    return listOf(this.#parts, name.toLowerCase());
  }
}

function tagOf(value: string | undefined): string | undefined {
  return /;tag=([^;>\s]+)/.exec(value ?? "")?.[1];
}

/** Takes a message apart that is written as text, one character an octet. */
export function parseSip(text: string): SipMessage {
  return new SipMessage(bytesOf(text));
}

/** The offer of a phone that speaks PCMU and telephone events. */
export const OFFER = [
  "v=0",
  "o=alice 1 1 IN IP4 127.0.0.1",
  "s=-",
  "c=IN IP4 127.0.0.1",
  "t=0 0",
  "m=audio 40000 RTP/AVP 0 101",
  "a=rtpmap:0 PCMU/8000",
  "a=rtpmap:101 telephone-event/8000",
  "",
].join("\r\n");
