/**
 * Makes what is stored in a password's place (RFC 7616 s5.2): the H(A1) of each algorithm, which lets in whoever knows the
 * password and tells it to nobody. A stolen one still lets its thief in to this realm, and nowhere else.
 */
import { ALGORITHMS, type Algorithm, ha1Of } from "./algorithm.ts";

/** H(A1) by algorithm, in lower-case hexadecimal: the `ha1` of a user in settings and JSON files. */
export function hashPassword(user: string, realm: string, password: string): Record<Algorithm, string> {
  return {
    "SHA-512-256": ha1Of("SHA-512-256", user, realm, password),
    "SHA-256": ha1Of("SHA-256", user, realm, password),
    MD5: ha1Of("MD5", user, realm, password),
  };
}

/**
 * The lines of an htdigest file: `user:realm:MD5`, as Apache's `htdigest` writes it, and `user:realm:HASH:ALGORITHM` for
 * each of the others.
 * @param algorithms which; default all. Where MD5 is left out it can never be offered for this file.
 * @throws TypeError for a user or realm that cannot stand in such a line
 */
export function htdigestLines(
  user: string,
  realm: string,
  password: string,
  algorithms: readonly Algorithm[] = ALGORITHMS,
): string[] {
  for (const [what, text] of Object.entries({ user, realm })) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what may not be there
    if (!/^[^:\x00-\x1f\x7f]+$/.test(text)) throw new TypeError(`a ${what} is one character or more, none a colon`);
  }
  return algorithms.map((algorithm) => {
    const line = `${user}:${realm}:${ha1Of(algorithm, user, realm, password)}`;
    return algorithm === "MD5" ? line : `${line}:${algorithm}`;
  });
}
