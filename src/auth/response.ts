/** The response of a request's credentials, and the server's own proof, computed on octets (RFC 7616 s3.4, s3.5). */
import { ascii } from "../message/bytes.ts";
import { METHOD_END, METHOD_START } from "../message/layout.ts";
import type { Message } from "../message/message.ts";
import { HASH_SIZES } from "./algorithm.ts";
import { type Credentials, Param } from "./credentials.ts";
import { DigestInput, equalsHex, toHex } from "./digest-input.ts";

/** The numbers of the qualities of protection; `None` is that of RFC 2069, without count or cnonce. */
export const Protection = { None: 0, Auth: 1, AuthInt: 2, Unknown: 3 } as const;
export type Protection = (typeof Protection)[keyof typeof Protection];

/** The names of those that have one, by number. */
export const PROTECTION_NAMES: readonly Uint8Array[] = [new Uint8Array(), ascii("auth"), ascii("auth-int")];

/** What the hashes, the quality of protection and the colons take at most. */
const ROOM = 256;
const NOTHING = new Uint8Array();

/**
 * The last A2 of a hash, and H(A2): phones that register one after the other have the same. It holds nothing that is
 * secret.
 */
interface KnownA2 {
  text: Uint8Array;
  hex: Uint8Array;
}

export class ResponseComputer {
  readonly #input = new DigestInput();
  readonly #a2 = new DigestInput();
  /** By the number of the hash; those of proofs, which have no method, behind. */
  readonly #known: KnownA2[] = Array.from({ length: HASH_SIZES.length * 2 }, () => ({
    text: NOTHING,
    hex: NOTHING,
  }));
  /** How much of the input stands before H(A2): the same for a response and the proof that answers it. */
  #shared = 0;

  /** What the last computation gave, in octets. */
  get raw(): Uint8Array {
    return this.#input.raw;
  }

  /**
   * Whether the response is that of one who knows the secret. The time does not tell how much of it was right.
   * @param hash the number of the hash
   * @param ha1 its hexadecimal digits
   */
  isRight(message: Message, credentials: Credentials, hash: number, ha1: Uint8Array, protection: Protection): boolean {
    const { bytes, table } = message;
    const a2 = this.#a2;
    if (protection === Protection.AuthInt) a2.hashOther(hash, message.body);
    a2.begin(roomFor(credentials) + table[METHOD_END]! - table[METHOD_START]!);
    a2.copy(bytes, table[METHOD_START]!, table[METHOD_END]!);
    const ha2 = this.#ha2(credentials, hash, protection, this.#known[hash]!);
    this.#share(credentials, ha1, protection);
    this.#input.put(ha2);
    this.#input.hash(hash);
    const start = credentials.start(Param.Response);
    return equalsHex(this.raw, HASH_SIZES[hash]!, bytes, start, credentials.end(Param.Response));
  }

  /**
   * Computes `rspauth` into {@link raw}, for the credentials that {@link isRight} has looked at last.
   * @param body that of the response; only `auth-int` covers it
   */
  proof(credentials: Credentials, hash: number, protection: Protection, body: Uint8Array): void {
    if (protection === Protection.AuthInt) this.#a2.hashOther(hash, body);
    this.#a2.begin(roomFor(credentials));
    const ha2 = this.#ha2(credentials, hash, protection, this.#known[HASH_SIZES.length + hash]!);
    this.#input.cut(this.#shared);
    this.#input.put(ha2);
    this.#input.hash(hash);
  }

  /** H(A1) of a `-sess` algorithm, in hexadecimal digits (RFC 7616 s3.4.2). */
  sessionKey(credentials: Credentials, hash: number, ha1: Uint8Array): Uint8Array {
    const input = this.#begin(credentials, ha1);
    put(input, credentials, Param.Cnonce);
    input.hash(hash);
    return toHex(this.raw, HASH_SIZES[hash]!);
  }

  /** Begins with what stands first in a response and in a session's key: H(A1) and the nonce, a colon behind each. */
  #begin(credentials: Credentials, ha1: Uint8Array): DigestInput {
    const input = this.#input;
    input.begin(roomFor(credentials));
    input.put(ha1);
    input.colon();
    put(input, credentials, Param.Nonce);
    input.colon();
    return input;
  }

  /** H(A2) in hexadecimal digits: the method has been put, the body hashed. */
  #ha2(credentials: Credentials, hash: number, protection: Protection, known: KnownA2): Uint8Array {
    const a2 = this.#a2;
    a2.colon();
    put(a2, credentials, Param.Uri);
    if (protection === Protection.AuthInt) {
      a2.colon();
      a2.hex(hash);
    }
    if (!a2.holds(known.text)) {
      known.text = a2.octets();
      a2.hash(hash);
      known.hex = toHex(a2.raw, HASH_SIZES[hash]!);
    }
    return known.hex;
  }

  /** Puts all that is hashed with H(A2). */
  #share(credentials: Credentials, ha1: Uint8Array, protection: Protection): void {
    const input = this.#begin(credentials, ha1);
    if (protection !== Protection.None) {
      put(input, credentials, Param.Nc);
      input.colon();
      put(input, credentials, Param.Cnonce);
      input.colon();
      input.put(PROTECTION_NAMES[protection]!);
      input.colon();
    }
    this.#shared = input.length;
  }
}

/** Octets that what is hashed takes at most, but for the method. */
function roomFor(credentials: Credentials): number {
  let room = ROOM;
  room += credentials.end(Param.Uri) - credentials.start(Param.Uri);
  room += credentials.end(Param.Nonce) - credentials.start(Param.Nonce);
  room += credentials.end(Param.Cnonce) - credentials.start(Param.Cnonce);
  return room;
}

function put(input: DigestInput, credentials: Credentials, param: Param): void {
  const { bytes } = credentials;
  if (credentials.isQuoted(param)) input.copyUnquoted(bytes, credentials.start(param), credentials.end(param));
  else input.copy(bytes, credentials.start(param), credentials.end(param));
}
