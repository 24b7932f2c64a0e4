import { describe, expect, test } from "bun:test";
import { latin1 } from "../../src/message/bytes.ts";
import { hasCookie, maxForwardsOf } from "../../src/message/fields.ts";
import {
  CSEQ_METHOD_END,
  CSEQ_METHOD_START,
  CSEQ_NUMBER,
  FROM_TAG_END,
  FROM_TAG_START,
  TO_TAG_END,
  TO_TAG_START,
} from "../../src/message/layout.ts";
import type { Message } from "../../src/message/message.ts";
import { scan, scanned } from "../support/scan.ts";

const DEFAULTS: Readonly<Record<string, string>> = {
  Via: "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
  From: "<sip:a@example.com>;tag=1",
  To: "<sip:b@example.com>",
  "Call-ID": "c1",
  CSeq: "1 OPTIONS",
};

/** A message with these fields in place of the usual; null leaves one out, a list repeats it. */
function withFields(fields: Record<string, string | null | readonly string[]>, startLine?: string): string {
  const lines = Object.entries({ ...DEFAULTS, ...fields }).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((each) => `${name}: ${each}`),
  );
  return `${[startLine ?? "OPTIONS sip:b@example.com SIP/2.0", ...lines].join("\r\n")}\r\n\r\n`;
}

/** The fault's words, "OK" when there is none. */
function faultOf(fields: Record<string, string | null | readonly string[]>, startLine?: string): string {
  return scanned(withFields(fields, startLine)).message.faultText;
}

function range(message: Message, start: number, end: number): string {
  return latin1(message.bytes, message.table[start]!, message.table[end]!);
}

describe("From and To", () => {
  test("the tag is the header's, not the URI's, not the display name's", () => {
    for (const [value, tag] of [
      ["<sip:a@example.com>", ""],
      ["<sip:a@example.com;tag=uri>", ""],
      ["<sip:a@example.com;tag=uri>;tag=own", "own"],
      ['"x;tag=name" <sip:a@example.com>;TAG=own', "own"],
      ["sip:a@example.com;tag=own", "own"],
      ["sip:a@example.com;tagged=no;x;tag = own ;y=z", "own"],
      ['<sip:a@example.com>;x=";tag=no";tag=own', "own"],
      ["<sip:a@example.com>\r\n ;\r\n tag\r\n =\r\n own", "own"],
      ["Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8", "hyh8"],
      ["tel:+1-201-555-0123;tag=own", "own"],
    ] as const) {
      const from = scan(withFields({ From: value }));
      expect([value, range(from, FROM_TAG_START, FROM_TAG_END)]).toEqual([value, tag]);
      const to = scan(withFields({ To: value }));
      expect([value, range(to, TO_TAG_START, TO_TAG_END)]).toEqual([value, tag]);
    }
  });

  test("what is no address is malformed", () => {
    for (const value of [
      "",
      "<>",
      "<sip:a@example.com",
      "sip",
      "a@example.com",
      '"a <sip:a@example.com>',
      "A, B <sip:a@example.com>",
      "< sip:a@example.com>",
      "<sip:a@example.com> x",
      "<sip:a@example.com>;",
      "<sip:a@example.com>;=x",
      "<sip:a@example.com>;tag",
      "<sip:a@example.com>;tag=",
      "<sip:a@example.com>;tag=x>",
      "<sip:a@example.com>, <sip:b@example.com>",
      // RFC 3261 s7.3.1: no parameter twice.
      "<sip:a@example.com>;tag=x;tag=y",
      "sip:a@example.com?Subject=x",
    ]) {
      expect([value, faultOf({ From: value })]).toEqual([value, "Malformed From"]);
      expect([value, faultOf({ To: value })]).toEqual([value, "Malformed To"]);
    }
  });
});

describe("what must be there, just once", () => {
  test("a missing field is named", () => {
    for (const name of ["From", "To", "Call-ID", "CSeq"]) {
      expect(faultOf({ [name]: null })).toBe(`Missing ${name}`);
      expect(faultOf({ [name]: null }, "SIP/2.0 200 OK")).toBe(`Missing ${name}`);
    }
  });

  test("without a Via there is nowhere to answer to", () => {
    const { message, answerable } = scanned(withFields({ Via: null }));
    expect(message.faultText).toBe("Missing Via");
    expect(answerable).toBe(false);
  });

  test("a second one is a fault, even the same", () => {
    for (const name of ["From", "To", "Call-ID", "CSeq"]) {
      expect([name, faultOf({ [name]: [DEFAULTS[name]!, DEFAULTS[name]!] })]).toEqual([
        name,
        "Repeated Header Field That Must Be Single",
      ]);
    }
    expect(faultOf({ "Max-Forwards": ["70", "70"] })).toBe("Repeated Header Field That Must Be Single");
  });

  test("a fault in one field leaves the message answerable and the rest read", () => {
    const { message, answerable } = scanned(withFields({ From: '"', To: "<sip:b@example.com>;tag=t", CSeq: "x" }));
    expect(answerable).toBe(true);
    expect(message.faultText).toBe("Malformed From");
    expect(range(message, TO_TAG_START, TO_TAG_END)).toBe("t");
  });
});

describe("Call-ID", () => {
  test("takes nearly every printable octet", () => {
    for (const value of [
      "c",
      "a84b4c76e66710@pc33.atlanta.com",
      "w%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
      "x".repeat(4000),
    ]) {
      expect(faultOf({ "Call-ID": value })).toBe("OK");
    }
  });

  test("is not empty and holds no white space or control octets", () => {
    for (const value of ["", "a b", "a\tb", "a\r\n b", "a\0b", "a\x1fb"]) {
      expect([value, faultOf({ "Call-ID": value })]).toEqual([value, "Malformed Call-ID"]);
    }
  });
});

describe("CSeq", () => {
  test("is a number below 2^31 and the request's method", () => {
    for (const [value, number] of [
      ["0 OPTIONS", 0],
      ["0009 OPTIONS", 9],
      ["314159\r\n \t OPTIONS", 314159],
      ["2147483647 OPTIONS", 2147483647],
    ] as const) {
      const message = scan(withFields({ CSeq: value }));
      expect(message.table[CSEQ_NUMBER]).toBe(number);
      expect(range(message, CSEQ_METHOD_START, CSEQ_METHOD_END)).toBe("OPTIONS");
    }
  });

  test("anything else is malformed", () => {
    for (const value of [
      "",
      "1",
      "OPTIONS",
      "1OPTIONS",
      "-1 OPTIONS",
      "1.0 OPTIONS",
      "1 OPTIONS x",
      "1 OPTI@NS",
      "2147483648 OPTIONS",
      "4294967297 OPTIONS",
      "36893488147419103232 OPTIONS",
    ]) {
      expect([value, faultOf({ CSeq: value })]).toEqual([value, "Malformed CSeq"]);
    }
  });

  test("another method than the request line's is a fault; methods have a case", () => {
    for (const method of ["INVITE", "options", "OPTION", "OPTIONSX"]) {
      expect([method, faultOf({ CSeq: `1 ${method}` })]).toEqual([method, "CSeq Method Differs From Request Method"]);
    }
    expect(faultOf({ CSeq: "1 INVITE" }, "SIP/2.0 200 OK")).toBe("OK");
  });
});

describe("Max-Forwards", () => {
  test("may be missing, and large", () => {
    for (const [value, number] of [
      [null, -1],
      ["0", 0],
      ["0068", 68],
      ["255", 255],
      ["300", 300],
    ] as const) {
      expect(maxForwardsOf(scan(withFields({ "Max-Forwards": value })))).toBe(number);
    }
  });

  test("is a number", () => {
    for (const value of ["", "-1", "7 0", "x", "70;x"]) {
      expect([value, faultOf({ "Max-Forwards": value })]).toEqual([value, "Malformed Max-Forwards"]);
    }
  });
});

describe("the Request-URI", () => {
  test("of a scheme nobody knows is no fault of the message", () => {
    expect(faultOf({}, "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0")).toBe("OK");
    expect(faultOf({}, "OPTIONS tel:+12015550123 SIP/2.0")).toBe("OK");
  });

  test("must be one, and without headers", () => {
    for (const [uri, fault] of [
      ["<sip:b@example.com>", "Malformed Request-URI"],
      ["sip:b@example.com>", "Malformed Request-URI"],
      ["sip:", "Malformed Request-URI"],
      ["b@example.com", "Malformed Request-URI"],
      ["sip:b@exa%6Dple.com", "Malformed Request-URI"],
      ["sip:b@[2001:db8::1", "Malformed Request-URI"],
      ["sip:2001:db8::10", "Malformed Request-URI"],
      ["sip:b@example.com:99999", "Malformed Request-URI"],
      ["sip:b@example.com?Route=x", "Request-URI Must Not Carry Headers"],
    ] as const) {
      expect([uri, faultOf({}, `OPTIONS ${uri} SIP/2.0`)]).toEqual([uri, fault]);
    }
  });
});

describe("the branch", () => {
  test("of nothing but the magic cookie is a fault", () => {
    expect(faultOf({ Via: "SIP/2.0/UDP h;branch=z9hG4bK" })).toBe("Empty Branch After The Magic Cookie");
  });

  test("begins with the cookie where its sender keeps to RFC 3261", () => {
    for (const [via, expected] of [
      ["SIP/2.0/UDP h;branch=z9hG4bKx", true],
      ["SIP/2.0/UDP h;branch=z9hG4b", false],
      ["SIP/2.0/UDP h;branch=1", false],
      ["SIP/2.0/UDP h", false],
      ["SIP/2.0/UDP h, SIP/2.0/UDP i;branch=z9hG4bKx", false],
    ] as const) {
      const { bytes, table } = scan(withFields({ Via: via }));
      expect([via, hasCookie(bytes, table)]).toEqual([via, expected]);
    }
  });
});
