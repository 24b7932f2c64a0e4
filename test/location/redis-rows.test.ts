import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  compareVersions,
  isFrom,
  keyOf,
  patternOf,
  readNews,
  readRow,
  readValue,
  VERSION_DIGITS,
  versionDigits,
  writeGone,
  writeNews,
  writeRow,
} from "../../src/location/redis-rows.ts";
import type { BindingRow } from "../../src/location/row.ts";

const text = fc
  .uint8Array({ maxLength: 60 })
  .map((octets) => Buffer.from(octets.filter((octet) => ![0, 10, 13].includes(octet))).toString("latin1"));
const u32 = fc.nat(0xffff_ffff);
const binding: fc.Arbitrary<BindingRow> = fc.record({
  id: fc.maxSafeNat(),
  aor: text.map((user) => `sip:${user}`),
  name: text,
  contact: text.map((user) => `sip:${user}`),
  params: fc.constantFrom("", ';+sip.instance="<urn:x>";q=1', ";a=b\r\n ;c=d"),
  instance: fc.constant(""),
  regId: u32,
  q: fc.nat(1000),
  callId: text,
  cseq: u32,
  expires: u32,
  updated: u32,
  path: text,
  received: text,
  userAgent: text,
  flags: fc.nat(31),
});

/** As it stands in Redis. */
const stored = (json: string) => "0".repeat(VERSION_DIGITS) + json;

test("whatever a binding holds, it is read as it was written, by itself and among news", () => {
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 5 }), text, (rows, server) => {
      const written = rows.map((row) => writeRow(row, server));
      const shared = rows.map((row) => ({ row, server }));
      expect(written.map((json) => readValue(stored(json)))).toEqual(shared);
      const gone = rows.map(({ id, aor, contact, updated, cseq }) => ({ id, aor, key: contact, updated, cseq }));
      expect(gone.map((one) => readValue(stored(writeGone(one))))).toEqual(gone);
      expect(gone.map((one) => readRow(stored(writeGone(one))))).toEqual(gone.map(() => null));
      const news = writeNews("ab-1", written, gone);
      expect([isFrom("ab-1", news), isFrom("ab", news), isFrom("ab-12", news)]).toEqual([true, false, false]);
      expect(readNews(news)).toEqual({ rows: shared, gone });
    }),
  );
});

test("the digits of a value compare as versions do, and gone is later than there", () => {
  const few = fc.record({ updated: fc.nat(2), id: fc.nat(2), cseq: fc.nat(2) });
  const version = fc.oneof(few, fc.record({ updated: u32, id: fc.maxSafeNat(), cseq: u32 }));
  fc.assert(
    fc.property(version, version, fc.boolean(), fc.boolean(), (one, other, isOneGone, isOtherGone) => {
      const [digits, others] = [versionDigits(one, isOneGone), versionDigits(other, isOtherGone)];
      expect([digits.length, others.length]).toEqual([VERSION_DIGITS, VERSION_DIGITS]);
      const order = Math.sign(compareVersions(one, other)) || Number(isOneGone) - Number(isOtherGone);
      expect(digits === others ? 0 : digits > others ? 1 : -1).toBe(order);
    }),
  );
});

describe("what is no binding is not read", () => {
  const [good] = fc.sample(binding, { numRuns: 1, seed: 1 }) as [BindingRow];

  test("with a field too few, or of another kind, or out of its range", () => {
    const read = (value: unknown) => readValue(stored(JSON.stringify(value)));
    expect(read(good)).not.toBeNull();
    for (const name of Object.keys(good) as (keyof BindingRow)[]) {
      const { [name]: _, ...less } = good;
      expect(read(less)).toBeNull();
      for (const value of [null, [], {}, -1, 1.5, 2 ** 60, "x\r\ny", "x\0", "\u0100", "x".repeat(70_000)]) {
        expect(read({ ...good, [name]: value })).toBeNull();
      }
    }
    for (const wrong of [{ flags: 32 }, { aor: "" }, { contact: "" }, { instance: "elsewhere" }]) {
      expect(read({ ...good, ...wrong })).toBeNull();
    }
    expect(read({ gone: { ...good, aor: 1 } })).toBeNull();
  });

  test("nor is anything else", () => {
    const json = fc.oneof(
      fc.json(),
      fc.string(),
      fc.json().map((value) => `x {"rows":[${value}],"gone":[${value}]}`),
      fc.json().map((value) => `{"gone":${value}}`),
    );
    fc.assert(
      fc.property(json, (any) => {
        expect([readValue(any), readValue(stored(any))]).toEqual([null, null]);
        const news = readNews(any);
        if (news !== null) expect(news).toEqual({ rows: [], gone: [] });
      }),
    );
    expect(readValue(stored(" ".repeat(200_000) + writeRow(good, "")))).toBeNull();
  });
});

test("the keys of an address-of-record are found by a pattern that finds no others", () => {
  // As Redis reads a pattern.
  const globOf = (pattern: string) =>
    new RegExp(
      `^${pattern.replace(/\\(.)|\*|[.+(){}|$]/gs, (all, escaped) => (all === "*" ? ".*" : RegExp.escape(escaped ?? all)))}$`,
      "s",
    );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab*?[]^\\|:-") }), fc.string(), (user, key) => {
      const aor = `sip:${user}@x`;
      expect(globOf(patternOf("v*:", aor)).test(keyOf("v*:", aor, key))).toBe(true);
      expect(globOf(patternOf("v*:", aor)).test(keyOf("v*:", `sip:a${user}@x`, key))).toBe(false);
      expect(globOf(patternOf("v*:")).test(keyOf("v*:", aor, key))).toBe(true);
      expect(globOf(patternOf("v*:")).test(keyOf("vv:", aor, key))).toBe(false);
    }),
  );
});
