import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hasPort, parseAdvertise, parseListen, parseNameserver, readListen } from "../../src/config/address.ts";
import { TRANSPORTS } from "../../src/transport/kinds.ts";

describe("an address to listen on", () => {
  test.each([
    ["udp://127.0.0.1", "udp://127.0.0.1:5060"],
    ["udp://0.0.0.0:0", "udp://0.0.0.0:0"],
    ["udp://[::]:5060", "udp://[::]:5060"],
    ["udp://[2001:db8::1]", "udp://[2001:db8::1]:5060"],
    ["UDP://localhost:65535", "udp://localhost:65535"],
    ["udp://sip-1.example.com", "udp://sip-1.example.com:5060"],
    ["tcp://127.0.0.1", "tcp://127.0.0.1:5060"],
    ["tls://[::]", "tls://[::]:5061"],
    ["ws://127.0.0.1", "ws://127.0.0.1:80"],
    ["WSS://example.com", "wss://example.com:443"],
    ["wss://example.com:5060", "wss://example.com:5060"],
    ["tcp://0.0.0.0?advertise=192.0.2.1", "tcp://0.0.0.0:5060?advertise=192.0.2.1"],
    ["tls://0.0.0.0:7000?advertise=[2001:db8::1]:5061", "tls://0.0.0.0:7000?advertise=[2001:db8::1]:5061"],
  ])("%s is %s", (text, full) => {
    expect(parseListen(text)).toBe(full);
  });

  test.each([
    "",
    "udp://",
    "udp://:5060",
    "127.0.0.1:5060",
    "sctp://127.0.0.1",
    "sip://127.0.0.1",
    "udps://127.0.0.1",
    "://127.0.0.1",
    "udp://127.0.0.1?",
    "udp://127.0.0.1?advertise",
    "udp://127.0.0.1?advertise=",
    "udp://127.0.0.1?advertise=0.0.0.0",
    "udp://127.0.0.1?advertise=192.0.2.1:0",
    "udp://127.0.0.1?advertise=192.0.2.1?advertise=192.0.2.2",
    "udp://127.0.0.1?advertise=192.0.2.1&x=1",
    "udp://127.0.0.1?advertise=192.0.2.1\n",
    "udp://127.0.0.1?other=192.0.2.1",
    "udp://?advertise=192.0.2.1",
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
    const host = fc.oneof(
      fc.ipV4().filter((address) => address !== "0.0.0.0"),
      fc.domain(),
      fc.constantFrom("[::1]", "[fe80::1]", "localhost"),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...TRANSPORTS),
        host,
        fc.integer({ min: 0, max: 65_535 }),
        fc.option(host),
        (transport, name, port, told) => {
          const full = `${transport}://${name}:${port}${told === null ? "" : `?advertise=${told}`}`;
          expect(parseListen(full)).toBe(full);
          expect(readListen(full)).toEqual({ transport, host: name, port, advertise: told ?? undefined });
        },
      ),
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

test.each([
  ["192.0.2.1", false],
  ["192.0.2.1:5080", true],
  ["[2001:db8::1]", false],
  ["[2001:db8::1]:5060", true],
])("whether %s names a port: %p", (text, expected) => {
  expect(hasPort(text)).toBe(expected);
});

describe("a DNS server", () => {
  test.each([
    ["127.0.0.1", "127.0.0.1:53"],
    ["127.0.0.1:5353", "127.0.0.1:5353"],
    ["[::1]", "[::1]:53"],
    ["[2001:db8::1]:5353", "[2001:db8::1]:5353"],
  ])("%s is %s", (text, full) => {
    expect(parseNameserver(text)).toBe(full);
  });

  test.each([
    "",
    "dns.example.com",
    "127.0.0.1:0",
    "127.0.0.1:",
    "::1",
    "[::1",
    "[fe80::1%lo]",
    "1.2.3",
    "udp://1.2.3.4",
  ])("%j is refused", (text) => {
    expect(parseNameserver(text)).toBeUndefined();
  });
});
