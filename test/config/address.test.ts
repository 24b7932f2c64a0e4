import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseAdvertise, parseListen } from "../../src/config/address.ts";

describe("an address to listen on", () => {
  test.each([
    ["udp://127.0.0.1", "udp://127.0.0.1:5060"],
    ["udp://0.0.0.0:0", "udp://0.0.0.0:0"],
    ["udp://[::]:5060", "udp://[::]:5060"],
    ["udp://[2001:db8::1]", "udp://[2001:db8::1]:5060"],
    ["UDP://localhost:65535", "udp://localhost:65535"],
    ["udp://sip-1.example.com", "udp://sip-1.example.com:5060"],
  ])("%s is %s", (text, full) => {
    expect(parseListen(text)).toBe(full);
  });

  test.each([
    "",
    "udp://",
    "udp://:5060",
    "127.0.0.1:5060",
    "tcp://127.0.0.1",
    "udp:127.0.0.1",
    "udp://127.0.0.1:65536",
    "udp://127.0.0.1:",
    "udp://127.0.0.1:sip",
    "udp://127.0.0.1:5060/",
    "udp://999.1.1.1",
    "udp://1.2.3",
    "udp://::1",
    "udp://[::1",
    "udp://[127.0.0.1]",
    "udp://-a.example.com",
    "udp://a..b",
    "udp://user@host",
    "udp://a b",
    " udp://127.0.0.1",
    "udp://127.0.0.1\n",
  ])("%j is refused", (text) => {
    expect(parseListen(text)).toBeUndefined();
  });

  test("what is accepted stays as it is when it is parsed again", () => {
    const host = fc.oneof(fc.ipV4(), fc.domain(), fc.constantFrom("[::1]", "[fe80::1]", "localhost"));
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        const full = `udp://${name}:${port}`;
        expect(parseListen(full)).toBe(full);
      }),
    );
  });
});

describe("an address to advertise", () => {
  test.each(["192.0.2.1", "192.0.2.1:5080", "[2001:db8::1]", "[2001:db8::1]:5060", "sip.example.com", "sip:5060"])(
    "%s is taken as it is",
    (text) => {
      expect(parseAdvertise(text)).toBe(text);
    },
  );

  test.each([
    "",
    "0.0.0.0",
    "0.0.0.0:5060",
    "[::]",
    "[::]:5060",
    "2001:db8::1",
    "192.0.2.1:0",
    "[fe80::1%eth0]",
    "a:b",
  ])("%j is refused: no peer could use it", (text) => {
    expect(parseAdvertise(text)).toBeUndefined();
  });
});
