/** Challenges and Authentication-Info as a client reads them (RFC 7616 s3.3, s3.5; RFC 3261 s20.44). */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  authenticationInfoOf,
  type Challenge,
  challengesOf,
  quotable,
  unquoted,
} from "../../src/auth/challenge-scan.ts";
import type { Message } from "../../src/message/message.ts";
import { scan } from "../support/scan.ts";

/** A 401 with these header lines, text as UTF-8, of any length. */
function response(...lines: string[]): Message {
  const head = ["SIP/2.0 401 No", "Via: SIP/2.0/UDP a;branch=z9hG4bKa", "From: <sip:a@b>;tag=1", "To: <sip:a@b>;tag=2"];
  const text = [...head, "Call-ID: c", "CSeq: 1 OPTIONS", ...lines, "Content-Length: 0", "", ""].join("\r\n");
  return scan(Buffer.from(text).toString("latin1"), { headerLength: 64_000 });
}

/** The challenges of one WWW-Authenticate. */
function read(value: string): Challenge[] {
  return challengesOf(response(`WWW-Authenticate: ${value}`));
}

describe("a challenge", () => {
  test("of RFC 7616 s3.9.2, on folded lines", () => {
    const folded = [
      "Digest",
      ' realm="api@example.org",',
      '\tqop="auth",',
      " algorithm=SHA-512-256,",
      ' nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",',
      ' opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",',
      " charset=UTF-8,",
      " userhash=true",
    ];
    expect(read(folded.join("\r\n"))).toEqual([
      {
        isProxy: false,
        realm: "api@example.org",
        rawRealm: "api@example.org",
        rawNonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        rawOpaque: "HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS",
        algorithm: "SHA-512-256",
        algorithmText: "SHA-512-256",
        qop: "auth",
        isStale: false,
        hashesUser: true,
      },
    ]);
  });

  test("of RFC 2069: no more than realm and nonce, MD5 and no qop", () => {
    expect(read('Digest realm="r", nonce="n"')).toEqual([
      {
        isProxy: false,
        realm: "r",
        rawRealm: "r",
        rawNonce: "n",
        rawOpaque: null,
        algorithm: "MD5",
        algorithmText: null,
        qop: null,
        isStale: false,
        hashesUser: false,
      },
    ]);
  });

  test("in any letter case and spacing, with tokens where quoted strings belong and the other way round", () => {
    const [one] = read('dIGEST REALM = r ,nonce=abc==,, ALGORITHM="sha-256",QOP=auth-int , Stale="TRUE" opaque=""');
    expect(one).toMatchObject({
      realm: "r",
      rawNonce: "abc==",
      algorithm: "SHA-256",
      qop: "auth-int",
      isStale: true,
      rawOpaque: "",
    });
  });

  test("keeps what is given back as it stands between the quotes", () => {
    const [one] = read('Digest realm="a\\"b\\\\c\\d é", nonce="\\n", opaque=",="');
    expect([one!.realm, one!.rawRealm, one!.rawNonce, one!.rawOpaque]).toEqual([
      'a"b\\cd é',
      'a\\"b\\\\c\\d é',
      "\\n",
      ",=",
    ]);
  });

  test("offers of qop: auth where there is one, auth-int alone, none that is known", () => {
    const qopOf = (qop: string) => read(`Digest realm="r", nonce="n", qop="${qop}"`).map((one) => one.qop);
    expect(["auth", "auth,auth-int", " AUTH-INT , auth ", "auth-int", "x,auth-int"].map(qopOf)).toEqual([
      ["auth"],
      ["auth"],
      ["auth"],
      ["auth-int"],
      ["auth-int"],
    ]);
    expect(["", "x", "auth2"].map(qopOf)).toEqual([[], [], []]);
  });

  test.each([
    "",
    "Digest",
    'Digest realm="r"',
    'Digest nonce="n"',
    'Basic realm="r", nonce="n"',
    'Digest realm="r", nonce="n", realm="r"',
    'Digest realm="r", nonce="n", algorithm=SHA-1',
    'Digest realm="r", nonce="n", algorithm=MD5-sess',
    'Digest realm="r", nonce="n',
    'Digest realm="r", nonce="n" @',
    'Digest realm="r\ufffd", nonce="n"',
    'Digest realm="r", nonce="n\u0007"',
    `Digest realm="r", nonce="${"n".repeat(2048)}"`,
    'realm="r", nonce="n"',
  ])("%j is passed over", (value) => {
    expect(read(value)).toEqual([]);
  });

  test("octets that are no UTF-8 are passed over: nobody could give them back", () => {
    const octets = response('WWW-Authenticate: Digest realm="??", nonce="n"').bytes.slice();
    octets.set([0xc3, 0x28], Buffer.from(octets).indexOf("??"));
    expect(challengesOf(scan(octets))).toEqual([]);
  });

  test("a server's come before proxies', each kind in its order; one that cannot be read does not hide the others", () => {
    const message = response(
      'Proxy-Authenticate: Digest realm="p1", nonce="n"',
      'WWW-Authenticate: Digest realm="w1", nonce="n"',
      'WWW-Authenticate: Digest realm="broken, nonce="n"',
      'Proxy-Authenticate: Basic realm="x", Digest realm="p2", nonce="n", Digest realm="p3", nonce="n"',
      'WWW-Authenticate: Digest realm="w2", nonce="n"',
    );
    expect(challengesOf(message).map(({ realm, isProxy }) => `${realm} ${isProxy}`)).toEqual([
      "w1 false",
      "w2 false",
      "p1 true",
      "p2 true",
      "p3 true",
    ]);
  });

  test("no more than 32 of a kind are looked at", () => {
    const lines = Array.from({ length: 40 }, (_, at) => `WWW-Authenticate: Digest realm="${at}", nonce="n"`);
    expect(challengesOf(response(...lines))).toHaveLength(32);
  });
});

test("Authentication-Info is read, and Proxy-Authentication-Info apart from it", () => {
  const message = response(
    'Authentication-Info: nextnonce="a\\"b", qop=auth, rspauth="00ff", cnonce="c", nc=00000001',
    "Proxy-Authentication-Info: nextnonce=x",
  );
  expect(authenticationInfoOf(message, false)).toEqual({
    nextNonce: 'a\\"b',
    qop: "auth",
    rspauth: "00ff",
    cnonce: "c",
    nc: "00000001",
  });
  expect(authenticationInfoOf(message, true)!.nextNonce).toBe("x");
  expect(authenticationInfoOf(response(), false)).toBeNull();
  for (const value of ["nextnonce", 'nextnonce="a', 'nextnonce="a", nextnonce="b"', "@"]) {
    expect(authenticationInfoOf(response(`Authentication-Info: ${value}`), false)).toBeNull();
  }
  const long = response(`Authentication-Info: nextnonce="${"n".repeat(2049)}"`);
  expect(authenticationInfoOf(long, false)!.nextNonce).toBeNull();
});

/** Text that can stand in a header's value. */
const text = fc.string({ unit: "grapheme" }).map((value) => value.replace(/\p{Cc}|\ufffd/gu, ""));

test("whatever text a realm and a nonce hold comes out as it went in", () => {
  fc.assert(
    fc.property(text, text, text, (realm, nonce, opaque) => {
      fc.pre(realm.length + nonce.length + opaque.length < 1000);
      const quoted = [realm, nonce, opaque].map(quotable);
      const [one] = read(`Digest realm="${quoted[0]}", nonce="${quoted[1]}", opaque="${quoted[2]}"`);
      expect([one!.realm, unquoted(one!.rawNonce), unquoted(one!.rawOpaque!)]).toEqual([realm, nonce, opaque]);
    }),
  );
});

/** Pieces that challenges are made of, in any order. */
const pieces = fc.array(
  fc.oneof(
    fc.constantFrom(
      "Digest ",
      "Basic ",
      ",",
      " ",
      "=",
      '"',
      "\\",
      '\\"',
      "\r\n ",
      "realm",
      "nonce",
      "qop=auth",
      "stale",
    ),
    fc.constantFrom('realm="r"', 'nonce="n"', "algorithm=MD5", 'qop="auth"', ", ", "(", ";", "\t", "%00", "é"),
    fc.string({ maxLength: 8 }).map((value) => value.replace(/[\r\n\0]/g, "")),
  ),
  { maxLength: 40 },
);

test("hostile values are read without an error, and give nothing that could break a line of ours", () => {
  fc.assert(
    fc.property(pieces, pieces, (one, other) => {
      const message = response(`WWW-Authenticate: ${one.join("")}`, `Proxy-Authenticate: Digest ${other.join("")}`);
      for (const { rawRealm, rawNonce, rawOpaque, algorithmText } of challengesOf(message)) {
        for (const raw of [rawRealm, rawNonce, rawOpaque ?? "", algorithmText ?? ""]) {
          expect(raw).not.toMatch(/\p{Cc}/u);
          // Between quotes it is one quoted string.
          expect(`"${raw}"`).toMatch(/^"(?:[^"\\]|\\.)*"$/);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test("long hostile values take no long time", () => {
  const most = 60_000;
  for (const part of [" ", ",", '"', "\\", "a", "a=", 'a="', "a,", "\r\n ", '\\"', "Digest ", 'a="",']) {
    for (const begin of ["", "Digest ", 'Digest realm="', "Digest realm="]) {
      const message = response(`WWW-Authenticate: ${begin}${part.repeat(Math.floor(most / part.length))}x`);
      const before = performance.now();
      challengesOf(message);
      expect(performance.now() - before).toBeLessThan(1000);
    }
  }
});
