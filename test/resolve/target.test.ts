import { describe, expect, test } from "bun:test";
import { isIP } from "node:net";
import fc from "fast-check";
import { Uri } from "../../src/message/uri.ts";
import { nextHopOf, numericAddress } from "../../src/resolve/target.ts";

function hopOf(text: string) {
  return nextHopOf(Uri.parse(text)!);
}

describe("the next hop of a URI", () => {
  test("is its host, and nothing that is not written", () => {
    const hop = { secure: false, host: "example.com", port: undefined, transport: undefined };
    expect(hopOf("sip:bob@Example.COM")).toEqual(hop);
    expect(hopOf("sip:example.com;transport")).toEqual(hop);
    expect(hopOf("sip:example.com;lr;user=phone")).toEqual(hop);
  });

  test("has the port and the transport that are written, whatever the transport is", () => {
    expect(hopOf("sip:example.com:5070;transport=TCP")).toMatchObject({ port: 5070, transport: "tcp" });
    expect(hopOf("sip:example.com;transport=carrier-Pigeon")).toMatchObject({ transport: "carrier-pigeon" });
  });

  test("is secure for sips", () => {
    expect(hopOf("sips:example.com")).toMatchObject({ secure: true, transport: undefined });
  });

  test("is the maddr where there is one (RFC 3263 s4)", () => {
    expect(hopOf("sip:example.com;maddr=Other.Example")?.host).toBe("other.example");
    expect(hopOf("sip:example.com;maddr=[2001:DB8::1]")?.host).toBe("2001:db8::1");
  });

  test("has an IPv6 address without its brackets, and a name without the dot at its end", () => {
    expect(hopOf("sip:[2001:DB8::1]:5080")).toMatchObject({ host: "2001:db8::1", port: 5080 });
    expect(hopOf("sip:example.com.")?.host).toBe("example.com");
  });

  test("does not exist for other schemes", () => {
    expect(hopOf("tel:+15551234567")).toBeNull();
    expect(hopOf("http://example.com/")).toBeNull();
  });
});

describe("a numeric address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["::", "::"],
    ["::1", "::1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"],
    ["0:0::0:0:0.0.0.0", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:0:2:3:0:0:4", "1::2:3:0:0:4"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"],
    ["1:2:3:4:5:6::", "1:2:3:4:5:6::"],
  ])("%s is one text however it is written", (text, canonical) => {
    expect(numericAddress(text)).toBe(canonical);
  });

  test.each(["example.com", "192.0.2", "192.0.2.256", "1.2.3.4.5", "fe80::1%eth0", "::g", ":", "", "[::1]"])(
    "%s is none",
    (text) => {
      expect(numericAddress(text)).toBeNull();
    },
  );

  test("of any kind comes out as an address that comes out as itself", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4(), fc.string()), (text) => {
        const address = numericAddress(text.toLowerCase());
        if (address === null) return isIP(text) === 0 || text.includes("%");
        return isIP(address) !== 0 && numericAddress(address) === address;
      }),
    );
  });

  test("of IPv6 is the text that the system makes of it", () => {
    const group = fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, fc.nat(0xffff));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const text = groups.map((one) => one.toString(16)).join(":");
        const shown = new URL(`http://[${text}]`).hostname.slice(1, -1);
        expect(numericAddress(text)).toBe(shown.startsWith("::ffff:") ? numericAddress(shown) : shown);
      }),
    );
  });
});
