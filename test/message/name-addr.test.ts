import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Header } from "../../src/message/header.ts";
import { addressesOf, contactsOf, type NameAddr, parseNameAddr } from "../../src/message/name-addr.ts";
import { scan } from "../support/scan.ts";
import { requestText } from "../support/sip-messages.ts";
import { bytesOf } from "../support/sip-text.ts";

/** One address of a text of one character an octet; null when it is malformed or not all of the text. */
function parse(text: string): NameAddr | null {
  const bytes = bytesOf(text);
  const parsed = parseNameAddr(bytes, 0, bytes.length);
  return parsed !== null && parsed.end === bytes.length ? parsed.value : null;
}

describe("parseNameAddr", () => {
  test("reads a name, an address and parameters", () => {
    for (const [text, displayName, uri, params] of [
      ["<sip:a@h>", "", "sip:a@h", {}],
      ["sip:a@h", "", "sip:a@h", {}],
      ["sip:a@h;tag=x;lone", "", "sip:a@h", { tag: "x", lone: true }],
      ["<sip:a@h;lr>;tag=x", "", "sip:a@h;lr", { tag: "x" }],
      ["Alice <sip:a@h>", "Alice", "sip:a@h", {}],
      ["A. G. Bell\t <sip:a@h>", "A. G. Bell", "sip:a@h", {}],
      ["caller<sip:a@h>;tag=1", "caller", "sip:a@h", { tag: "1" }],
      ['"Bell, Alexander" <sip:a@h>', "Bell, Alexander", "sip:a@h", {}],
      ['"a \\"b\\" \\\\" <sip:a@h>', 'a "b" \\', "sip:a@h", {}],
      ['""<sip:a@h>', "", "sip:a@h", {}],
      ['"<sip:no@h>;tag=no"<sip:a@h>', "<sip:no@h>;tag=no", "sip:a@h", {}],
      ['"J\xc3\xb6rg" <sip:a@h>', "Jörg", "sip:a@h", {}],
      ['<sip:a@h> ; Q = 0.5 ;\r\n X="y;z, \\"w\\"" ;E', "", "sip:a@h", { q: "0.5", x: 'y;z, "w"', e: true }],
      ["<sip:a@h?Route=%3Csip:b%3E>", "", "sip:a@h?Route=%3Csip:b%3E", {}],
      ["<tel:+1-201-555-0123>", "", "tel:+1-201-555-0123", {}],
      ["<http://www.example.com>;tag=1", "", "http://www.example.com", { tag: "1" }],
      ['"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>', "T. desk phone", "sip:ted@[::ffff:192.0.2.2]", {}],
      ["*;sip:x@h", null, null, null],
    ] as const) {
      const value = parse(text);
      if (uri === null) expect([text, value]).toEqual([text, null]);
      else {
        expect([text, value?.displayName, value?.uriText]).toEqual([text, displayName, uri]);
        expect([text, Object.fromEntries(value!.params)]).toEqual([text, params]);
      }
    }
  });

  test("reads a fold inside quotes as a space (RFC 3261 s7.3.1)", () => {
    const value = parse('"Alice\r\n\tLiddell" <sip:a@h>;x="y\r\n  z"');
    expect(value?.displayName).toBe("Alice Liddell");
    expect(value?.params.get("x")).toBe("y z");
  });

  test("stops at the comma behind the value", () => {
    const text = '"a,b" <sip:a@h,x>;y="c,d" , <sip:b@h>';
    const bytes = bytesOf(text);
    const first = parseNameAddr(bytes, 0, bytes.length)!;
    expect(text.slice(first.end)).toBe(", <sip:b@h>");
    expect(first.value.params.get("y")).toBe("c,d");
    const bare = parseNameAddr(bytesOf("sip:a@h,sip:b@h"), 0, 15)!;
    expect([bare.value.uriText, bare.end]).toEqual(["sip:a@h", 7]);
  });

  test("stays within the range it was given", () => {
    const bytes = bytesOf("xx<sip:a@h>;tag=longer");
    expect(parseNameAddr(bytes, 2, 17)?.value.tag).toBe("l");
    expect(parseNameAddr(bytes, 2, 10)).toBeNull();
    expect(parseNameAddr(bytes, 2, 2)).toBeNull();
  });

  test("refuses what is malformed", () => {
    for (const text of [
      "",
      " ",
      ",",
      "<>",
      "<sip:a@h",
      "sip:a@h>",
      "<<sip:a@h>>",
      "< sip:a@h>",
      "<sip:a@h >",
      "<sip:a @h>",
      '"a <sip:a@h>',
      '"a" sip:a@h',
      '"a"',
      "A, B <sip:a@h>",
      "A; B <sip:a@h>",
      "A@B <sip:a@h>",
      "<sip:a@h>x",
      "<sip:a@h>;",
      "<sip:a@h>;;x",
      "<sip:a@h>;tag",
      "<sip:a@h>;x=",
      '<sip:a@h>;x="y',
      "sip:a@h?Subject=x",
      ":a@h",
      "alice",
    ]) {
      expect([text, parse(text)]).toEqual([text, null]);
    }
  });
});

describe("NameAddr", () => {
  test("q is 0 to 1 with three digits at most", () => {
    for (const [text, q] of [
      ["0", 0],
      ["0.", 0],
      ["0.333", 0.333],
      ["1", 1],
      ["1.000", 1],
      ["1.001", undefined],
      ["0.3333", undefined],
      ["2", undefined],
      ["-0.5", undefined],
      [".5", undefined],
      ["x", undefined],
    ] as const) {
      expect([text, parse(`<sip:a@h>;q=${text}`)?.q]).toEqual([text, q]);
    }
    expect(parse("<sip:a@h>;q")?.q).toBeUndefined();
    expect(parse("<sip:a@h>")?.q).toBeUndefined();
  });

  test("expires is a number of seconds, cut to 32 bits", () => {
    for (const [text, expires] of [
      ["0", 0],
      ["3600", 3600],
      ["4294967295", 4294967295],
      ["280297596632815", 4294967295],
      [`1${"0".repeat(400)}`, 4294967295],
      ["-1", undefined],
      ["1.5", undefined],
      ["soon", undefined],
    ] as const) {
      expect([text, parse(`<sip:a@h>;expires=${text}`)?.expires]).toEqual([text, expires]);
    }
  });

  test("the URI is parsed when it is asked for, and may be no good", () => {
    expect(parse("<sip:alice@Example.COM:5070>")?.uri?.host).toBe("example.com");
    expect(parse("<name:John_Smith>")?.uri?.scheme).toBe("name");
    expect(parse("<sip:>")?.uri).toBeNull();
    expect(parse("<sip:a@h:port>")?.uri).toBeNull();
  });

  test("written and read again it is the same", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9\-.!%*_+`'~]{1,8}$/);
    const text = fc.string({ unit: fc.constantFrom(...'aB1 ";\\<>,=é☃\t'), maxLength: 12 });
    const params = fc.dictionary(
      word.map((name) => name.toLowerCase()).filter((name) => name !== "__proto__"),
      fc.oneof(fc.constant(true as const), word, text),
      { maxKeys: 4 },
    );
    fc.assert(
      fc.property(text, word, params, (name, user, given) => {
        const built = new (parse("<sip:x>")!.constructor as typeof NameAddr)(
          name,
          `sip:${encodeURIComponent(user)}@h`,
          new Map(Object.entries(given)),
        );
        const again = parse(Buffer.from(built.toString()).toString("latin1"));
        expect(again?.displayName).toBe(name);
        expect(again?.uriText).toBe(built.uriText);
        expect(again?.params).toEqual(new Map(Object.entries(given)));
      }),
    );
  });
});

describe("addressesOf and contactsOf", () => {
  function withLines(...headers: string[]) {
    return scan(requestText("REGISTER", { headers }));
  }

  test("gather values over lines and commas, in order", () => {
    const message = withLines("Route: <sip:1>, <sip:2;lr>;x", 'Route: "a,b" <sip:3>,\r\n <sip:4>');
    expect(addressesOf(message, Header.Route)?.map(({ uriText }) => uriText)).toEqual([
      "sip:1",
      "sip:2;lr",
      "sip:3",
      "sip:4",
    ]);
    expect(addressesOf(message, Header.RecordRoute)).toEqual([]);
  });

  test("one malformed value makes the header malformed", () => {
    expect(addressesOf(withLines("Route: <sip:1>, oops", "Route: <sip:2>"), Header.Route)).toBeNull();
    expect(contactsOf(withLines("Contact: <sip:1>", "m: <sip:2"), Header.Contact)).toBeNull();
    expect(addressesOf(withLines("Route: <sip:1>,, <sip:2>"), Header.Route)).toBeNull();
  });

  test("a lone star is every Contact; a star among others is malformed", () => {
    expect(contactsOf(withLines("Contact: *"), Header.Contact)).toBe("*");
    expect(contactsOf(withLines("m:\t*\r\n "), Header.Contact)).toBe("*");
    expect(contactsOf(withLines("Contact: *", "Contact: <sip:1>"), Header.Contact)).toBeNull();
    expect(contactsOf(withLines("Contact: <sip:1>", "Contact: *"), Header.Contact)).toBeNull();
    expect(contactsOf(withLines("Contact: *, <sip:1>"), Header.Contact)).toBeNull();
    expect(contactsOf(withLines("Contact: *;expires=0"), Header.Contact)).toBeNull();
    expect(contactsOf(withLines(), Header.Contact)).toEqual([]);
  });
});
