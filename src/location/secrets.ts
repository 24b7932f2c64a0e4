/** Secrets that other things are derived from, such as nonces and GRUUs: 32 random octets by a name. */

/** Octets in a secret. */
export const SECRET_OCTETS = 32;

/** Where secrets come from. A store that is open keeps them: they are the same in its next life, and for all its servers. */
export interface SecretSource {
  /** The secret of this name, drawn when it is asked for first. */
  secret(name: string): Promise<Uint8Array>;
}

/** A secret as nobody can guess it. */
export function drawSecret(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(SECRET_OCTETS));
}

/** Secrets for as long as the process lives: for bindings that no store keeps. */
export class MemorySecrets implements SecretSource {
  readonly #secrets = new Map<string, Uint8Array>();

  secret(name: string): Promise<Uint8Array> {
    let secret = this.#secrets.get(name);
    if (secret === undefined) {
      secret = drawSecret();
      this.#secrets.set(name, secret);
    }
    return Promise.resolve(secret);
  }
}
