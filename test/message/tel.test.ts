import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../../src/message/bytes.ts";
import { parseTel, telOf } from "../../src/message/tel.ts";
import { Uri } from "../../src/message/uri.ts";

describe("parseTel", () => {
  test("reads the examples of RFC 3966 s6", () => {
    expect(parseTel("tel:+1-201-555-0123")).toEqual({
      global: true,
      number: "+1-201-555-0123",
      digits: "+12015550123",
      phoneContext: undefined,
      ext: undefined,
      isub: undefined,
      params: new Map(),
    });
    const inDomain = parseTel("tel:7042;phone-context=Example.com");
    expect([inDomain?.global, inDomain?.digits, inDomain?.phoneContext]).toEqual([false, "7042", "example.com"]);
    const inPrefix = parseTel("tel:863-1234;phone-context=+1-914-555");
    expect([inPrefix?.digits, inPrefix?.phoneContext]).toEqual(["8631234", "+1914555"]);
  });

  test("reads parameters in any order", () => {
    const tel = parseTel("TEL:(8A*)#;Mandatory;ISUB=a%20b?c;phone-context=example.com.;m-x=+[1]")!;
    expect(tel.digits).toBe("8a*#");
    expect(tel.isub).toBe("a%20b?c");
    expect(tel.phoneContext).toBe("example.com.");
    expect([...tel.params]).toEqual([
      ["mandatory", ""],
      ["m-x", "+[1]"],
    ]);
    expect(parseTel("tel:+1;ext=(12)-3")?.ext).toBe("123");
  });

  test("refuses what the grammar refuses", () => {
    for (const text of [
      "",
      "tel",
      "tel:",
      "tel:+",
      "tel:+-.",
      "tel:-",
      "tel:+1a",
      "tel:+1*",
      "tel:++1",
      "tel:1",
      "tel:1;x=y",
      "tel:1;phone-context",
      "tel:1;phone-context=",
      "tel:1;phone-context=+",
      "tel:1;phone-context=1.2.3.4",
      "tel:1;phone-context=[::1]",
      "tel:1;phone-context=a;phone-context=a",
      "tel:+1;ext",
      "tel:+1;ext=",
      "tel:+1;ext=a",
      "tel:+1;ext=1;ext=1",
      "tel:+1;ext=1;isub=1",
      "tel:+1;isub=",
      "tel:+1;x=1;X=2",
      "tel:+1;",
      "tel:+1;;x",
      "tel:+1;=x",
      "tel:+1;x=",
      "tel:+1;x_y=1",
      "tel:+1;x=y?z",
      "tel:+1;x=%4",
      "tel:+1 2",
      "tel:+1@b",
      "tel:+1?x=y",
      "sip:+1@b",
      "fax:+1",
    ]) {
      expect([text, parseTel(text)]).toEqual([text, null]);
    }
  });

  test("agrees with Uri.parse on everything but a parameter that comes twice", () => {
    const piece = fc.constantFrom(..."+1a-#;=%", ";ext=", ";isub=", ";phone-context=", "example.com", "%41", ";x");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = `tel:${pieces.join("")}`;
        const tel = parseTel(text);
        const uri = Uri.parse(text);
        if (tel) expect(uri?.rawUser).toBe(tel.number);
        else if (uri) expect(new Set([...uri.params].map(([name]) => name)).size).toBeLessThan([...uri.params].length);
      }),
      { numRuns: 2000 },
    );
  });

  test("takes any octets without throwing, and any range of them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(10), (bytes, start) => {
        parseTel(bytes, Math.min(start, bytes.length), bytes.length);
      }),
    );
    expect(parseTel(ascii("<tel:+12>"), 1, 8)?.digits).toBe("+12");
  });
});

describe("telOf", () => {
  const of = (text: string) => telOf(Uri.parse(text)!);

  test("finds the number in a tel URI and in a SIP URI with user=phone", () => {
    expect(of("tel:+1-2")?.digits).toBe("+12");
    expect(of("sip:+1-212-555-1212:1234@gateway.com;user=phone")?.digits).toBe("+12125551212");
    expect(of("sips:%2321;phone-context=+1@b;User=PHONE")?.digits).toBe("#21");
  });

  test("is null where there is none", () => {
    for (const text of ["sip:+1@b", "sip:+1@b;user=ip", "sip:alice@b;user=phone", "sip:b;user=phone", "urn:+1"]) {
      expect([text, of(text)]).toEqual([text, null]);
    }
  });
});
