import { expect, test } from "bun:test";
import fc from "fast-check";
import { latin1 } from "../../src/message/bytes.ts";
import { isTemporary, TemporaryUsers, USER_LENGTH } from "../../src/registrar/temporary-users.ts";

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

function write(users: TemporaryUsers, low: number, high: number, count: number): string {
  const out = new Uint8Array(USER_LENGTH + 2);
  expect(users.write(low, high, count, out, 1)).toBe(USER_LENGTH + 1);
  expect([out[0], out[USER_LENGTH + 1]]).toEqual([0, 0]);
  expect(isTemporary(out, 1)).toBe(true);
  return latin1(out, 1, USER_LENGTH + 1);
}

test("what was written is read back, by who has the key alone", () => {
  const ours = new TemporaryUsers(new Uint8Array(16).fill(1));
  const again = new TemporaryUsers(new Uint8Array(16).fill(1));
  const others = new TemporaryUsers(new Uint8Array(16).fill(2));
  fc.assert(
    fc.property(word, word, number, (low, high, count) => {
      const user = write(ours, low, high, count);
      expect(user).toMatch(/^tgruu\.[\w-]{22}$/);
      expect(again.read(user)).toBe(true);
      expect([again.low, again.high, again.number]).toEqual([low, high, count]);
      others.read(user);
      expect([others.low, others.high, others.number]).not.toEqual([low, high, count]);
    }),
  );
});

test("two of one handle have nothing in common", () => {
  const users = new TemporaryUsers(new Uint8Array(16));
  const made = Array.from({ length: 100 }, (_, count) => write(users, 1, 2, count).slice(6));
  expect(new Set(made.map((digits) => digits.slice(0, 6))).size).toBe(100);
});

test("other text is none, whatever it is", () => {
  const users = new TemporaryUsers(new Uint8Array(16));
  const text = fc.oneof(fc.string(), fc.string({ unit: "grapheme" }), fc.base64String({ maxLength: 40 }));
  fc.assert(
    fc.property(text, fc.boolean(), (rest, isMarked) => {
      const user = isMarked ? `tgruu.${rest}` : rest;
      const isBlock = user.startsWith("tgruu.") && Buffer.from(user.slice(6), "base64url").length === 16;
      expect(users.read(user)).toBe(isBlock);
    }),
  );
  const octets = new TextEncoder().encode("xtgruu.");
  expect([isTemporary(octets, 0), isTemporary(octets, 1), isTemporary(octets, -1)]).toEqual([false, true, false]);
});
