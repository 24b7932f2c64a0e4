/** Requests of ours outside dialogs that are challenged (RFC 3261 s22.2, s22.3; RFC 7616; RFC 8760). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import type { RequestOptions, ServeOptions } from "../../src/index.ts";
import { asks, type ChallengeShape, givenIn, isRight, onlyGiven, proxyAsks, REALM } from "../support/challenger.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { failureOf } from "../support/request-failure.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { type Reaction, type ServedRequest, SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(20_000);

const ALICE = { user: "alice", password: 'päss:w0rd "quoted" \\ \u{1f511}' } as const;

/** A server with credentials, a standing clock, and a peer that reacts to the requests that come one after the other. */
async function asking(
  reactions: readonly Reaction[] | ((request: ServedRequest) => Reaction),
  options: ServeOptions = {},
) {
  const clock = new FakeClock();
  let at = 0;
  const script = Array.isArray(reactions) ? () => (reactions as readonly Reaction[])[at++] ?? 200 : reactions;
  const peer = await SipServer.start(script as (request: ServedRequest) => Reaction);
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"],
    clock,
    credentials: ALICE,
    ...options,
  });
  return {
    clock,
    peer,
    server: running.server,
    log: running.log,
    ask: (more: RequestOptions = {}, method = "OPTIONS", user = "bob") =>
      running.server.request(method, `sip:${user}@${peer.at}`, more),
    message: async (number: number): Promise<SipMessage> => (await peer.request(number)).message,
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      peer[Symbol.dispose]();
    },
  };
}

/** A 401 with these challenges. */
function refused(...shapes: ChallengeShape[]): Reaction {
  return { status: 401, headers: (shapes.length === 0 ? [{}] : shapes).map(asks) };
}

/** A 407. */
function refusedByProxy(...shapes: ChallengeShape[]): Reaction {
  return { status: 407, headers: (shapes.length === 0 ? [{}] : shapes).map(proxyAsks) };
}

describe("a challenge is answered", () => {
  test("with the credentials, the next CSeq and a new branch; the rest stays", async () => {
    for (const isProxy of [false, true]) {
      using all = await asking([(isProxy ? refusedByProxy : refused)({ opaque: "0paque=" })]);
      const response = await all.ask(
        { headers: { Subject: "lunch" }, body: "hello", contentType: "text/plain" },
        "MESSAGE",
      );
      expect(response.status).toBe(200);
      const [first, second] = [await all.message(0), await all.message(1)];
      for (const name of ["From", "To", "Call-ID", "Subject", "Content-Type"]) {
        expect(second.headers(name)).toEqual(first.headers(name));
      }
      expect([second.uri, second.body]).toEqual([first.uri, "hello"]);
      expect([first.cseq, second.cseq, first.branch === second.branch]).toEqual([1, 2, false]);
      expect([givenIn(first, isProxy), givenIn(second, !isProxy)]).toEqual([[], []]);
      const given = onlyGiven(second, isProxy);
      expect(given).toEqual({
        username: "alice",
        realm: REALM,
        nonce: "n0nce",
        uri: second.uri,
        response: expect.any(String),
        opaque: "0paque=",
        qop: "auth",
        nc: "00000001",
        cnonce: expect.stringMatching(/^\w{16}$/),
      });
      expect(isRight(given, ALICE, second)).toBe(true);
      expect(all.server.stats()).toMatchObject({ challengesAnswered: 1, challengesUnanswered: 0 });
    }
  });

  test.each(["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "sha-512-256-SESS"])(
    "by %s, with qop auth and auth-int, with a body and without",
    async (algorithm) => {
      for (const qop of ["auth", "auth-int", "auth-int,auth", "token,auth-int"]) {
        for (const body of ["", "héllo"]) {
          using all = await asking([refused({ algorithm, qop })]);
          expect((await all.ask({ body }, "MESSAGE")).status).toBe(200);
          const second = await all.message(1);
          const given = onlyGiven(second);
          expect([given.algorithm, given.qop]).toEqual([algorithm, /\bauth(?!-)/.test(qop) ? "auth" : "auth-int"]);
          expect(isRight(given, ALICE, second)).toBe(true);
        }
      }
    },
  );

  test("without qop: the form of RFC 2069", async () => {
    using all = await asking([refused({ qop: null })]);
    expect((await all.ask()).status).toBe(200);
    const second = await all.message(1);
    const given = onlyGiven(second);
    expect(Object.keys(given).sort()).toEqual(["nonce", "realm", "response", "uri", "username"]);
    expect(isRight(given, ALICE, second)).toBe(true);
  });

  test("over the connection it came by, and over TCP where the credentials make it too long for UDP", async () => {
    using all = await asking([refused({ nonce: "n".repeat(400) }), 200]);
    expect((await all.ask({ body: "x".repeat(600) }, "MESSAGE")).status).toBe(200);
    expect(all.peer.brief).toEqual(["udp MESSAGE", "tcp MESSAGE"]);
    using over = await asking([refused()]);
    await over.server.request("OPTIONS", `sip:bob@${over.peer.at};transport=tcp`);
    expect(over.peer.requests.map(({ connection }) => connection)).toEqual([0, 0]);
  });

  test("whose user is to be hashed (userhash)", async () => {
    using all = await asking([refused({ algorithm: "SHA-256", more: ", userhash=true, charset=UTF-8" })], {
      credentials: { user: "Jäsøn Doe", password: "Secret, or not?" },
    });
    await all.ask();
    const second = await all.message(1);
    const given = onlyGiven(second);
    expect([given.userhash, given.username]).toEqual(["true", Bun.SHA256.hash(`Jäsøn Doe:${REALM}`, "hex")]);
    expect(isRight(given, { user: "Jäsøn Doe", password: "Secret, or not?" }, second)).toBe(true);
  });

  test("with a name and a realm that have quotes in them", async () => {
    const secret = { user: 'al"i\\ce é', password: "x" };
    using all = await asking([refused({ realm: 'the \\"inner\\" one', nonce: "a\\\\b" })], { credentials: secret });
    expect((await all.ask()).status).toBe(200);
    const second = await all.message(1);
    const given = onlyGiven(second);
    expect([given.username, given.realm, given.nonce]).toEqual([secret.user, 'the "inner" one', "a\\b"]);
    expect(isRight(given, secret, second)).toBe(true);
  });

  test("by HA1 in the password's place", async () => {
    const ha1 = { MD5: Bun.MD5.hash(`alice:${REALM}:${ALICE.password}`, "hex").toUpperCase() };
    using all = await asking([refused({ algorithm: "SHA-256" }, { algorithm: "MD5" })], {
      credentials: { user: "alice", realm: REALM, ha1 },
    });
    expect((await all.ask()).status).toBe(200);
    const second = await all.message(1);
    // Of what is offered it is the strongest that there is a secret for.
    expect(onlyGiven(second).algorithm).toBe("MD5");
    expect(isRight(onlyGiven(second), ALICE, second)).toBe(true);
  });
});

describe("whose credentials", () => {
  test("none: the challenge is the result", async () => {
    using all = await asking([refused()], { credentials: undefined as never });
    expect((await all.ask()).status).toBe(401);
    expect(all.peer.requests).toHaveLength(1);
  });

  test("those of the realm go before those of any realm; without either the challenge is the result", async () => {
    const others = [
      { user: "any", password: "a" },
      { user: "exact", password: "b", realm: REALM },
    ];
    using all = await asking([refused()], { credentials: others });
    await all.ask();
    expect(onlyGiven(await all.message(1)).username).toBe("exact");
    using other = await asking([refused({ realm: "elsewhere" })], { credentials: others.slice(1) });
    expect((await other.ask()).status).toBe(401);
    expect(other.peer.requests).toHaveLength(1);
  });

  test("a function is told realm and host, at once or in time, and may have none", async () => {
    const told: unknown[] = [];
    // biome-ignore lint/suspicious/noThenProperty: what databases give is often no more than that
    const thenable = { then: (take: (found: typeof ALICE) => void) => take(ALICE) } as Promise<typeof ALICE>;
    const gives = [() => ALICE, () => Promise.resolve(ALICE), () => Bun.sleep(5).then(() => ALICE), () => thenable];
    for (const give of gives) {
      using all = await asking([refused()], {
        credentials: (realm, host) => {
          told.push([realm, host]);
          return give();
        },
      });
      expect((await all.ask()).status).toBe(200);
      expect(isRight(onlyGiven(await all.message(1)), ALICE, await all.message(1))).toBe(true);
    }
    expect(told).toEqual(Array(4).fill([REALM, "127.0.0.1"]));
    for (const none of [() => null, () => Promise.resolve(null)]) {
      using all = await asking([refused()], { credentials: none });
      expect((await all.ask()).status).toBe(401);
    }
  });

  test("a function that fails, or gives what cannot be used: the challenge is the result, and it is logged", async () => {
    const fails = [
      () => {
        throw new Error("no database");
      },
      () => Promise.reject(new Error("no database")),
      () => ({ user: "a\r\nb", password: "hush-hush" }),
      () => Promise.resolve({ user: "alice" }),
    ];
    for (const credentials of fails) {
      using all = await asking([refused()], { credentials });
      expect((await all.ask()).status).toBe(401);
      const errors = all.log.lines.filter(({ level }) => level === "error");
      expect(errors.map(({ message }) => message)).toEqual(["a function that answers challenges failed"]);
      expect(JSON.stringify(errors.map(({ fields }) => String(fields.err)))).not.toContain("hush");
    }
  });

  test("of the request itself before those of the server; the server's where those are for another realm", async () => {
    using all = await asking([refused(), 200, refused({ realm: "atlanta.example" })]);
    const credentials = { user: "carol", password: "c", realm: REALM };
    await all.ask({ credentials });
    await all.ask({ credentials });
    const [second, fourth] = [await all.message(1), await all.message(3)];
    expect(onlyGiven(second).username).toBe("carol");
    // The third carries carol's for the realm that is known, the fourth alice's beside them.
    expect(givenIn(await all.message(2)).map(({ username }) => username)).toEqual(["carol"]);
    expect(
      givenIn(fourth)
        .map(({ username, realm }) => `${username} ${realm}`)
        .sort(),
    ).toEqual(["alice atlanta.example", `carol ${REALM}`]);
  });

  test("sessions of one user are not used for another's requests", async () => {
    using all = await asking(({ message }) => (givenIn(message).length > 0 ? 200 : refused()));
    await all.ask();
    await all.ask({ credentials: { user: "carol", password: "c" } });
    await all.ask({ credentials: { user: "alice", password: "another" } });
    const users = all.peer.requests.map(({ message }) =>
      givenIn(message)
        .map(({ username }) => username)
        .join(),
    );
    expect(users).toEqual(["", "alice", "", "carol", "", "alice"]);
    const last = await all.message(5);
    expect(isRight(onlyGiven(last), { user: "alice", password: "another" }, last)).toBe(true);
  });

  test("written by hand: what comes of them is the result", async () => {
    using all = await asking([refused()]);
    expect((await all.ask({ headers: { authorization: "Digest x" } })).status).toBe(401);
    expect(all.peer.requests).toHaveLength(1);
  });

  test("that cannot be used are refused before anything is sent, and the secret is not shown", async () => {
    const bad = [
      { user: "a\r\nb", password: "hush" },
      { user: "alice" },
      { user: "alice", ha1: {} },
      { user: "alice", ha1: { MD5: "hush" } },
      { user: "alice", ha1: { "SHA-256": "0".repeat(32) } },
      { user: "alice", ha1: { SHA1: "0".repeat(40) } as never },
      { password: "hush" } as never,
    ];
    for (const credentials of bad) {
      const error = await testServer({ credentials }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).not.toContain("hush");
      using all = await asking([200]);
      expect(() => all.ask({ credentials })).toThrow(TypeError);
    }
  });
});

describe("tries", () => {
  test("a wrong password is not sent twice, and not unasked the next time", async () => {
    using all = await asking([refused({ nonce: "a" }), refused({ nonce: "b" }), refused({ nonce: "c" }), 200]);
    expect((await all.ask()).status).toBe(401);
    expect(all.peer.requests).toHaveLength(2);
    expect(all.server.stats()).toMatchObject({ challengesAnswered: 1, challengesUnanswered: 1 });
    await all.ask();
    const given = all.peer.requests.map(({ message }) =>
      givenIn(message)
        .map(({ nonce }) => nonce)
        .join(),
    );
    expect(given).toEqual(["", "a", "", "c"]);
  });

  test("a stale nonce is no wrong password: the new one is used", async () => {
    using all = await asking([refused({ nonce: "a" }), refused({ nonce: "b", stale: true })]);
    expect((await all.ask()).status).toBe(200);
    const third = await all.message(2);
    expect([onlyGiven(third).nonce, onlyGiven(third).nc, third.cseq]).toEqual(["b", "00000001", 3]);
    expect(isRight(onlyGiven(third), ALICE, third)).toBe(true);
  });

  test("two at most, whatever the reasons", async () => {
    using all = await asking(() => refused({ nonce: `${Math.random()}`, stale: true }));
    expect((await all.ask()).status).toBe(401);
    expect(all.peer.requests).toHaveLength(3);
    expect(all.server.stats()).toMatchObject({ challengesAnswered: 2, challengesUnanswered: 1 });
  });

  test("a remembered nonce that is too old without anybody saying so: answered anew, once", async () => {
    using all = await asking([
      refused({ nonce: "a" }),
      200,
      refused({ nonce: "b" }),
      200,
      refused({ nonce: "c" }),
      refused({ nonce: "d" }),
    ]);
    for (const status of [200, 200, 401]) expect((await all.ask()).status).toBe(status);
    const given = all.peer.requests.map(({ message }) =>
      givenIn(message)
        .map(({ nonce, nc }) => `${nonce}${Number(nc)}`)
        .join(),
    );
    expect(given).toEqual(["", "a1", "a2", "b1", "b2", "c1"]);
  });

  test("a function is asked again where its credentials were refused, for others", async () => {
    const passwords = ["wrong", "right"];
    using all = await asking([refused({ nonce: "a" }), refused({ nonce: "b" })], {
      credentials: () => ({ user: "alice", password: passwords.shift()! }),
    });
    expect((await all.ask()).status).toBe(200);
    const third = await all.message(2);
    expect(isRight(onlyGiven(third), { user: "alice", password: "right" }, third)).toBe(true);
  });

  test("the server is closed while credentials are looked for: the request fails, and nothing is sent", async () => {
    const { promise, resolve } = Promise.withResolvers<null>();
    using all = await asking([refused()], { credentials: () => promise });
    const asked = all.ask();
    await all.message(0);
    await Bun.sleep(20);
    all.server.closeNow();
    expect((await failureOf(asked)).cause).toBe("closed");
    resolve(null);
  });

  test("a lost answer: the request with credentials comes again as it was, no try is counted", async () => {
    using all = await asking(({ message, isRepeated }) =>
      givenIn(message).length === 0 ? refused() : isRepeated ? 200 : "silent",
    );
    const asked = all.ask();
    await all.message(1);
    await all.clock.pass(600);
    expect((await asked).status).toBe(200);
    const [, second, third] = all.peer.requests.map(({ message }) => message.text);
    expect(third).toBe(second!);
  });

  test("a challenge that is lost: the request without credentials comes again, and one challenge is answered", async () => {
    using all = await asking(({ message, isRepeated }) =>
      givenIn(message).length > 0 ? 200 : isRepeated ? [refused({ nonce: "b" }), refused({ nonce: "b" })] : "silent",
    );
    const asked = all.ask();
    await all.message(0);
    await all.clock.pass(600);
    expect((await asked).status).toBe(200);
    expect(all.peer.requests.map(({ message }) => message.cseq)).toEqual([1, 1, 2]);
  });
});

describe("several challenges", () => {
  test("of one realm: the strongest, whatever its place; of two as strong the topmost", async () => {
    using all = await asking([
      refused({ nonce: "m" }, { algorithm: "SHA-256", nonce: "s" }, { algorithm: "SHA-256-sess", nonce: "t" }),
    ]);
    await all.ask();
    expect(onlyGiven(await all.message(1)).nonce).toBe("s");
  });

  test("that are not known are passed over", async () => {
    const known = 'Digest realm="a, \\"b", nonce="x,y=z", qop="auth,other", algorithm=MD5, new="thing", flag';
    const unknown = [
      'Basic realm="biloxi.example"',
      "Negotiate YWJj==",
      'Digest realm="biloxi.example", nonce="1", algorithm=SHA3-512, qop="auth"',
      'Digest realm="biloxi.example", nonce="2", qop="sealed"',
      'Digest realm="biloxi.example", qop="auth"',
      'Digest nonce="4", qop="auth"',
      'Digest realm="biloxi.example", nonce="5", nonce="6", qop="auth"',
      'Digest realm="biloxi.example", nonce="7", algorithm=MD5-sess',
      'Digest realm="unclosed, nonce="8"',
      "Digest",
      "",
      ",,,",
      "=",
    ];
    const headers = [...unknown, known, ...unknown].map((value) => `WWW-Authenticate: ${value}`);
    using all = await asking([{ status: 401, headers }]);
    expect((await all.ask()).status).toBe(200);
    const given = onlyGiven(await all.message(1));
    expect([given.realm, given.nonce]).toEqual(['a, "b', "x,y=z"]);
    using none = await asking([{ status: 401, headers: unknown.map((value) => `WWW-Authenticate: ${value}`) }]);
    expect((await none.ask()).status).toBe(401);
    expect(none.peer.requests).toHaveLength(1);
  });

  test("of proxies and the server in one response, and of several realms: each is answered (s22.3)", async () => {
    const headers = [proxyAsks({ realm: "p1" }), asks(), proxyAsks({ realm: "p2", algorithm: "SHA-256" })];
    using all = await asking([{ status: 401, headers }]);
    await all.ask();
    const second = await all.message(1);
    expect(givenIn(second, true).map(({ realm }) => realm)).toEqual(["p1", "p2"]);
    expect(onlyGiven(second).realm).toBe(REALM);
    for (const given of [...givenIn(second), ...givenIn(second, true)])
      expect(isRight(given, ALICE, second)).toBe(true);
  });

  test("on one line, which the grammar does not allow", async () => {
    using all = await asking([
      { status: 401, headers: [`WWW-Authenticate: Basic realm="x", Digest realm="y", nonce="n", qop="auth"`] },
    ]);
    await all.ask();
    expect(onlyGiven(await all.message(1)).realm).toBe("y");
  });

  test("one after the other, by a proxy and the server: both credentials stand in the third request", async () => {
    using all = await asking([refusedByProxy({ realm: "proxy" }), refused()]);
    expect((await all.ask()).status).toBe(200);
    const third = await all.message(2);
    expect([onlyGiven(third).realm, onlyGiven(third, true).realm, onlyGiven(third, true).nc]).toEqual([
      REALM,
      "proxy",
      "00000002",
    ]);
    for (const isProxy of [false, true]) expect(isRight(onlyGiven(third, isProxy), ALICE, third)).toBe(true);
  });

  test("of a realm there are credentials for and one there are none for: the first is answered", async () => {
    using all = await asking([refusedByProxy({ realm: "known" }, { realm: "unknown" })], {
      credentials: { ...ALICE, realm: "known" },
    });
    await all.ask();
    expect(onlyGiven(await all.message(1), true).realm).toBe("known");
  });
});

describe("a weaker algorithm", () => {
  test("than a realm has asked for before is not answered, and it is logged", async () => {
    using all = await asking([refused({ algorithm: "SHA-256" }), 200, refused({ nonce: "weak" })]);
    expect((await all.ask()).status).toBe(200);
    expect((await all.ask()).status).toBe(401);
    expect(all.peer.requests).toHaveLength(3);
    const warnings = all.log.lines.filter(({ level }) => level === "warn");
    expect(warnings).toEqual([
      {
        level: "warn",
        fields: { realm: REALM, server: all.peer.at, algorithm: "MD5" },
        message: "a challenge was not answered: its algorithm is weaker than the realm has asked for before",
      },
    ]);
    expect(all.server.stats().challengesUnanswered).toBe(1);
  });

  test("in the same exchange neither: a second challenge does not fall below the first", async () => {
    using all = await asking([refused({ algorithm: "SHA-512-256" }), refused({ algorithm: "SHA-256", stale: true })]);
    expect((await all.ask()).status).toBe(401);
    expect(all.peer.requests).toHaveLength(2);
  });

  test("is answered in another realm, and at another server", async () => {
    using all = await asking([refused({ algorithm: "SHA-256" }), 200, refused({ realm: "another" })]);
    using other = await SipServer.start(({ message }) => (givenIn(message).length > 0 ? 200 : refused()));
    await all.ask();
    expect((await all.ask()).status).toBe(200);
    expect((await all.server.request("OPTIONS", `sip:bob@${other.at}`)).status).toBe(200);
  });

  test("a stronger one is, and from then on no weaker", async () => {
    using all = await asking([
      refused(),
      200,
      refused({ algorithm: "SHA-256", stale: true }),
      200,
      refused({ stale: true }),
    ]);
    for (const status of [200, 200, 401]) expect((await all.ask()).status).toBe(status);
    expect(onlyGiven(await all.message(3)).algorithm).toBe("SHA-256");
  });

  test("that was asked for where there was no secret for it counts too", async () => {
    const ha1 = { MD5: "0".repeat(32) };
    using all = await asking([refused({ algorithm: "SHA-256" }), refused()], { credentials: { user: "alice", ha1 } });
    for (let i = 0; i < 2; i++) expect((await all.ask()).status).toBe(401);
    expect(all.peer.requests).toHaveLength(2);
  });
});

describe("the next request", () => {
  test("carries the credentials at once: the count goes up, the client's nonce is fresh", async () => {
    using all = await asking([refused({ algorithm: "SHA-256" })]);
    for (let i = 0; i < 3; i++) await all.ask({}, "OPTIONS", `user${i}`);
    const sent = [await all.message(1), await all.message(2), await all.message(3)];
    const given = sent.map((message) => onlyGiven(message));
    expect(given.map(({ nc }) => nc)).toEqual(["00000001", "00000002", "00000003"]);
    expect(new Set(given.map(({ cnonce }) => cnonce)).size).toBe(3);
    for (const [at, message] of sent.entries()) expect(isRight(given[at]!, ALICE, message)).toBe(true);
    expect(all.peer.requests).toHaveLength(4);
  });

  test("of a session algorithm keeps its key", async () => {
    using all = await asking([refused({ algorithm: "SHA-256-sess" })]);
    for (let i = 0; i < 3; i++) await all.ask();
    const sent = [await all.message(1), await all.message(2), await all.message(3)];
    const given = sent.map((message) => onlyGiven(message));
    for (const [at, message] of sent.entries()) {
      expect(isRight(given[at]!, ALICE, message, given[0])).toBe(true);
      // A server that makes the key anew of each request's own nonces comes to the same.
      expect(isRight(given[at]!, ALICE, message)).toBe(true);
    }
  });

  test("to another server carries none", async () => {
    using all = await asking([refused()]);
    using other = await SipServer.start();
    await all.ask();
    await all.server.request("OPTIONS", `sip:bob@${other.at}`);
    // By the same server, but to somebody else: who asked was the first one's server, no proxy.
    await all.server.request("OPTIONS", "sip:bob@elsewhere.example", { route: `sip:${all.peer.at}` });
    expect(givenIn((await other.request(0)).message)).toEqual([]);
    expect(givenIn(await all.message(2))).toEqual([]);
  });

  test("by the proxy that has asked carries them, whomever it is to", async () => {
    using all = await asking([refusedByProxy()]);
    for (const host of ["one.example", "two.example"]) {
      await all.server.request("OPTIONS", `sip:bob@${host}`, { route: `sip:${all.peer.at}` });
    }
    expect(onlyGiven(await all.message(2), true).nc).toBe("00000002");
  });

  test("uses the next nonce that the server has named (RFC 7616 s3.5)", async () => {
    const next = (nonce: string, more = "") => ({
      status: 200,
      headers: [`Authentication-Info: nextnonce="${nonce}"${more}`],
    });
    using all = await asking([refused({ nonce: "a" }), next("b"), 200, next("c", ', qop=auth, cnonce="of another"')]);
    for (let i = 0; i < 4; i++) await all.ask();
    const given = all.peer.requests.map(({ message }) =>
      givenIn(message)
        .map(({ nonce, nc }) => `${nonce}${Number(nc)}`)
        .join(),
    );
    expect(given).toEqual(["", "a1", "b1", "b2", "c1"]);
  });

  test("of proxies: the one that the next nonce is for is told by the client's nonce", async () => {
    let cnonce = "";
    using all = await asking(({ message }) => {
      const given = givenIn(message, true);
      if (given.length === 0) return refusedByProxy({ realm: "p1", nonce: "a" }, { realm: "p2", nonce: "b" });
      cnonce ||= given[1]!.cnonce!;
      return { status: 200, headers: [`Proxy-Authentication-Info: nextnonce="c", cnonce="${cnonce}"`] };
    });
    for (let i = 0; i < 2; i++) await all.ask();
    expect(givenIn(await all.message(2), true).map(({ realm, nonce }) => `${realm} ${nonce}`)).toEqual([
      "p1 a",
      "p2 c",
    ]);
  });

  test("a server that proves itself is followed; one that does not is not trusted with the session any more", async () => {
    for (const isRightful of [true, false]) {
      using all = await asking(({ message }) => {
        const [given] = givenIn(message);
        if (given === undefined) return refused({ nonce: "a" });
        const ha1 = Bun.MD5.hash(`alice:${REALM}:${isRightful ? ALICE.password : "guess"}`, "hex");
        const ha2 = Bun.MD5.hash(`:${given.uri}`, "hex");
        const rspauth = Bun.MD5.hash(`${ha1}:${given.nonce}:${given.nc}:${given.cnonce}:auth:${ha2}`, "hex");
        const params = `rspauth="${rspauth}", qop=auth, cnonce="${given.cnonce}", nc=${given.nc}, nextnonce="b"`;
        return { status: 200, headers: [`Authentication-Info: ${params}`] };
      });
      for (let i = 0; i < 2; i++) expect((await all.ask()).status).toBe(200);
      const given = all.peer.requests.map(({ message }) =>
        givenIn(message)
          .map(({ nonce }) => nonce)
          .join(),
      );
      expect(given).toEqual(isRightful ? ["", "a", "b"] : ["", "a", "", "a"]);
      expect(all.log.lines.filter(({ level }) => level === "warn")).toHaveLength(isRightful ? 0 : 2);
    }
  });
});

test("several at once with the same nonce: each has a count of its own", async () => {
  using all = await asking(({ message }) => (givenIn(message).length > 0 ? 200 : refused()));
  await Promise.all(Array.from({ length: 10 }, () => all.ask()));
  const counts = all.peer.requests.flatMap(({ message }) => givenIn(message).map(({ nc }) => Number.parseInt(nc!, 16)));
  expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, at) => at + 1));
});

describe("a server with a second one beside it (RFC 3263)", () => {
  /** The two, by a name. @param first what the better one does with a request that has credentials */
  async function two(first: Reaction, over: "udp" | "tcp") {
    const dns = await DnsServer.start();
    const [one, other] = [
      await SipServer.start(({ message }) => (givenIn(message).length > 0 ? first : refused())),
      await SipServer.start(),
    ];
    dns.srv(`_sip._${over}.pair.test`, { target: "one.pair.test", port: one.port, priority: 1 });
    dns.srv(`_sip._${over}.pair.test`, { target: "other.pair.test", port: other.port, priority: 2 });
    dns.a("one.pair.test", "127.0.0.1").a("other.pair.test", "127.0.0.1");
    const all = await asking([], { resolve: { nameservers: [dns.address] } });
    return {
      ...all,
      one,
      other,
      asked: all.server.request("OPTIONS", `sip:bob@pair.test;transport=${over}`),
      [Symbol.dispose]() {
        for (const each of [all, one, other, dns]) each[Symbol.dispose]();
      },
    };
  }

  test("the request goes with its credentials to the one that has asked", async () => {
    using all = await two(200, "udp");
    expect((await all.asked).status).toBe(200);
    expect([all.one.brief, all.other.brief]).toEqual([["udp OPTIONS", "udp OPTIONS"], []]);
  });

  test("which then breaks off: to the other one, with its credentials", async () => {
    for (const reaction of ["close", 503] as const) {
      using all = await two(reaction, "tcp");
      expect((await all.asked).status).toBe(200);
      const { message } = await all.other.request(0);
      expect([message.cseq, isRight(onlyGiven(message), ALICE, message)]).toEqual([2, true]);
    }
  });
});

test("no secret stands in a log line or in what is sent", async () => {
  using all = await asking([refused({ algorithm: "SHA-256" }), refused({ stale: true }), refused({ nonce: "x" })]);
  for (let i = 0; i < 3; i++) await all.ask();
  const ha1 = (["MD5", "SHA256"] as const).map((name) => Bun[name].hash(`alice:${REALM}:${ALICE.password}`, "hex"));
  const seen = JSON.stringify(all.log.lines) + all.peer.requests.map(({ message }) => message.text).join("");
  for (const secret of [ALICE.password, Buffer.from(ALICE.password).toString("latin1"), ...ha1]) {
    expect(seen).not.toContain(secret);
  }
});

/** Pieces that header values are made of. */
const piece = fc.oneof(
  fc.constantFrom(
    "Digest ",
    "Basic ",
    ",",
    " ",
    "=",
    '"',
    "\\",
    "realm=",
    'realm="r"',
    "nonce=",
    'nonce="n"',
    'qop="auth"',
  ),
  fc.constantFrom(
    "algorithm=SHA-256",
    "stale=true",
    'opaque="',
    "userhash=true",
    'nextnonce="',
    "\t",
    "\xff",
    ";",
    "\r\n ",
  ),
  fc.string({ maxLength: 6 }).map((text) => text.replace(/[^ -~]/g, "")),
);
const value = fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join(""));
const line = fc.tuple(
  fc.constantFrom("WWW-Authenticate: ", "Proxy-Authenticate: ", "WWW-Authenticate: Digest ", "Authentication-Info: "),
  value,
);

test("hostile challenges: three requests at most, each well formed, and the request comes to its end", async () => {
  const many = Array.from({ length: 40 }, (_, at) => asks({ realm: `r${at}` }));
  let headers: readonly string[] = [];
  let status = 401;
  using all = await asking(() => ({ status, headers }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 4 }),
      fc.constantFrom(401, 407),
      fc.boolean(),
      async (lines, one, full) => {
        status = one;
        headers = [...lines.map(([name, text]) => name + text), ...(full ? many : [])];
        const before = all.peer.requests.length;
        expect((await all.ask()).status).toBe(one);
        const sent = all.peer.requests.slice(before);
        expect(sent.length).toBeLessThanOrEqual(3);
        // Reading them throws where they are not what they should be.
        for (const { message } of sent)
          expect([...givenIn(message), ...givenIn(message, true)].length).toBeLessThan(32);
        expect(sent.map(({ message }) => message.cseq)).toEqual(sent.map((_, at) => at + 1));
      },
    ),
    { numRuns: 150 },
  );
  expect(all.log.lines.filter(({ level }) => level === "error")).toEqual([]);
});
