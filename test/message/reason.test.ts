/** Reason: RFC 3326. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Reason, reasonOfProtocol, reasonsOf, writeReason } from "../../src/message/reason.ts";
import { scanned } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

function bye(...values: string[]) {
  return scanned(requestText("BYE", { headers: values.map((value) => `Reason: ${value}`) })).keep();
}

const brief = (...values: string[]) =>
  reasonsOf(bye(...values)).map(({ protocol, cause, text }) => [protocol, cause, text]);

describe("reasonsOf", () => {
  test("the examples of s2", () => {
    expect(brief('SIP ;cause=200 ;text="Call completed elsewhere"')).toEqual([
      ["SIP", 200, "Call completed elsewhere"],
    ]);
    expect(brief('Q.850 ;cause=16 ;text="Terminated"')).toEqual([["Q.850", 16, "Terminated"]]);
  });

  test("several on a line, on several lines, with and without parameters", () => {
    expect(brief('SIP;cause=600;text="Busy, really; \\"so\\"", Q.850 ; Cause = 17', "Preemption", "x;cause=")).toEqual([
      ["SIP", 600, 'Busy, really; "so"'],
      ["Q.850", 17, undefined],
      ["Preemption", undefined, undefined],
    ]);
    expect(reasonsOf(bye())).toEqual([]);
  });

  test("other parameters, and a cause that is no number", () => {
    const [reason] = reasonsOf(bye('SIP;cause=many;location=U;x;y="a b"'));
    expect([reason!.cause, [...reason!.params!]]).toEqual([
      undefined,
      [
        ["location", "U"],
        ["x", ""],
        ["y", "a b"],
      ],
    ]);
    expect(brief("SIP;cause=99999999999")).toEqual([["SIP", undefined, undefined]]);
    expect(brief("SIP;cause=486;cause=600")).toEqual([["SIP", 486, undefined]]);
  });

  test("a malformed value takes the rest of its line along, and nothing else", () => {
    expect(brief('Q.850;cause=16, SIP;text="open, Q.850;cause=17', "SIP;cause=200")).toEqual([
      ["Q.850", 16, undefined],
      ["SIP", 200, undefined],
    ]);
    for (const value of ["", ";cause=1", "SIP cause=1", "SIP;", "SIP;=1", '"SIP"']) {
      expect([value, brief(value)]).toEqual([value, []]);
    }
  });

  test("by protocol, in any case", () => {
    const message = bye("SIP;cause=200", "q.850;cause=16");
    expect(reasonOfProtocol(message, "Q.850")?.cause).toBe(16);
    expect(reasonOfProtocol(message, "sip")?.cause).toBe(200);
    expect(reasonOfProtocol(message, "Q")).toBeUndefined();
  });
});

describe("writeReason", () => {
  test("writes what is there", () => {
    expect(writeReason({ protocol: "SIP" })).toBe("SIP");
    expect(writeReason({ protocol: "Q.850", cause: 16, text: 'so "it" \\ is' })).toBe(
      'Q.850;cause=16;text="so \\"it\\" \\\\ is"',
    );
    const params = new Map(Object.entries({ location: "U", x: "", y: "a b" }));
    expect(writeReason({ protocol: "SIP", params })).toBe('SIP;location=U;x;y="a b"');
  });

  test("refuses what would be read as something else", () => {
    for (const reason of [
      { protocol: "" },
      { protocol: "S IP" },
      { protocol: "SIP, Q.850" },
      { protocol: "SIP", cause: -1 },
      { protocol: "SIP", cause: 1.5 },
      { protocol: "SIP", cause: 2 ** 31 },
      { protocol: "SIP", text: "a\r\nVia: x" },
      { protocol: "SIP", params: new Map([["a b", "c"]]) },
      { protocol: "SIP", params: new Map([["a", "b\n"]]) },
    ]) {
      expect(() => writeReason(reason)).toThrow(TypeError);
    }
  });

  test("is read again", () => {
    const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,8}$/);
    const text = fc.string({ unit: "grapheme", maxLength: 20 }).filter((value) => !/\p{Cc}/u.test(value));
    const reason = fc.record({
      protocol: token,
      cause: fc.option(fc.nat(0x7fffffff), { nil: undefined }),
      text: fc.option(text, { nil: undefined }),
      params: fc
        .array(
          fc.tuple(
            token.map((name) => `x${name.toLowerCase()}`),
            text,
          ),
          { maxLength: 3 },
        )
        .map((entries) => new Map(entries)),
    });
    fc.assert(
      fc.property(fc.array(reason, { minLength: 1, maxLength: 3 }), (reasons: Reason[]) => {
        expect(reasonsOf(bye(reasons.map(writeReason).join(", ")))).toEqual(reasons);
      }),
      { numRuns: 500 },
    );
  });
});

test("any value is read without throwing, and in little time", () => {
  const piece = fc.constantFrom("SIP", ";", "=", ",", '"', "\\", "cause", "text", "16", " ", "\t");
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.stringMatching(/^[ -~]{1,2}$/)), { maxLength: 14 }), (pieces) => {
      for (const { protocol } of reasonsOf(bye(pieces.join("")))) expect(protocol).not.toBe("");
    }),
    { numRuns: 2000 },
  );
  const begun = performance.now();
  for (const value of [
    "SIP,".repeat(15_000),
    `SIP;text="${"\\".repeat(60_000)}"`,
    `SIP;text="${" ".repeat(60_000)}"`,
  ]) {
    reasonsOf(bye(value));
  }
  expect(performance.now() - begun).toBeLessThan(2000);
});
