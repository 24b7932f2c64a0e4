/** Reads the certificate, key and CA files of {@link TlsSettings} and says in one sentence what is wrong with them. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { TlsSettings } from "../settings.ts";
import { sipIdentities } from "./identity.ts";
import { isCertificate, isPrivateKey, type PemBlock, PemFault, pemBlocks } from "./pem.ts";

const DAY = 24 * 60 * 60 * 1000;
/** So long before the end of a certificate its operator is warned. */
const WARN_BEFORE = 14 * DAY;
/** The bundle of a whole system is 0.3 MB. */
const LARGEST_FILE = 16 * 1024 * 1024;
/** Shorter RSA keys are no longer accepted everywhere. */
const RSA_BITS = 2048;
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** The setting that names the file at fault. */
export type TlsFileSetting = "certificate" | "private-key" | "ca";

/** A file that cannot be used. The message is one sentence that names it, fit for an operator; no stack is needed. */
export class TlsFileError extends Error {
  override readonly name = "TlsFileError";
  constructor(
    readonly setting: TlsFileSetting,
    readonly file: string,
    message: string,
  ) {
    super(message);
  }
}

/** A certificate and key that belong together and may be used now. */
export interface TlsMaterial {
  /** PEM: this server's certificate, then the others of its file in their order. Nothing but certificates. */
  readonly cert: string;
  /** PEM: the private key alone. */
  readonly key: string;
  /** PEM: certificates of trusted authorities, one a string; undefined for those of the system. */
  readonly ca: string[] | undefined;
  /** What works, but may not for long or for everybody: a sentence each. */
  readonly warnings: string[];
  /** The SIP domains that the certificate names (RFC 5922 s7.1), in lower case. */
  readonly identities: string[];
  /** When the certificate ends. */
  readonly notAfter: Date;
}

/**
 * Reads and checks a server's own certificate and key, and the authorities that it trusts.
 * @param now against which the certificate's dates are held
 * @returns null when neither certificate nor key is set
 * @throws TlsFileError when a file cannot be used: missing, unreadable, damaged, no PEM, the wrong kind, expired, not
 *   yet valid, a key with a passphrase or of another certificate, one of the two alone
 */
export function loadTls(settings: TlsSettings, now: Date = new Date()): TlsMaterial | null {
  const { certificate: certFile, privateKey: keyFile } = settings;
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined) {
    throw new TlsFileError("certificate", keyFile!, `the private key ${keyFile} is set without its certificate`);
  }
  if (keyFile === undefined) {
    throw new TlsFileError("private-key", certFile, `the certificate ${certFile} is set without its private key`);
  }
  const blocks = certificateBlocks("certificate", certFile);
  const chain = blocks.map((block, index) => parseCertificate("certificate", certFile, block, index));
  const key = readKey(keyFile);
  checkBelongs(chain, key.object, certFile, keyFile);
  checkDates(chain[0]!, certFile, now);
  const cert = blocks.map((block) => block.text).join("");
  checkUsable(cert, key.text, certFile);
  const identities = sipIdentities(chain[0]!);
  return {
    cert,
    key: key.text,
    ca: loadCa(settings.ca),
    warnings: warningsAbout(chain, identities, certFile, now),
    identities,
    notAfter: chain[0]!.validToDate,
  };
}

/**
 * Reads the certificates of the authorities that peers are trusted by.
 * @param paths PEM files with one or more certificates each
 * @returns PEM, one certificate a string; undefined when no path is given, which trusts the system's authorities
 * @throws TlsFileError when a file is missing, unreadable, damaged or holds no certificate
 */
export function loadCa(paths: readonly string[] | undefined): string[] | undefined {
  if (paths === undefined || paths.length === 0) return undefined;
  return paths.flatMap((file) =>
    certificateBlocks("ca", file).map((block, index) => {
      parseCertificate("ca", file, block, index);
      return block.text;
    }),
  );
}

function readText(setting: TlsFileSetting, file: string): string {
  try {
    // Reload reads again, so that only what can be read twice will do; a device might never end.
    const found = statSync(file);
    if (found.isDirectory()) throw new TlsFileError(setting, file, `${file} is a directory, not a PEM file`);
    if (!found.isFile()) throw new TlsFileError(setting, file, `${file} is not a regular file`);
    if (found.size > LARGEST_FILE) throw new TlsFileError(setting, file, `${file} is too large for a PEM file`);
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof TlsFileError) throw error;
    throw new TlsFileError(setting, file, `${file} ${readFault(error as NodeJS.ErrnoException)}`);
  }
}

function readFault({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ENOENT" || code === "ENOTDIR") return "does not exist";
  if (code === "EACCES" || code === "EPERM") return "may not be read by this user";
  return `cannot be read: ${code ?? message}`;
}

function readBlocks(setting: TlsFileSetting, file: string): PemBlock[] {
  const text = readText(setting, file);
  try {
    return pemBlocks(text);
  } catch (error) {
    if (!(error instanceof PemFault)) throw error;
    throw new TlsFileError(setting, file, `${file} ${error.message}`);
  }
}

/** What is wrong with a file that has none of the blocks looked for. */
function missing(file: string, blocks: readonly PemBlock[], wanted: string, other: string | null): string {
  if (other !== null)
    return `${file} holds ${other}, not ${wanted === "private key" ? "a private key" : "a certificate"}`;
  if (blocks.length === 0) return `${file} holds no ${wanted}: it has no "-----BEGIN" line, so it is not in PEM form`;
  return `${file} holds no ${wanted}, only ${[...new Set(blocks.map((block) => block.label))].join(", ")}`;
}

function certificateBlocks(setting: "certificate" | "ca", file: string): PemBlock[] {
  const blocks = readBlocks(setting, file);
  const found = blocks.filter(isCertificate);
  if (found.length > 0) return found;
  const other = blocks.some(isPrivateKey) ? "a private key" : null;
  throw new TlsFileError(setting, file, missing(file, blocks, "certificate", other));
}

function parseCertificate(setting: TlsFileSetting, file: string, block: PemBlock, index: number): X509Certificate {
  try {
    return new X509Certificate(block.text);
  } catch {
    throw new TlsFileError(setting, file, `${file} holds a damaged certificate${ordinal(index)}`);
  }
}

function readKey(file: string): { text: string; object: KeyObject } {
  const blocks = readBlocks("private-key", file);
  const block = blocks.find(isPrivateKey);
  if (block === undefined) {
    const other = blocks.some(isCertificate) ? "a certificate" : null;
    throw new TlsFileError("private-key", file, missing(file, blocks, "private key", other));
  }
  if (block.isEncrypted) {
    throw new TlsFileError("private-key", file, `${file} is encrypted with a passphrase; only a plain key can be used`);
  }
  try {
    return { text: block.text, object: createPrivateKey(block.text) };
  } catch {
    throw new TlsFileError("private-key", file, `${file} holds a private key that is damaged or of an unknown kind`);
  }
}

function checkBelongs(chain: readonly X509Certificate[], key: KeyObject, certFile: string, keyFile: string): void {
  const index = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (index === 0) return;
  const fault =
    index < 0
      ? `the private key in ${keyFile} does not belong to the certificate in ${certFile}`
      : `${certFile} holds its certificates in the wrong order: number ${index + 1} has the private key in ${keyFile} and must come first`;
  throw new TlsFileError(index < 0 ? "private-key" : "certificate", index < 0 ? keyFile : certFile, fault);
}

function checkDates(certificate: X509Certificate, file: string, now: Date): void {
  if (now >= certificate.validToDate) {
    throw new TlsFileError("certificate", file, `${file} expired on ${day(certificate.validToDate)}`);
  }
  if (now < certificate.validFromDate) {
    throw new TlsFileError("certificate", file, `${file} is not valid before ${day(certificate.validFromDate)}`);
  }
}

/** The TLS library has the last word: it refuses what it finds too weak. */
function checkUsable(cert: string, key: string, file: string): void {
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new TlsFileError("certificate", file, `${file} cannot be used for TLS: ${(error as Error).message}`);
  }
}

function warningsAbout(
  chain: readonly X509Certificate[],
  identities: readonly string[],
  file: string,
  now: Date,
): string[] {
  const warnings: string[] = [];
  const own = chain[0]!;
  const bits = own.publicKey.asymmetricKeyDetails?.modulusLength ?? RSA_BITS;
  if (bits < RSA_BITS) warnings.push(`${file} has an RSA key of ${bits} bits, which many peers refuse`);
  const left = own.validToDate.getTime() - now.getTime();
  if (left < WARN_BEFORE) {
    const days = Math.floor(left / DAY);
    warnings.push(`${file} expires in ${days === 0 ? "less than a day" : days === 1 ? "1 day" : `${days} days`}`);
  }
  if (!identities.some((identity) => !identity.includes("*"))) {
    warnings.push(`${file} names no SIP domain, so peers that check (RFC 5922) will refuse it`);
  }
  if (own.keyUsage !== undefined && !own.keyUsage.includes(SERVER_AUTH)) {
    warnings.push(`${file} is not meant for servers: its extended key usage lacks serverAuth`);
  }
  for (let i = 1; i < chain.length; i++) {
    const issuer = chain[i]!;
    if (!chain[i - 1]!.checkIssued(issuer)) {
      warnings.push(`${file} is out of order: certificate number ${i + 1} did not issue the one before it`);
    }
    if (now >= issuer.validToDate) {
      warnings.push(`certificate number ${i + 1} in ${file} expired on ${day(issuer.validToDate)}`);
    }
  }
  return warnings;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function ordinal(index: number): string {
  return index === 0 ? "" : ` (number ${index + 1} in it)`;
}
