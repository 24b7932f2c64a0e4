/** Where the test certificates lie; `test/fixtures/tls/make.sh` says what is in each and made them. */
import { join } from "node:path";

const FOLDER = join(import.meta.dir, "..", "fixtures", "tls");

/** A certificate and its key, as the settings of a listener name them. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly privateKey: string;
}

function pair(name: string): CertificateFiles {
  return { certificate: join(FOLDER, `${name}.pem`), privateKey: join(FOLDER, `${name}.key`) };
}

/** Paths of the PEM files, by what each certificate is. The serial number of `server` is 1003, of `renewed` 1004 (hex). */
export const CERTIFICATES = {
  server: pair("server"),
  renewed: pair("renewed"),
  other: pair("other"),
  uriOnly: pair("uri-only"),
  dnsOnly: pair("dns-only"),
  cnOnly: pair("cn-only"),
  user: pair("user"),
  wildcard: pair("wildcard"),
  client: pair("client"),
  serverAuth: pair("server-auth"),
  intermediate: pair("intermediate"),
  chain: pair("chain"),
  expired: pair("expired"),
  future: pair("future"),
  untrusted: pair("untrusted"),
  selfSigned: pair("self-signed"),
  misleading: pair("misleading"),
  shortKey: pair("short-key"),
  oddCurve: pair("odd-curve"),
} as const;

/** The authority that issued all but `untrusted` and `self-signed`. */
export const CA_FILE = join(FOLDER, "ca.pem");
/** The authority that issued `untrusted`. */
export const UNTRUSTED_CA_FILE = join(FOLDER, "untrusted-ca.pem");
