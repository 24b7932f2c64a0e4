/** IPv6 addresses as one text each: the one of RFC 5952, which is also the system's. */

/**
 * The shortest form of an address, `192.0.2.1` for an IPv4 address mapped into IPv6.
 * @param address well formed, without a zone
 */
export function shortIpv6(address: string): string {
  const groups = groupsOf(address);
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return [groups[6]! >> 8, groups[6]! & 0xff, groups[7]! >> 8, groups[7]! & 0xff].join(".");
  }
  // RFC 5952 s4.2: the longest run of zeros is left out, the first of equals, and never a single one.
  let start = 0;
  let length = 1;
  for (let at = 0, run = 0; at < 8; at++) {
    run = groups[at] === 0 ? run + 1 : 0;
    if (run > length) {
      start = at - run + 1;
      length = run;
    }
  }
  const texts = groups.map((group) => group.toString(16));
  if (length < 2) return texts.join(":");
  return `${texts.slice(0, start).join(":")}::${texts.slice(start + length).join(":")}`;
}

/** The eight groups of an address that is well formed. */
export function groupsOf(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const first = groupsIn(head);
  if (tail === undefined) return first;
  const last = groupsIn(tail);
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}

function groupsIn(part: string): number[] {
  if (part === "") return [];
  return part.split(":").flatMap((group) => {
    if (!group.includes(".")) return [Number.parseInt(group, 16)];
    const [a, b, c, d] = group.split(".").map(Number) as [number, number, number, number];
    return [a * 256 + b, c * 256 + d];
  });
}
