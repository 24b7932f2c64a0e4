import { expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../../src/message/bytes.ts";
import { hasToken } from "../../src/message/has-token.ts";
import { Header } from "../../src/message/header.ts";
import { tokensOf } from "../../src/message/tokens.ts";
import { scanned } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

const TIMER = ascii("timer");

function message(...headers: string[]) {
  return scanned(requestText("OPTIONS", { headers }));
}

test("finds a token wherever it stands, in any case and on any line", () => {
  for (const headers of [
    ["Supported: timer"],
    ["k: TIMER"],
    ["Supported: 100rel, timer"],
    ["Supported: timer ,replaces"],
    ["Supported: ,, timer"],
    ["Supported: 100rel,\r\n timer"],
    ["Supported: 100rel", "Supported: Timer"],
  ]) {
    expect([headers, hasToken(message(...headers), Header.Supported, TIMER)]).toEqual([headers, true]);
  }
});

test("takes neither a part of a token for it nor another header's", () => {
  for (const headers of [
    [],
    ["Supported:"],
    ["Supported: timers, xtimer, tim er"],
    ["Supported: timer;x"],
    ["Require: timer"],
  ]) {
    expect([headers, hasToken(message(...headers), Header.Supported, TIMER)]).toEqual([headers, false]);
  }
});

test("agrees with the reader of lists", () => {
  const piece = fc.constantFrom("timer", "Timer", "100rel", ",", " ", "\t", "x", ", ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const one = message(`Supported: ${pieces.join("")}`);
      const items = pieces.join("").split(",");
      fc.pre(items.every((item) => !/\S\s+\S/.test(item)));
      const listed = tokensOf(one, Header.Supported).some((tag) => tag.toLowerCase() === "timer");
      expect(hasToken(one, Header.Supported, TIMER)).toBe(listed);
    }),
    { numRuns: 1000 },
  );
});
