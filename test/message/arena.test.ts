import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Arena } from "../../src/message/arena.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

/** What `write` puts into an arena. */
function written(write: (arena: Arena) => void, atMost = 65536): Uint8Array {
  const arena = new Arena();
  const start = arena.open(atMost);
  write(arena);
  return arena.bytes.slice(start, arena.at);
}

describe("what is put", () => {
  test("lies end to end in the order it was put", () => {
    const from = bytesOf("0123456789");
    const octets = written((arena) => {
      arena.put(bytesOf("SIP/2.0"));
      arena.octet(0x20);
      arena.decimal(200);
      arena.copy(from, 3, 6);
      arena.copy(from, 5, 5);
      arena.text(" fin é");
    });
    expect(Buffer.from(octets).toString()).toBe("SIP/2.0 200345 fin é");
  });

  test("ranges of any length and place come out as they were", () => {
    const source = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5000), fc.oneof(fc.nat(120), fc.nat(3000))), { maxLength: 8 }), (ranges) => {
        const cut = ranges.map(([start, length]) => [start, Math.min(start + length, source.length)] as const);
        const octets = written((arena) => {
          for (const [start, end] of cut) {
            arena.copy(source, start, end);
            arena.put(source.slice(start, end));
          }
        });
        const expected = cut.flatMap(([start, end]) => [source.slice(start, end), source.slice(start, end)]);
        expect(Buffer.compare(octets, Buffer.concat(expected))).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test("text is UTF-8", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.string({ maxLength: 50 }), (first, second) => {
        const octets = written((arena) => {
          arena.text(first);
          arena.text(second);
        });
        expect(Buffer.from(octets).toString("hex")).toBe(Buffer.from(first + second).toString("hex"));
      }),
    );
  });

  test("numbers are decimal, zero and powers of ten too", () => {
    const numbers = [0, 1, 9, 10, 99, 100, 5060, 65535, 65536, 2 ** 31, 2 ** 32, 10 ** 15, 2 ** 53 - 1];
    for (const number of numbers) expect(textOf(written((arena) => arena.decimal(number)))).toBe(String(number));
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (number) => {
        expect(textOf(written((arena) => arena.decimal(number)))).toBe(String(number));
      }),
    );
  });
});

describe("room", () => {
  test("messages that were written stay as they are until the arena is emptied, however many follow", () => {
    const arena = new Arena();
    const written: [view: Uint8Array, length: number][] = [];
    for (let i = 0; i < 3000; i++) {
      // As much as was asked for, to the octet, of lengths that meet the buffer's end in every way.
      const length = 1 + ((i * 7919) % 1500);
      const start = arena.open(length);
      arena.put(new Uint8Array(length).fill(i & 0xff));
      written.push([arena.bytes.subarray(start, arena.at), length]);
    }
    for (const [i, [view, length]] of written.entries()) {
      expect([i, view.length, view.every((octet) => octet === (i & 0xff))]).toEqual([i, length, true]);
    }
  });

  test("a message that does not fit by few octets goes where it does", () => {
    const arena = new Arena();
    const { length } = arena.bytes;
    for (let left = 0; left < 40; left++) {
      for (let more = -8; more <= 8; more++) {
        if (left + more <= 0) continue;
        arena.reset();
        arena.open(length - left);
        arena.put(new Uint8Array(length - left));
        const start = arena.open(left + more);
        arena.put(new Uint8Array(left + more).fill(7));
        const view = arena.bytes.subarray(start, arena.at);
        expect([left, more, view.length, view.every((octet) => octet === 7)]).toEqual([left, more, left + more, true]);
      }
    }
  });

  test("a message larger than the buffer gets a larger one", () => {
    const large = Uint8Array.from({ length: 3_000_001 }, (_, i) => i & 0xff);
    const octets = written((arena) => {
      arena.put(large);
      arena.octet(7);
    }, large.length + 1);
    expect(Buffer.compare(octets.subarray(0, -1), large)).toBe(0);
    expect(octets.at(-1)).toBe(7);
  });

  test("once emptied, it writes to the same memory again", () => {
    const arena = new Arena();
    const { bytes } = arena;
    const start = arena.open(1000);
    arena.put(bytesOf("x".repeat(900)));
    arena.reset();
    expect(arena.open(1000)).toBe(start);
    expect(arena.bytes).toBe(bytes);
  });
});
