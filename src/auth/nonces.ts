/**
 * The nonces of a realm: those that are made, that of the request at hand, and whether it may be used once more (RFC 7616
 * s3.3, s3.4).
 */
import type { RandomFill } from "../message/token-source.ts";
import { type Credentials, Param } from "./credentials.ts";
import { NONCE_WORDS, NonceMaker, nonceTime, readNonce } from "./nonce.ts";
import { NonceCounts } from "./nonce-counts.ts";

/** Milliseconds that the clock of a server that shares the secret may be ahead. */
const AHEAD = 30_000;
/** The part of a nonce's life after which answers name the next one. */
const RENEW_AFTER = 0.75;

/** What becomes of a nonce that is used. */
export type NonceUse = "good" | "stale" | "replayed";

export interface NoncesSettings {
  readonly realm: string;
  readonly secret: Uint8Array;
  /** Nonces in use at once. */
  readonly max: number;
  /** Milliseconds that each is good for. */
  readonly lifetime: number;
  /** When the first can have been made, in milliseconds since 1970. */
  readonly start: number;
  readonly random: RandomFill;
}

export class Nonces {
  readonly maker: NonceMaker;
  /** Those in use. */
  readonly counts: NonceCounts;
  /** The entry of the nonce at hand among those in use, -1 when it has none. */
  entry = -1;
  readonly #lifetime: number;
  /** Of the nonce at hand, when it has the form of ours. */
  readonly #words = new Int32Array(NONCE_WORDS);
  #isNonce = false;
  readonly #others = new Int32Array(NONCE_WORDS);

  constructor({ realm, secret, max, lifetime, start, random }: NoncesSettings) {
    this.maker = new NonceMaker(realm, secret, random);
    this.counts = new NonceCounts(max, lifetime, start);
    this.#lifetime = lifetime;
  }

  /** Whether credentials answer a nonce of ours, of whatever age. */
  isOurs(credentials: Credentials): boolean {
    const words = this.#others;
    if (!credentials.has(Param.Nonce) || !read(credentials, words)) return false;
    return this.maker.isOurs(words, credentials.bytes, credentials.start(Param.Nonce));
  }

  /** Takes the nonce of these credentials for the one at hand. */
  look(credentials: Credentials): void {
    this.#isNonce = read(credentials, this.#words);
    this.entry = this.#isNonce ? this.counts.find(this.#words) : -1;
  }

  /**
   * Uses the nonce at hand, which has its {@link entry} then.
   * @param credentials those it was looked up for
   * @param count 0 to 2^32-1
   */
  use(credentials: Credentials, count: number, now: number): NonceUse {
    if (this.entry < 0 && this.#isFresh(credentials, now)) this.entry = this.counts.add(this.#words, now);
    if (this.entry < 0 || this.#isOver(now)) return "stale";
    return this.counts.use(this.entry, count) ? "good" : "replayed";
  }

  /** Whether the nonce at hand will soon be over. */
  isEnding(now: number): boolean {
    return now - nonceTime(this.#words) > this.#lifetime * RENEW_AFTER;
  }

  /** Whether a nonce that is not in use is ours and cannot have been in use before. */
  #isFresh(credentials: Credentials, now: number): boolean {
    const isOurs = this.#isNonce && this.maker.isOurs(this.#words, credentials.bytes, credentials.start(Param.Nonce));
    return isOurs && nonceTime(this.#words) >= this.counts.floor && !this.#isOver(now);
  }

  #isOver(now: number): boolean {
    const age = now - nonceTime(this.#words);
    return age > this.#lifetime || age < -AHEAD;
  }
}

function read(credentials: Credentials, words: Int32Array): boolean {
  return readNonce(credentials.bytes, credentials.start(Param.Nonce), credentials.end(Param.Nonce), words);
}
