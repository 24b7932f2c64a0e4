import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import { digest } from "../../src/auth/digest.ts";
import type { DigestOptions, Verdict } from "../../src/auth/digest-options.ts";
import { Scanner } from "../../src/message/scanner.ts";
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
} from "../support/digest-client.ts";

const ADDRESS = "192.0.2.4";
const REALM = "example.com";
const START = Date.UTC(2026, 0, 1);

/** A server on a clock of its own. */
function server(options: Partial<DigestOptions> = {}) {
  let time = START;
  const auth = digest({ realm: REALM, users: { alice: "secret" }, now: () => time, ...options });
  const check = (value: string | string[] = []): Verdict => now(auth.check(request(value), ADDRESS, "uas"));
  return {
    auth,
    check,
    pass: (seconds: number) => {
      time += seconds * 1000;
    },
    login: (): Login => ({ username: "alice", password: "secret", nonce: challengesOf(check())[0]!.nonce! }),
  };
}

/** `allowed`, or whether a fresh challenge says that only the nonce was wrong. */
function outcome(verdict: Verdict): string {
  if (verdict.isAllowed) return "allowed";
  if (verdict.status !== 401) return `${verdict.status} ${verdict.reason}`;
  const stale = challengesOf(verdict).map((challenge) => challenge.stale);
  expect(new Set(stale).size).toBe(1);
  return stale[0] === "true" ? "stale" : "challenged";
}

describe("a nonce", () => {
  test("is good for its lifetime and not longer; then the challenge is stale, and its nonce is good", () => {
    const { auth, check, pass, login } = server({ nonceLifetime: 60 });
    const mine = login();
    pass(60);
    expect(outcome(check(credentials(mine)))).toBe("allowed");
    pass(0.001);
    const verdict = check(credentials({ ...mine, nc: 2 }));
    expect(outcome(verdict)).toBe("stale");
    expect(outcome(check(credentials({ ...mine, nonce: challengesOf(verdict)[0]!.nonce! })))).toBe("allowed");
    expect(auth.counters).toMatchObject({ stale: 1, accepted: 2, rejected: 0 });
  });

  test("that was never used is over too", () => {
    const { check, pass, login } = server();
    const mine = login();
    pass(301);
    expect(outcome(check(credentials(mine)))).toBe("stale");
  });

  test("that is over is not told to one who does not know the password (RFC 7616 s3.3)", () => {
    const { auth, check, pass, login } = server();
    const mine = login();
    pass(301);
    expect(outcome(check(credentials({ ...mine, password: "guess" })))).toBe("challenged");
    expect(auth.counters).toMatchObject({ stale: 0, rejected: 1 });
  });

  test("that is not ours is stale for one who knows the password: another instance may have made it", () => {
    const { check, login } = server();
    const mine = login();
    const letter = mine.nonce.endsWith("A") ? "B" : "A";
    for (const nonce of ["x", "n".repeat(32), "?".repeat(32), mine.nonce.slice(1), mine.nonce.slice(0, 31) + letter]) {
      expect([nonce, outcome(check(credentials({ ...mine, nonce })))]).toEqual([nonce, "stale"]);
      expect(outcome(check(credentials({ ...mine, nonce, password: "guess" })))).toBe("challenged");
    }
  });

  test("of another realm is not ours, whoever signed it", () => {
    const nonceSecret = "sixteen octets at least";
    const here = server({ nonceSecret });
    const there = server({ nonceSecret, realm: "example.org" });
    expect(outcome(here.check(credentials({ ...here.login(), nonce: there.login().nonce })))).toBe("stale");
  });

  test("is never made twice", () => {
    const { login } = server();
    expect(new Set(Array.from({ length: 1000 }, () => login().nonce)).size).toBe(1000);
  });

  test("is known to servers that share the secret, and to no other", () => {
    const nonceSecret = new Uint8Array(16).fill(7);
    const [one, other, stranger] = [server({ nonceSecret }), server({ nonceSecret }), server()];
    const mine = one.login();
    expect(outcome(other!.check(credentials(mine)))).toBe("allowed");
    expect(outcome(stranger!.check(credentials(mine)))).toBe("stale");
  });

  test("of a server whose clock is ahead is good within bounds", () => {
    const nonceSecret = "sixteen octets at least";
    const [ahead, far, here] = [server({ nonceSecret }), server({ nonceSecret }), server({ nonceSecret })];
    ahead!.pass(20);
    far!.pass(3600);
    expect(outcome(here!.check(credentials(ahead!.login())))).toBe("allowed");
    expect(outcome(here!.check(credentials(far!.login())))).toBe("stale");
  });

  test("made before this server started may have been used then, so it is not taken", () => {
    const nonceSecret = "sixteen octets at least";
    const before = server({ nonceSecret });
    const mine = before.login();
    expect(outcome(before.check(credentials(mine)))).toBe("allowed");
    const after = server({ nonceSecret, now: () => START + 1000 });
    expect(outcome(after.check(credentials(mine)))).toBe("stale");
  });
});

describe("a clock of the system that is set back", () => {
  afterEach(() => void setSystemTime());

  test("shuts nobody out, and lets nothing through twice", () => {
    const { check, login } = server({ now: undefined });
    const before = login();
    expect(outcome(check(credentials(before)))).toBe("allowed");
    setSystemTime(new Date(Date.now() - 3_600_000));
    expect(outcome(check(credentials(login())))).toBe("allowed");
    expect(outcome(check(credentials({ ...before, nc: 2 })))).toBe("allowed");
    expect(outcome(check(credentials({ ...before, nc: 2 })))).toBe("stale");
  });
});

describe("the count (RFC 7616 s3.4 nc)", () => {
  test("used before: a request played again does not pass, and an honest client is asked anew", () => {
    const { auth, check, login } = server();
    const mine = credentials(login());
    expect(outcome(check(mine))).toBe("allowed");
    expect(outcome(check(mine))).toBe("stale");
    expect(outcome(check(mine))).toBe("stale");
    expect(auth.counters).toMatchObject({ accepted: 1, replayed: 2, rejected: 0 });
  });

  test("may come out of order, once each", () => {
    const { check, login } = server();
    const mine = login();
    const order = [3, 1, 2, 200, 73, 100, 199];
    for (const nc of order) expect([nc, outcome(check(credentials({ ...mine, nc })))]).toEqual([nc, "allowed"]);
    for (const nc of order) expect([nc, outcome(check(credentials({ ...mine, nc })))]).toEqual([nc, "stale"]);
  });

  test("far below the greatest is not known to be unused, so it does not pass", () => {
    const { check, login } = server();
    const mine = login();
    expect(outcome(check(credentials({ ...mine, nc: 1000 })))).toBe("allowed");
    expect(outcome(check(credentials({ ...mine, nc: 873 })))).toBe("allowed");
    expect(outcome(check(credentials({ ...mine, nc: 872 })))).toBe("stale");
  });

  test("may be as great as it can be written", () => {
    const { check, login } = server();
    const mine = login();
    expect(outcome(check(credentials({ ...mine, nc: 1 })))).toBe("allowed");
    expect(outcome(check(credentials({ ...mine, nc: 0xffffffff })))).toBe("allowed");
    expect(outcome(check(credentials({ ...mine, nc: 0xfffffffe })))).toBe("allowed");
    expect(outcome(check(credentials({ ...mine, nc: 0xffffffff })))).toBe("stale");
    expect(outcome(check(credentials({ ...mine, nc: 2 })))).toBe("stale");
  });

  test("is not used up by one who does not know the password", () => {
    const { check, login } = server();
    const mine = login();
    expect(outcome(check(credentials({ ...mine, password: "guess" })))).toBe("challenged");
    expect(outcome(check(credentials(mine)))).toBe("allowed");
  });

  test("is each nonce's own", () => {
    const { check, login } = server();
    const [one, other] = [login(), login()];
    for (const nc of [1, 2]) {
      expect(outcome(check(credentials({ ...one, nc })))).toBe("allowed");
      expect(outcome(check(credentials({ ...other, nc })))).toBe("allowed");
    }
  });

  test("a full table lets nothing through twice: the nonce that fell out is asked for anew", () => {
    const { check, pass, login } = server({ maxNonces: 3 });
    const mine = login();
    const again = credentials(mine);
    expect(outcome(check(again))).toBe("allowed");
    for (let i = 0; i < 3; i++) {
      pass(1);
      expect(outcome(check(credentials(login())))).toBe("allowed");
    }
    expect(outcome(check(again))).toBe("stale");
    expect(outcome(check(credentials({ ...mine, nc: 2 })))).toBe("stale");
    pass(1);
    expect(outcome(check(credentials(login())))).toBe("allowed");
  });
});

describe("the next nonce (RFC 7616 s3.5)", () => {
  test("is told when the present one nears its end, and is good", () => {
    const { check, pass, login } = server({ nonceLifetime: 100 });
    const mine = login();
    pass(75);
    const early = linesOf(check(credentials(mine)));
    expect(paramsOf(early[0]!).nextnonce).toBeUndefined();
    pass(1);
    const late = paramsOf(linesOf(check(credentials({ ...mine, nc: 2 })))[0]!);
    expect(late.rspauth).toBe(proofOf({ ...mine, nc: 2 }));
    pass(60);
    expect(outcome(check(credentials({ ...mine, nc: 3 })))).toBe("stale");
    expect(outcome(check(credentials({ ...mine, nonce: late.nextnonce!, nc: 1 })))).toBe("allowed");
  });
});

describe("credentials without qop, as of RFC 2069", () => {
  test("that answer our challenge are told what they lack (RFC 3261 s22.4 point 8)", () => {
    const { check, login } = server();
    expect(outcome(check(credentials({ ...login(), qop: "" })))).toBe("400 Missing qop In Authorization");
  });

  test("that answer another's get a challenge of ours, and are no failure", () => {
    const { auth, check, login } = server();
    expect(outcome(check(credentials({ ...login(), nonce: "old", qop: "" })))).toBe("challenged");
    expect(auth.counters).toMatchObject({ challenged: 2, rejected: 0, malformed: 0 });
  });

  test("serve one request a nonce where they are allowed, and name the next", () => {
    const { check, login } = server({ allowWithoutQop: true });
    const mine = { ...login(), qop: "" };
    const verdict = check(credentials(mine));
    expect(outcome(verdict)).toBe("allowed");
    const info = paramsOf(linesOf(verdict)[0]!);
    expect(Object.keys(info)).toEqual(["nextnonce"]);
    expect(outcome(check(credentials(mine)))).toBe("stale");
    expect(outcome(check(credentials({ ...mine, nonce: info.nextnonce! })))).toBe("allowed");
    // Nor does a count after it.
    expect(outcome(check(credentials({ ...mine, qop: "auth", nc: 9 })))).toBe("stale");
    expect(outcome(check(credentials({ ...mine, password: "guess", nonce: login().nonce })))).toBe("challenged");
  });

  test("a session's need a cnonce all the same", () => {
    const { check, login } = server({ allowWithoutQop: true, algorithms: ["MD5-sess"] });
    const mine = { ...login(), qop: "", algorithm: "MD5-sess" };
    expect(outcome(check(credentials(mine)))).toBe("400 Missing cnonce In Authorization");
    expect(outcome(check(credentials(mine, { cnonce: '"0a4f113b"' })))).toBe("allowed");
  });
});

describe("a request that waits for its user", () => {
  test("is judged by what is so when the user is there", async () => {
    const found = Promise.withResolvers<{ password: string }>();
    const { auth, pass, login } = server({ users: () => found.promise });
    const mine = request(credentials(login()));
    const verdict = auth.check(mine, ADDRESS, "uas");
    expect(verdict).toBeInstanceOf(Promise);
    pass(301);
    found.resolve({ password: "secret" });
    expect(outcome(await verdict)).toBe("stale");
  });

  test("that comes twice passes once", async () => {
    const { auth, login } = server({ users: async () => ({ password: "secret" }) });
    const mine = credentials(login());
    const verdicts = await Promise.all([1, 2].map(() => auth.check(request(mine), ADDRESS, "uas")));
    expect(verdicts.map(outcome)).toEqual(["allowed", "stale"]);
  });

  test("is kept, though the scanner's message is overwritten by the next one", async () => {
    const found = Promise.withResolvers<{ password: string }>();
    const { auth, login } = server({ users: () => found.promise });
    const mine = request(credentials(login()));
    const scanner = new Scanner();
    const verdict = auth.check(scanner.scanDatagram(mine.bytes), ADDRESS, "uas");
    scanner.scanDatagram(request([], { method: "OPTIONS", uri: "sip:elsewhere.net" }).bytes);
    found.resolve({ password: "secret" });
    expect(await verdict).toMatchObject({ isAllowed: true });
  });

  test("is not mixed up with those that are judged meanwhile", async () => {
    const waiting: (() => void)[] = [];
    const { auth, login } = server({
      users: async (name) => {
        if (name === "slow") await new Promise<void>((resolve) => waiting.push(resolve));
        return { password: `of ${name}` };
      },
    });
    const as = (username: string, qop: string, algorithm: string) =>
      auth.check(
        request(credentials({ ...login(), username, password: `of ${username}`, qop, algorithm })),
        ADDRESS,
        "uas",
      );
    const slow = as("slow", "auth", "SHA-512-256");
    const quick = await as("quick", "auth", "MD5");
    expect(quick).toMatchObject({ isAllowed: true, name: "quick" });
    expect(denied(await as("quick", "", "MD5")).status).toBe(400);
    waiting[0]!();
    expect(await slow).toMatchObject({ isAllowed: true, name: "slow" });
  });
});
