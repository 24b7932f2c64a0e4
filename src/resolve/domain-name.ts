/** Which texts are domain names that a nameserver may be asked for. */

/** Octets of a name in text, the dots between the labels included (RFC 1035 s2.3.4: 255 on the wire). */
const MAX_NAME = 253;
/** Labels of letters, digits, hyphen and underscore. The last one is no number: that would be an address gone wrong. */
const NAME = /^(?:[a-z0-9_-]{1,63}\.)*(?!\d+$)[a-z0-9_-]{1,63}$/;

/**
 * Whether a name in lower case, without a dot at its end, may go to a nameserver. Octets outside ASCII, control
 * characters, empty labels and lengths beyond RFC 1035 may not: no host has such a name.
 */
export function isDomainName(name: string): boolean {
  return name.length <= MAX_NAME && NAME.test(name);
}

/** The name in lower case, without the dot at its end that says it is complete. */
export function plainName(name: string): string {
  const lower = name.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}
