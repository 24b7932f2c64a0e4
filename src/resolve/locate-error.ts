/** Why no target was found. */

/** What may become of a DNS query other than an answer; "no such name" and "no such record" are answers. */
export type DnsFailure =
  /** No answer in time. */
  | "ETIMEOUT"
  /** The nameserver could not tell. */
  | "ESERVFAIL"
  /** The nameserver does not answer us. */
  | "EREFUSED"
  /** The answer could not be read, or the nameserver could not read the query. */
  | "EBADRESP"
  /** As many queries as may be are under way already: this one was not sent. */
  | "EBUSY";

export type LocateCode =
  | DnsFailure
  /** No such host, or no address of a family that this server sends over. */
  | "ENOTFOUND"
  /** The domain says that it offers no such service: an SRV record whose target is "." (RFC 2782). */
  | "EUNAVAILABLE"
  /** The transport is unknown, not allowed for the URI, or not one this server sends over. */
  | "ENOTRANSPORT"
  /** The URI gives a port that nothing can be sent to. */
  | "EPORT";

const FAILURES: Readonly<Record<DnsFailure, string>> = {
  ETIMEOUT: "DNS did not answer in time",
  ESERVFAIL: "DNS server failed",
  EREFUSED: "DNS server refused",
  EBADRESP: "DNS answer malformed",
  EBUSY: "Too many DNS queries",
};
/** Characters of a host in a message; the grammar has no limit. */
const SHOWN = 80;

/**
 * No target can be given. The message is one short line of printable ASCII that names the host, fit for a reason
 * phrase, such as "No such host: example.com".
 */
export class LocateError extends Error {
  override readonly name = "LocateError";
  /** The host that was looked for, as it was given: it may hold anything. */
  readonly host: string;
  readonly code: LocateCode;

  /** @param what the message up to the colon before the host */
  constructor(code: LocateCode, host: string, what: string) {
    super(`${what}: ${printable(host)}`);
    this.host = host;
    this.code = code;
  }

  /** The error for a DNS query that failed. */
  static dns(code: DnsFailure, host: string): LocateError {
    return new LocateError(code, host, FAILURES[code]);
  }

  /** The error for a transport; `why` is its name and whatever says more. */
  static transport(why: string, host: string): LocateError {
    return new LocateError("ENOTRANSPORT", host, `Transport not supported, ${printable(why)}`);
  }
}

/** Text from the network, made safe to show. */
function printable(text: string): string {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
  return shown.replace(/[^\x20-\x7e]/g, "?");
}
