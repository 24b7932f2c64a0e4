import { expect, test } from "bun:test";
import fc from "fast-check";
import { ascii, latin1 } from "../../src/message/bytes.ts";
import { OVERFLOW, put, putDecimal, putOctet, putRange, putSmall } from "../../src/sdp/put.ts";

test("a decimal is the one that String gives", () => {
  const out = new Uint8Array(20);
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(200)), (value) => {
      expect(latin1(out, 1, putDecimal(out, 1, value))).toBe(String(value));
    }),
  );
  for (let power = 1; power < Number.MAX_SAFE_INTEGER; power *= 10) {
    for (const value of [power - 1, power, power + 1]) {
      expect(latin1(out, 0, putDecimal(out, 0, value))).toBe(String(value));
    }
  }
  for (let value = 0; value < 1000; value++) expect(latin1(out, 0, putSmall(out, 0, value))).toBe(String(value));
});

test("what does not fit is not begun past the end, and the overflow stays", () => {
  const arena = new Uint8Array(8).fill(0xee);
  const out = arena.subarray(0, 4);
  const text = ascii("abcde");
  const writes: ((at: number) => number)[] = [
    (at) => put(out, at, text),
    (at) => putRange(out, at, text, 0, 5),
    (at) => putDecimal(out, at, 12345),
    (at) => putDecimal(out, at, 1_234_567_890),
    (at) => putSmall(out, 4 - 2 + at, 123),
    (at) => putOctet(out, 4 + at, 1),
  ];
  for (const write of writes) {
    expect(write(0)).toBe(OVERFLOW);
    expect(write(OVERFLOW)).toBe(OVERFLOW);
    expect(arena.subarray(4).every((octet) => octet === 0xee)).toBe(true);
  }
  expect(putRange(out, 0, text, 1, 5)).toBe(4);
  expect(latin1(out, 0, 4)).toBe("bcde");
});
