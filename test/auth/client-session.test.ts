/** Credentials that a client computes (RFC 7616 s3.4), beside the examples of the RFCs. */
import { describe, expect, test } from "bun:test";
import { challengesOf } from "../../src/auth/challenge-scan.ts";
import type { Credentials } from "../../src/auth/client-credentials.ts";
import { ClientSession, isProved } from "../../src/auth/client-session.ts";
import { scan } from "../support/scan.ts";

/** A session that a challenge begins. */
function session(value: string, credentials: Credentials, field = "WWW-Authenticate"): ClientSession {
  const lines = [
    "SIP/2.0 401 No",
    "Via: SIP/2.0/UDP a;branch=z9hG4bKa",
    "From: <sip:a@b>;tag=1",
    "To: <sip:a@b>;tag=2",
  ];
  const text = [...lines, "Call-ID: c", "CSeq: 1 GET", `${field}: ${value}`, "Content-Length: 0", "", ""].join("\r\n");
  return new ClientSession(challengesOf(scan(text))[0]!, credentials);
}

/** A parameter's value. */
function param(line: string, name: string): string | undefined {
  return new RegExp(`[ ,]${name}="?([^",\r]*)`).exec(line)?.[1];
}

const MUFASA = { user: "Mufasa", password: "Circle of Life" };
const GET = { method: "GET", uri: "/dir/index.html", body: undefined };
const CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

function rfc7616(algorithm: string): string {
  return (
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
  );
}

describe("the examples", () => {
  test.each([
    ["MD5", "8ca523f5e9506fed4657c9700eebdbec"],
    ["SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"],
  ])("of RFC 7616 s3.9.1 with %s", (algorithm, response) => {
    const { line } = session(rfc7616(algorithm), MUFASA).authorize(GET, CNONCE);
    expect(line).toBe(
      'Authorization: Digest username="Mufasa", realm="http-auth@example.org", ' +
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri="/dir/index.html", ' +
        `response="${response}", algorithm=${algorithm}, ` +
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", qop=auth, nc=00000001, ' +
        `cnonce="${CNONCE}"\r\n`,
    );
  });

  test("the user's hash of RFC 7616 s3.9.2", () => {
    const value = 'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, nonce="n", userhash=true';
    const jason = { user: "J\u00e4s\u00f8n Doe", password: "Secret, or not?" };
    const { line } = session(value, jason).authorize(GET, "c");
    expect(param(line, "username")).toBe("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b");
    expect(line).toEndWith(", userhash=true\r\n");
  });

  test("of RFC 2617 s3.5", () => {
    const value =
      'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ' +
      'opaque="5ccc069c403ebaf9f0171e9517f40e41"';
    const { line } = session(value, { user: "Mufasa", password: "Circle Of Life" }).authorize(GET, "0a4f113b");
    expect(param(line, "response")).toBe("6629fae49393a05397450978507c4ef1");
    expect(line).not.toContain("algorithm");
  });
});

test("a proxy's go into Proxy-Authorization", () => {
  const { line } = session('Digest realm="r", nonce="n"', MUFASA, "Proxy-Authenticate").authorize(GET, "c");
  expect(line).toStartWith("Proxy-Authorization: Digest ");
});

test("each request counts up; a next nonce begins anew, a count that is full ends the session", () => {
  const one = session('Digest realm="r", nonce="n", qop="auth"', MUFASA);
  const counts = () => param(one.authorize(GET, "c").line, "nc");
  expect([counts(), counts()]).toEqual(["00000001", "00000002"]);
  one.follow('next\\"');
  const { line, rawNonce } = one.authorize(GET, "c");
  expect([param(line, "nc"), rawNonce, line.includes('nonce="next\\""')]).toEqual(["00000001", 'next\\"', true]);
});

test("a nonce that is given again goes on counting: to begin anew would look like a replay", () => {
  const value = 'Digest realm="r", nonce="n", qop="auth"';
  const one = session(value, MUFASA);
  one.authorize(GET, "c");
  one.renew(session(value, MUFASA).challenge, MUFASA);
  one.follow("n");
  expect(param(one.authorize(GET, "c").line, "nc")).toBe("00000002");
});

describe("a server's proof", () => {
  const attempt = session(rfc7616("MD5"), MUFASA).authorize({ ...GET, method: "MESSAGE" }, "c");
  const rspauth = (() => {
    const md5 = (text: string) => Bun.MD5.hash(text, "hex");
    const ha1 = md5("Mufasa:http-auth@example.org:Circle of Life");
    return md5(`${ha1}:${attempt.rawNonce}:00000001:c:auth:${md5(":/dir/index.html")}`);
  })();
  const info = { nextNonce: null, qop: "auth", rspauth, cnonce: "c", nc: "00000001" };

  test("is taken in either letter case, and without what need not be said", () => {
    expect(isProved(attempt, info, new Uint8Array())).toBe(true);
    expect(isProved(attempt, { ...info, rspauth: rspauth.toUpperCase() }, new Uint8Array())).toBe(true);
    expect(isProved(attempt, { ...info, qop: null, cnonce: null, nc: null }, new Uint8Array())).toBe(true);
  });

  test("is none without rspauth, and wrong for another request", () => {
    expect(isProved(attempt, { ...info, rspauth: null }, new Uint8Array())).toBeNull();
    for (const wrong of [
      { rspauth: "" },
      { rspauth: "0".repeat(32) },
      { cnonce: "d" },
      { nc: "00000002" },
      { qop: "auth-int" },
      { nc: "x" },
    ]) {
      expect(isProved(attempt, { ...info, ...wrong }, new Uint8Array())).toBe(false);
    }
  });

  test("covers the response's body with auth-int", () => {
    const whole = session('Digest realm="r", nonce="n", qop="auth-int"', MUFASA).authorize(GET, "c");
    const md5 = (text: string) => Bun.MD5.hash(text, "hex");
    const ha2 = md5(`:/dir/index.html:${md5("body")}`);
    const proof = md5(`${md5("Mufasa:r:Circle of Life")}:n:00000001:c:auth-int:${ha2}`);
    const said = { nextNonce: null, qop: "auth-int", rspauth: proof, cnonce: "c", nc: "1" };
    expect(isProved(whole, said, Buffer.from("body"))).toBe(true);
    expect(isProved(whole, said, Buffer.from("bodY"))).toBe(false);
  });
});
