/** The 579 example messages of SIP RFCs through scanner, field readers and writers. */
import { describe, expect, test } from "bun:test";
import { Arena } from "../../src/message/arena.ts";
import { writeCopy } from "../../src/message/request.ts";
import { writeResponse } from "../../src/message/response.ts";
import { expectCopiedFields, toTagOf } from "../support/copied-fields.ts";
import { corpus } from "../support/fixtures.ts";
import { scan, scanned } from "../support/scan.ts";
import { bytesOf, readSip, textOf } from "../support/sip-text.ts";

/** The examples that their RFCs got wrong, with the fault that has to be found. */
const WRONG: Readonly<Record<string, string>> = {
  // RFC 7315: `p1@visited.net` is no sent-by.
  "txt-0168": "Malformed Via",
  "txt-0169": "Malformed Via",
  "txt-0171": "Malformed Via",
  "txt-0173": "Malformed Via",
  // RFC 8224: a ">" behind the From tag.
  "txt-0445": "Malformed From",
  // RFC 3428: an empty parameter in From, ";;tag=".
  "txt-0463": "Malformed From",
  // RFC 5589: INVITEs with the CSeq of the REFER before, NOTIFYs with that of an INVITE.
  "txt-0468": "CSeq Method Differs From Request Method",
  "txt-0473": "CSeq Method Differs From Request Method",
  "txt-0474": "CSeq Method Differs From Request Method",
  "txt-0475": "CSeq Method Differs From Request Method",
};

const messages = corpus();
const fine = messages.filter(({ name }) => WRONG[name] === undefined);

test("all 579 are there", () => {
  expect(messages).toHaveLength(579);
});

test("each is read without a fault, but for those that are at fault", () => {
  const found = messages.flatMap(({ name, bytes }) => {
    const { message } = scanned(bytes);
    return message.fault === 0 ? [] : [[name, message.faultText]];
  });
  expect(Object.fromEntries(found)).toEqual({ ...WRONG });
});

test("each is read as the tests' own reader reads it", () => {
  for (const { name, bytes } of messages) {
    const { message } = scanned(bytes);
    const text = readSip(bytes, false);
    expect([name, [...message.fields()].length]).toEqual([name, text.fields.length]);
    for (const [field] of text.fields) {
      const values = text.fields.filter(([other]) => other === field).map(([, value]) => utf8Of(value));
      expect([name, field, message.headers(field)]).toEqual([name, field, values]);
    }
    expect([name, textOf(message.body)]).toEqual([name, text.body]);
    if (text.status !== 0) {
      expect([name, message.status, message.reason]).toEqual([name, text.status, utf8Of(text.reason)]);
    } else {
      expect([name, `${message.methodName} ${message.requestUri} SIP/2.0`]).toEqual([name, text.startLine]);
    }
  }
});

function utf8Of(octets: string): string {
  return Buffer.from(octets, "latin1").toString("utf8");
}

test("written again unchanged, each is the same octets", () => {
  const arena = new Arena();
  for (const { name, bytes } of messages) {
    const start = writeCopy(arena, scanned(bytes).message);
    expect([name, textOf(arena.bytes.subarray(start, arena.at))]).toEqual([name, textOf(bytes)]);
  }
});

describe("a response to each request", () => {
  const requests = fine.filter(({ bytes }) => readSip(bytes, false).status === 0);
  const toTag = bytesOf("our-tag");

  test("there are hundreds", () => {
    expect(requests.length).toBeGreaterThan(200);
  });

  for (const [status, body] of [
    [100, undefined],
    [180, undefined],
    [200, "v=0\r\n"],
    [404, undefined],
  ] as const) {
    test(`${status} carries the request's fields and is read without a fault`, () => {
      const arena = new Arena();
      for (const { name, bytes } of requests) {
        const request = scan(bytes);
        const start = writeResponse(
          arena,
          request,
          { status, toTag, contentType: "application/sdp", body: body && bytesOf(body) },
          "203.0.113.77",
          40000,
        );
        const response = arena.bytes.slice(start, arena.at);
        const answer = expectCopiedFields(response, bytes, "203.0.113.77", 40000);
        expect(answer.body).toBe(body ?? "");
        expect([name, scan(response).status]).toEqual([name, status]);
        expect([name, toTagOf(answer)]).not.toEqual([name, undefined]);
      }
    });
  }
});
