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
