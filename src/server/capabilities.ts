/** What this server can do, as header lines: Allow, Accept, Supported (RFC 3261 s11.2), and Contact by channel. */
import { ascii } from "../message/bytes.ts";
import { METHOD_NAMES, Method } from "../message/method.ts";
import type { Channel } from "../transport/channel.ts";
import type { Handlers, RequestHandler } from "./options.ts";

/** Methods that have a handler of their own in {@link Handlers}, with its name. */
const NAMED: readonly (readonly [Method, keyof Handlers])[] = [
  [Method.OPTIONS, "options"],
  [Method.REGISTER, "register"],
  [Method.MESSAGE, "message"],
  [Method.INFO, "info"],
  [Method.UPDATE, "update"],
  [Method.SUBSCRIBE, "subscribe"],
  [Method.NOTIFY, "notify"],
  [Method.PUBLISH, "publish"],
  [Method.REFER, "refer"],
  [Method.PRACK, "prack"],
];

/** What a Contact says of the transport it is reached by; a WebSocket's is `ws`, secured or not (RFC 7118 s5.2). */
const TRANSPORT_PARAMETER: Readonly<Record<string, string>> = {
  TCP: ";transport=tcp",
  TLS: ";transport=tls",
  WS: ";transport=ws",
  WSS: ";transport=ws",
};

/** The two forms of a Contact with what goes beside it. */
export interface ContactLines {
  /** For provisional responses. */
  contact: Uint8Array;
  /** With Allow and Supported, for a 2xx to INVITE (RFC 3261 s13.3.1.4). */
  withCapabilities: Uint8Array;
}

export class Capabilities {
  /** The option tags understood, lower case: tokens go without regard to it (RFC 3261 s7.3.1). */
  readonly understood: ReadonlySet<string>;
  /** `Allow: ...` with its CRLF. */
  readonly allow: Uint8Array;
  /** Accept as a line. */
  readonly accept: Uint8Array;
  /** All of them, for OPTIONS. */
  readonly all: Uint8Array;
  /** The types read, lower case; null for all. */
  readonly accepted: readonly Uint8Array[] | null;
  readonly #handlers: (RequestHandler | undefined)[] = [];
  readonly #beside: string;
  #channel: Channel | null = null;
  #peer = "";
  #secure = false;
  #lines: ContactLines | null = null;

  constructor(handlers: Handlers, software: string | undefined) {
    const methods: string[] = [];
    if (handlers.invite !== undefined) methods.push("INVITE", "ACK", "CANCEL", "BYE");
    for (const [method, name] of NAMED) {
      const handler = handlers[name] as RequestHandler | undefined;
      if (handler !== undefined) this.#handlers[method] = handler;
      if (handler !== undefined || method === Method.OPTIONS) methods.push(METHOD_NAMES[method]!);
    }
    const types = handlers.accept ?? ["application/sdp"];
    const tags = handlers.supported ?? [];
    this.understood = new Set(tags.map((tag) => tag.toLowerCase()));
    this.accepted =
      types.includes("*") || types.includes("*/*") ? null : types.map((type) => ascii(type.toLowerCase()));
    const allow = `Allow: ${methods.join(", ")}\r\n`;
    const accept = `Accept: ${this.accepted === null ? "*/*" : types.join(", ")}\r\n`;
    // RFC 3261 s20.37: the header may not be empty, s11.2 wants it all the same only when there is something to tell.
    const supported = tags.length === 0 ? "" : `Supported: ${tags.join(", ")}\r\n`;
    this.allow = ascii(allow);
    this.accept = ascii(accept);
    this.all = ascii(
      `${allow}${accept}Accept-Encoding: identity\r\nAccept-Language: en\r\nSupported: ${tags.join(", ")}\r\n`,
    );
    this.#beside = allow + supported + (software === undefined ? "" : `Server: ${software}\r\n`);
  }

  /** The handler a method has of its own. */
  handlerOf(method: number): RequestHandler | undefined {
    return this.#handlers[method];
  }

  /** The Contact by which a peer reaches this server. @param secure for a sips Request-URI (RFC 3261 s12.1.1) */
  contact(channel: Channel, peer: string, secure: boolean): ContactLines {
    if (this.#lines === null || channel !== this.#channel || peer !== this.#peer || secure !== this.#secure) {
      const parameter = TRANSPORT_PARAMETER[channel.transport] ?? "";
      // sips says TLS by itself (RFC 5630 s3.1.4).
      const suffix = secure && channel.transport !== "WSS" ? "" : parameter;
      const contact = `Contact: <${secure ? "sips" : "sip"}:${channel.sentByFor(peer)}${suffix}>\r\n`;
      this.#channel = channel;
      this.#peer = peer;
      this.#secure = secure;
      this.#lines = { contact: ascii(contact), withCapabilities: ascii(contact + this.#beside) };
    }
    return this.#lines;
  }
}
