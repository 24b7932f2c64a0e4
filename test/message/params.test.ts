import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nextParam, ParamStep, paramCursor } from "../../src/message/params.ts";
import { bytesOf } from "../support/sip-text.ts";

/** The parameters of a text and how the walk ended; values with their quotes, null where there is none. */
function walk(text: string, end = text.length): { params: [string, string | null][]; step: number; rest: string } {
  const bytes = bytesOf(text);
  const cursor = paramCursor();
  const params: [string, string | null][] = [];
  for (;;) {
    const step = nextParam(bytes, end, cursor);
    if (step !== ParamStep.Found) return { params, step, rest: text.slice(cursor.at, end) };
    const { nameStart, nameEnd, valueStart, valueEnd } = cursor;
    params.push([text.slice(nameStart, nameEnd), valueStart < 0 ? null : text.slice(valueStart, valueEnd)]);
  }
}

describe("nextParam", () => {
  test("walks names, tokens, quoted strings and IPv6 addresses", () => {
    const { params, step } = walk(';a;b=c;d="e;f=\\"g\\",h";i=[2001:db8::1];j=2001:db8::9:255;k=%41\'');
    expect(step).toBe(ParamStep.End);
    expect(params).toEqual([
      ["a", null],
      ["b", "c"],
      ["d", '"e;f=\\"g\\",h"'],
      ["i", "[2001:db8::1]"],
      ["j", "2001:db8::9:255"],
      ["k", "%41'"],
    ]);
  });

  test("passes over white space and folds round every mark", () => {
    const { params, step } = walk(' ; a \r\n =\t b ;\r\n c ; d = "e" ');
    expect(step).toBe(ParamStep.End);
    expect(params).toEqual([
      ["a", "b"],
      ["c", null],
      ["d", '"e"'],
    ]);
  });

  test("ends at a comma, or where the range does", () => {
    expect(walk(";a=b , next")).toEqual({ params: [["a", "b"]], step: ParamStep.End, rest: ", next" });
    expect(walk(";a=b;c", 3).step).toBe(ParamStep.Malformed);
    expect(walk(";a=b;c", 4)).toEqual({ params: [["a", "b"]], step: ParamStep.End, rest: "" });
    expect(walk("")).toEqual({ params: [], step: ParamStep.End, rest: "" });
  });

  test("says what is malformed", () => {
    for (const text of [
      "x",
      ";",
      ";;a",
      "; =b",
      ";a=",
      ";a=;b",
      ';a="b',
      ';a="b\\"',
      ";a b",
      ";a=b c",
      ';a=b"c"',
      ";a=<b>",
      ";@",
    ]) {
      expect([text, walk(text).step]).toEqual([text, ParamStep.Malformed]);
    }
  });

  test("reads what was joined", () => {
    const token = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,8}$/);
    const quoted = fc.string({ unit: fc.constantFrom(...'a;,=\\" \t'), maxLength: 8 });
    const value = fc.oneof(
      fc.constant(null),
      token,
      quoted.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`),
    );
    const space = fc.constantFrom("", " ", "\r\n\t");
    fc.assert(
      fc.property(fc.array(fc.tuple(token, value, space, space, space)), (params) => {
        const text = params.map(([name, each, a, b, c]) => {
          return each === null ? `${a};${b}${name}${c}` : `${a};${b}${name}${c}=${a}${each}${b}`;
        });
        const walked = walk(text.join(""));
        expect(walked.step).toBe(ParamStep.End);
        expect(walked.params).toEqual(params.map(([name, each]): [string, string | null] => [name, each]));
      }),
    );
  });

  test("never leaves its range, whatever the octets", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...'a=;," \r\n<>\\[]:é\0')), fc.nat(20), (characters, cut) => {
        const text = characters.join("");
        const end = Math.max(0, text.length - cut);
        const bytes = bytesOf(text);
        const cursor = paramCursor();
        for (let steps = 0; ; steps++) {
          expect(steps).toBeLessThanOrEqual(end);
          const before = cursor.at;
          const step = nextParam(bytes, end, cursor);
          if (step !== ParamStep.Found) break;
          expect(cursor.at).toBeGreaterThan(before);
          expect(cursor.nameStart).toBeLessThan(cursor.nameEnd);
          expect(cursor.at).toBeLessThanOrEqual(end);
          expect(cursor.valueEnd).toBeLessThanOrEqual(end);
        }
      }),
    );
  });
});
