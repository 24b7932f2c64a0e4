/** Replaces (RFC 3891 s6.1) and Target-Dialog (RFC 4538 s7). */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseReplaces, replacesOf, targetDialogOf, writeReplaces } from "../../src/message/replaces.ts";
import { scanned } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

function requestWith(...headers: string[]) {
  return scanned(requestText("INVITE", { headers }));
}

describe("a Replaces value", () => {
  const good: [text: string, callId: string, localTag: string, remoteTag: string, earlyOnly?: boolean][] = [
    ["98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff", "98732@sip.example.com", "ff87ff", "r33th4x0r"],
    ["12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only", "12adf2f34456gs5", "12345", "54321", true],
    ["87134@171.161.34.23;to-tag=24796;from-tag=0", "87134@171.161.34.23", "24796", "0"],
    [' a ; To-Tag = 1 \r\n ;FROM-TAG=2;x="y;z";Early-Only ', "a", "1", "2", true],
    ['(w>o"r[d]?{1}@b;to-tag=1;from-tag=2', '(w>o"r[d]?{1}@b', "1", "2"],
  ];
  for (const [text, callId, localTag, remoteTag, earlyOnly = false] of good) {
    test(JSON.stringify(text), () => {
      expect(parseReplaces(text)).toEqual({ callId, localTag, remoteTag, earlyOnly });
    });
  }

  const bad = [
    "",
    " ",
    ";to-tag=1;from-tag=2",
    "a",
    "a;to-tag=1",
    "a;from-tag=1",
    "a;to-tag=1;from-tag",
    "a;to-tag=;from-tag=2",
    "a;to-tag=1;from-tag=2;to-tag=3",
    "a;to-tag=1;from-tag=2,b;to-tag=1;from-tag=2",
    "a b;to-tag=1;from-tag=2",
    "a;to-tag=1;from-tag=2;",
  ];
  for (const text of bad) test(`none: ${JSON.stringify(text)}`, () => expect(parseReplaces(text)).toBeNull());

  test("is read as it was written", () => {
    const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,30}$/);
    const callId = fc.tuple(token, token).map((parts) => parts.join("@"));
    fc.assert(
      fc.property(callId, token, token, fc.boolean(), (id, localTag, remoteTag, earlyOnly) => {
        const replaces = { callId: id, localTag, remoteTag, earlyOnly };
        expect(parseReplaces(writeReplaces(replaces))).toEqual(replaces);
      }),
    );
  });

  test("of any text is one or none, never an exception", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const replaces = parseReplaces(text);
        if (replaces !== null) expect(Math.min(replaces.localTag.length, replaces.remoteTag.length)).toBeGreaterThan(0);
      }),
      { numRuns: 1000 },
    );
  });
});

test("a request has one, none, or something malformed", () => {
  const value = "a;to-tag=1;from-tag=2";
  expect(replacesOf(requestWith())).toBeNull();
  expect(replacesOf(requestWith(`REPLACES: ${value}`))).toMatchObject({ callId: "a" });
  expect(replacesOf(requestWith(`Replaces: ${value}`, `Replaces: ${value}`))).toBe("malformed");
  expect(replacesOf(requestWith(`Replaces: ${value}, ${value}`))).toBe("malformed");
  expect(replacesOf(requestWith("Replaces: a"))).toBe("malformed");
});

test("a Target-Dialog is read, or ignored", () => {
  const of = (...values: string[]) => targetDialogOf(requestWith(...values.map((value) => `Target-Dialog: ${value}`)));
  expect(of("fa77as7dad8-sd98ajzz@host.example.com ;local-tag=kkaz-;remote-tag=6544")).toEqual({
    callId: "fa77as7dad8-sd98ajzz@host.example.com",
    localTag: "kkaz-",
    remoteTag: "6544",
  });
  for (const values of [[], ["a"], ["a;local-tag=1"], ["a;to-tag=1;from-tag=2"], [";"]])
    expect(of(...values)).toBeNull();
  const good = "a;local-tag=1;remote-tag=2";
  expect(of(good, good)).toBeNull();
});
