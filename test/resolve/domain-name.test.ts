import { describe, expect, test } from "bun:test";
import { isDomainName, plainName } from "../../src/resolve/domain-name.ts";

const label63 = "a".repeat(63);

describe("a domain name", () => {
  test.each([
    "example.com",
    "localhost",
    "_sip._udp.example.com",
    "xn--bcher-kva.example",
    "4.3.2.1.in-addr.arpa",
    "3com",
    `${label63}.${label63}.${label63}.${"a".repeat(61)}`,
  ])("may be asked for: %s", (name) => {
    expect(isDomainName(name)).toBe(true);
  });

  test.each([
    "",
    ".",
    ".example.com",
    "example..com",
    "example.com.",
    "bücher.example",
    "a b.example",
    "a\0.example",
    "a\r\n.example",
    "a/b",
    "10.0.0.256",
    "1234",
    `${label63}a.example`,
    `${label63}.${label63}.${label63}.${"a".repeat(62)}`,
  ])("may not: %j", (name) => {
    expect(isDomainName(name)).toBe(false);
  });

  test("is checked quickly, however long", () => {
    const began = performance.now();
    for (let at = 0; at < 1000; at++) isDomainName("a-".repeat(100_000));
    expect(performance.now() - began).toBeLessThan(500);
  });

  test("in its plain form has small letters and no dot at the end", () => {
    expect(plainName("SIP.Example.COM.")).toBe("sip.example.com");
    expect(plainName(".")).toBe("");
  });
});
