/** Which addresses lead nowhere from outside their network: RFC 1918, RFC 6598, RFC 4193, loopback and link-local. */
import { expect, test } from "bun:test";
import { BlockList } from "node:net";
import fc from "fast-check";
import { shortIpv6 } from "../../src/transport/ipv6.ts";
import { isHiddenFrom } from "../../src/transport/networks.ts";

const PUBLIC = "198.51.100.7";
const PRIVATE_V4 = [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
  ["169.254.0.0", 16],
  ["127.0.0.0", 8],
  ["0.0.0.0", 8],
] as const;
const PRIVATE_V6 = [
  ["fc00::", 7],
  ["fe80::", 10],
  ["::1", 128],
  ["::", 128],
] as const;

/** The networks as the system reads them, one list each. */
const networks = [
  ...PRIVATE_V4.map(([net, bits]) => ["ipv4", net, bits] as const),
  ...PRIVATE_V6.map(([net, bits]) => ["ipv6", net, bits] as const),
].map(([family, net, bits]) => {
  const list = new BlockList();
  list.addSubnet(net, bits, family);
  return (address: string) => list.check(address, address.includes(":") ? "ipv6" : "ipv4");
});
const networkOf = (address: string) => networks.findIndex((has) => has(address));

test.each([
  ["10.0.0.7", PUBLIC, true],
  ["10.0.0.7", "10.255.255.254", false],
  ["10.0.0.7", "192.168.0.1", true],
  ["192.168.178.20", "127.0.0.1", true],
  ["172.15.255.255", PUBLIC, false],
  ["172.31.0.1", PUBLIC, true],
  ["172.32.0.1", PUBLIC, false],
  ["100.63.0.1", PUBLIC, false],
  ["100.127.0.1", PUBLIC, true],
  ["100.128.0.1", PUBLIC, false],
  ["110.0.0.7", PUBLIC, false],
  ["127.0.0.1", PUBLIC, true],
  ["127.0.0.9", "127.0.0.1", false],
  ["0.0.0.0", "127.0.0.1", true],
  ["fd12:3456::1", "2001:db8::1", true],
  ["fd12:3456::1", "fc00::1", false],
  ["fe80::1", "2001:db8::1", true],
  ["2001:db8::2", "2001:db8::1", false],
  ["10.0.0.7", "2001:db8::1", true],
  ["::1", "127.0.0.1", true],
  [PUBLIC, "10.0.0.7", false],
])("%s from %s: %p", (address, from, isHidden) => {
  expect(isHiddenFrom(address, from)).toBe(isHidden);
});

test("any two addresses: as the system's list of networks has it", () => {
  const v4 = fc.tuple(
    fc.oneof(fc.constantFrom(0, 9, 10, 11, 100, 126, 127, 128, 169, 172, 192), fc.nat(255)),
    fc.oneof(fc.constantFrom(15, 16, 31, 32, 63, 64, 127, 128, 168, 254), fc.nat(255)),
    fc.nat(255),
    fc.nat(255),
  );
  const v6 = fc.tuple(
    fc.oneof(fc.constantFrom(0, 0xfbff, 0xfc00, 0xfdff, 0xfe00, 0xfe7f, 0xfe80, 0xfebf, 0xfec0), fc.nat(0xffff)),
    fc.constantFrom("::", "::1", "::8:1", ":0:0:0:1:2:3:4"),
  );
  const address = fc.oneof(
    v4.map((octets) => octets.join(".")),
    v6.map(([first, rest]) => shortIpv6(`${first.toString(16)}${rest}`)),
  );
  fc.assert(
    fc.property(address, address, (one, other) => {
      const network = networkOf(one);
      expect(isHiddenFrom(one, other)).toBe(network >= 0 && network !== networkOf(other));
    }),
    { numRuns: 2000 },
  );
});
