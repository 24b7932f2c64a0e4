/** Who a certificate says that its owner is, by the rules of SIP (RFC 5922 s7.1-7.4). */
import type { X509Certificate } from "node:crypto";
import { isNumericHost, withoutBrackets } from "../address.ts";

/** Bun's word for a chain that is in order but does not name the server by the rules of the web, which are not SIP's. */
const OTHER_NAME = "ERR_TLS_CERT_ALTNAME_INVALID";
/** Names that one sentence lists. */
const LISTED = 5;

/** What is asked of a TLS socket after its handshake: a part of `Bun.Socket`. */
export interface VerifiableSocket {
  readonly authorized: boolean;
  getPeerX509Certificate(): X509Certificate | undefined;
}

/** One entry of a subjectAltName. */
interface AltName {
  /** As the certificate's text spells it: `DNS`, `URI`, `IP Address`, ... */
  readonly type: string;
  readonly value: string;
}

/**
 * The SIP domains that a certificate names (RFC 5922 s7.1): the hosts of its `sip` URIs without a user part; only when
 * there is none, its DNS names; only when it has no subjectAltName at all, the common name of its subject. Whether the
 * certificate itself can be trusted is asked elsewhere.
 * @returns in lower case, each once. A wildcard stands here as it is written and matches nothing but itself (s7.2)
 */
export function sipIdentities(certificate: X509Certificate): string[] {
  const text = certificate.subjectAltName;
  if (text === undefined) return commonNames(certificate);
  const names = altNames(text);
  const hosts = unique(names.filter((name) => name.type === "URI").map((name) => sipHost(name.value)));
  if (hosts.length > 0) return hosts;
  return unique(names.filter((name) => name.type === "DNS").map((name) => dnsName(name.value)));
}

/**
 * Whether a certificate names the domain (RFC 5922 s7.2): the whole name, in any letter case, and never by a wildcard.
 * A numeric domain, of which the RFC says nothing, matches an IP address of the subjectAltName too (RFC 5280 s4.2.1.6).
 * @param domain the host of the URI that was looked up, not what DNS made of it; an IPv6 address with or without brackets
 */
export function matchesDomain(certificate: X509Certificate, domain: string): boolean {
  if (isNumericHost(domain) && namesAddress(certificate, withoutBrackets(domain))) return true;
  const wanted = dnsName(domain);
  return wanted !== null && sipIdentities(certificate).includes(wanted);
}

/**
 * Decides after the handshake whether a server that was connected to is the one meant (RFC 5922 s7.3). The connection
 * must have been opened with `rejectUnauthorized: false`, so that the decision is left to this.
 * @param error what the handshake callback was given
 * @param domain the host of the URI that was looked up
 * @returns null when it is; else why not, in a sentence that names the domain and what the certificate says
 */
export function verifyServer(socket: VerifiableSocket, error: Error | null | undefined, domain: string): string | null {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return `the server for ${domain} sent no certificate`;
  const code = error === null || error === undefined ? null : ((error as NodeJS.ErrnoException).code ?? error.message);
  // A fault of the chain always comes before one of the name, so that nothing hides behind this code.
  if (code !== OTHER_NAME && (code !== null || !socket.authorized)) {
    return `the certificate of the server for ${domain} ${chainFault(certificate, code)}`;
  }
  if (matchesDomain(certificate, domain)) return null;
  return `the certificate of the server for ${domain} ${listed(sipIdentities(certificate))}`;
}

function listed(identities: readonly string[]): string {
  if (identities.length === 0) return "names no SIP domain";
  const more = identities.length > LISTED ? ` and ${identities.length - LISTED} more` : "";
  return `names ${identities.slice(0, LISTED).join(", ")}${more} instead`;
}

function chainFault(certificate: X509Certificate, code: string | null): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return certificate.validToDate.getTime() < Date.now()
        ? `expired on ${certificate.validToDate.toISOString().slice(0, 10)}`
        : "depends on one that has expired";
    case "CERT_NOT_YET_VALID":
      return certificate.validFromDate.getTime() > Date.now()
        ? `is not valid before ${certificate.validFromDate.toISOString().slice(0, 10)}`
        : "depends on one that is not valid yet";
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
      return "is signed by itself and not trusted";
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
      return `was issued by ${printable(certificate.issuer)}, which is not trusted (${code})`;
    case "INVALID_PURPOSE":
      return "is not meant for servers (INVALID_PURPOSE)";
    default:
      return code === null ? "could not be verified" : `could not be verified (${printable(code)})`;
  }
}

/** Text of a stranger's for a log line: one line, of ordinary length. */
function printable(text: string): string {
  const line = text.replace(/[\r\n]+/g, ", ").replace(/[^\x20-\x7e]/g, "?");
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}

function unique(names: readonly (string | null)[]): string[] {
  return [...new Set(names.filter((name) => name !== null))];
}

/**
 * The entries of a subjectAltName from the text that node:crypto makes of it: `TYPE:value` with a comma and a space
 * between them; a value that might be mistaken for more than one stands in quotes, escaped as in JSON.
 */
function altNames(text: string): AltName[] {
  const names: AltName[] = [];
  for (const match of text.matchAll(/(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,]*)/gy)) {
    const value = unquoted(match[2]!);
    if (value !== null) names.push({ type: match[1]!, value });
  }
  return names;
}

function unquoted(value: string): string | null {
  if (!value.startsWith('"')) return value;
  try {
    return JSON.parse(value) as string;
  } catch {
    return null;
  }
}

/** The host of a `sip` URI that names a domain; null for any other URI, `sips` included (RFC 5922 s7.1). */
function sipHost(uri: string): string | null {
  const match = /^sip:([^@:;?]+)(?::\d+)?(?:[;?][^@]*)?$/i.exec(uri);
  return match === null ? null : dnsName(match[1]!);
}

/**
 * A DNS name in lower case without its final dot, or null for what is none. Names beyond ASCII are compared in their
 * `xn--` form, which is how both certificates and SIP URIs carry them (RFC 5280 s7.2, RFC 3261 s25.1).
 */
function dnsName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, "");
  return name.length <= 253 && /^\.?(\*|[a-z0-9_-]+)(\.(\*|[a-z0-9_-]+))*$/.test(name) ? name : null;
}

function commonNames(certificate: X509Certificate): string[] {
  // One a line; "\n" inside a name is escaped. Typed as one string, it is a list when a subject has several.
  const { CN } = certificate.toLegacyObject().subject as unknown as { CN?: string | string[] };
  return CN === undefined ? [] : unique([CN].flat().map(dnsName));
}

function namesAddress(certificate: X509Certificate, address: string): boolean {
  try {
    return certificate.checkIP(address) !== undefined;
  } catch {
    return false; // looks numeric and is no address: 999.1.1.1
  }
}
