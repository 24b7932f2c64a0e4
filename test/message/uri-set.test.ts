/** A URI is found among others just where one of them equals it, however many there are. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Uri } from "../../src/message/uri.ts";
import { equalUris } from "../../src/message/uri-compare.ts";
import { ComparedUri, UriSet } from "../../src/message/uri-set.ts";

const read = (uri: string) => new ComparedUri(Uri.parse(uri)!);

function setOf(uris: readonly string[]): UriSet {
  const set = new UriSet();
  for (const [i, uri] of uris.entries()) set.add(read(uri), i);
  return set;
}

const find = (uris: readonly string[], uri: string): number => setOf(uris).find(read(uri));

describe("a URI is found among others (RFC 3261 s19.1.4)", () => {
  test("where what one of them lacks does not matter: the first that was added", () => {
    expect(find(["sip:a@b;x=1", "sip:a@b;x=2", "sip:a@b"], "sip:a@b;x=2")).toBe(1);
    expect(find(["sip:a@b;x=1", "sip:a@b;x=2", "sip:a@b"], "sip:a@b;y=2")).toBe(0);
    expect(find(["sip:a@b;x=1;y=1", "sip:a@b;x=2;y=2"], "sip:a@b;x=1;y=2")).toBe(-1);
    expect(find([], "sip:a@b")).toBe(-1);
  });

  test("in any of many that differ by one parameter", () => {
    const uris = Array.from({ length: 100 }, (_, i) => `sip:a@b;x=${i};z`);
    for (const i of [0, 31, 32, 63, 64, 99]) expect(find(uris, `sip:%61@B;X=${i}`)).toBe(i);
    expect(find(uris, "sip:a@b;x=100")).toBe(-1);
  });

  const part = fc.constantFrom("a", "A", "%61", "b", "%3B", "%3b", "1");
  const name = fc.constantFrom("x", "X", "%78", "y", "z", "lr", "user", "maddr", "transport", "ttl", "method");
  const params = fc
    .array(fc.tuple(name, fc.constantFrom("=a", "=A", "=%61", "=b", "")), { maxLength: 3 })
    .map((list) => list.map(([key, value]) => `;${key}${value}`).join(""));
  const sip = fc
    .tuple(
      fc.constantFrom("sip:", "SIP:", "sips:"),
      fc.oneof(
        part.map((user) => `${user}@`),
        fc.constantFrom("", "a:@", "a:p@", "a:%70@", "a:P@"),
      ),
      fc.constantFrom(
        "b",
        "B",
        "c",
        "[::1]",
        "[0::1]",
        "[1::2::3]",
        "[1::2::03]",
        "[::ffff:1.2.3.4]",
        "[::ffff:102:304]",
      ),
      fc.constantFrom("", ":5060", ":05060"),
      params,
      fc.constantFrom("", "?q=r", "?Q=R", "?q=r&s=t", "?s=t&q=r", "?q=r&q=r", "?call-id=x", "?call-id=X"),
    )
    .map((parts) => parts.join(""));
  const tel = fc
    .constantFrom("+1", "+1-", "1;phone-context=+1", "+1;x=y", "+1;X=%79", "+1;x")
    .map((text) => `tel:${text}`);
  const other = fc.constantFrom("urn:x", "URN:x", "urn:X", "mailto:x", "http://a/b");

  test("just as it equals one of them, whatever they are", () => {
    let hits = 0;
    const uris = fc.oneof({ arbitrary: sip, weight: 8 }, tel, other);
    fc.assert(
      fc.property(fc.array(uris, { maxLength: 70 }), fc.array(uris, { minLength: 1, maxLength: 8 }), (known, asked) => {
        const set = setOf(known);
        for (const text of asked) {
          const uri = Uri.parse(text)!;
          const expected = known.findIndex((one) => equalUris(Uri.parse(one)!, uri));
          expect([text, set.find(read(text))]).toEqual([text, expected]);
          if (expected >= 0) hits++;
        }
      }),
      { numRuns: 500 },
    );
    expect(hits).toBeGreaterThan(20);
  });

  test("just as it does where they differ in parameters only", () => {
    const value = fc.constantFrom("", "=a", "=b");
    const uris = fc
      .tuple(value, value, value, fc.constantFrom("", ";transport=tcp"))
      .map(([x, y, z, rest]) => `sip:a@b${x && `;x${x}`}${y && `;y${y}`}${z && `;z${z}`}${rest}`);
    fc.assert(
      fc.property(fc.array(uris, { maxLength: 40 }), uris, (known, text) => {
        const uri = Uri.parse(text)!;
        expect(find(known, text)).toBe(known.findIndex((one) => equalUris(Uri.parse(one)!, uri)));
      }),
      { numRuns: 500 },
    );
  });

  test("in no time where each of a thousand has two kilobytes that are all but the same", () => {
    const names = Array.from({ length: 400 }, (_, i) => `;p${i}`).join("");
    const started = performance.now();
    const set = new UriSet();
    for (let i = 0; i < 1000; i++) {
      const uri = read(`sip:a@b${names};z=${i}`);
      expect(set.find(uri)).toBe(-1);
      set.add(uri, i);
    }
    // Each compared with each takes minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
