/** Composes requests outside dialogs from what their user says of them (RFC 3261 s8.1.1). */
import type { CredentialsOption } from "../auth/client-credentials.ts";
import { ascii } from "../message/bytes.ts";
import { checkedReason, type HeaderFields, headerLines } from "../message/header-lines.ts";
import { parseNameAddr } from "../message/name-addr.ts";
import type { TokenSource } from "../message/token-source.ts";
import { Uri } from "../message/uri.ts";
import { type NextHop, nextHopOf } from "../resolve/target.ts";
import type { Flow, HeaderWriter, RequestDraft } from "./outgoing-request.ts";

/** How a registered contact is reached: what a registrar's look-up gives of it. */
export interface Reach {
  /** The proxies that requests go by, as values of Route (RFC 3327); empty for none. */
  readonly path: string;
  /** The way that its registration came by, when it still stands: taken where there is no path (RFC 5626 s5.3). */
  readonly flow: Flow | null;
}

/** What may be said of a request beside its method and URI. */
export interface RequestOptions {
  /** Who asks, a URI or `"Name" <URI>`, without a tag. Default: this server by its own address. */
  from?: string;
  /** Who is asked, in the same form. Default: the request's URI. */
  to?: string;
  /** A server that the request goes by, as a URI, such as `sip:proxy.example.com;transport=tcp`. */
  route?: string;
  /** A binding of the registrar's, whose contact is the request's URI: it goes by the binding's path, or back over its flow. */
  binding?: Reach;
  headers?: HeaderFields;
  body?: string | Uint8Array;
  /** Default `application/sdp`. */
  contentType?: string;
  /** Answer a 401 or 407, before those of the server (`ServeOptions.credentials`). */
  credentials?: CredentialsOption;
}

/** A request and where it goes. */
export interface Composed {
  readonly draft: RequestDraft;
  readonly hop: NextHop;
  /** The way that is there already and is taken first; null for none. */
  readonly flow: Flow | null;
}

const TAG_LETTERS = 12;
const CALL_ID_LETTERS = 24;

/** Header fields that a request has once, with a value of ours. */
const OURS = new Set("via v from f to t call-id i cseq max-forwards content-length l content-type c route".split(" "));

export class Composer {
  readonly #tokens: TokenSource;
  readonly #ownHost: () => string;

  /** @param ownHost the host this server is reached by, as it stands in a URI */
  constructor(tokens: TokenSource, ownHost: () => string) {
    this.#tokens = tokens;
    this.#ownHost = ownHost;
  }

  /**
   * A request with a Call-ID and a From tag of its own, CSeq 1.
   * @param contact writes its Contact, where it has one
   * @throws TypeError for a URI or header that cannot stand in a request
   */
  compose(method: string, uri: string | Uri, options: RequestOptions, contact?: HeaderWriter): Composed {
    const { headers = {}, body, contentType = "application/sdp" } = options;
    const target = requestUri(uri);
    const { routes, hop, flow } = wayOf(target, options);
    for (const name of Object.keys(headers)) {
      if (OURS.has(name.toLowerCase())) throw new TypeError(`${name} is written by the server itself`);
    }
    const draft = {
      method,
      uri: target.toString(),
      from: `${nameAddr(options.from ?? `sip:${this.#ownHost()}`)};tag=${this.#token(TAG_LETTERS)}`,
      to: nameAddr(options.to ?? target.toString()),
      callId: this.#token(CALL_ID_LETTERS),
      cseq: 1,
      contact,
      headers: headerLines({ ...routes, ...headers }),
      contentType: checkedReason(contentType),
      body: typeof body === "string" ? ascii(body) : body,
    };
    return { draft, hop, flow };
  }

  #token(letters: number): string {
    return Buffer.from(this.#tokens.token(letters)).toString("latin1");
  }
}

/** A Request-URI: without the headers that a URI may carry for other ends (s19.1.1). */
function requestUri(given: string | Uri): Uri {
  const uri = typeof given === "string" ? Uri.parse(given) : given;
  if (uri === null) throw new TypeError(`Not a URI: ${given}`);
  return nextHopOf(uri) === null ? uri : uri.with({ headers: null });
}

/** Where a request goes, and the Route that it carries. @throws TypeError when that is nowhere */
function wayOf(
  target: Uri,
  { route, binding }: RequestOptions,
): { routes: HeaderFields; hop: NextHop; flow: Flow | null } {
  if (binding !== undefined && binding.path !== "") {
    const octets = ascii(binding.path);
    const first = parseNameAddr(octets, 0, octets.length)?.value.uri ?? null;
    const hop = first === null ? null : nextHopOf(first);
    if (hop === null) throw new TypeError(`Nowhere to send a request to: ${binding.path}`);
    return { routes: { Route: binding.path }, hop, flow: null };
  }
  const first = route === undefined ? null : looseRoute(route);
  const hop = nextHopOf(first ?? target);
  if (hop === null) throw new TypeError(`Nowhere to send a request to: ${route ?? target}`);
  const flow = binding?.flow ?? null;
  const isOpen = flow?.channel.isOpen === true;
  return { routes: first === null ? {} : { Route: `<${first}>` }, hop, flow: isOpen ? flow : null };
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
