/** Which addresses count as one peer. */
import { BlockList, isIPv4, isIPv6 } from "node:net";

const MAPPED = "::ffff:";

/**
 * What an address is counted as: an IPv4 address as itself, an IPv6 address as its /64, of which every host has 2^64.
 * Anything else is itself.
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const lower = address.toLowerCase();
  if (lower.startsWith(MAPPED) && lower.includes(".")) return lower.slice(MAPPED.length);
  const [head = "", tail] = lower.split("%", 1)[0]!.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const behind = tail === "" ? [] : tail.split(":");
    const missing = 8 - groups.length - behind.length - (tail.includes(".") ? 1 : 0);
    groups.push(...new Array<string>(Math.max(0, missing)).fill("0"), ...behind);
  }
  // Each group without its leading zeros, so that two spellings of one network are one.
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

/** Addresses and networks that something does not hold for. */
export class AddressList {
  readonly #list = new BlockList();

  /**
   * @param entries numeric addresses, or networks such as `192.0.2.0/24` and `2001:db8::/32`
   * @throws TypeError for anything else
   */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [address = "", prefix] = entry.split("/");
      const family = familyOf(address);
      const length =
        prefix === undefined ? (family === "ipv4" ? 32 : 128) : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
      if (family === null || length < 0 || length > (family === "ipv4" ? 32 : 128)) {
        throw new TypeError(`neither an address nor a network: ${JSON.stringify(entry)}`);
      }
      this.#list.addSubnet(address, length, family);
    }
  }

  has(address: string): boolean {
    const plain = address.split("%", 1)[0]!;
    const family = familyOf(plain);
    return family !== null && this.#list.check(plain, family);
  }
}

function familyOf(address: string): "ipv4" | "ipv6" | null {
  return isIPv4(address) ? "ipv4" : isIPv6(address) ? "ipv6" : null;
}
