import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyChallenge } from "../../bench/load/challenge.ts";
import { readResponse } from "../../bench/load/messages.ts";
import { ALGORITHMS, type Algorithm, DigestWriter } from "../../bench/load/register-digest.ts";
import { CHALLENGE_ROOM, REGISTER_KIND, RegisterSlot } from "../../bench/load/register-request.ts";
import { PASSWORD, userName } from "../../bench/load/register-users.ts";
import { ascii, latin1 } from "../../src/message/bytes.ts";
import { readFields } from "../../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { Scanner } from "../../src/message/scanner.ts";

const ENDS = { transport: "udp", local: "127.0.0.1:6000", run: "abc" } as const;

function scan(bytes: Uint8Array): Message {
  const message = new Scanner().scanDatagram(bytes);
  expect(readFields(message, DEFAULT_LIMITS)).toBe(true);
  expect(message.fault).toBe(0);
  return message;
}

/** The parameters of Authorization, their quotes off. */
function credentials(message: Message): Record<string, string> {
  const [scheme, ...rest] = message.header("Authorization")!.split(" ");
  expect(scheme).toBe("Digest");
  const pairs = rest.join(" ").split(", ");
  return Object.fromEntries(pairs.map((pair) => [pair.split("=")[0]!, /="?([^"]*)"?$/.exec(pair)![1]!]));
}

/** RFC 7616 s3.4.1, in words. */
function expected(algorithm: Algorithm, method: string, given: Record<string, string>): string {
  const hash = (text: string): string =>
    createHash(algorithm.replace("-", "").toLowerCase()).update(text).digest("hex");
  const { username, realm, nonce, nc, cnonce, qop, uri } = given;
  const parts = [hash(`${username}:${realm}:${PASSWORD}`), nonce, nc, cnonce, qop, hash(`${method}:${uri}`)];
  return hash(parts.join(":"));
}

function authorized(slot: RegisterSlot, user: number, nc: number, challenge: string, cseq = nc): Uint8Array {
  const octets = ascii(`junk ${challenge}`);
  return slot.authorized(7, user, cseq, nc, octets, 5, octets.length);
}

describe("the REGISTER of the generator", () => {
  test("is valid SIP: its user everywhere, its own transaction", () => {
    const message = scan(new RegisterSlot(17, ENDS).plain(12_345_678, 42, 3));
    expect(message.methodName).toBe("REGISTER");
    expect(message.header("Via")).toBe("SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-vl-R001712345678");
    expect(message.header("From")).toBe("<sip:user0000042@example.com>;tag=r12345678");
    expect(message.header("To")).toBe("<sip:user0000042@example.com>");
    expect(message.header("Contact")).toBe("<sip:user0000042@127.0.0.1:6000>");
    expect(message.header("Call-ID")).toBe("user0000042-abc@127.0.0.1:6000");
    expect(message.header("CSeq")).toBe("100000003 REGISTER");
    expect(message.header("Content-Length")).toBe("0");
  });

  test("over TCP it says so in Via and Contact", () => {
    const message = scan(new RegisterSlot(0, { ...ENDS, transport: "tcp" }).plain(1, 1, 1));
    expect(message.header("Via")).toStartWith("SIP/2.0/TCP ");
    expect(message.header("Contact")).toBe("<sip:user0000001@127.0.0.1:6000;transport=tcp>");
  });

  test("nothing of the registration before is left in the next", () => {
    const slot = new RegisterSlot(3, ENDS);
    slot.plain(99_999_999, 9_999_999, 899_999_999);
    const again = slot.plain(5, 6, 7).slice();
    expect(latin1(again, 0, again.length)).toBe(Buffer.from(new RegisterSlot(3, ENDS).plain(5, 6, 7)).toString());
  });

  test("a user's Call-ID stays, whichever slot and transaction it is", () => {
    const ids = [new RegisterSlot(1, ENDS).plain(1, 8, 1), new RegisterSlot(2, ENDS).plain(2, 8, 2)].map((bytes) =>
      scan(bytes).header("Call-ID"),
    );
    expect(ids[0]).toBe(ids[1]!);
  });

  test("a response's branch tells the slot and the transaction", () => {
    const request = scan(new RegisterSlot(9998, ENDS).plain(76_543_210, 1, 1));
    const response = { status: 0, kind: 0, slot: 0, call: 0 };
    const answer = `SIP/2.0 200 OK\r\nVia: ${request.header("Via")}\r\nContent-Length: 0\r\n\r\n`;
    expect(readResponse(ascii(answer), response)).toBe(true);
    expect(response).toEqual({ status: 200, kind: REGISTER_KIND, slot: 9998, call: 76_543_210 });
  });
});

describe("the digest of the generator", () => {
  test.each([...ALGORITHMS])("%s: the response is that of RFC 7616, for users known and beyond", (algorithm) => {
    const digest = new DigestWriter(algorithm, 10);
    const slot = new RegisterSlot(0, ENDS, digest);
    for (const [user, nc] of [
      [3, 1],
      [3, 2],
      [9, 1],
      [123_456, 0xabcdef],
      [3, 3],
    ] as const) {
      const message = scan(authorized(slot, user, nc, 'nonce="c0ffee"'));
      const given = credentials(message);
      expect(given).toMatchObject({ username: userName(user), realm: "example.com", algorithm, nonce: "c0ffee" });
      expect(given).toMatchObject({ nc: nc.toString(16).padStart(8, "0"), uri: "sip:example.com", qop: "auth" });
      expect(given.response).toBe(expected(algorithm, "REGISTER", given));
      expect(message.header("From")).toStartWith(`<sip:${userName(user)}@`);
    }
  });

  test("challenges of other lengths follow each other, with opaque and without", () => {
    const slot = new RegisterSlot(0, ENDS, new DigestWriter("MD5", 10));
    for (const challenge of [
      'nonce="a"',
      `nonce="${"b".repeat(120)}", opaque="c d"`,
      'nonce="e", opaque=""',
      'nonce=""',
    ]) {
      const message = scan(authorized(slot, 1, 1, challenge));
      expect(message.header("Authorization")).toEndWith(`, ${challenge}`);
      expect(message.header("Content-Length")).toBe("0");
      const given = credentials(message);
      expect(given.response).toBe(expected("MD5", "REGISTER", given));
    }
  });

  test("the request without Authorization stays beside the one with it", () => {
    const slot = new RegisterSlot(0, ENDS, new DigestWriter("MD5", 10));
    authorized(slot, 1, 1, 'nonce="a"');
    expect(scan(slot.plain(1, 2, 3)).header("Authorization")).toBeUndefined();
  });
});

describe("what is answered of a challenge", () => {
  const copied = (lines: string, room = CHALLENGE_ROOM): string => {
    const into = new Uint8Array(room + 8).fill(0x2e);
    const length = copyChallenge(
      ascii(`SIP/2.0 401 Unauthorized\r\n${lines}\r\nContent-Length: 0\r\n\r\n`),
      into,
      4,
      room,
    );
    // Nothing is written outside of the room.
    expect(latin1(into, 0, 4) + latin1(into, room + 4, room + 8)).toBe("........");
    return latin1(into, 4, 4 + length);
  };

  test("the nonce and the opaque, in whatever order they came", () => {
    expect(copied('WWW-Authenticate: Digest realm="a", nonce="b", qop="auth", algorithm=MD5')).toBe('nonce="b"');
    expect(copied('www-authenticate: Digest opaque="o", qop="auth",nonce="b/+="')).toBe('nonce="b/+=", opaque="o"');
    expect(copied('Via: x\r\nWWW-Authenticate: Digest cnonce="no", nextnonce="no", nonce="b"')).toBe('nonce="b"');
  });

  test("only what the first WWW-Authenticate says", () => {
    expect(
      copied('Warning: 399 a "nonce="\r\nWWW-Authenticate: Digest nonce="1"\r\nWWW-Authenticate: Digest nonce="2"'),
    ).toBe('nonce="1"');
    expect(copied('WWW-Authenticate: Digest realm="a"\r\nSubject: nonce="b"')).toBe("");
    expect(copied('Proxy-Authenticate: Digest nonce="b"')).toBe("");
  });

  test("without a nonce, or without room for it, there is nothing to answer", () => {
    expect(copied('WWW-Authenticate: Digest realm="nonce"')).toBe("");
    for (const room of [1, 9, 12, 20]) {
      expect(copied('WWW-Authenticate: Digest nonce="bcd", opaque="efgh"', room)).toBe("");
    }
    expect(copied('WWW-Authenticate: Digest nonce="bcd", opaque="efgh"', 27)).toBe('nonce="bcd", opaque="efgh"');
  });
});
