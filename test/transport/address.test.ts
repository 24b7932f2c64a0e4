import { describe, expect, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { canonicalAddress, hostPort, isNumericHost, localAddressFinder } from "../../src/transport/address.ts";

test.each([
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:127.0.0.1", "127.0.0.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["::1", "::1"],
  ["2001:db8::1", "2001:db8::1"],
  // Mapped too, but not as a dual-stack socket writes it.
  ["::ffff:c000:201", "::ffff:c000:201"],
])("a peer seen as %s is %s", (seen, address) => {
  expect(canonicalAddress(seen)).toBe(address);
});

test("host and port stand together, IPv6 in brackets", () => {
  expect(hostPort("192.0.2.1", 5060)).toBe("192.0.2.1:5060");
  expect(hostPort("sip.example.com", 5070)).toBe("sip.example.com:5070");
  expect(hostPort("2001:db8::1", 5060)).toBe("[2001:db8::1]:5060");
});

test.each(["192.0.2.1", "255.255.255.255", "::", "::1", "[::1]", "2001:db8::a:9", "::ffff:192.0.2.1", "[2001:DB8::1]"])(
  "%s is numeric",
  (host) => {
    expect(isNumericHost(host)).toBe(true);
  },
);

test.each(["", "localhost", "sip.example.com", "192.0.2", "1.2.3.4.5", "face", "a.b.c.d", "5060"])(
  "%p is not numeric",
  (host) => {
    expect(isNumericHost(host)).toBe(false);
  },
);

describe("the address a peer reaches us at", () => {
  const find = localAddressFinder();
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);

  test("is a loopback one for a loopback peer", () => {
    expect(find("127.0.0.1")).toBe("127.0.0.1");
    expect(find("127.8.9.10")).toBe("127.0.0.1");
    expect(find("::1")).toBe("::1");
  });

  test("is one of this machine's of the peer's kind, and never a wildcard", () => {
    const v4 = find("192.0.2.77");
    expect(own.filter(({ family }) => family === "IPv4").map(({ address }) => address)).toContain(v4);
    const v6 = find("2001:db8::77");
    expect(["::1", ...own.filter(({ family }) => family === "IPv6").map(({ address }) => address)]).toContain(v6);
  });

  const outside = own.filter(({ family, internal }) => family === "IPv4" && !internal);
  test.skipIf(outside.length !== 1)("is the one there is, for every peer outside", () => {
    const { address } = outside[0]!;
    for (const peer of [address, "192.0.2.77", "203.0.113.5"]) expect(find(peer)).toBe(address);
  });
});
