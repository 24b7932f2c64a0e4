import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkedReason, headerLines } from "../../src/message/header-lines.ts";

const text = (octets: Uint8Array) => new TextDecoder().decode(octets);

test("a line for each value, in order", () => {
  expect(text(headerLines({ Subject: "a", "X-Two": ["b", "c"], "X-None": [], "X-Empty": "" }))).toBe(
    "Subject: a\r\nX-Two: b\r\nX-Two: c\r\nX-Empty: \r\n",
  );
});

test("whatever is given: as many lines as values, or a TypeError", () => {
  const hostile = fc.string({ unit: fc.constantFrom("a", "\r", "\n", "\0", ":", " ", "\t", "ü", "\u2028") });
  fc.assert(
    fc.property(fc.dictionary(hostile, fc.oneof(hostile, fc.array(hostile))), (fields) => {
      const values = Object.values(fields).flat().length;
      let lines: string;
      try {
        lines = text(headerLines(fields));
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        return;
      }
      expect(lines.split("\r\n")).toHaveLength(values + 1);
      expect(lines.split(/\r|\n|\0/)).toHaveLength(2 * values + 1);
    }),
  );
});

test("a reason phrase without a line end is taken as it is", () => {
  expect(checkedReason("Ganz schön voll")).toBe("Ganz schön voll");
  for (const reason of ["a\rb", "a\nb", "a\0b"]) expect(() => checkedReason(reason)).toThrow(TypeError);
});
