/** Random tokens for tags, branches and Call-IDs (RFC 3261 s19.3, s8.1.1.7). */

/** Fills an array with random octets; handed in, so that tests can foresee them. */
export type RandomFill = (octets: Uint8Array) => void;

/** The system's cryptographic random source. */
export const systemRandom: RandomFill = (octets) => {
  crypto.getRandomValues(octets);
};

const LETTERS = Uint8Array.from("0123456789abcdefghijkmnpqrstuvwx", (c) => c.charCodeAt(0));
const BLOCK = 4096;

export class TokenSource {
  readonly #fill: RandomFill;
  readonly #block = new Uint8Array(BLOCK);
  #at = BLOCK;

  constructor(fill: RandomFill = systemRandom) {
    this.#fill = fill;
  }

  /** A token of `length` letters and digits, five random bits in each. Randomness is drawn in blocks: a draw is dear. */
  token(length: number, prefix?: Uint8Array): Uint8Array {
    if (this.#at + length > BLOCK) {
      this.#fill(this.#block);
      this.#at = 0;
    }
    const skip = prefix?.length ?? 0;
    const token = new Uint8Array(skip + length);
    if (prefix !== undefined) token.set(prefix);
    for (let i = skip; i < skip + length; i++) token[i] = LETTERS[this.#block[this.#at++]! & 31]!;
    return token;
  }

  /** A random 32-bit word. */
  word(): number {
    const octets = new Uint8Array(4);
    this.#fill(octets);
    return octets[0]! | (octets[1]! << 8) | (octets[2]! << 16) | (octets[3]! << 24) | 0;
  }
}
