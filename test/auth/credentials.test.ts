import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Credentials, Found, Param } from "../../src/auth/credentials.ts";
import { digest } from "../../src/auth/digest.ts";
import { challengesOf, credentials, linesOf, now, paramsOf, request } from "../support/digest-client.ts";
import { bytesOf, textOf } from "../support/sip-text.ts";

/** Scans a value that stands among other octets, as it does in a message. */
function scanned(value: string | Uint8Array): { found: number; credentials: Credentials } {
  const octets = typeof value === "string" ? bytesOf(value) : value;
  const message = new Uint8Array(octets.length + 8).fill(0x22);
  message.set(octets, 4);
  const read = new Credentials();
  return { found: read.scan(message, 4, 4 + octets.length), credentials: read };
}

const COMPLETE = 'Digest username="a", realm="r", nonce="n", uri="sip:x", response="00"';

/** What is found wrong with a value, or the empty string. */
function faultOf(value: string): string {
  const { found, credentials: read } = scanned(value);
  if (found === Found.Other) return "other";
  if (found === Found.Digest && read.isComplete()) return "";
  return read.fault;
}

describe("a value", () => {
  test("of another scheme is not ours", () => {
    for (const value of ["", " ", "Basic abc", "Digestive x=y", "Digest2 a=b", '"Digest" a=b', ", Digest a=b"]) {
      expect([value, scanned(value).found]).toEqual([value, Found.Other]);
    }
  });

  test("that breaks the grammar is malformed", () => {
    for (const rest of [
      "",
      "username",
      "username=",
      "=x",
      'username="a',
      'username="a\\',
      'username="a\\"',
      'username="a"b',
      'username="a" realm="b"',
      "username=a b",
      'username=a"b"',
      "username=a\\b",
      "(=x",
      'username="a\0b"',
      'username="a\x7fb"',
      'username="a\\\x01"',
      "username=\x7f",
      "abc def",
    ]) {
      const value = rest === "" ? "Digest" : `Digest ${rest}`;
      expect([value, faultOf(value)]).toEqual([value, "Malformed"]);
    }
  });

  test("says which parameter is missing, there twice, or wrong", () => {
    expect(faultOf(COMPLETE)).toBe("");
    for (const name of ["username", "realm", "nonce", "uri", "response"]) {
      const without = COMPLETE.replace(new RegExp(`${name}="[^"]*",? ?`), "");
      expect(faultOf(without)).toBe(`Missing ${name} In`);
      const twice = COMPLETE.replace(new RegExp(`(${name}="[^"]*")`), "$1, $1");
      expect(faultOf(twice)).toBe(`Repeated ${name} In`);
    }
    expect(faultOf(`${COMPLETE}, username*=UTF-8''a`)).toBe("Repeated username In");
    expect(faultOf(`${COMPLETE}, userhash=maybe`)).toBe("Malformed userhash In");
    expect(faultOf(COMPLETE.replace('"a"', `"${"a".repeat(257)}"`))).toBe("Malformed username In");
    expect(faultOf(COMPLETE.replace('"00"', '"0g"'))).toBe("Malformed response In");
    expect(faultOf(`${COMPLETE}, qop=auth`)).toBe("Missing cnonce In");
    expect(faultOf(`${COMPLETE}, qop=auth, cnonce="c"`)).toBe("Missing nc In");
    for (const nc of ["g", "123456789", '""', "-1"]) {
      expect(faultOf(`${COMPLETE}, qop=auth, cnonce="c", nc=${nc}`)).toBe("Malformed nc In");
    }
    expect(faultOf(`${COMPLETE}, qop=auth, cnonce="c", nc=1`)).toBe("");
  });

  test("with parameters that are not looked at is read past them, twice or not", () => {
    expect(faultOf(`${COMPLETE}, opaque="x", opaque="y", auts="\\"", x-y=z, stale=false`)).toBe("");
  });
});

describe("a user's name (RFC 7616 s3.4)", () => {
  test("in username* is read as UTF-8 or not at all", () => {
    const of = (value: string) => {
      const { credentials: read } = scanned(`Digest username*=${value}`);
      return read.username();
    };
    expect(of("UTF-8''J%C3%A4s%C3%B8n%20Doe")).toBe("J\u00e4s\u00f8n Doe");
    expect(of("utf-8'en'a%22b")).toBe('a"b');
    expect(of("UTF-8''")).toBe("");
    for (const wrong of [
      "a",
      "UTF-8'a",
      "ISO-8859-1''a",
      "UTF-8''%",
      "UTF-8''%4",
      "UTF-8''%FF",
      "UTF-8''%ED%A0%80",
      "UTF-8''a@b",
    ]) {
      expect([wrong, of(wrong)]).toEqual([wrong, null]);
    }
  });
});

describe("values drawn at random", () => {
  const text = fc.string({ unit: fc.constantFrom(...'ab"\\, =;:@\t\xe4\xff'), maxLength: 12 });
  const white = fc.constantFrom("", " ", "\t ", "\r\n ", " \r\n\t");

  test("are read back as they were meant", () => {
    const names = ["username", "realm", "nonce", "uri", "response", "cnonce", "x-other", "opaque"] as const;
    const params: readonly (number | null)[] = [
      Param.Username,
      Param.Realm,
      Param.Nonce,
      Param.Uri,
      Param.Response,
      Param.Cnonce,
      null,
      null,
    ];
    const values = fc.uniqueArray(
      fc.record({ which: fc.nat(names.length - 1), text, pairs: fc.boolean(), white, upper: fc.boolean() }),
      {
        selector: ({ which }) => which,
        minLength: 1,
      },
    );
    fc.assert(
      fc.property(values, (given) => {
        const written = given.map(({ which, text: value, pairs, white: gap, upper }) => {
          const name = upper ? names[which]!.toUpperCase() : names[which]!;
          const escaped = value.replace(pairs ? /[^\t\r\n]/g : /["\\]/g, "\\$&");
          return `${gap}${name}${gap}=${gap}"${escaped}"${gap}`;
        });
        const { found, credentials: read } = scanned(`Digest ${written.join(",")}`);
        expect(found).toBe(Found.Digest);
        for (const { which, text: value } of given) {
          const param = params[which]!;
          if (param === null) continue;
          // A tab is as good as a blank where quoted pairs are undone.
          const plain = (of: string) => of.replaceAll("\t", " ");
          expect(plain(textOf(read.octets(param as Param)))).toBe(plain(value));
          expect(read.equals(param as Param, read.octets(param as Param))).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("never throw, and never read beyond their end", () => {
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc
        .array(
          fc.oneof(
            fc.constantFrom(...'Digest |username|realm|="|"|\\|,|nc=|uri=|response=|\r\n |*|qop='.split("|")),
            text,
          ),
          {
            maxLength: 30,
          },
        )
        .map((parts) => bytesOf(`Digest ${parts.join("")}`)),
    );
    fc.assert(
      fc.property(octets, (value) => {
        const { found, credentials: read } = scanned(value);
        if (found === Found.Malformed) expect(read.fault).not.toBe("");
        for (const param of Object.values(Param)) {
          if (read.has(param)) expect(read.end(param)).toBeLessThanOrEqual(value.length + 4);
        }
        if (found === Found.Digest && read.isComplete()) expect(typeof (read.username() ?? "")).toBe("string");
      }),
      { numRuns: 2000 },
    );
  });
});

describe("hostile requests", () => {
  const auth = digest({
    realm: "example.com",
    users: { alice: "secret" },
    qop: ["auth", "auth-int"],
    algorithms: ["MD5", "MD5-sess", "SHA-256", "SHA-512-256"],
    failures: false,
  });
  const nonce = () => challengesOf(now(auth.check(request(), "192.0.2.4", "uas")))[0]!.nonce!;

  /** Whether it is a whole answer: 400 with a reason, or a challenge that can be read, or a proof of one line. */
  function expectWhole(values: readonly string[]): void {
    const verdict = now(auth.check(request(values), "192.0.2.4", "uas"));
    if (verdict.isAllowed) {
      expect(linesOf(verdict)).toHaveLength(1);
      expect(paramsOf(linesOf(verdict)[0]!).rspauth).toBeString();
    } else if (verdict.status === 400) {
      expect(verdict.reason).toMatch(
        /^(Malformed|(Malformed|Missing|Repeated|Unknown|Request-URI Differs From) [a-z*]+ In) Authorization$/,
      );
    } else {
      expect(challengesOf(verdict)).toHaveLength(4);
    }
  }

  test("are answered, whatever their credentials hold", () => {
    const junk = fc.string({ unit: fc.constantFrom(...'Digest username="alice", \\\t%\xff\x80;'), maxLength: 80 });
    fc.assert(
      fc.property(
        fc.array(
          junk.map((value) => `Digest ${value}`.trim()),
          { maxLength: 4 },
        ),
        expectWhole,
      ),
      { numRuns: 500 },
    );
  });

  test("are answered, whatever is changed in credentials that were right", () => {
    const changes = fc.array(
      fc.record({
        at: fc.nat(400),
        remove: fc.nat(3),
        put: fc.string({ unit: fc.constantFrom(...'"\\,= a0\xe4%'), maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 3 },
    );
    const algorithm = fc.constantFrom("MD5", "MD5-sess", "SHA-256", "SHA-512-256");
    fc.assert(
      fc.property(changes, algorithm, fc.constantFrom("auth", "auth-int"), (given, name, qop) => {
        let value = credentials({ username: "alice", password: "secret", nonce: nonce(), algorithm: name, qop });
        for (const { at, remove, put } of given) {
          const place = Math.max(7, at % value.length);
          value = value.slice(0, place) + put + value.slice(place + remove);
        }
        expectWhole([value.trim()]);
      }),
      { numRuns: 500 },
    );
  });

  test("with the greatest parameters are answered, right ones let in", () => {
    const cnonce = "c".repeat(7000);
    const login = { username: "alice", password: "secret", nonce: nonce(), cnonce };
    const verdict = now(auth.check(request(credentials(login)), "192.0.2.4", "uas"));
    expect(verdict.isAllowed).toBe(true);
    expect(paramsOf(linesOf(verdict)[0]!).cnonce).toBe(cnonce);
    const pairs = '\\"'.repeat(3000);
    const quoted = { ...login, nonce: nonce(), cnonce: '"'.repeat(3000) };
    const value = credentials(quoted, { cnonce: `"${pairs}"` });
    expect(now(auth.check(request(value), "192.0.2.4", "uas")).isAllowed).toBe(true);
  });

  test("a hundred fields cost no more than a look at each", () => {
    const { accepted } = auth.counters;
    const mine = credentials({ username: "alice", password: "secret", nonce: nonce() });
    const foreign = mine.replace(/nonce="./, 'nonce="_');
    const values = [...Array.from({ length: 100 }, () => foreign), mine, ...Array.from({ length: 100 }, () => foreign)];
    expect(now(auth.check(request(values), "192.0.2.4", "uas")).isAllowed).toBe(true);
    expect(auth.counters.accepted).toBe(accepted + 1);
  });
});
