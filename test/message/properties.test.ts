/** What must hold for every message, well formed or not. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Arena } from "../../src/message/arena.ts";
import { readFields } from "../../src/message/fields.ts";
import { Header } from "../../src/message/header.ts";
import {
  BODY_END,
  BODY_START,
  HEADER_COUNT,
  HEADERS_END,
  HEADERS_START,
  RECORD_NAME,
  RECORD_SIZE,
  RECORD_VALUE,
  RECORD_VALUE_END,
  RECORDS,
  START,
  USED,
} from "../../src/message/layout.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { addressesOf, contactsOf } from "../../src/message/name-addr.ts";
import { writeCopy } from "../../src/message/request.ts";
import { writeResponse } from "../../src/message/response.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { tokensOf } from "../../src/message/tokens.ts";
import { viasOf } from "../../src/message/via.ts";
import { corpus, torture } from "../support/fixtures.ts";
import { grammarMessage, hostileMessage } from "../support/message-arbitraries.ts";
import { bytesOf, readSip, textOf } from "../support/sip-text.ts";

const fixtures = [...torture(), ...corpus()];
/** Reused throughout, as a server does: what one message leaves behind must not show in the next. */
const whole = new Scanner();
const sliced = new Scanner();

/** The table after a scan of a stream in one piece. */
function inOnePiece(bytes: Uint8Array): { done: boolean; table: Int32Array } {
  whole.begin();
  const done = whole.scan(bytes, bytes.length);
  return { done, table: whole.message.table.slice(0, whole.message.table[USED]) };
}

/** Checks that a scan in slices that end at `ends`, and then at the end, finds what a scan in one piece finds. */
function expectSameInSlices(bytes: Uint8Array, ends: Iterable<number>): void {
  const { done, table } = inOnePiece(bytes);
  sliced.begin();
  let finished = false;
  for (const end of ends) {
    finished = sliced.scan(bytes, end);
    if (finished) break;
  }
  if (!finished) finished = sliced.scan(bytes, bytes.length);
  expect(finished).toBe(done);
  const again = sliced.message.table.slice(0, sliced.message.table[USED]);
  if (again.length !== table.length || again.some((word, i) => word !== table[i]))
    expect([...again]).toEqual([...table]);
}

function* oneByOne(bytes: Uint8Array): Generator<number> {
  for (let end = 1; end <= bytes.length; end++) yield end;
}

/** Checks that every offset lies in the message, in the order of the message. */
function expectOrdered({ bytes, table }: Message): void {
  const head = [0, table[START]!, table[HEADERS_START]!];
  for (let i = 0, record = RECORDS; i < table[HEADER_COUNT]!; i++, record += RECORD_SIZE) {
    head.push(table[record + RECORD_NAME]!, table[record + RECORD_VALUE]!, table[record + RECORD_VALUE_END]!);
  }
  head.push(table[HEADERS_END]!, table[BODY_START]!, table[BODY_END]!, bytes.length);
  for (let i = 1; i < head.length; i++)
    if (head[i - 1]! > head[i]!) expect(head).toEqual(head.toSorted((a, b) => a - b));
  // Nothing else in the fixed slots points outside either.
  expect(table[USED]).toBe(RECORDS + table[HEADER_COUNT]! * RECORD_SIZE);
}

/** Scans a datagram and reads all that can be read of it. */
function readAll(bytes: Uint8Array): { message: Message; answerable: boolean } {
  const message = whole.scanDatagram(bytes);
  const answerable = readFields(message, DEFAULT_LIMITS);
  for (const [name, value] of message.fields()) expect(typeof name + typeof value).toBe("stringstring");
  expect(viasOf(message).length).toBeLessThanOrEqual(bytes.length);
  for (const id of Object.values(Header)) {
    for (const address of addressesOf(message, id) ?? []) void [address.uri?.user, address.q, String(address)];
    expect(tokensOf(message, id).length).toBeLessThanOrEqual(bytes.length);
  }
  contactsOf(message, Header.Contact);
  void [message.methodName, message.requestUri, message.reason, message.body, message.toString(), message.faultText];
  return { message, answerable };
}

describe("a scan in slices finds what a scan in one piece finds", () => {
  test("octet by octet, in every torture message and every example of the RFCs", () => {
    for (const { bytes } of fixtures) expectSameInSlices(bytes, oneByOne(bytes));
  });

  test("cut anywhere once, in every torture message", () => {
    for (const { bytes } of torture()) for (let at = 0; at <= bytes.length; at += 3) expectSameInSlices(bytes, [at]);
  });

  test("in any slices of any message of the grammar", () => {
    fc.assert(
      fc.property(grammarMessage, fc.array(fc.nat(4000), { maxLength: 20 }), ({ text }, cuts) => {
        const bytes = bytesOf(text);
        const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
        expectSameInSlices(bytes, ends);
        expectSameInSlices(bytes, oneByOne(bytes));
      }),
      { numRuns: 300 },
    );
  });

  test("in any slices of what is hardly a message", () => {
    fc.assert(
      fc.property(hostileMessage(fixtures), fc.array(fc.nat(4000), { maxLength: 10 }), (bytes, cuts) => {
        const ends = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
        expectSameInSlices(bytes, ends);
        expectSameInSlices(bytes, oneByOne(bytes));
      }),
      { numRuns: 500 },
    );
  });

  test("wherever in the buffer the message begins", () => {
    fc.assert(
      fc.property(grammarMessage, fc.nat(300), ({ text }, before) => {
        const { done, table } = inOnePiece(bytesOf(text));
        expect(done).toBe(true);
        const fields = [...whole.message.fields()];
        const bytes = bytesOf("x".repeat(before) + text);
        sliced.begin(before);
        for (let end = before; end <= bytes.length; end += 7) sliced.scan(bytes, end);
        expect(sliced.scan(bytes, bytes.length)).toBe(true);
        expect([...sliced.message.fields()]).toEqual(fields);
        expect(sliced.message.bodyStart).toBe(table[BODY_START]! + before);
        expect(sliced.message.fault).toBe(whole.message.fault);
      }),
    );
  });
});

describe("a message of the grammar", () => {
  test("is read as it was meant", () => {
    fc.assert(
      fc.property(grammarMessage, ({ text, fields, body, method, uri }) => {
        const { message, answerable } = readAll(bytesOf(text));
        expect(message.faultText).toBe("OK");
        expect(answerable).toBe(true);
        expect([message.methodName, message.requestUri]).toEqual([method, uri]);
        expect([...message.fields()]).toEqual(fields);
        expect(textOf(message.body)).toBe(body);
        expectOrdered(message);
      }),
      { numRuns: 300 },
    );
  });

  test("is written again as the same octets, and the copy is read the same", () => {
    const arena = new Arena();
    fc.assert(
      fc.property(grammarMessage, ({ text, fields }) => {
        const message = whole.scanDatagram(bytesOf(text));
        const start = writeCopy(arena, message);
        const copy = arena.bytes.slice(start, arena.at);
        expect(textOf(copy)).toBe(text.replace(/^[\r\n]+/, ""));
        expect([...whole.scanDatagram(copy).fields()]).toEqual(fields);
      }),
      { numRuns: 200 },
    );
  });
});

describe("octets that are hardly a message, or none", () => {
  test("end the scan, with every offset in the message and in order", () => {
    fc.assert(
      fc.property(hostileMessage(fixtures), (bytes) => {
        expectOrdered(readAll(bytes).message);
      }),
      { numRuns: 3000 },
    );
  });

  test("are answered, where they are, in a response that is well formed", () => {
    const arena = new Arena();
    const toTag = bytesOf("ours");
    let answered = 0;
    fc.assert(
      fc.property(hostileMessage(fixtures), fc.boolean(), fc.boolean(), (bytes, recordRoute, tagged) => {
        const { message, answerable } = readAll(bytes);
        if (!answerable || !message.isRequest) return;
        answered++;
        arena.reset();
        const parts = { status: 400, toTag: tagged ? toTag : null, recordRoute };
        const start = writeResponse(arena, message, parts, "203.0.113.77", 40000);
        const response = arena.bytes.slice(start, arena.at);
        const again = sliced.scanDatagram(response);
        expect([again.faultText, again.status]).toEqual(["OK", 400]);
        expectOrdered(again);
        expect(again.header("Content-Length")).toBe("0");
        expect(again.headers("Via")).toHaveLength(message.headers("Via").length);
        for (const name of ["From", "Call-ID", "CSeq"]) expect(again.header(name)).toBe(message.header(name)!);
        // A client that is strict about line ends reads it too, unless a bare LF within a field was the sender's own.
        if (!/[^\r]\n/.test(textOf(bytes))) expect(readSip(response).status).toBe(400);
      }),
      { numRuns: 3000 },
    );
    expect(answered).toBeGreaterThan(500);
  });

  test("take no longer than in proportion to their length", () => {
    // What could make a parser walk a value again and again: marks that open what never closes.
    const lines = ['"', "<", ";", ",", "(", "\\", '";', "a=", "a;", "<,", '",', "[", ",,", " \t", "\r\n "].map((mark) =>
      mark.repeat(Math.floor(60_000 / mark.length)),
    );
    const limits = { ...DEFAULT_LIMITS, headerLength: 65536 };
    const scanner = new Scanner(limits);
    for (const value of lines) {
      for (const name of ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Content-Length", "Max-Forwards", "X"]) {
        const before = performance.now();
        const message = scanner.scanDatagram(
          bytesOf(`OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n${name}: ${value}\r\n\r\n`),
        );
        readFields(message, limits);
        for (const id of [Header.Via, Header.From, Header.To, Header.Contact]) addressesOf(message, id);
        viasOf(message);
        tokensOf(message, Header.Contact);
        // A pass over 60,000 octets takes well under a millisecond; a walk in squares takes many seconds.
        expect([name, value.slice(0, 8), performance.now() - before < 1500]).toEqual([name, value.slice(0, 8), true]);
      }
    }
  });
});
