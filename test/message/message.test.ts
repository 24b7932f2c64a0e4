import { describe, expect, test } from "bun:test";
import { Header } from "../../src/message/header.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { scan, scanned } from "../support/scan.ts";
import { requestText } from "../support/sip-messages.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

describe("a message that is kept", () => {
  test("stays as it was when the scanner goes on", () => {
    const scanner = new Scanner();
    const kept = scanner
      .scanDatagram(bytesOf(requestText("INVITE", { headers: ["Subject: first"], body: "v=0" })))
      .keep();
    const before = [...kept.fields()];
    scanner.scanDatagram(bytesOf(requestText("BYE", { headers: ["Subject: second", "A: 1", "B: 2", "C: 3"] })));
    expect([...kept.fields()]).toEqual(before);
    expect(kept.methodName).toBe("INVITE");
    expect(kept.header("subject")).toBe("first");
    expect(textOf(kept.body)).toBe("v=0");
    expect(scanner.message.header("subject")).toBe("second");
  });

  test("says the same as the one it was kept from, field by field", () => {
    const scanner = new Scanner();
    const message = scanner.scanDatagram(
      bytesOf(requestText("REFER", { headers: ["Refer-To: <sip:x>", "X: y", "r: z"] })),
    );
    const kept = message.keep();
    expect([...kept.fields()]).toEqual([...message.fields()]);
    for (const id of Object.values(Header)) expect(kept.first(id)).toBe(message.first(id));
    expect(kept.headers("Refer-To")).toEqual(["<sip:x>", "z"]);
    expect(kept.toString()).toBe(message.toString());
  });
});

describe("header() and headers()", () => {
  const message = scan(
    requestText("OPTIONS", {
      headers: ["k: a", "X-Own: 1", "supported: b", "x-OWN : 2", "k: c", "K%: d", "XX-Own: 3"],
    }),
  );

  test("take a name in any case, long or compact, known by number or not", () => {
    for (const name of ["Supported", "SUPPORTED", "k", "K"]) expect(message.headers(name)).toEqual(["a", "b", "c"]);
    for (const name of ["X-Own", "x-own", "X-OWN"]) expect(message.headers(name)).toEqual(["1", "2"]);
    expect(message.header("x-own")).toBe("1");
    expect(message.header("Supported")).toBe("a");
    expect(message.header("k%")).toBe("d");
  });

  test("give nothing for a name that is not there", () => {
    for (const name of ["X", "Own", "X-Ow", "Require", "", "constructor", "K%:"]) {
      expect([name, message.header(name), message.headers(name)]).toEqual([name, undefined, []]);
    }
  });

  test("values are decoded as UTF-8; ill-formed octets do not stop that", () => {
    const text = requestText("OPTIONS", { headers: ["Subject: J\xc3\xb6rg", "Organization: \xff\xfe"] });
    expect(scan(text).header("Subject")).toBe("Jörg");
    expect(scan(text).header("Organization")).toBe("\ufffd\ufffd");
  });
});

test("the body is a view on the datagram, not a copy", () => {
  const bytes = bytesOf(requestText("INVITE", { body: "v=0\r\n" }));
  const message = scan(bytes);
  expect(message.body.buffer).toBe(bytes.buffer);
  expect([message.bodyStart, message.bodyEnd]).toEqual([bytes.length - 5, bytes.length]);
  expect(textOf(message.body)).toBe("v=0\r\n");
});

test("the Request-URI and the reason phrase are decoded as UTF-8", () => {
  expect(scanned("OPTIONS sip:\xc3\xa9@h SIP/2.0\r\n\r\n").message.requestUri).toBe("sip:é@h");
  expect(scanned("SIP/2.0 200 \xc3\xa9t\xc3\xa9\r\n\r\n").message.reason).toBe("été");
});

test("as text it is the whole message, one character an octet, without what lies behind its body", () => {
  const text = requestText("INVITE", { headers: ["Subject: \xff"], contentType: null }).replace(
    "Length: 0",
    "Length: 2",
  );
  expect(scan(`${text}hiMORE`).toString()).toBe(`${text}hi`);
});

test("a message without a fault says OK, one with a fault says which", () => {
  expect(scanned(requestText("OPTIONS")).message.faultText).toBe("OK");
  expect(scanned(requestText("OPTIONS").replace("CSeq: 1", "CSeq: x")).message.faultText).toBe("Malformed CSeq");
});
