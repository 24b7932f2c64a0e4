import { expect, test } from "bun:test";
import { namesThisMachine } from "../../src/commands/own-addresses.ts";

test.each([
  ["sip:127.0.0.1:5060", true],
  ["sips:127.0.0.1", true],
  ["sip:192.0.2.77:5060", false],
  ["sip:bob@127.0.0.1", false],
  ["sip:localhost", false],
  ["sip:example.com", false],
  ["tel:+12125550123", false],
  ["127.0.0.1", false],
  ["", false],
])("%j names this machine: %p", (uri, isNamed) => {
  expect(namesThisMachine(uri)).toBe(isNamed);
});
