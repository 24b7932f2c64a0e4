import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { plainLine } from "../../src/observe/plain.ts";
import { printable } from "../../src/observe/printable.ts";

const AT = new Date(2026, 0, 2, 3, 4, 5).toISOString();

describe("a log record as a line for people", () => {
  test("time, level, message and fields", () => {
    const record = { level: "warn", time: AT, msg: "not sent", peer: "192.0.2.1:5060", count: 3, hops: ["a", 1] };
    expect(plainLine(JSON.stringify(record))).toBe('03:04:05 warn  not sent peer=192.0.2.1:5060 count=3 hops=["a",1]');
  });

  test("a field with spaces is quoted, an empty one too", () => {
    const record = { level: "error", time: AT, msg: "m", a: "b c", d: "" };
    expect(plainLine(JSON.stringify(record))).toBe('03:04:05 error m a="b c" d=""');
  });

  test("an error shows its stack, indented", () => {
    const err = { type: "Error", message: "no", stack: "Error: no\n    at f (x.ts:1:2)" };
    const line = plainLine(JSON.stringify({ level: "error", time: AT, msg: "failed", err }));
    expect(line).toBe("03:04:05 error failed\n    Error: no\n    at f (x.ts:1:2)");
  });

  test("an error without a stack shows its message", () => {
    const line = plainLine(JSON.stringify({ level: "error", time: AT, msg: "failed", err: "just text" }));
    expect(line).toBe('03:04:05 error failed err="just text"');
  });

  test("what a peer sent cannot move the cursor or start a line", () => {
    const record = { level: "info", time: AT, msg: "call\r\nforged", callId: "\x1b[2J\u202eabc" };
    expect(plainLine(JSON.stringify(record))).toBe("03:04:05 info  call\\x0d\\x0aforged callId=\\x1b[2J\\u{202e}abc");
  });

  test("what is no record is printed all the same", () => {
    expect(plainLine("out of nowhere\n")).toBe("out of nowhere");
    expect(plainLine("null\n")).toBe("null");
    expect(plainLine("{}")).toBe("--:--:--");
  });

  test("any record gives one line without controls", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), (record) => {
        delete record.err;
        expect(plainLine(JSON.stringify(record))).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});

test("printable text is left as it is", () => {
  const text = 'From: "Jürgen 🐧" <sip:j@example.com>;tag=a\\b';
  expect(printable(text)).toBe(text);
});
