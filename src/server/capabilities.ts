/** What this server can do, as header lines: Allow, Accept, Supported (RFC 3261 s11.2), and Contact by channel. */
import { ascii } from "../message/bytes.ts";
import { METHOD_NAMES, Method } from "../message/method.ts";
import type { Channel } from "../transport/channel.ts";
import type { Handlers, RequestHandler } from "./options.ts";
import type { Plugin } from "./plugin.ts";

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
  /** With Allow, Supported and Server, for a 2xx to INVITE (RFC 3261 s13.3.1.4). */
  withCapabilities: Uint8Array;
  /** With Allow, Supported and User-Agent, for a request of ours (s13.2.1). */
  forRequest: Uint8Array;
  /** The same for an INVITE that makes a call: its dialog takes what belongs to calls, whoever may call this server. */
  forCall: Uint8Array;
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
  /** Whether the types read were named, rather than being the default. */
  readonly isAcceptGiven: boolean;
  /** The types read, lower case; null for all. */
  readonly accepted: readonly Uint8Array[] | null;
  readonly #handlers: (RequestHandler | undefined)[] = [];
  readonly #beside: string;
  readonly #besideRequest: string;
  readonly #besideCall: string;
  #channel: Channel | null = null;
  #peer = "";
  #secure = false;
  #lines: ContactLines | null = null;

  /** @param hasTimers whether sessions are refreshed, or expire (RFC 4028) */
  constructor(handlers: Handlers, software: string | undefined, plugins: readonly Plugin[] = [], hasTimers = false) {
    const isReliable = handlers.reliableProvisional !== "off";
    const ofCalls = ["INVITE", "ACK", "CANCEL", "BYE", ...(isReliable ? ["PRACK"] : []), "UPDATE"];
    const methods = handlers.invite === undefined ? [] : [...ofCalls];
    for (const [method, key] of NAMED) {
      const handler = handlers[key] as RequestHandler | undefined;
      if (handler !== undefined) this.#handlers[method] = handler;
      const name = METHOD_NAMES[method]!;
      if ((handler !== undefined || method === Method.OPTIONS) && !methods.includes(name)) methods.push(name);
    }
    const ofPlugins = plugins.flatMap((plugin) => plugin.accept ?? []);
    const types = [...new Set([...(handlers.accept ?? ["application/sdp"]), ...ofPlugins])];
    const belonging = [...(isReliable ? ["100rel"] : []), ...(hasTimers ? ["timer"] : [])];
    const own = handlers.invite === undefined ? [] : belonging;
    const given = [...(handlers.supported ?? []), ...plugins.flatMap((plugin) => plugin.supported ?? [])];
    const tags = [...new Set([...own, ...given])];
    const more = plugins.map((plugin) => plugin.capabilities ?? "").join("");
    const ofCall = [...new Set([...belonging, ...given])];
    this.understood = new Set((hasTimers ? ["timer", ...tags] : tags).map((tag) => tag.toLowerCase()));
    this.isAcceptGiven = handlers.accept !== undefined;
    this.accepted =
      types.includes("*") || types.includes("*/*") ? null : types.map((type) => ascii(type.toLowerCase()));
    const allow = `Allow: ${methods.join(", ")}\r\n`;
    const accept = `Accept: ${this.accepted === null ? "*/*" : types.join(", ")}\r\n`;
    // RFC 3261 s20.37: the header may not be empty, s11.2 wants it all the same only when there is something to tell.
    const supported = tags.length === 0 ? "" : `Supported: ${tags.join(", ")}\r\n`;
    this.allow = ascii(allow);
    this.accept = ascii(accept);
    this.all = ascii(
      `${allow}${accept}Accept-Encoding: identity\r\nAccept-Language: en\r\nSupported: ${tags.join(", ")}\r\n${more}`,
    );
    this.#beside = allow + supported + more + (software === undefined ? "" : `Server: ${software}\r\n`);
    const agent = more + (software === undefined ? "" : `User-Agent: ${software}\r\n`);
    this.#besideRequest = allow + supported + agent;
    this.#besideCall = `Allow: ${[...new Set([...ofCalls, ...methods])].join(", ")}\r\n${
      ofCall.length === 0 ? "" : `Supported: ${ofCall.join(", ")}\r\n`
    }${agent}`;
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
      this.#lines = {
        contact: ascii(contact),
        withCapabilities: ascii(contact + this.#beside),
        forRequest: ascii(contact + this.#besideRequest),
        forCall: ascii(contact + this.#besideCall),
      };
    }
    return this.#lines;
  }
}
