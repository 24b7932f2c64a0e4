/** Our client's credentials at our server's guard: every algorithm, with proofs, nonces that lapse, passwords of any kind. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { ALGORITHM_NAMES } from "../../src/auth/algorithm.ts";
import { digest } from "../../src/auth/digest.ts";
import type { DigestOptions } from "../../src/auth/digest-options.ts";
import type { CredentialsOption } from "../../src/index.ts";
import { guard } from "../../src/server/guard.ts";
import { ANSWER } from "../support/callee.ts";
import { OFFER } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(20_000);

const REALM = "example.com";

async function bothEnds(
  options: Partial<DigestOptions>,
  credentials: CredentialsOption,
  role: "uas" | "proxy" = "uas",
) {
  let now = 1_700_000_000_000;
  const auth = digest({ realm: REALM, users: { alice: "secret" }, failures: false, now: () => now, ...options });
  const at = await testServer({
    plugins: [guard(auth, { role })],
    message: (request) => request.reply(200, { body: request.body }),
    invite: (call) => void call.answer(ANSWER),
  });
  const from = await testServer({ credentials });
  const uri = `sip:bob@127.0.0.1:${at.address.port}`;
  return {
    auth,
    from,
    /** Time goes by for the server's nonces. */
    pass(ms: number) {
      now += ms;
    },
    say: (body: string) => from.server.request("MESSAGE", uri, { body, contentType: "text/plain" }),
    call: () => from.server.call(uri, { sdp: OFFER }),
    [Symbol.dispose]() {
      from[Symbol.dispose]();
      at[Symbol.dispose]();
    },
  };
}

const ALICE = { user: "alice", password: "secret" };

describe.each(ALGORITHM_NAMES)("%s", (algorithm) => {
  test.each(["auth", "auth-int"] as const)("with %s: asked once, then counted up; calls too", async (qop) => {
    using both = await bothEnds({ algorithms: [algorithm], qop }, ALICE);
    for (let i = 0; i < 5; i++) expect((await both.say(`hello ${i}`)).status).toBe(200);
    const dialog = await both.call().answered;
    dialog.bye();
    expect(both.auth.counters).toMatchObject({ challenged: 1, accepted: 6, rejected: 0, stale: 0, replayed: 0 });
    // The server's proofs were right.
    expect(both.from.log.lines.filter(({ level }) => level === "warn")).toEqual([]);
  });
});

test("of all that is offered the strongest is taken, by a proxy as well", async () => {
  for (const role of ["uas", "proxy"] as const) {
    using both = await bothEnds({}, ALICE, role);
    for (let i = 0; i < 2; i++) expect((await both.say("hello")).status).toBe(200);
    expect(both.auth.counters).toMatchObject({ challenged: 1, accepted: 2 });
  }
});

test("a nonce that has lapsed: the server says so, and the request is answered all the same", async () => {
  using both = await bothEnds({ nonceLifetime: 60 }, ALICE);
  await both.say("one");
  both.pass(61_000);
  expect((await both.say("two")).status).toBe(200);
  expect(both.auth.counters).toMatchObject({ challenged: 1, stale: 1, accepted: 2, rejected: 0 });
});

test("many at once, unasked: no count is used twice", async () => {
  using both = await bothEnds({}, ALICE);
  await both.say("first");
  const statuses = await Promise.all(Array.from({ length: 100 }, async (_, at) => (await both.say(`${at}`)).status));
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(both.auth.counters).toMatchObject({ challenged: 1, replayed: 0, stale: 0, accepted: 101 });
});

test("a wrong password is refused once, the user's hash is understood, and H(A1) serves on both ends", async () => {
  using wrong = await bothEnds({}, { user: "alice", password: "Secret" });
  expect((await wrong.say("hello")).status).toBe(401);
  expect(wrong.auth.counters).toMatchObject({ challenged: 1, rejected: 1 });
  using hashed = await bothEnds({ userhash: true }, ALICE);
  expect((await hashed.say("hello")).status).toBe(200);
  const ha1 = { "SHA-256": Bun.SHA256.hash(`alice:${REALM}:secret`, "hex") };
  using stored = await bothEnds({ users: { alice: { ha1 } } }, { user: "alice", ha1 });
  expect((await stored.say("hello")).status).toBe(200);
});

test("any password, any name that can be written", async () => {
  const name = fc
    .string({ unit: "grapheme", minLength: 1 })
    .map((text) => text.replace(/[\p{Cc}\p{Cs}:\ufffd]/gu, "x"));
  await fc.assert(
    fc.asyncProperty(name, fc.string({ unit: "binary", minLength: 1 }), async (user, password) => {
      using both = await bothEnds({ users: () => ({ password }) }, { user, password });
      expect((await both.say("hello")).status).toBe(200);
    }),
    { numRuns: 15 },
  );
});
