/** A binding as a look-up gives it: where a request for an address-of-record may go. */
import type { BindingRow } from "../location/row.ts";
import { BindingFlag } from "../location/row.ts";
import type { Flow } from "../outgoing/outgoing-request.ts";

/** A copy: it stays as it was when it was looked up. */
export interface Binding {
  /** The canonical address-of-record. */
  readonly aor: string;
  /** The Contact's URI: the Request-URI of what is sent to it. */
  readonly contact: string;
  /** The Contact's parameters with their semicolons, less `expires`. */
  readonly params: string;
  /** Preference, 0 to 1. */
  readonly q: number;
  /** Seconds that it still lasts. */
  readonly expires: number;
  /** When it was registered or refreshed last, in seconds since 1970. */
  readonly updated: number;
  /** The proxies that requests to it go by, as values of Route (RFC 3327); empty for none. */
  readonly path: string;
  /** `+sip.instance` in its angle brackets; empty without one. */
  readonly instance: string;
  /** 0 for a binding that is none of RFC 5626; of those with one instance only one is to be used at a time. */
  readonly regId: number;
  /** Where its client is, as `udp:192.0.2.1:5060`; empty where proxies stand between. */
  readonly received: string;
  readonly isBehindNat: boolean;
  readonly userAgent: string;
  readonly callId: string;
  readonly cseq: number;
  /** The way that it came by, when it still stands: requests go back over it. */
  readonly flow: Flow | null;
}

const THOUSAND = 1000;
const NOT_ASCII = /[\x80-\xff]/;

/** Text of a row, one octet a character, as what its UTF-8 says. */
export function decoded(octets: string): string {
  return NOT_ASCII.test(octets) ? Buffer.from(octets, "latin1").toString("utf8") : octets;
}

/** @param remaining seconds */
export function bindingOf(row: BindingRow, remaining: number, flow: Flow | null): Binding {
  const { aor, contact, params, updated, path, instance, regId, received, userAgent, callId, cseq, flags } = row;
  return {
    aor,
    contact,
    params: decoded(params),
    q: row.q / THOUSAND,
    expires: remaining,
    updated,
    path: decoded(path),
    instance,
    regId,
    received,
    isBehindNat: (flags & BindingFlag.Nat) !== 0,
    userAgent: decoded(userAgent),
    callId: decoded(callId),
    cseq,
    flow,
  };
}

/** Best first: by q, then the one registered last. */
export function compareBindings(a: Binding, b: Binding): number {
  return b.q - a.q || b.updated - a.updated;
}

/** An address that a binding came from. */
export interface Received {
  readonly transport: string;
  /** Numeric, IPv6 without brackets. */
  readonly address: string;
  readonly port: number;
}

/** Reads `udp:192.0.2.1:5060`; null for the empty text. */
export function readReceived(text: string): Received | null {
  const parts = /^([a-z]+):\[?([^\]]+?)\]?:(\d+)$/.exec(text);
  return parts === null ? null : { transport: parts[1]!, address: parts[2]!, port: Number(parts[3]) };
}
