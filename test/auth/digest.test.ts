import { describe, expect, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import type { Verdict } from "../../src/auth/digest-options.ts";
import {
  challengesOf,
  credentials,
  denied,
  type Login,
  linesOf,
  now,
  paramsOf,
  proofOf,
  request,
  responseTo,
} from "../support/digest-client.ts";
import { textOf } from "../support/sip-text.ts";

const ADDRESS = "192.0.2.4";
const USERS = { alice: "secret" };
const REALM = "example.com";

/** A server with its challenge's nonce, and a login that fits it. */
function server(options: Partial<Parameters<typeof digest>[0]> = {}) {
  const auth = digest({ realm: REALM, users: USERS, ...options });
  const check = (...given: Parameters<typeof request>) => now(auth.check(request(...given), ADDRESS, "uas"));
  const { nonce } = challengesOf(check())[0]! as { nonce: string };
  const login: Login = { username: "alice", password: "secret", nonce };
  return { auth, check, nonce, login };
}

/** The status of a denial with whether its challenges are stale, or `allowed`. */
function outcome(verdict: Verdict): string {
  if (verdict.isAllowed) return "allowed";
  const { status, headers } = verdict;
  return headers !== undefined && textOf(headers).includes("stale=true") ? `${status} stale` : `${status}`;
}

describe("a request without credentials", () => {
  test("is challenged once for each algorithm, the strongest first (RFC 8760 s2.3)", () => {
    const auth = digest({ realm: REALM, users: USERS, algorithms: ["MD5", "SHA-512-256", "SHA-256"] });
    const verdict = denied(auth.check(request(), ADDRESS, "uas"));
    expect(verdict.status).toBe(401);
    expect(verdict.delay).toBe(0);
    const challenges = challengesOf(verdict);
    expect(challenges.map((challenge) => challenge.algorithm)).toEqual(["SHA-512-256", "SHA-256", "MD5"]);
    for (const challenge of challenges) {
      expect(challenge).toMatchObject({ realm: REALM, qop: "auth", nonce: challenges[0]!.nonce! });
      expect(challenge.stale).toBeUndefined();
    }
    expect(auth.counters).toMatchObject({ challenged: 1, rejected: 0 });
  });

  test("quotes what must be quoted, and nothing else, and each quality of protection once (RFC 7616 s3.3)", () => {
    const { check } = server({ algorithms: ["SHA-256-sess"], qop: ["auth", "auth-int", "auth"], userhash: true });
    expect(linesOf(check())).toEqual([
      expect.stringMatching(
        /^WWW-Authenticate: Digest realm="example\.com", nonce="[A-Za-z0-9_-]{32}", algorithm=SHA-256-sess, qop="auth,auth-int", charset=UTF-8, userhash=true$/,
      ),
    ]);
  });

  test("gets 407 of a proxy, which looks at Proxy-Authorization only (RFC 3261 s22.3)", () => {
    const { auth, login } = server();
    const verdict = denied(auth.check(request(), ADDRESS, "proxy"));
    expect(verdict.status).toBe(407);
    const { nonce } = challengesOf(verdict, "proxy")[0]! as { nonce: string };
    const right = credentials({ ...login, nonce });
    expect(denied(auth.check(request(right), ADDRESS, "proxy")).status).toBe(407);
    expect(now(auth.check(request(right, { role: "proxy" }), ADDRESS, "proxy")).isAllowed).toBe(true);
  });

  test("a realm with quotes is written with their escapes and found again", () => {
    const realm = 'the "best" \\ of all';
    const { check, login } = server({ realm });
    expect(challengesOf(check())[0]!.realm).toBe(realm);
    const written = `"${realm.replace(/["\\]/g, "\\$&")}"`;
    expect(check(credentials({ ...login, realm }, { realm: written })).isAllowed).toBe(true);
  });

  test("ACK and CANCEL are never challenged (RFC 3261 s22.1)", () => {
    const { check } = server();
    for (const method of ["ACK", "CANCEL"]) {
      const verdict = denied(check([], { method }));
      expect([verdict.status, verdict.headers]).toEqual([403, undefined]);
    }
  });
});

describe("right credentials", () => {
  test("are let in with each algorithm, and tell who it is", () => {
    const algorithms = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"] as const;
    const { auth, check, login } = server({ algorithms });
    algorithms.forEach((algorithm, i) => {
      const verdict = check(credentials({ ...login, algorithm, nc: i + 1, cnonce: "one" }));
      expect(verdict, algorithm).toMatchObject({ isAllowed: true, name: "alice" });
    });
    expect(auth.counters).toMatchObject({ accepted: 6, challenged: 1, rejected: 0 });
  });

  test("without an algorithm are of MD5 (RFC 7616 s3.3)", () => {
    const { check, login } = server();
    expect(check(credentials(login)).isAllowed).toBe(true);
  });

  test("may have values quoted or not, names and scheme in any case, any white space and empty elements", () => {
    const { check, login } = server();
    const response = responseTo(login);
    const value = `dIGEST\t,, UserName = alice ,REALM="${REALM}",nonce=${login.nonce}\r\n ,uri = "sip:example.com", \
response=${response.toUpperCase()},algorithm="md5", cnonce=0a4f113b , qop="auth",nc="00000001",x=y, z="a\\"b",`;
    expect(check(value).isAllowed).toBe(true);
  });

  test("with a name of other letters, as UTF-8, in quoted pairs, and as username* (RFC 7616 s4)", () => {
    const name = 'J\u00e4s\u00f8n "x" Doe';
    const { check, login } = server({ users: { [name]: "p\u00e4ss" } });
    const mine = { ...login, username: name, password: "p\u00e4ss" };
    const pairs = '"J\u00e4s\u00f8n \\"x\\" D\\oe"';
    expect(check(credentials(mine, { username: pairs })).isAllowed).toBe(true);
    const extended = { username: undefined, "username*": "UTF-8''J%C3%A4s%C3%B8n%20%22x%22%20Doe" };
    expect(check(credentials({ ...mine, nc: 2 }, extended)).isAllowed).toBe(true);
  });

  test("of a stored H(A1) serve the algorithms it is there for, and only those are offered", () => {
    const ha1 = { "SHA-256": "9b9d3a1a2d9cdc7a0ae8fc4ec5a7b2e3d56cfb1b2b4d1a53fbff0bc1a3c1d0ff" };
    const stored = Bun.SHA256.hash("alice:example.com:secret", "hex");
    const { check, login } = server({ users: { alice: { ha1: { "SHA-256": stored.toUpperCase() } } } });
    expect(challengesOf(check()).map(({ algorithm }) => algorithm)).toEqual(["SHA-256"]);
    expect(check(credentials({ ...login, algorithm: "SHA-256" })).isAllowed).toBe(true);
    const other = server({ users: { alice: { ha1 } } });
    expect(outcome(other.check(credentials({ ...other.login, algorithm: "SHA-256" })))).toBe("401");
  });

  test("stand beside those of other realms, schemes and servers, in any order", () => {
    const { check, login } = server();
    const foreign = credentials({ ...login, realm: "elsewhere.net", nonce: "abc" });
    const broken = 'Digest realm="elsewhere.net", nonce="unclosed';
    const ofAnother = credentials({ ...login, nonce: "n".repeat(32) });
    const basic = "Basic YWxpY2U6c2VjcmV0";
    const mine = (nc: number) => credentials({ ...login, nc });
    expect(check([foreign, basic, mine(1)]).isAllowed).toBe(true);
    expect(check([broken, mine(2), broken]).isAllowed).toBe(true);
    expect(check([ofAnother, mine(3)]).isAllowed).toBe(true);
    expect(check([mine(4), ofAnother]).isAllowed).toBe(true);
  });

  test("are answered with the server's own proof (RFC 7616 s3.5)", () => {
    for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"]) {
      const { auth, login } = server();
      const mine = { ...login, algorithm, cnonce: "c" };
      const verdict = now(auth.check(request(credentials(mine)), ADDRESS, "uas"));
      const line = linesOf(verdict)[0]!;
      expect(line).toStartWith("Authentication-Info: ");
      expect(paramsOf(line)).toEqual({ qop: "auth", rspauth: proofOf(mine), cnonce: "c", nc: "00000001" });
      const atProxy = request(credentials({ ...mine, nc: 2 }), { role: "proxy" });
      expect(linesOf(now(auth.check(atProxy, ADDRESS, "proxy")))[0]).toStartWith("Proxy-Authentication-Info: ");
    }
  });

  test("no proof is written where none is wanted", () => {
    const { check, login } = server({ authenticationInfo: false });
    expect(check(credentials(login))).toMatchObject({ isAllowed: true, headers: null });
  });

  test("a cnonce with quoted pairs and a fold comes back as it was meant", () => {
    const { check, login } = server();
    const meant = 'a"b\\ c';
    const verdict = check(credentials({ ...login, cnonce: meant }, { cnonce: '"a\\"b\\\\\r\n c"' }));
    expect(verdict.isAllowed).toBe(true);
    expect(linesOf(verdict)).toHaveLength(1);
    expect(paramsOf(linesOf(verdict)[0]!).cnonce).toBe(meant);
  });
});

describe("the RFCs' examples: right for a nonce that is not ours, which only stale=true tells", () => {
  const PASSWORD = "Circle of Life";

  function of7616(algorithm: string, response: string): string {
    return outcome(
      server({ realm: "http-auth@example.org", users: { Mufasa: PASSWORD }, acceptUri: () => true }).check(
        `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=${algorithm}, \
nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, qop=auth, \
cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", response="${response}", \
opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`,
        { method: "GET" },
      ),
    );
  }

  test("RFC 7616 s3.9.1", () => {
    expect(of7616("MD5", "8ca523f5e9506fed4657c9700eebdbec")).toBe("401 stale");
    expect(of7616("MD5", "8ca523f5e9506fed4657c9700eebdbed")).toBe("401");
    const sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    expect(of7616("SHA-256", sha)).toBe("401 stale");
    expect(of7616("SHA-256", sha.replace("7", "8"))).toBe("401");
  });

  // The RFC's own digests are of SHA-512 cut to 256 bits, which SHA-512/256 is not.
  test("RFC 7616 s3.9.2 with userhash and username*, its digests mended", () => {
    const { check } = server({
      realm: "api@example.org",
      users: { "J\u00e4s\u00f8n Doe": "Secret, or not?" },
      acceptUri: () => true,
    });
    const rest = `realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, \
nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, qop=auth, \
cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", \
response="3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"`;
    const hashed = `username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"`;
    const extended = "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe";
    expect(outcome(check(`Digest ${hashed}, ${rest}, userhash=true`, { method: "GET" }))).toBe("401 stale");
    expect(outcome(check(`Digest ${extended}, ${rest}, userhash=false`, { method: "GET" }))).toBe("401 stale");
    expect(outcome(check(`Digest ${hashed}, ${rest}`, { method: "GET" }))).toBe("401");
  });

  test("RFC 2617 s3.5", () => {
    const { check } = server({
      realm: "testrealm@host.com",
      users: { Mufasa: "Circle Of Life" },
      acceptUri: () => true,
    });
    const value = `Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", \
uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", \
opaque="5ccc069c403ebaf9f0171e9517f40e41"`;
    expect(outcome(check(value, { method: "GET" }))).toBe("401 stale");
  });
});

describe("wrong credentials", () => {
  test("a wrong password and a user that is not there get the same octets but for the nonce", () => {
    const wrong = server();
    const nobody = server();
    const answers = [
      denied(wrong.check(credentials({ ...wrong.login, password: "guess" }))),
      denied(nobody.check(credentials({ ...nobody.login, username: "mallory", password: "guess" }))),
      // Knowing the user's name for the secret of nobody is of no use either.
      denied(nobody.check(credentials({ ...nobody.login, username: "", password: "" }))),
    ];
    const plain = answers.map((verdict) => {
      const lines = linesOf(verdict).map((line) => line.replace(/nonce="[^"]{32}"/, "nonce"));
      return { ...verdict, headers: lines };
    });
    expect(plain[0]!.status).toBe(401);
    expect(plain[0]!.headers.join()).not.toContain("stale");
    expect(plain[1]).toEqual(plain[0]!);
    expect(plain[2]).toEqual(plain[0]!);
    expect([wrong.auth.counters.rejected, nobody.auth.counters.rejected]).toEqual([1, 2]);
  });

  test("credentials for another realm are none", () => {
    const { auth, check, login } = server();
    expect(outcome(check(credentials({ ...login, realm: "elsewhere.net" })))).toBe("401");
    expect(outcome(check(credentials({ ...login, realm: "EXAMPLE.COM" })))).toBe("401");
    expect(auth.counters).toMatchObject({ challenged: 3, rejected: 0 });
  });

  test("Basic is not accepted, whatever it says (RFC 3261 s22.4)", () => {
    const { auth, check } = server();
    expect(outcome(check("Basic YWxpY2U6c2VjcmV0"))).toBe("401");
    expect(auth.counters.challenged).toBe(2);
  });

  test("an algorithm that was not offered is a failure, right password or not (RFC 8760 s3)", () => {
    const { auth, check, login } = server({ algorithms: ["SHA-256", "SHA-512-256"] });
    for (const algorithm of ["MD5", undefined, "SHA-256-sess", "AKAv1-MD5"]) {
      const mine = { ...login, algorithm: algorithm === "AKAv1-MD5" ? "MD5" : algorithm };
      const verdict = denied(check(credentials(mine, algorithm === undefined ? {} : { algorithm })));
      expect([algorithm, verdict.status]).toEqual([algorithm, 401]);
    }
    expect(auth.counters).toMatchObject({ rejected: 4, accepted: 0 });
  });

  test("a quality of protection that was not offered is a failure", () => {
    const strict = server({ qop: "auth-int" });
    expect(outcome(strict.check(credentials(strict.login)))).toBe("401");
    const loose = server();
    expect(outcome(loose.check(credentials({ ...loose.login, qop: "auth-int" })))).toBe("401");
    expect([strict.auth.counters.rejected, loose.auth.counters.rejected]).toEqual([1, 1]);
  });

  test("another method or uri than was signed is a failure", () => {
    const { check, login } = server();
    expect(outcome(check(credentials(login), { method: "OPTIONS" }))).toBe("401");
    expect(outcome(check(credentials(login, { uri: '"sip:example.com;x=y"' })))).toBe("401");
  });

  test("only one of several credentials is looked at", () => {
    const { auth, check, login } = server();
    const guesses = ["a", "b", "c", "secret"].map((password) => credentials({ ...login, password }));
    expect(outcome(check(guesses))).toBe("401");
    expect(auth.counters.rejected).toBe(1);
  });
});

describe("malformed credentials", () => {
  test("get 400 with a reason that names the first fault, and are no failure", () => {
    const { auth, check, login } = server();
    const reasonOf = (...values: string[]) => {
      const verdict = denied(check(values));
      expect([verdict.status, verdict.headers]).toEqual([400, undefined]);
      return verdict.reason;
    };
    expect(reasonOf("Digest")).toBe("Malformed Authorization");
    expect(reasonOf(credentials(login, { nonce: undefined }))).toBe("Missing nonce In Authorization");
    expect(reasonOf(credentials(login, { realm: undefined }))).toBe("Missing realm In Authorization");
    expect(reasonOf(credentials(login, { qop: "auth-conf" }))).toBe("Unknown qop In Authorization");
    expect(reasonOf(credentials(login, { username: undefined, "username*": "a" }))).toBe(
      "Malformed username* In Authorization",
    );
    expect(reasonOf(credentials(login, { response: `"${"a".repeat(64)}"` }))).toBe(
      "Malformed response In Authorization",
    );
    const sha = { ...login, algorithm: "SHA-256" };
    expect(reasonOf(credentials(sha, { response: `"${"a".repeat(32)}"` }))).toBe("Malformed response In Authorization");
    expect(reasonOf(`Digest realm="${REALM}", nc=1, nc=2`, "Digest")).toBe("Repeated nc In Authorization");
    const atProxy = request(credentials(login, { nc: undefined }), { role: "proxy" });
    expect(denied(auth.check(atProxy, ADDRESS, "proxy")).reason).toBe("Missing nc In Proxy-Authorization");
    expect(auth.counters).toMatchObject({ malformed: 9, rejected: 0, challenged: 1 });
  });

  test("with an empty nonce or response are those of a client not challenged yet (RFC 8760 s2.7)", () => {
    const { auth, check, login } = server();
    for (const changes of [{ nonce: '""', response: '""' }, { response: '""' }, { nonce: '""' }]) {
      expect(outcome(check(credentials(login, changes)))).toBe("401");
    }
    expect(auth.counters).toMatchObject({ malformed: 0, rejected: 0, challenged: 4 });
  });
});

describe("the uri (RFC 7616 s3.4.6, RFC 8760 s2.6)", () => {
  function checked(uri: string, requestUri: string): string {
    const { check, login } = server();
    const verdict = check(credentials({ ...login, uri }), { uri: requestUri });
    return verdict.isAllowed ? "allowed" : `${verdict.status} ${verdict.reason}`;
  }

  test("is the Request-URI, octet by octet or by RFC 3261 s19.1.4", () => {
    expect(checked("sip:example.com", "sip:example.com")).toBe("allowed");
    expect(checked("sip:EXAMPLE.com", "sip:example.com")).toBe("allowed");
    expect(checked("sip:%61lice@example.com;a=b", "sip:alice@example.com")).toBe("allowed");
  });

  test("may be no more than the server that the Request-URI names", () => {
    expect(checked("sip:127.0.0.1:5060", "sip:bob@127.0.0.1:5060;transport=udp")).toBe("allowed");
  });

  test("is another: 400 that says so", () => {
    for (const [uri, requestUri] of [
      ["sip:carol@example.com", "sip:bob@example.com"],
      ["sip:example.com", "sip:example.net"],
      ["sip:example.com:5060", "sip:bob@example.com"],
      ["sips:example.com", "sip:example.com"],
      ["/dir/index.html", "sip:example.com"],
      ["*", "sip:example.com"],
      ["tel:+1", "tel:+2"],
    ] as const) {
      expect([uri, checked(uri, requestUri)]).toEqual([uri, "400 Request-URI Differs From uri In Authorization"]);
    }
  });

  test("behind a proxy that changes it, whoever runs the server says what will do", () => {
    const asked: string[] = [];
    const { auth, login } = server({ acceptUri: (uri) => asked.push(uri) > 0 && uri === "sip:bob@example.com" });
    const forwarded = { uri: "sip:bob@192.0.2.9:5070" };
    const of = (uri: string, nc: number) => request(credentials({ ...login, uri, nc }), forwarded);
    expect(now(auth.check(of("sip:bob@example.com", 1), ADDRESS, "uas")).isAllowed).toBe(true);
    expect(denied(auth.check(of("sip:eve@example.com", 2), ADDRESS, "uas")).status).toBe(400);
    expect(asked).toEqual(["sip:bob@example.com", "sip:eve@example.com"]);
  });
});

describe("auth-int (RFC 7616 s3.4.3)", () => {
  const body = "v=0\r\no=- 1 1 IN IP4 192.0.2.4\r\n";

  test("covers the body: changed on the way it is refused", () => {
    const { check, login } = server({ qop: ["auth", "auth-int"] });
    for (const algorithm of ["MD5", "SHA-256", "SHA-512-256"]) {
      const mine = { ...login, algorithm, qop: "auth-int", method: "INVITE", body, nc: algorithm.length };
      const changed = body.replace("192.0.2.4", "192.0.2.5");
      expect(outcome(check(credentials(mine), { method: "INVITE", body: changed }))).toBe("401");
      expect(check(credentials(mine), { method: "INVITE", body }).isAllowed).toBe(true);
    }
  });

  test("covers no body as an empty one (RFC 8760 s2.6)", () => {
    const { check, login } = server({ qop: "auth-int" });
    expect(check(credentials({ ...login, qop: "auth-int" })).isAllowed).toBe(true);
    const { check: other, login: mine } = server({ qop: "auth-int" });
    expect(outcome(other(credentials({ ...mine, qop: "auth-int" }), { body: "x" }))).toBe("401");
  });

  test("the proof covers the answer's body, which may be known later only", () => {
    const { auth, login } = server({ qop: "auth-int" });
    const mine = { ...login, qop: "auth-int", algorithm: "SHA-256" };
    const first = now(auth.check(request(credentials(mine)), ADDRESS, "uas"));
    // Others come in between.
    now(auth.check(request(credentials({ ...mine, nc: 2, algorithm: "MD5", cnonce: "other" })), ADDRESS, "uas"));
    expect(paramsOf(linesOf(first)[0]!)).toMatchObject({ qop: "auth-int", rspauth: proofOf(mine), nc: "00000001" });
    if (!first.isAllowed) throw new Error("denied");
    const line = textOf(first.headersFor!(new TextEncoder().encode(body))!).trimEnd();
    expect(paramsOf(line)).toEqual({
      qop: "auth-int",
      rspauth: proofOf({ ...mine, body }),
      cnonce: "0a4f113b",
      nc: "00000001",
    });
  });
});

describe("a session (RFC 7616 s3.4.2)", () => {
  test("has the key of its first request's cnonce, or of each one's own", () => {
    const { check, login } = server({ algorithms: ["SHA-256-sess"] });
    const mine = { ...login, algorithm: "SHA-256-sess" };
    expect(check(credentials({ ...mine, cnonce: "first", nc: 1 })).isAllowed).toBe(true);
    expect(check(credentials({ ...mine, cnonce: "other", sessionCnonce: "first", nc: 2 })).isAllowed).toBe(true);
    expect(check(credentials({ ...mine, cnonce: "third", nc: 3 })).isAllowed).toBe(true);
    expect(outcome(check(credentials({ ...mine, cnonce: "4", sessionCnonce: "third", nc: 4 })))).toBe("401");
  });

  test("its key is not another user's", () => {
    const users = { alice: "secret", bob: "other" };
    const { check, login } = server({ algorithms: ["MD5-sess"], users });
    const mine = { ...login, algorithm: "MD5-sess", cnonce: "first" };
    expect(check(credentials(mine)).isAllowed).toBe(true);
    // What alice's session would be proven with, under bob's name.
    const forged = { ...mine, cnonce: "next", sessionCnonce: "first", nc: 2 };
    expect(outcome(check(credentials(forged, { username: '"bob"' })))).toBe("401");
    expect(check(credentials({ ...mine, username: "bob", password: "other", cnonce: "b", nc: 3 })).isAllowed).toBe(
      true,
    );
  });
});

describe("userhash (RFC 7616 s3.4.4)", () => {
  test("finds the user, in either case of the digits, and only where it says that it is a hash", () => {
    const { check, login } = server();
    for (const [algorithm, nc] of [
      ["MD5", 1],
      ["SHA-256", 2],
      ["SHA-512-256", 3],
    ] as const) {
      const mine = { ...login, algorithm, nc };
      const hash = new Bun.CryptoHasher(algorithm === "MD5" ? "md5" : algorithm === "SHA-256" ? "sha256" : "sha512-256")
        .update("alice:example.com")
        .digest("hex");
      const username = `"${hash.toUpperCase()}"`;
      expect(outcome(check(credentials(mine, { username })))).toBe("401");
      expect(check(credentials(mine, { username, userhash: "true" }))).toMatchObject({
        isAllowed: true,
        name: "alice",
      });
    }
  });

  test("of nobody, or of another algorithm, is a failure", () => {
    const { auth, check, login } = server();
    for (const username of [
      Bun.MD5.hash("mallory:example.com", "hex"),
      Bun.SHA256.hash("alice:example.com", "hex"),
      "",
    ]) {
      expect(outcome(check(credentials(login, { username: `"${username}"`, userhash: "true" })))).toBe("401");
    }
    expect(auth.counters.rejected).toBe(3);
  });

  test("is asked for only where users can be found so", () => {
    const { check } = server({ users: () => null, userhash: true, algorithms: ["SHA-256"] });
    expect(challengesOf(check())[0]!.userhash).toBeUndefined();
    const { check: plain } = server({ algorithms: ["SHA-256"] });
    expect(challengesOf(plain())[0]!.userhash).toBeUndefined();
  });
});

describe("clients that know MD5 only", () => {
  test("are challenged with it alone, by their User-Agent", () => {
    const { check } = server();
    for (const agent of ["sipsak 0.9.8.1", "SIPp v3.6.1", "baresip v1.0.0 (x86_64/linux)"]) {
      const challenges = challengesOf(check([], { more: [`User-Agent: ${agent}`] }));
      expect(challenges.map(({ algorithm }) => algorithm)).toEqual(["MD5"]);
    }
    expect(challengesOf(check([], { more: ["User-Agent: baresip v3.1"] }))).toHaveLength(3);
    expect(challengesOf(check([], { more: ["User-Agent:"] }))).toHaveLength(3);
  });

  test("are not where MD5 is not offered, nor where nobody is to be", () => {
    const more = ["User-Agent: sipsak 0.9.8.1"];
    const { check: strong } = server({ algorithms: ["SHA-256", "SHA-512-256"] });
    expect(challengesOf(strong([], { more })).map(({ algorithm }) => algorithm)).toEqual(["SHA-512-256", "SHA-256"]);
    const { check: none } = server({ md5Agents: [] });
    expect(challengesOf(none([], { more }))).toHaveLength(3);
  });
});

describe("options that cannot be", () => {
  test("are refused at the start, with what is wrong", () => {
    const make = (options: object) => () => digest({ realm: REALM, users: USERS, ...options });
    expect(make({ realm: "" })).toThrow("realm");
    expect(make({ realm: "a\r\nb" })).toThrow("realm");
    expect(make({ nonceLifetime: 0 })).toThrow("nonceLifetime");
    expect(make({ maxNonces: 0.5 })).toThrow("maxNonces");
    expect(make({ nonceSecret: "short" })).toThrow("nonceSecret");
    expect(make({ algorithms: ["SHA-1"] })).toThrow("SHA-1");
    expect(make({ algorithms: [] })).toThrow("algorithms");
    expect(make({ qop: [] })).toThrow("qop");
    expect(make({ qop: "auth-conf" })).toThrow("qop");
    expect(make({ users: { alice: { ha1: { MD5: "short" } } } })).toThrow("alice");
    expect(make({ users: { alice: {} } })).toThrow("alice");
    expect(make({ failures: { exempt: ["nowhere"] } })).toThrow("nowhere");
    expect(make({ failures: { window: -1 } })).toThrow("window");
  });
});
