import { describe, expect, test } from "bun:test";
import { advertisedFor, ListenError, parseListenAddress } from "../../src/server/listen.ts";

describe("a listen address", () => {
  test.each([
    ["udp://0.0.0.0:5060", "0.0.0.0", 5060],
    ["udp://127.0.0.1", "127.0.0.1", 5060],
    ["udp://127.0.0.1:0", "127.0.0.1", 0],
    ["udp://[::]:5070", "::", 5070],
    ["udp://[::1]", "::1", 5060],
    ["udp://[::ffff:192.0.2.1]:65535", "::ffff:192.0.2.1", 65535],
    ["udp://sip.example.com:5080", "sip.example.com", 5080],
    ["UDP://localhost", "localhost", 5060],
  ])("%s", (text, host, port) => {
    expect(parseListenAddress(text)).toMatchObject({ transport: "udp", host, port });
  });

  test.each([
    "",
    "127.0.0.1:5060",
    "sctp://127.0.0.1:5060",
    "udp:127.0.0.1",
    "udp://",
    "udp://:5060",
    "udp://::1",
    "udp://::1:5060",
    "udp://[::1",
    "udp://[localhost]:5060",
    "udp://127.0.0.1:",
    "udp://127.0.0.1:65536",
    "udp://127.0.0.1:-1",
    "udp://127.0.0.1:5060/",
    "udp://127.0.0.1:sip",
    " udp://127.0.0.1",
    "udp://127.0.0.1 ",
  ])("is not %p", (text) => {
    const parse = () => parseListenAddress(text);
    expect(parse).toThrow(ListenError);
    try {
      parse();
    } catch (error) {
      expect(error).toMatchObject({ name: "ListenError", code: "EINVAL", listen: text });
    }
  });
});

test.each([
  ["sip.example.com", 5060, "sip.example.com:5060"],
  ["sip.example.com:5090", 5060, "sip.example.com:5090"],
  ["192.0.2.1", 5070, "192.0.2.1:5070"],
  ["192.0.2.1:5080", 5070, "192.0.2.1:5080"],
  ["[2001:db8::1]", 5070, "[2001:db8::1]:5070"],
  ["[2001:db8::1]:5080", 5070, "[2001:db8::1]:5080"],
  ["2001:db8::1", 5070, "[2001:db8::1]:5070"],
  ["::1", 5070, "[::1]:5070"],
])("advertising %s, the listener at port %i tells %s", (advertise, port, told) => {
  expect(advertisedFor(advertise, port)).toBe(told);
});
