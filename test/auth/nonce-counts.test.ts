import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NONCE_WORDS, NonceMaker, nonceTime, readNonce } from "../../src/auth/nonce.ts";
import { COUNT_WINDOW, NonceCounts } from "../../src/auth/nonce-counts.ts";
import { FoundUser } from "../../src/auth/users.ts";
import { ascii } from "../../src/message/bytes.ts";
import { systemRandom } from "../../src/message/token-source.ts";

const START = Date.UTC(2026, 0, 1);
const LIFETIME = 300_000;

const maker = new NonceMaker("example.com", ascii("any octets"), systemRandom);

/** The words of a new nonce. */
function nonce(time: number): Int32Array {
  const octets = new Uint8Array(32);
  maker.write(octets, 0, time);
  const words = new Int32Array(NONCE_WORDS);
  expect(readNonce(octets, 0, 32, words)).toBe(true);
  return words;
}

describe("a nonce read back", () => {
  test("tells when it was made, and that it is ours", () => {
    for (const time of [0, 1, START, 2 ** 41, 2 ** 48 - 1]) {
      const octets = new Uint8Array(40);
      maker.write(octets, 5, time);
      const words = new Int32Array(NONCE_WORDS);
      expect(readNonce(octets, 5, 37, words)).toBe(true);
      expect(nonceTime(words)).toBe(time);
      expect(maker.isOurs(words, octets, 5)).toBe(true);
    }
  });

  test("with any letter changed is not", () => {
    const octets = new Uint8Array(32);
    maker.write(octets, 0, START);
    const words = new Int32Array(NONCE_WORDS);
    for (let i = 0; i < 32; i++) {
      const changed = octets.slice();
      changed[i] = changed[i] === 0x41 ? 0x42 : 0x41;
      expect(readNonce(changed, 0, 32, words) && maker.isOurs(words, changed, 0)).toBe(false);
    }
  });

  test("has no other letters and no other length", () => {
    const words = new Int32Array(NONCE_WORDS);
    for (const text of ["", "A".repeat(31), "A".repeat(33), `${"A".repeat(31)}+`, `\0${"A".repeat(31)}`]) {
      const octets = ascii(text);
      expect(readNonce(octets, 0, octets.length, words)).toBe(false);
    }
  });
});

describe("counts", () => {
  test("are used once each, whatever their order, as long as they are within the window", () => {
    // Most lie near each other, as those of one client do; few are far ahead.
    const counts = fc
      .tuple(
        fc.constantFrom(0, 1000, 0xfffffe00),
        fc.array(fc.nat(400), { maxLength: 300 }),
        fc.array(fc.nat(0xffffffff), { maxLength: 2 }),
      )
      .map(([first, near, far]) => [...near.map((count) => first + count), ...far, ...near]);
    fc.assert(
      fc.property(counts, (given) => {
        const table = new NonceCounts(4, LIFETIME, START);
        const entry = table.add(nonce(START), START);
        const used = new Set<number>();
        let greatest = 0;
        for (const count of given) {
          const isNew = count > greatest || (greatest - count < COUNT_WINDOW && !used.has(count));
          expect([count, table.use(entry, count)]).toEqual([count, isNew]);
          used.add(count);
          greatest = Math.max(greatest, count);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the table", () => {
  test("holds what came last, finds it, and never takes one that fell out for new", () => {
    const steps = fc.array(fc.record({ wait: fc.constantFrom(0, 1, 10, 50_000, 200_000), which: fc.nat(30) }), {
      maxLength: 120,
    });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), steps, (max, given) => {
        const table = new NonceCounts(max, LIFETIME, START);
        const known: { words: Int32Array; time: number; wasAdded: boolean }[] = [];
        let time = START;
        for (const { wait, which } of given) {
          time += wait;
          known.push({ words: nonce(time), time, wasAdded: false });
          const one = known[Math.max(0, known.length - 1 - which)]!;
          const entry = table.find(one.words);
          if (entry >= 0) {
            expect(one.wasAdded).toBe(true);
            expect(table.use(entry, 1)).toBe(false);
          } else if (one.time >= table.floor && time - one.time <= LIFETIME) {
            // Neither over nor here: it must never have been here.
            expect(one.wasAdded).toBe(false);
            const added = table.add(one.words, time);
            expect(table.find(one.words)).toBe(added);
            expect(table.use(added, 1)).toBe(true);
            one.wasAdded = true;
          }
          expect(table.size).toBeLessThanOrEqual(max);
        }
      }),
      { numRuns: 300 },
    );
  });

  test("forgets a session with its nonce", () => {
    const table = new NonceCounts(1, LIFETIME, START);
    const first = table.add(nonce(START), START);
    const key = { algorithm: 1, secret: new Uint8Array(32), ha1: new Uint8Array(32) };
    table.setSession(first, key);
    expect(table.session(first)).toBe(key);
    const second = table.add(nonce(START + 1), START + 1);
    expect(table.session(second)).toBeUndefined();
  });

  test("gives room back when nonces are over", () => {
    const table = new NonceCounts(1000, LIFETIME, START);
    for (let i = 0; i < 500; i++) table.add(nonce(START), START);
    expect(table.size).toBe(500);
    for (let i = 0; i < 500; i++) table.add(nonce(START + LIFETIME + 1), START + LIFETIME + 1);
    expect(table.size).toBe(500);
    expect(table.floor).toBe(START);
  });
});

describe("who has used a nonce", () => {
  const user = new FoundUser("bob", { password: "secret" });
  const other = new FoundUser("carol", { password: "secret" });
  const key = new Uint8Array(32);

  test("is remembered for its name's hash and the users' generation, with the key of one algorithm", () => {
    const counts = new NonceCounts(4, 1000, 0);
    const entry = counts.add(nonce(1), 1);
    expect([counts.userOf(entry, 7, 0), counts.keyOf(entry, 0)]).toEqual([undefined, undefined]);
    counts.remember(entry, 7, 3, 1, user, key);
    expect(counts.userOf(entry, 7, 3)).toBe(user);
    expect([counts.userOf(entry, 8, 3), counts.userOf(entry, 7, 4)]).toEqual([undefined, undefined]);
    expect([counts.keyOf(entry, 1), counts.keyOf(entry, 0), counts.keyOf(entry, 2)]).toEqual([
      key,
      undefined,
      undefined,
    ]);
    counts.remember(entry, 7, 4, 0, other, key);
    expect([counts.userOf(entry, 7, 4), counts.userOf(entry, 7, 3)]).toEqual([other, undefined]);
  });

  test("is forgotten with the nonce: another one in its place is nobody's", () => {
    const counts = new NonceCounts(1, 1000, 0);
    const entry = counts.add(nonce(1), 1);
    counts.remember(entry, 7, 0, 0, user, key);
    const next = counts.add(nonce(2), 2);
    expect(next).toBe(entry);
    expect([counts.userOf(next, 7, 0), counts.keyOf(next, 0)]).toEqual([undefined, undefined]);
  });
});
