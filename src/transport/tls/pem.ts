/** PEM files (RFC 7468): their blocks, and what is wrong with them in words an operator understands. */

/** One block, from its BEGIN line to its END line. */
export interface PemBlock {
  /** What the BEGIN line names: `CERTIFICATE`, `PRIVATE KEY`, `EC PRIVATE KEY`, ... */
  readonly label: string;
  /** The block alone, with both its lines and a line feed at the end. */
  readonly text: string;
  /** The key can only be read with a passphrase. */
  readonly isEncrypted: boolean;
}

/** What the reader of a PEM file is told: `text` goes behind the file's name. */
export class PemFault extends Error {
  override readonly name = "PemFault";
}

const BOUNDARY = /^-----(BEGIN|END) ([^\r\n]*?)-----[ \t]*$/;

/**
 * Splits a PEM text into its blocks. Text outside them is explanation and skipped (RFC 7468 s2).
 * @throws PemFault when a block has no end, ends as another one, or is not base64
 */
export function pemBlocks(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  let label: string | null = null;
  let lines: string[] = [];
  for (const line of text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/)) {
    const boundary = BOUNDARY.exec(line);
    if (boundary === null) {
      if (label !== null) lines.push(line.trim());
    } else if (boundary[1] === "BEGIN") {
      if (label !== null) throw new PemFault(`has a "-----BEGIN ${label}-----" without its END line`);
      label = boundary[2]!;
      lines = [];
    } else {
      if (label === null) throw new PemFault(`has an "-----END ${boundary[2]}-----" without its BEGIN line`);
      if (boundary[2] !== label) throw new PemFault(`has a block that begins as ${label} and ends as ${boundary[2]}`);
      blocks.push(block(label, lines));
      label = null;
    }
  }
  if (label !== null) throw new PemFault(`has a "-----BEGIN ${label}-----" without its END line`);
  return blocks;
}

function block(label: string, lines: readonly string[]): PemBlock {
  // Keys of the older kind begin with headers, RFC 1421 s4.6; a blank line ends them.
  const blank = lines.indexOf("");
  const headers = lines[0]?.includes(":") ? lines.slice(0, Math.max(blank, 0)) : [];
  const base64 = lines.slice(headers.length).join("");
  if (base64 === "") throw new PemFault(`has an empty ${label} block`);
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) {
    throw new PemFault(`has a damaged ${label} block: what stands in it is not base64`);
  }
  const isEncrypted =
    label === "ENCRYPTED PRIVATE KEY" || headers.some((line) => /^Proc-Type:.*\bENCRYPTED\b/i.test(line));
  const body = [...headers, ...(headers.length === 0 ? [] : [""]), ...base64.match(/.{1,64}/g)!];
  return { label, isEncrypted, text: `-----BEGIN ${label}-----\n${body.join("\n")}\n-----END ${label}-----\n` };
}

/** Whether the label is a certificate's, in its present or an older spelling (RFC 7468 s5.1). */
export function isCertificate({ label }: PemBlock): boolean {
  return label === "CERTIFICATE" || label === "X509 CERTIFICATE";
}

/** Whether the label is a private key's. */
export function isPrivateKey({ label }: PemBlock): boolean {
  return label === "PRIVATE KEY" || label.endsWith(" PRIVATE KEY");
}
