/** What `serve()` is given. */
import type { CredentialsOption } from "../auth/client-credentials.ts";
import type { TimerPolicy } from "../dialog/session-timer.ts";
import type { NatContacts } from "../dialog/way.ts";
import type { Limits } from "../message/limits.ts";
import type { RandomFill } from "../message/token-source.ts";
import type { ResolveSettings } from "../resolve/settings.ts";
import type { Clock } from "../time/clock.ts";
import type { TimerSettings } from "../transaction/timers.ts";
import type { StreamSettings, TlsSettings } from "../transport/settings.ts";
import type { UdpSettings } from "../transport/udp.ts";
import type { Call } from "./call.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { Plugin } from "./plugin.ts";

/** See `reliableProvisional` in {@link Handlers}. */
export type ReliablePolicy = "off" | "required-only" | "always";

/** A handler may be async; what it returns is not used. A handler that throws answers 500. */
export type RequestHandler = (request: IncomingRequest) => unknown;

/**
 * What is done with requests. All are optional: a method without a handler gets what RFC 3261 asks for, 405 or 501 with
 * Allow, and OPTIONS is answered with what the server can do.
 */
export interface Handlers {
  /** A call comes in. Until it is answered or rejected it rings; a handler that waits has a 100 sent for it. */
  invite?: (call: Call) => unknown;
  options?: RequestHandler;
  register?: RequestHandler;
  message?: RequestHandler;
  info?: RequestHandler;
  update?: RequestHandler;
  subscribe?: RequestHandler;
  notify?: RequestHandler;
  publish?: RequestHandler;
  refer?: RequestHandler;
  /** Asked only while `reliableProvisional` is `off`, and for a PRACK outside dialogs: the server answers the others. */
  prack?: RequestHandler;
  /** Every method with no handler of its own, unknown ones too, but for INVITE, ACK, BYE and CANCEL. */
  request?: RequestHandler;
  /**
   * Body types that are read; others get 415. `"*"` takes all. Default `["application/sdp"]` in INVITE, UPDATE and PRACK,
   * and all in other methods.
   */
  accept?: readonly string[];
  /**
   * When provisional responses to calls are reliable (RFC 3262): `required-only`, where the caller requires it, or where it
   * supports it and the response asks for it; `always`, wherever the caller supports it; `off`, never, and a call that
   * requires it gets 420. Default `required-only`.
   */
  reliableProvisional?: ReliablePolicy;
  /** Option tags that are understood beside `100rel` (RFC 3261 s19.2); a request that requires another gets 420. Default none. */
  supported?: readonly string[];
}

/** The methods of a logger that are called; pino's fit. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ServeOptions extends Handlers {
  /**
   * `udp|tcp|tls|ws|wss://HOST[:PORT]`, IPv6 in brackets; port 5060 when left out, 5061 for tls, 80 and 443 for ws and
   * wss; 0 for any free one. `?advertise=HOST[:PORT]` behind it is what peers of this listener are told. Default UDP and
   * TCP on 0.0.0.0:5060.
   */
  listen?: string | readonly string[];
  /** `HOST` or `HOST:PORT` that peers are told in Contact and Via instead of the bound address, at every listener. */
  advertise?: string;
  /** Certificates: needed to listen on `tls` and `wss`. */
  tls?: TlsSettings;
  /** Ceilings and times of connections. */
  streams?: Partial<StreamSettings>;
  /** How servers are found by name. */
  resolve?: Partial<ResolveSettings>;
  /** T1, T2, T4 in milliseconds. */
  timers?: Partial<TimerSettings>;
  /** Ceilings on messages, and on transactions and dialogs kept at once; the last two by default from memory. */
  limits?: Partial<Limits> & { transactions?: number; dialogs?: number };
  udp?: Partial<UdpSettings>;
  /**
   * Answer the 401s and 407s to requests of ours, in dialogs too, by digest authentication: one user, several, or a function
   * that is asked at each challenge. Credentials without a realm answer whoever asks. Default: a challenge is the result.
   */
  credentials?: CredentialsOption;
  /** Default: warnings and errors on the console. */
  log?: Log;
  /** The value of Server in responses. Default: no such header. */
  software?: string;
  /**
   * Sessions that end when nobody refreshes them (RFC 4028): asked for in our calls, and in the answer to callers that can;
   * agreed to where it is asked for. False: neither. Default: 1,800 s.
   */
  sessionTimers?: Partial<TimerPolicy> | false;
  /**
   * Which Contacts of peers are taken for such of clients behind a NAT: requests in their dialogs go back to where their
   * messages come from, where neither proxy nor route set lies between. `private`: an address of a private network, told from
   * outside that network. `all`: any numeric address and port but those it was told from. `off`: none. Default `private`.
   */
  natContacts?: NatContacts;
  /** Parts of the server that can be left out, such as events. */
  plugins?: readonly Plugin[];
  /** For tests: the clock and the random source. */
  clock?: Clock;
  random?: RandomFill;
}

/** A log that says on the console what a user of the library must not miss. */
export const consoleLog: Log = {
  debug() {},
  info() {},
  warn(fields, message) {
    console.warn(message, fields);
  },
  error(fields, message) {
    console.error(message, fields);
  },
};
