import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../../src/message/bytes.ts";
import { formatDate, parseDate } from "../../src/message/date.ts";

function parse(text: string): number | null {
  const bytes = ascii(text);
  return parseDate(bytes, 0, bytes.length);
}

describe("parseDate", () => {
  test("reads the example of RFC 3261 s20.17", () => {
    expect(parse("Sat, 13 Nov 2010 23:29:00 GMT")).toBe(Date.UTC(2010, 10, 13, 23, 29, 0));
  });

  test("passes over white space that folding leaves", () => {
    expect(parse("\r\n Sat,\t13 Nov  2010\r\n 23:29:00 GMT ")).toBe(Date.UTC(2010, 10, 13, 23, 29, 0));
  });

  test("reads only its range", () => {
    const bytes = ascii("xSat, 13 Nov 2010 23:29:00 GMTx");
    expect(parseDate(bytes, 1, bytes.length - 1)).toBe(Date.UTC(2010, 10, 13, 23, 29, 0));
    for (let end = 1; end < bytes.length - 1; end++) expect(parseDate(bytes, 1, end)).toBeNull();
    expect(parseDate(bytes, 1, bytes.length)).toBeNull();
  });

  test("knows the days of each month", () => {
    expect(parse("Thu, 29 Feb 2024 00:00:00 GMT")).toBe(Date.UTC(2024, 1, 29));
    expect(parse("Tue, 29 Feb 2000 00:00:00 GMT")).toBe(Date.UTC(2000, 1, 29));
    expect(parse("Thu, 29 Feb 1900 00:00:00 GMT")).toBeNull();
    expect(parse("Thu, 29 Feb 2023 00:00:00 GMT")).toBeNull();
    expect(parse("Thu, 31 Apr 2023 00:00:00 GMT")).toBeNull();
    expect(parse("Thu, 00 Apr 2023 00:00:00 GMT")).toBeNull();
  });

  test("is null for other zones (RFC 4475 baddate) and for rubbish", () => {
    for (const text of [
      "",
      "Fri, 01 Jan 2010 16:00:00 EST",
      "Fri, 01 Jan 2010 16:00:00 UTC",
      "Fri, 01 Jan 2010 16:00:00 gmt",
      "Fri, 01 Jan 2010 16:00:00 +0000",
      "Fri, 01 Jan 2010 16:00:00 GMT+1",
      "Fri, 01 Jan 2010 16:00:00GMT  ",
      "Fri, 01 Jan 2010 24:00:00 GMT",
      "Fri, 01 Jan 2010 23:60:00 GMT",
      "Fri, 01 Jan 2010 23:59:60 GMT",
      "Fri, 01 Jan 2010 23-59-00 GMT",
      "Fri, 01 Jan 2010 2a:59:00 GMT",
      "Fri, 01 Jan 20x0 23:59:00 GMT",
      "Fri, 01 jan 2010 16:00:00 GMT",
      "Fri, 01 Foo 2010 16:00:00 GMT",
      "Xyz, 01 Jan 2010 16:00:00 GMT",
      "Fri,  1 Jan 2010 16:00:00 GMT",
      "Fri 01 Jan 2010 16:00:00 GMT ",
      "Friday, 01-Jan-10 16:00:00 GMT",
      "Fri Jan  1 16:00:00 2010 GMT",
      "2010-01-01T16:00:00.000000000Z",
    ]) {
      expect([text, parse(text)]).toEqual([text, null]);
    }
  });

  test("takes any octets without throwing", () => {
    const stamp = ascii("Fri, 01 Jan 2010 16:00:00 GMT");
    fc.assert(
      fc.property(fc.nat(28), fc.integer({ min: 0, max: 255 }), fc.nat(29), (at, octet, end) => {
        const bytes = stamp.slice();
        bytes[at] = octet;
        const value = parseDate(bytes, 0, end);
        expect(value === null || Number.isInteger(value)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => expect(parseDate(bytes, 0, bytes.length)).toBeNull()),
    );
  });
});

describe("formatDate", () => {
  test("makes the date that RFC 3261 wants", () => {
    expect(formatDate(Date.UTC(2010, 0, 1, 16, 5, 9) + 999)).toBe("Fri, 01 Jan 2010 16:05:09 GMT");
  });

  test("every second of the years 0 to 9999 is read back", () => {
    const first = -62_167_219_200;
    const last = 253_402_300_799;
    fc.assert(
      fc.property(fc.integer({ min: first, max: last }), (second) => {
        const text = formatDate(second * 1000);
        expect(text.length).toBe(29);
        expect(parse(text)).toBe(second * 1000);
      }),
      { examples: [[first], [last], [-1], [0]], numRuns: 1000 },
    );
  });

  test("throws for what four digits cannot name", () => {
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, 253_402_300_800_000, -62_167_219_200_001]) {
      expect(() => formatDate(ms)).toThrow(RangeError);
    }
  });
});
