/** What a registrar is told. */
import type { Digest, FoundUser } from "../auth/digest.ts";
import type { RegPackage } from "../events/reg.ts";
import type { BindingStore } from "../location/store.ts";
import { Uri } from "../message/uri.ts";

export interface RegistrarSettings {
  /**
   * Host names whose addresses-of-record are kept, and which a REGISTER may be sent to; others get 404. None: any, which is
   * for tests and closed networks.
   */
  domains: readonly string[];
  /** Seconds; less gets 423 with Min-Expires (RFC 3261 s10.3), but never an hour or more. Default 60. */
  minExpires: number;
  /** Seconds that more is cut to. Default 7,200. */
  maxExpires: number;
  /** Seconds for whom does not say. Default 3,600. */
  defaultExpires: number;
  /** The most contacts of one address-of-record; a REGISTER for more gets 403. Default 10, at most 64. */
  maxContacts: number;
  /** The most bindings in all; a REGISTER for more gets 503. Default 1,000,000, at most {@link MOST_BINDINGS}. */
  maxBindings: number;
  /** URIs for Service-Route with their `lr` (RFC 3608 s5), the first hop first. Default none. */
  serviceRoute: readonly string[];
  /** Seconds that clients are told to keep their flow alive within (RFC 5626 s5.4); 0 tells none. Default 120. */
  flowTimer: number;
  /**
   * What keeps NATs open towards clients behind them: `crlf` sends an empty line to those on UDP, `options` an OPTIONS to
   * all whose flow is known; one that is never answered marks the binding, and look-ups pass it over until it is refreshed
   * or answers. Default `crlf`.
   */
  keepAlive: KeepAliveKind;
  /** Seconds between two of them to one client. Default 25. */
  keepAliveInterval: number;
}

/** Whether a text can be one of {@link RegistrarSettings.serviceRoute}. */
export function isServiceRoute(text: string): boolean {
  const uri = Uri.parse(text);
  return uri !== null && (uri.scheme === "sip" || uri.scheme === "sips") && uri.params.has("lr");
}

/** The timers of so many bindings have numbers of their own. */
export const MOST_BINDINGS = 2 ** 24 - 1;

export type KeepAliveKind = "off" | "crlf" | "options";

export interface RegistrarOptions extends Partial<RegistrarSettings> {
  /** Who asks, and may register what; without it anybody may register anything. */
  auth?: Digest;
  /**
   * Whether a user who has proved who it is may register an address-of-record, which is canonical. Default: the one of its
   * own name (`bob` for `sip:bob@...`, or `bob@example.com` whole), and those that its secrets name.
   */
  mayRegister?: (user: FoundUser, aor: string) => boolean;
  /** What keeps bindings beyond the life of the process. Default: memory alone. */
  store?: BindingStore;
  /** Tells who watches of registrations (RFC 3680), where it is among the packages of an events plugin. */
  reg?: RegPackage;
  /** Milliseconds since 1970, for tests. */
  wallClock?: () => number;
}

export const DEFAULT_REGISTRAR: Readonly<RegistrarSettings> = {
  domains: [],
  minExpires: 60,
  maxExpires: 7200,
  defaultExpires: 3600,
  maxContacts: 10,
  maxBindings: 1_000_000,
  serviceRoute: [],
  flowTimer: 120,
  keepAlive: "crlf",
  keepAliveInterval: 25,
};
