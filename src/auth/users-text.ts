/** Reads users from the text of a file: JSON, or lines as of Apache's htdigest. */
import type { Algorithm } from "./algorithm.ts";
import { isHa1, secretsFault, type UserSecrets } from "./users.ts";

/** Names with their secrets; a name may come once for each realm. */
export type UserEntry = readonly [name: string, secrets: UserSecrets];

/**
 * Reads an object of names with a password in clear or secrets each:
 * `{"alice": "secret", "bob": {"realm": "example.com", "ha1": {"MD5": "...", "SHA-256": "..."}}}`.
 * @throws Error that names the fault, and never quotes a secret
 */
export function readJsonUsers(text: string): UserEntry[] {
  let users: unknown;
  try {
    // Editors on Windows begin a file with a byte order mark, which RFC 8259 s8.1 lets readers ignore.
    users = JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  } catch {
    throw new Error("not JSON");
  }
  if (typeof users !== "object" || users === null || Array.isArray(users)) throw new Error("not an object of users");
  return Object.entries(users).map(([name, value]) => {
    const secrets = typeof value === "string" ? { password: value } : value;
    const fault = secretsFault(secrets);
    if (fault !== null) throw new Error(`user ${JSON.stringify(name)}: ${fault}`);
    return [name, secrets];
  });
}

/**
 * Reads lines of `user:realm:HASH`, with `:ALGORITHM` behind it where that is not MD5, several lines to a user. Empty
 * lines and those that begin with `#` are passed over.
 * @throws Error that names the line and never quotes it
 */
export function readHtdigest(text: string): UserEntry[] {
  const users = new Map<string, { name: string; realm: string; ha1: Partial<Record<Algorithm, string>> }>();
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) continue;
    const [name = "", realm = "", ha1 = "", algorithm = "MD5", ...more] = trimmed.split(":");
    if (name === "" || realm === "" || more.length > 0) throw new Error(`line ${number}: not user:realm:hash`);
    if (!isAlgorithm(algorithm)) throw new Error(`line ${number}: unknown algorithm`);
    if (!isHa1(algorithm, ha1)) throw new Error(`line ${number}: not the hash of ${algorithm} in hexadecimal`);
    const key = `${name}:${realm}`;
    const user = users.get(key) ?? { name, realm, ha1: {} };
    if (user.ha1[algorithm] !== undefined)
      throw new Error(`line ${number}: ${algorithm} of a user for the second time`);
    user.ha1[algorithm] = ha1;
    users.set(key, user);
  }
  return [...users.values()].map(({ name, realm, ha1 }) => [name, { realm, ha1 }]);
}

function isAlgorithm(text: string): text is Algorithm {
  return text === "MD5" || text === "SHA-256" || text === "SHA-512-256";
}
