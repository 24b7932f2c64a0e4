import { expect, test } from "bun:test";
import { ascii } from "../../src/message/bytes.ts";
import { scanHost } from "../../src/message/host-scan.ts";

test("a host is read up to its end, and what follows is left", () => {
  for (const [text, length] of [
    ["example.com:5060", 11],
    ["192.0.2.1;x", 9],
    ["192.0.2.1.example.com ", 21],
    ["[::1]:5060", 5],
    ["a", 1],
    ["a b", 1],
  ] as const) {
    const bytes = ascii(text);
    expect([text, scanHost(bytes, 0, bytes.length)]).toEqual([text, length]);
  }
  for (const text of ["", ":", ";x", "[::1", "1", "1.2.3.256", "1.2.3.04", "a..b", "-a", "a-", "a-.b"]) {
    expect([text, scanHost(ascii(text), 0, text.length)]).toEqual([text, -1]);
  }
});
