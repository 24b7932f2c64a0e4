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
  /** By the number of the hash; those of proofs, which have no method, behind. */
  readonly #known: KnownA2[] = Array.from({ length: HASH_SIZES.length * 2 }, () => ({
    text: NOTHING,
    hex: NOTHING,
  }));

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
    if (protection === Protection.AuthInt) this.#input.hashOther(hash, message.body);
    this.#begin(credentials, table[METHOD_END]! - table[METHOD_START]!);
    this.#input.copy(bytes, table[METHOD_START]!, table[METHOD_END]!);
    this.#finish(credentials, hash, ha1, protection, this.#known[hash]!);
    const start = credentials.start(Param.Response);
    return equalsHex(this.raw, HASH_SIZES[hash]!, bytes, start, credentials.end(Param.Response));
  }

  /** Computes `rspauth` into {@link raw}. @param body that of the response; only `auth-int` covers it */
  proof(credentials: Credentials, hash: number, ha1: Uint8Array, protection: Protection, body: Uint8Array): void {
    if (protection === Protection.AuthInt) this.#input.hashOther(hash, body);
    this.#begin(credentials, 0);
    this.#finish(credentials, hash, ha1, protection, this.#known[HASH_SIZES.length + hash]!);
  }

  /** H(A1) of a `-sess` algorithm, in hexadecimal digits (RFC 7616 s3.4.2). */
  sessionKey(credentials: Credentials, hash: number, ha1: Uint8Array): Uint8Array {
    this.#begin(credentials, 0);
    this.#input.put(ha1);
    this.#input.colon();
    this.#put(credentials, Param.Nonce);
    this.#input.colon();
    this.#put(credentials, Param.Cnonce);
    this.#input.hash(hash);
    return toHex(this.raw, HASH_SIZES[hash]!);
  }

  #begin(credentials: Credentials, more: number): void {
    let room = ROOM + more;
    room += credentials.end(Param.Uri) - credentials.start(Param.Uri);
    room += credentials.end(Param.Nonce) - credentials.start(Param.Nonce);
    room += credentials.end(Param.Cnonce) - credentials.start(Param.Cnonce);
    this.#input.begin(room);
  }

  /** From behind the method: the rest of A2, then what it is hashed with. */
  #finish(credentials: Credentials, hash: number, ha1: Uint8Array, protection: Protection, known: KnownA2): void {
    const input = this.#input;
    input.colon();
    this.#put(credentials, Param.Uri);
    if (protection === Protection.AuthInt) {
      input.colon();
      input.hex(hash);
    }
    if (!input.holds(known.text)) {
      known.text = input.octets();
      input.hash(hash);
      known.hex = toHex(this.raw, HASH_SIZES[hash]!);
    }

    this.#begin(credentials, 0);
    input.put(ha1);
    input.colon();
    this.#put(credentials, Param.Nonce);
    input.colon();
    if (protection !== Protection.None) {
      this.#put(credentials, Param.Nc);
      input.colon();
      this.#put(credentials, Param.Cnonce);
      input.colon();
      input.put(PROTECTION_NAMES[protection]!);
      input.colon();
    }
    input.put(known.hex);
    input.hash(hash);
  }

  #put(credentials: Credentials, param: Param): void {
    const { bytes } = credentials;
    if (credentials.isQuoted(param)) this.#input.copyUnquoted(bytes, credentials.start(param), credentials.end(param));
    else this.#input.copy(bytes, credentials.start(param), credentials.end(param));
  }
}
