/**
 * Writes Authentication-Info and Proxy-Authentication-Info (RFC 7616 s3.5, RFC 3261 s20.6): the server's own proof that
 * it knows the secret, and the nonce to be used next.
 */
import { Arena } from "../message/arena.ts";
import { ascii, BACKSLASH, DQUOTE, SP } from "../message/bytes.ts";
import { HASH_SIZES } from "./algorithm.ts";
import type { Role } from "./challenge.ts";
import { type Credentials, Param } from "./credentials.ts";
import { putHex } from "./digest-input.ts";
import { NONCE_LENGTH, type NonceMaker } from "./nonce.ts";
import { PROTECTION_NAMES, Protection } from "./response.ts";

const NAMES: Readonly<Record<Role, Uint8Array>> = {
  uas: ascii("Authentication-Info: "),
  proxy: ascii("Proxy-Authentication-Info: "),
};
const NEXTNONCE = ascii('nextnonce="');
const QUOTE_COMMA = ascii('", ');
const QOP = ascii("qop=");
const RSPAUTH = ascii(', rspauth="');
const CNONCE = ascii('", cnonce="');
const NC = ascii('", nc=');
const QUOTE_CRLF = ascii('"\r\n');
const CRLF = ascii("\r\n");
/** What all of it takes besides the cnonce. */
const ROOM = 256;

const arena = new Arena();

/** What the field says. */
export interface InfoParts {
  readonly role: Role;
  readonly credentials: Credentials;
  readonly protection: Protection;
  readonly hash: number;
  /** The octets of `rspauth`. */
  readonly proof: Uint8Array;
  /** Who makes the nonce to be used next; undefined where the present one is good for a while yet. */
  readonly next: NonceMaker | undefined;
  readonly now: number;
}

/** The field as a line with its CRLF; null when there is nothing to say. */
export function writeInfo(parts: InfoParts): Uint8Array | null {
  const { role, credentials, protection, hash, proof, next, now } = parts;
  if (next === undefined && protection === Protection.None) return null;
  arena.reset();
  // A cnonce may need a backslash for each octet.
  arena.open(ROOM + 2 * (credentials.end(Param.Cnonce) - credentials.start(Param.Cnonce)));
  arena.put(NAMES[role]);
  if (next !== undefined) {
    arena.put(NEXTNONCE);
    next.write(arena.bytes, arena.at, now);
    arena.at += NONCE_LENGTH;
    arena.put(protection === Protection.None ? QUOTE_CRLF : QUOTE_COMMA);
  }
  if (protection !== Protection.None) {
    arena.put(QOP);
    arena.put(PROTECTION_NAMES[protection]!);
    arena.put(RSPAUTH);
    arena.at = putHex(proof, HASH_SIZES[hash]!, arena.bytes, arena.at);
    arena.put(CNONCE);
    putCnonce(credentials);
    arena.put(NC);
    arena.copy(credentials.bytes, credentials.start(Param.Nc), credentials.end(Param.Nc));
    arena.put(CRLF);
  }
  return arena.bytes.slice(0, arena.at);
}

function putCnonce(credentials: Credentials): void {
  const { bytes } = credentials;
  const end = credentials.end(Param.Cnonce);
  if (!credentials.isQuoted(Param.Cnonce)) {
    arena.copy(bytes, credentials.start(Param.Cnonce), end);
    return;
  }
  for (const octet of credentials.octets(Param.Cnonce)) {
    if (octet === DQUOTE || octet === BACKSLASH) arena.octet(BACKSLASH);
    arena.octet(Math.max(octet, SP));
  }
}
