import { describe, expect, test } from "bun:test";
import { Method } from "../../src/message/method.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { torture } from "../support/fixtures.ts";
import { scan, scanned } from "../support/scan.ts";
import { requestText } from "../support/sip-messages.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

const HEAD = [
  "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
  "From: <sip:a@example.com>;tag=1",
  "To: <sip:b@example.com>",
  "Call-ID: c1",
  "CSeq: 1 OPTIONS",
];

/** A message of this start line with the fields every message has, and more lines. */
function message(startLine: string, ...lines: string[]): string {
  return `${[startLine, ...HEAD, ...lines].join("\r\n")}\r\n\r\n`;
}

/** An OPTIONS with these lines and a body. */
function options(lines: readonly string[], body = ""): string {
  return message("OPTIONS sip:b@example.com SIP/2.0", ...lines) + body;
}

describe("the start line", () => {
  test("of a request: method and Request-URI", () => {
    const request = scan(message("OPTIONS sip:b@example.com;lr SIP/2.0"));
    expect(request.isRequest).toBe(true);
    expect(request.isResponse).toBe(false);
    expect(request.method).toBe(Method.OPTIONS);
    expect(request.methodName).toBe("OPTIONS");
    expect(request.requestUri).toBe("sip:b@example.com;lr");
    expect(request.status).toBe(0);
  });

  test("of a request with a method without a number", () => {
    const text = message("OPTIONs sip:b@example.com SIP/2.0").replace("CSeq: 1 OPTIONS", "CSeq: 1 OPTIONs");
    expect(scan(text).method).toBe(Method.Other);
    expect(scan(text).methodName).toBe("OPTIONs");
  });

  test("the version's name is read in any case", () => {
    expect(scan(message("OPTIONS sip:b@example.com sip/2.0")).isRequest).toBe(true);
    expect(scan(message("sIP/2.0 200 OK")).status).toBe(200);
  });

  test("of a response: status and reason phrase", () => {
    for (const [line, status, reason] of [
      ["SIP/2.0 200 OK", 200, "OK"],
      ["SIP/2.0 100 ", 100, ""],
      ["SIP/2.0 180", 180, ""],
      ["SIP/2.0 404 Not  Found / 4:04", 404, "Not  Found / 4:04"],
      ["SIP/2.0 699 \u00d0\u00bd\u00d0\u00be", 699, "но"],
    ] as const) {
      const response = scan(message(line));
      expect(response.isResponse).toBe(true);
      expect(response.isRequest).toBe(false);
      expect([line, response.status, response.reason]).toEqual([line, status, reason]);
    }
  });

  test("a status outside 100 to 699 is a fault", () => {
    for (const code of ["099", "700", "20", "2000", "4294967301", "2x0", "", "-200"]) {
      const { message: response } = scanned(message(`SIP/2.0 ${code} OK`));
      expect([code, response.faultText]).toEqual([code, "Malformed Status Code"]);
      expect(response.isResponse).toBe(true);
    }
  });

  test("another version is told so, of a request", () => {
    for (const version of ["SIP/1.0", "SIP/2.1", "SIP/3.0", "SIP/7.0", "SIP/10.0", "SIP/2.00"]) {
      const { message: request, answerable } = scanned(message(`OPTIONS sip:b@example.com ${version}`));
      expect([version, request.faultText, request.isRequest]).toEqual([version, "Version Not Supported", true]);
      expect(answerable).toBe(true);
    }
  });

  test("a request line with too much or too little white space is malformed, and still a request's", () => {
    for (const line of [
      "OPTIONS  sip:b@example.com SIP/2.0",
      "OPTIONS sip:b@example.com  SIP/2.0",
      "OPTIONS sip:b@example.com SIP/2.0 ",
      "OPTIONS sip:b@example.com; lr SIP/2.0",
      "OPTIONS  SIP/2.0",
    ]) {
      const { message: request } = scanned(message(line));
      expect([line, request.faultText, request.isRequest]).toEqual([line, "Malformed Request Line", true]);
    }
  });

  test("what names no version of SIP is not SIP", () => {
    for (const line of [
      "GET / HTTP/1.1",
      "HTTP/1.1 200 OK",
      "SIP/3.0 200 OK",
      "OPTIONS",
      "OPTIONS sip:b@example.com",
      "OPTIONS sip:b@example.com SIP",
      "OPTIONS sip:b@example.com SIP/2",
      "OPTIONS sip:b@example.com RTSP/2.0",
      " OPTIONS sip:b@example.com SIP/2.0",
      "OPTI@NS sip:b@example.com SIP/2.0",
      "\0\0\0\0\0\0",
    ]) {
      const { message: other } = scanned(message(line));
      expect([line, other.faultText, other.isRequest]).toEqual([line, "Not A SIP Message", false]);
      expect(other.isResponse).toBe(false);
    }
  });
});

describe("header fields", () => {
  test("names are read in any case, long or compact, with white space before the colon", () => {
    const request = scan(
      "OPTIONS sip:b@example.com SIP/2.0\r\nV: SIP/2.0/UDP 192.0.2.1\r\nfROM\t: <sip:a@example.com>\r\n" +
        "t \t:<sip:b@example.com>\r\nCALL-id:c1\r\ncSEQ : 1 OPTIONS\r\nk:100rel\r\nX-Own:  y \t\r\n\r\n",
    );
    expect([...request.fields()]).toEqual([
      ["V", "SIP/2.0/UDP 192.0.2.1"],
      ["fROM", "<sip:a@example.com>"],
      ["t", "<sip:b@example.com>"],
      ["CALL-id", "c1"],
      ["cSEQ", "1 OPTIONS"],
      ["k", "100rel"],
      ["X-Own", "y"],
    ]);
    expect(request.header("Via")).toBe("SIP/2.0/UDP 192.0.2.1");
    expect(request.header("supported")).toBe("100rel");
    expect(request.header("x-own")).toBe("y");
  });

  test("a line that begins with white space goes on with the one before", () => {
    const request = scan(
      options(["Subject: a\r\n b\r\n\t c", "X-Own:\r\n d\r\n  \r\n e", "Supported:\r\n ", "Organization: f"]),
    );
    expect(request.header("Subject")).toBe("a\r\n b\r\n\t c");
    expect(request.header("X-Own")).toBe("d\r\n  \r\n e");
    expect(request.header("Supported")).toBe("");
    expect(request.header("Organization")).toBe("f");
  });

  test("fields of one name come in order, wherever they stand", () => {
    const request = scan(options(["Route: <sip:1>, <sip:2>", "X: 1", "Route: <sip:3>", "x: 2", "ROUTE: <sip:4>"]));
    expect(request.headers("Route")).toEqual(["<sip:1>, <sip:2>", "<sip:3>", "<sip:4>"]);
    expect(request.headers("X")).toEqual(["1", "2"]);
    expect(request.headers("Record-Route")).toEqual([]);
    expect(request.header("Record-Route")).toBeUndefined();
  });

  test("a value may hold any octet but a line end", () => {
    const value = `:;,"\\ ${Array.from({ length: 255 }, (_, c) => String.fromCharCode(c + 1)).join("")}`
      .replace("\n", "")
      .replace("\r", "");
    const request = scan(options([`X-Own: ${value}|`]));
    expect(Buffer.from(request.header("X-Own")!).length).toBeGreaterThan(value.length);
    expect(textOf(request.bytes)).toContain(value);
  });

  test("a line that is none is a fault, and the lines behind it are read all the same", () => {
    for (const line of ["X-Own", "X Own: y", ": y", "X-Own\0: y", "X-Own, y", "(X): y", "\rX: y", "X-Own\t", "é: y"]) {
      const { message: request, answerable } = scanned(options(["A: 1", line, "B: 2"]));
      expect([line, request.faultText]).toEqual([line, "Malformed Header Line"]);
      expect(answerable).toBe(true);
      expect([line, request.header("A"), request.header("B")]).toEqual([line, "1", "2"]);
    }
  });

  test("a folded first line has nothing to go on from", () => {
    const { message: request } = scanned(`OPTIONS sip:b@example.com SIP/2.0\r\n X: y\r\n${HEAD.join("\r\n")}\r\n\r\n`);
    expect(request.faultText).toBe("Malformed Header Line");
    expect(request.header("Call-ID")).toBe("c1");
  });
});

describe("line ends", () => {
  test("line ends before the start line are passed over", () => {
    for (const before of ["\r\n", "\r\n\r\n\r\n", "\n\n", "\r"]) {
      const request = scan(before + options(["Content-Length: 2"], "hi"));
      expect(request.requestUri).toBe("sip:b@example.com");
      expect(textOf(request.body)).toBe("hi");
    }
  });

  test("a bare LF ends a line like CRLF, in the start line, in fields, folds and the blank line", () => {
    const text = options(["Subject: a\r\n b", "Content-Length: 4"], "x\r\ny").replace(/\r\n/g, "\n");
    const request = scan(text.replace("x\ny", "x\r\ny"));
    expect(request.header("Subject")).toBe("a\n b");
    expect(request.header("CSeq")).toBe("1 OPTIONS");
    expect(textOf(request.body)).toBe("x\r\ny");
  });

  test("the blank line may be CRLF where the lines end in LF, and the other way round", () => {
    for (const text of [options([]).replace(/\r\n(?!\r\n|$)/g, "\n"), options([]).replace(/\r\n$/, "\n")]) {
      expect(scan(text).headers("CSeq")).toEqual(["1 OPTIONS"]);
    }
  });

  test("a CR alone ends no line", () => {
    const request = scan(options(["X-Own: a\rb", "Y: c\r"]));
    expect(request.header("X-Own")).toBe("a\rb");
    expect(request.header("Y")).toBe("c");
    expect(request.header("b")).toBeUndefined();
  });
});

describe("the body of a datagram", () => {
  test("reaches to the end where there is no Content-Length", () => {
    expect(textOf(scan(options([], "v=0\r\n\r\nx")).body)).toBe("v=0\r\n\r\nx");
    expect(scan(options([])).body).toHaveLength(0);
  });

  test("is cut off where Content-Length says so", () => {
    for (const [length, body] of [
      ["0", ""],
      ["3", "v=0"],
      ["5", "v=0\r\n"],
      ["00005", "v=0\r\n"],
    ] as const) {
      expect(textOf(scan(options([`Content-Length: ${length}`], "v=0\r\n")).body)).toBe(body);
      expect(textOf(scan(options([`l:${length}`], "v=0\r\n")).body)).toBe(body);
    }
  });

  test("shorter than Content-Length is a fault", () => {
    for (const length of ["6", "9999", "2147483647"]) {
      const { message: request } = scanned(options([`Content-Length: ${length}`], "v=0\r\n"));
      expect(request.faultText).toBe("Content-Length Exceeds The Datagram");
    }
  });

  test("a Content-Length that is no number is a fault", () => {
    for (const length of ["", "-1", "+5", "5 5", "0x5", "5,5", "five", "2147483648", "4294967301", "1e1", "5;x"]) {
      const { message: request } = scanned(options([`Content-Length: ${length}`], "v=0\r\n"));
      expect([length, request.faultText]).toEqual([length, "Malformed Content-Length"]);
    }
  });

  test("two Content-Lengths must say the same", () => {
    expect(textOf(scan(options(["Content-Length: 3", "l: 3"], "v=0\r\n")).body)).toBe("v=0");
    const { message: request } = scanned(options(["Content-Length: 3", "l: 5"], "v=0\r\n"));
    expect(request.faultText).toBe("Content-Length Values Differ");
  });
});

describe("a datagram that ends too early", () => {
  test("is a fault wherever in the head it ends, and none behind it", () => {
    const text = options(["Subject: a\r\n b", "X-Own : c"]);
    for (let length = 0; length < text.length; length++) {
      const { message: request } = scanned(text.slice(0, length));
      const kept = text.slice(0, length);
      const hasStartLine = kept.includes(" SIP/2.0\r\n");
      if (hasStartLine) expect([kept, request.faultText]).toEqual([kept, "Message Ends Before The Blank Line"]);
      else expect([kept, request.fault]).not.toEqual([kept, 0]);
    }
    expect(scanned(text).message.fault).toBe(0);
  });

  test("is answerable as soon as its Via is there", () => {
    const text = options([]);
    const viaEnd = text.indexOf("\r\nFrom");
    expect(scanned(text.slice(0, viaEnd)).answerable).toBe(true);
    expect(scanned(text.slice(0, text.indexOf("SIP/2.0/UDP"))).answerable).toBe(false);
  });
});

describe("limits", () => {
  /** The fault's words at the limit and one over it. */
  function atAndOver(make: (size: number) => string, limits: Record<string, number>, size: number): string[] {
    return [size, size + 1].map((each) => scanned(make(each), limits).message.faultText);
  }

  test("header fields", () => {
    const withFields = (count: number) => options(Array.from({ length: count - HEAD.length }, () => "X: y"));
    expect(atAndOver(withFields, { headers: 20 }, 20)).toEqual(["OK", "Too Many Header Fields"]);
    // Those over the limit are not kept, whatever their number.
    const { message: request, answerable } = scanned(withFields(5000), { headers: 20 });
    expect([...request.fields()]).toHaveLength(20);
    expect(answerable).toBe(true);
  });

  test("octets of one header field with its line end, over several lines too", () => {
    const plain = (size: number) => options([`X: ${"y".repeat(size - 5)}`]);
    const folded = (size: number) => options([`X:\r\n ${"y".repeat(size - 7)}`]);
    expect(atAndOver(plain, { headerLength: 100 }, 100)).toEqual(["OK", "Header Field Too Long"]);
    expect(atAndOver(folded, { headerLength: 100 }, 100)).toEqual(["OK", "Header Field Too Long"]);
  });

  test("octets of the Request-URI", () => {
    const withUri = (size: number) => message(`OPTIONS sip:${"u".repeat(size - 6)}@h SIP/2.0`);
    expect(atAndOver(withUri, { uriLength: 50 }, 50)).toEqual(["OK", "Request-URI Too Long"]);
  });

  test("octets of the message: the head's fault differs from the body's", () => {
    const head = options([]).length;
    const withBody = (size: number) => options([], "b".repeat(size - head));
    const withHead = (size: number) => options([`X: ${"y".repeat(size - head - 5)}`]);
    expect(atAndOver(withBody, { messageSize: head + 50 }, head + 50)).toEqual(["OK", "Request Entity Too Large"]);
    expect(atAndOver(withHead, { messageSize: head + 50 }, head + 50)).toEqual(["OK", "Message Too Large"]);
    // Neither line ends before the message nor octets behind its body are part of it.
    const padded = `\r\n\r\n${options(["Content-Length: 1"], "b")}${"x".repeat(1000)}`;
    expect(scanned(padded, { messageSize: options(["Content-Length: 1"], "b").length }).message.fault).toBe(0);
  });

  test("Via values, however they are spread over lines", () => {
    const value = 'SIP/2.0/UDP h;x="a,b"';
    const lines = (count: number) => options(Array.from({ length: count - 1 }, () => `v:${value}`));
    const joined = (count: number) => options([`Via: ${Array.from({ length: count - 1 }, () => value).join(", ")}`]);
    const pairs = (count: number) =>
      options([`Via: ${value}`, ...Array.from({ length: (count - 2) / 2 }, () => `Via: ${value},${value}`)]);
    for (const make of [lines, joined]) {
      expect(atAndOver(make, { vias: 20 }, 20)).toEqual(["OK", "Too Many Via Values"]);
    }
    expect(scanned(pairs(20), { vias: 20 }).message.faultText).toBe("OK");
    expect(scanned(pairs(22), { vias: 20 }).message.faultText).toBe("Too Many Via Values");
  });

  test("Via values of very few octets are counted too", () => {
    for (const value of ["SIP/2.0/T h", "a/b/c h"]) {
      const lines = Array.from({ length: 35 }, () => `v:${value},${value}`);
      const text = options(lines).replace("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", value);
      expect([value, scanned(text).message.faultText]).toEqual([value, "Too Many Via Values"]);
    }
  });
});

describe("in slices", () => {
  const text = `\r\n${requestText("INVITE", { headers: ["Subject: a\r\n b"], body: "v=0\r\n" })}`;
  const bytes = bytesOf(text);
  const headEnd = text.indexOf("\r\n\r\n") + 4;

  test("the scan says when the head is complete, and not before", () => {
    const scanner = new Scanner();
    scanner.begin();
    for (let end = 0; end < headEnd; end++) expect([end, scanner.scan(bytes, end)]).toEqual([end, false]);
    expect(scanner.scan(bytes, headEnd)).toBe(true);
    expect(scanner.message.header("Subject")).toBe("a\r\n b");
  });

  test("a stream's messages follow on each other: dblreq is two", () => {
    const { bytes: stream } = torture().find(({ name }) => name === "dblreq")!;
    const scanner = new Scanner();
    scanner.begin();
    expect(scanner.scan(stream, stream.length)).toBe(true);
    expect(scanner.message.methodName).toBe("REGISTER");
    expect(scanner.message.header("Content-Length")).toBe("0");
    scanner.begin(scanner.message.bodyEnd);
    expect(scanner.scan(stream, stream.length)).toBe(true);
    expect(scanner.message.methodName).toBe("INVITE");
    expect(scanner.message.header("To")).toBe("sip:joe@example.com");
    expect(scanner.message.headers("Via")).toEqual(["SIP/2.0/UDP 192.0.2.15;branch=z9hG4bKkdjuw380234"]);
  });

  test("nothing of one message is left in the next", () => {
    const scanner = new Scanner();
    scanner.scanDatagram(bytesOf(options(["Content-Length: 99", "Route: <sip:1>", "Subject: x"])));
    expect(scanner.message.fault).not.toBe(0);
    const second = scanner.scanDatagram(bytesOf(message("SIP/2.0 200 OK")));
    expect(second.fault).toBe(0);
    expect(second.isResponse).toBe(true);
    expect(second.headers("Route")).toEqual([]);
    expect([...second.fields()]).toHaveLength(HEAD.length);
    const third = scanner.scanDatagram(bytesOf("\r\n"));
    expect([...third.fields()]).toEqual([]);
    expect(third.headers("Via")).toEqual([]);
  });
});
