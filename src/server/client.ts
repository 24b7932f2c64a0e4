/** Requests of ours outside a dialog, but for calls (RFC 3261 s8.1). */
import { ascii, CLASS, TOKEN } from "../message/bytes.ts";
import type { Message } from "../message/message.ts";
import type { TokenSource } from "../message/token-source.ts";
import { Uri } from "../message/uri.ts";
import type { Sender } from "../outgoing/sender.ts";
import { nextHopOf } from "../resolve/target.ts";
import { checkedReason, type HeaderFields, headerLines } from "./header-lines.ts";

/** What may be said of a request beside its method and URI. */
export interface RequestOptions {
  /** Who asks, a URI or `"Name" <URI>`, without a tag. Default: this server by its own address. */
  from?: string;
  /** Who is asked, in the same form. Default: the request's URI. */
  to?: string;
  /** A server that the request goes by, as a URI, such as `sip:proxy.example.com;transport=tcp`. */
  route?: string;
  headers?: HeaderFields;
  body?: string | Uint8Array;
  /** Default `application/sdp`. */
  contentType?: string;
}

/** A response to a request of ours. Its octets are decoded when they are asked for. */
export class IncomingResponse {
  /** The message itself, for what has no getter here. */
  readonly message: Message;

  constructor(message: Message) {
    this.message = message;
  }

  /** 200 to 699. */
  get status(): number {
    return this.message.status;
  }

  get reason(): string {
    return this.message.reason;
  }

  /** The value of the first header field of this name, in any case, long or compact. */
  header(name: string): string | undefined {
    return this.message.header(name);
  }

  /** The values of all header fields of this name, one a line. */
  headers(name: string): string[] {
    return this.message.headers(name);
  }

  /** The body's octets; empty when there is none. */
  get body(): Uint8Array {
    return this.message.body;
  }
}

const TAG_LETTERS = 12;
const CALL_ID_LETTERS = 24;
/** Methods that are no request by themselves: they make a call, or belong to one. */
const OF_CALLS = new Set(["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE"]);

/** Header fields that a request has once, with a value of ours. */
const OURS = new Set("via v from f to t call-id i cseq max-forwards content-length l content-type c route".split(" "));

export class Client {
  readonly #sender: Sender;
  readonly #tokens: TokenSource;
  readonly #ownHost: () => string;

  /** @param ownHost the host this server is reached by, as it stands in a URI */
  constructor(sender: Sender, tokens: TokenSource, ownHost: () => string) {
    this.#sender = sender;
    this.#tokens = tokens;
    this.#ownHost = ownHost;
  }

  /**
   * Sends a request and waits for its final response, whatever its status.
   * @param method any but those of calls
   * @param uri `sip` or `sips`; another scheme needs a `route`
   * @returns rejects with {@link RequestFailed} when there is no response
   * @throws TypeError for a method, URI or header that cannot stand in a request
   */
  request(method: string, uri: string | Uri, options: RequestOptions = {}): Promise<IncomingResponse> {
    const { headers = {}, body, contentType = "application/sdp", route } = options;
    checkMethod(method);
    const target = requestUri(uri);
    const first = route === undefined ? null : looseRoute(route);
    const hop = nextHopOf(first ?? target);
    if (hop === null) throw new TypeError(`Nowhere to send a request to: ${route ?? target}`);
    const lines = ascii(first === null ? "" : `Route: <${first}>\r\n`);
    for (const name of Object.keys(headers)) {
      if (OURS.has(name.toLowerCase())) throw new TypeError(`${name} is written by the server itself`);
    }
    const more = headerLines(headers);
    const all = new Uint8Array(lines.length + more.length);
    all.set(lines);
    all.set(more, lines.length);
    const tag = this.#token(TAG_LETTERS);
    const draft = {
      method,
      uri: target.toString(),
      from: `${nameAddr(options.from ?? `sip:${this.#ownHost()}`)};tag=${tag}`,
      to: nameAddr(options.to ?? target.toString()),
      callId: this.#token(CALL_ID_LETTERS),
      cseq: 1,
      headers: all,
      contentType: checkedReason(contentType),
      body: typeof body === "string" ? new TextEncoder().encode(body) : body,
    };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingResponse>();
    this.#sender.send(draft, hop, null, {
      response(message) {
        if (message.status >= 200) resolve(new IncomingResponse(message.keep()));
      },
      failed: reject,
    });
    return promise;
  }

  #token(letters: number): string {
    return Buffer.from(this.#tokens.token(letters)).toString("latin1");
  }
}

function checkMethod(method: string): void {
  if (OF_CALLS.has(method)) throw new TypeError(`${method} belongs to a call`);
  const isToken = method !== "" && ascii(method).every((c) => CLASS[c]! & TOKEN);
  if (!isToken) throw new TypeError(`Not a method: ${JSON.stringify(method)}`);
}

/** A Request-URI: without the headers that a URI may carry for other ends (s19.1.1). */
function requestUri(given: string | Uri): Uri {
  const uri = typeof given === "string" ? Uri.parse(given) : given;
  if (uri === null) throw new TypeError(`Not a URI: ${given}`);
  return nextHopOf(uri) === null ? uri : uri.with({ headers: null });
}

/** A route as a loose one, without headers: no strict router is sent to on purpose (s16.12). */
function looseRoute(route: string): Uri {
  const uri = Uri.parse(route);
  if (uri === null || nextHopOf(uri) === null) throw new TypeError(`Nowhere to send a request to: ${route}`);
  return uri.with({ params: { lr: true }, headers: null });
}

/** A URI in angle brackets, or what has them already. @throws TypeError when it holds a line end */
function nameAddr(text: string): string {
  return text.includes("<") ? checkedReason(text) : `<${checkedReason(text)}>`;
}
