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
      expect(user).toMatch(/^tgruu\.[\w-]{32}$/);
      expect(again.read(user)).toBe(true);
      expect([again.low, again.high, again.number]).toEqual([low, high, count]);
      expect(others.read(user)).toBe(false);
    }),
  );
});

test("two of one handle have nothing in common", () => {
  const users = new TemporaryUsers(new Uint8Array(16));
  const made = Array.from({ length: 100 }, (_, count) => write(users, 1, 2, count).slice(6));
  expect(new Set(made.map((digits) => digits.slice(0, 6))).size).toBe(100);
});

test("one that was changed is none", () => {
  const users = new TemporaryUsers(new Uint8Array(16));
  const octet = fc.nat(USER_LENGTH - "tgruu.".length - 1);
  const digits = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
  fc.assert(
    fc.property(word, word, number, octet, fc.constantFrom(...digits), (low, high, count, at, digit) => {
      const user = write(users, low, high, count);
      const index = "tgruu.".length + at;
      const changed = `${user.slice(0, index)}${digit}${user.slice(index + 1)}`;
      expect(users.read(changed)).toBe(changed === user);
    }),
  );
});

test("other text is none, whatever it is", () => {
  const users = new TemporaryUsers(new Uint8Array(16));
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.base64String({ minLength: 32, maxLength: 32 }),
  );
  fc.assert(
    fc.property(text, (rest) => expect([users.read(rest), users.read(`tgruu.${rest}`)]).toEqual([false, false])),
  );
  const octets = new TextEncoder().encode("xtgruu.");
  expect([isTemporary(octets, 0), isTemporary(octets, 1), isTemporary(octets, -1)]).toEqual([false, true, false]);
});
