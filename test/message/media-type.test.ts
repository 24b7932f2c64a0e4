import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ascii } from "../../src/message/bytes.ts";
import { acceptsMediaType, isMediaType, parseMediaType } from "../../src/message/media-type.ts";

const SDP = ascii("application/sdp");
const APPLICATION = ascii("application");
const SUB_SDP = ascii("sdp");

function parse(text: string) {
  const bytes = ascii(text);
  return parseMediaType(bytes, 0, bytes.length);
}

function isSdp(text: string): boolean {
  const bytes = ascii(text);
  return isMediaType(bytes, 0, bytes.length, SDP);
}

function acceptsSdp(text: string): boolean {
  const bytes = ascii(text);
  return acceptsMediaType(bytes, 0, bytes.length, APPLICATION, SUB_SDP);
}

describe("parseMediaType", () => {
  test("reads a type, a subtype and parameters, with white space around each mark", () => {
    expect(parse("application/sdp")).toEqual({ type: "application", subtype: "sdp", params: new Map() });
    expect(parse(" Text / HTML ;\r\n charset = ISO-8859-4 ; X=y ")).toEqual({
      type: "text",
      subtype: "html",
      params: new Map([
        ["charset", "ISO-8859-4"],
        ["x", "y"],
      ]),
    });
  });

  test("takes the quotes off", () => {
    const params = parse('multipart/mixed;boundary="a;b\\"c\\\\";empty="";name="\u00e9"')?.params;
    expect([...params!]).toEqual([
      ["boundary", 'a;b"c\\'],
      ["empty", ""],
      ["name", "\u00e9"],
    ]);
  });

  test("is null for what is not just a media type", () => {
    for (const text of [
      "",
      " ",
      "application",
      "application/",
      "/sdp",
      "application/sdp,text/plain",
      "application/sdp x",
      "application/sdp;",
      "application/sdp;a",
      "application/sdp;a=",
      "application/sdp;=b",
      "application/sdp;a=b c",
      'application/sdp;a="b',
      'application/sdp;a="b\\"',
      "application//sdp",
      "application;/sdp",
      "appl(i)cation/sdp",
    ]) {
      expect([text, parse(text)]).toEqual([text, null]);
    }
  });
});

describe("isMediaType", () => {
  test("looks at the type and not at the parameters", () => {
    for (const text of ["application/sdp", " Application / SDP ", "APPLICATION/sdp;a=b", "application/sdp\r\n ;a=b"]) {
      expect([text, isSdp(text)]).toEqual([text, true]);
    }
    for (const text of [
      "",
      "application",
      "application/",
      "application/sd",
      "application/sdpx",
      "text/sdp",
      "application sdp",
    ]) {
      expect([text, isSdp(text)]).toEqual([text, false]);
    }
    const bytes = ascii("application/sdp");
    expect(isMediaType(bytes, 0, 14, SDP)).toBe(false);
    expect(isMediaType(bytes, 0, 11, SDP)).toBe(false);
  });
});

describe("acceptsMediaType (RFC 3261 s20.1)", () => {
  test("finds the type in a list, by name or by wildcard", () => {
    for (const text of [
      "application/sdp",
      "application/sdp;level=1, application/x-private, text/html",
      "text/plain , Application / SDP",
      "application/*",
      "*/*",
      "text/*, */*;q=0.1",
      'text/plain;x="a,b;q=0", application/sdp',
      "application/sdp;q=0.001",
      "application/sdp;q=1",
      "application/sdp;q=x",
      "application/sdp;qq=0",
      ",, application/sdp,",
      "rubbish, application/sdp",
    ]) {
      expect([text, acceptsSdp(text)]).toEqual([text, true]);
    }
  });

  test("allows nothing that is not named, and nothing by an empty value", () => {
    for (const text of [
      "",
      " ",
      "text/nobodyKnowsThis",
      "text/*",
      "application/sdpx",
      "application/sd",
      "*/sdp",
      "*",
      "application",
      "application/sdp x",
      'text/plain;x="application/sdp, application/sdp',
    ]) {
      expect([text, acceptsSdp(text)]).toEqual([text, false]);
    }
  });

  test("q=0 forbids, and the most specific range decides", () => {
    for (const text of [
      "application/sdp;q=0",
      "application/sdp ; a=b ; Q = 0.000",
      "application/sdp;q=0.",
      "*/*, application/*;q=0",
      "application/sdp;q=0, application/*, */*",
      'application/sdp;x=";";q=0',
    ]) {
      expect([text, acceptsSdp(text)]).toEqual([text, false]);
    }
    expect(acceptsSdp("*/*;q=0, application/sdp")).toBe(true);
    expect(acceptsSdp("application/*;q=0, application/sdp;q=0.5, */*;q=0")).toBe(true);
    expect(acceptsSdp("application/sdp;level=2;q=0, application/sdp;level=1")).toBe(true);
  });
});

test("any octets are taken without throwing, and the readers agree", () => {
  const piece = fc.constantFrom("application", "sdp", "/", ";", "=", '"', "\\", ",", "*", " ", "q", "0", "a");
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 2 })), { maxLength: 14 }), (pieces) => {
      const text = pieces.join("");
      const media = parse(text);
      const named = media?.type === "application" && media.subtype === "sdp";
      const zero = [...(media?.params ?? [])].some(([name, value]) => name === "q" && /^0/.test(value));
      if (media) expect(isSdp(text)).toBe(named);
      if (media && named && !zero) expect(acceptsSdp(text)).toBe(true);
      else acceptsSdp(text);
    }),
    { numRuns: 3000 },
  );
});
