import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Arena } from "../../src/message/arena.ts";
import { type RequestParts, writeAckForFailure, writeCopy, writeRequest } from "../../src/message/request.ts";
import { viasOf } from "../../src/message/via.ts";
import { scan, scanned } from "../support/scan.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

const PARTS: RequestParts = {
  method: "BYE",
  uri: "sip:alice@192.0.2.10:5070;transport=udp",
  transport: "UDP",
  sentBy: "192.0.2.1:5060",
  branch: bytesOf("z9hG4bKabc"),
  from: bytesOf("<sip:bob@h>;tag=b"),
  to: '"Älice" <sip:alice@h>;tag=a',
  callId: "c1@h",
  cseq: 4711,
};

function write(parts: RequestParts): Uint8Array {
  const arena = new Arena();
  const start = writeRequest(arena, parts);
  return arena.bytes.slice(start, arena.at);
}

describe("writeRequest", () => {
  test("writes what every request must have (RFC 3261 s8.1.1), rport asked for", () => {
    expect(Buffer.from(write(PARTS)).toString()).toBe(
      "BYE sip:alice@192.0.2.10:5070;transport=udp SIP/2.0\r\n" +
        "Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKabc\r\nMax-Forwards: 70\r\nFrom: <sip:bob@h>;tag=b\r\n" +
        'To: "Älice" <sip:alice@h>;tag=a\r\nCall-ID: c1@h\r\nCSeq: 4711 BYE\r\nContent-Length: 0\r\n\r\n',
    );
  });

  test("puts more headers and a body behind", () => {
    const text = textOf(
      write({
        ...PARTS,
        maxForwards: 0,
        headers: bytesOf("Route: <sip:p;lr>\r\nContact: <sip:me>\r\n"),
        contentType: "text/plain",
        body: bytesOf("hi \xff"),
      }),
    );
    expect(text).toContain("\r\nMax-Forwards: 0\r\n");
    expect(text).toEndWith(
      "\r\nCSeq: 4711 BYE\r\nRoute: <sip:p;lr>\r\nContact: <sip:me>\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nhi \xff",
    );
  });

  test("text and octets are the same to it, and what it writes is read again", () => {
    const word = fc.stringMatching(/^[A-Za-z0-9\-.]{1,60}$/);
    const shape = fc.record({
      method: fc.constantFrom("INVITE", "BYE", "OPTIONS", "X-OWN"),
      user: word,
      host: fc.domain(),
      callId: word,
      tag: word,
      name: fc.string({ unit: fc.constantFrom(..."aé☃ ,;<>"), maxLength: 40 }),
      cseq: fc.nat(0x7fffffff),
      maxForwards: fc.nat(255),
      body: fc.uint8Array({ maxLength: 3000 }),
    });
    fc.assert(
      fc.property(shape, ({ method, user, host, callId, tag, name, cseq, maxForwards, body }) => {
        const text = {
          uri: `sip:${user}@${host}`,
          from: `"${name}" <sip:${user}@${host}>;tag=${tag}`,
          to: `"${name}" <sip:${user}@${host}>`,
          callId,
        };
        const octets = Object.fromEntries(Object.entries(text).map(([key, value]) => [key, Buffer.from(value)]));
        const rest = { ...PARTS, method, cseq, maxForwards, body, contentType: "x/y" };
        const written = write({ ...rest, ...text });
        expect(textOf(write({ ...rest, ...octets }))).toBe(textOf(written));
        const message = scan(written);
        expect(message.methodName).toBe(method);
        expect(message.requestUri).toBe(text.uri);
        expect(message.header("From")).toBe(text.from);
        expect(message.header("To")).toBe(text.to);
        expect(message.header("Call-ID")).toBe(callId);
        expect(message.header("CSeq")).toBe(`${cseq} ${method}`);
        expect(message.header("Max-Forwards")).toBe(String(maxForwards));
        expect(message.body).toEqual(body);
        expect(viasOf(message)).toMatchObject([{ branch: "z9hG4bKabc", rport: true, port: 5060 }]);
      }),
    );
  });
});

describe("writeAckForFailure (RFC 3261 s17.1.1.3)", () => {
  const invite =
    "INVITE sip:bob@h;x=y SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP below\r\n" +
    "Max-Forwards: 3\r\nRoute: <sip:p1;lr>,\r\n <sip:p2>\r\nRoute: <sip:p3>\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:bob@h>\r\n" +
    "Call-ID: c1\r\nCSeq: 0017 \r\n INVITE\r\nContact: <sip:me>\r\nRequire: x\r\nContent-Length: 3\r\n\r\nv=0";
  const response = scan(
    "SIP/2.0 486 Busy Here\r\nVia: SIP/2.0/UDP 192.0.2.1;rport=9;branch=z9hG4bK1;received=192.0.2.1\r\n" +
      "From: <sip:a@h>;tag=1\r\nTo: <sip:bob@h>;tag=theirs\r\nCall-ID: c1\r\nCSeq: 17 INVITE\r\n" +
      "Content-Length: 0\r\n\r\n",
  );

  test("takes the INVITE's URI, top Via, From, Call-ID, CSeq number and Routes, and the response's To", () => {
    const arena = new Arena();
    const start = writeAckForFailure(arena, bytesOf(invite), response);
    const ack = scan(arena.bytes.slice(start, arena.at));
    expect(textOf(arena.bytes.slice(start, arena.at))).toStartWith("ACK sip:bob@h;x=y SIP/2.0\r\n");
    expect(Object.fromEntries([...ack.fields()].map(([name]) => [name, ack.headers(name)]))).toEqual({
      Via: ["SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bK1"],
      "Max-Forwards": ["70"],
      From: ["<sip:a@h>;tag=1"],
      To: ["<sip:bob@h>;tag=theirs"],
      "Call-ID": ["c1"],
      Route: ["<sip:p1;lr>,\r\n <sip:p2>", "<sip:p3>"],
      CSeq: ["0017 ACK"],
      "Content-Length": ["0"],
    });
    expect(ack.body).toHaveLength(0);
  });

  test("has no Route where the INVITE had none", () => {
    const arena = new Arena();
    const start = writeAckForFailure(arena, bytesOf(invite.replace(/Route: [^\r]*\r\n( [^\r]*\r\n)?/g, "")), response);
    expect(scan(arena.bytes.slice(start, arena.at)).headers("Route")).toEqual([]);
  });
});

describe("writeCopy", () => {
  test("writes from the start line to the end of the body, neither more nor less", () => {
    const text = "OPTIONS sip:b@h SIP/2.0\nVia : SIP/2.0/UDP h\r\nX:\r\n y \r\nl: 3\r\n\r\nv=0";
    const arena = new Arena();
    arena.open(5);
    arena.put(bytesOf("other"));
    const start = writeCopy(arena, scanned(`\r\n\r\n${text}BEHIND`).message);
    expect(textOf(arena.bytes.slice(start, arena.at))).toBe(text);
  });
});
