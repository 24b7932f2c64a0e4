/** Users that are looked up by a promise and do not come in time. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Role } from "../../src/auth/challenge.ts";
import { type Digest, digest } from "../../src/auth/digest.ts";
import type { DigestOptions, Verdict } from "../../src/auth/digest-options.ts";
import { CheckFailed } from "../../src/auth/failed-checks.ts";
import { type UserSecrets, type UserSource, usersOf } from "../../src/auth/users.ts";
import type { ServeOptions } from "../../src/index.ts";
import { authenticate, guard } from "../../src/server/guard.ts";
import { Alarms } from "../../src/time/alarms.ts";
import { TimerWheel } from "../../src/time/wheel.ts";
import { challengesOf, credentials, linesOf, now, paramsOf, request } from "../support/digest-client.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { Registering } from "../support/registering.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { KeptLog } from "../support/test-server.ts";
import type { WireClient } from "../support/wire-client.ts";

const ADDRESS = "192.0.2.4";
const ALICE = { username: "alice", password: "secret" };
const SECRETS: UserSecrets = { password: "secret" };
const LATE = { isAllowed: false, status: 503, reason: "User Not Looked Up In Time", delay: 0 };
const START = 1_700_000_000_000;

type Found = PromiseWithResolvers<UserSecrets | null>;

/** Users that come when a test says so. */
function slow() {
  const asked: Found[] = [];
  const users = () => {
    asked.push(Promise.withResolvers());
    return asked.at(-1)!.promise;
  };
  return { asked, users };
}

/** A digest whose checks are timed by a wheel that the test turns. */
function timed(options: Partial<DigestOptions>) {
  const wheel = new TimerWheel(0);
  const log = new KeptLog();
  const waiting = { alarms: new Alarms(wheel), log };
  const auth = digest({ realm: "example.com", users: {}, now: () => START + wheel.now, ...options });
  return {
    auth,
    wheel,
    log,
    pass: (ms: number) => wheel.advance(wheel.now + ms),
    /** The verdict over a request with a nonce of its own, or with this one. */
    check(nonce = nonceOf(auth), more: { nc?: number; password?: string } = {}): Verdict | Promise<Verdict> {
      return auth.check(request(credentials({ ...ALICE, nonce, ...more })), ADDRESS, "uas", waiting);
    },
  };
}

function nonceOf(auth: Digest): string {
  return challengesOf(now(auth.check(request(), ADDRESS, "uas")))[0]!.nonce!;
}

/** What a verdict is by now; null while there is none. */
async function sofar(verdict: Verdict | Promise<Verdict>): Promise<Verdict | null> {
  // More turns of the queue than a verdict takes on its way.
  for (let i = 0; i < 10; i++) await null;
  return Promise.race([verdict, Promise.resolve(null)]);
}

describe("a user who does not come", () => {
  test("is waited for 5 s; then it is 503 with Retry-After, and no longer", async () => {
    const { users } = slow();
    const on = timed({ users });
    const verdict = on.check();
    on.pass(4980);
    expect(await sofar(verdict)).toBeNull();
    on.pass(20);
    const late = await verdict;
    expect(late).toMatchObject(LATE);
    expect(linesOf(late)).toEqual(["Retry-After: 5"]);
    expect(on.auth.counters).toMatchObject({ late: 1, accepted: 0, rejected: 0 });
    expect(on.wheel.size).toBe(0);
  });

  test("is waited for as long as was said", async () => {
    const { users } = slow();
    const on = timed({ users, lookupTimeout: 200 });
    const verdict = on.check();
    on.pass(180);
    expect(await sofar(verdict)).toBeNull();
    on.pass(20);
    expect(await verdict).toMatchObject(LATE);
  });

  test("is not waited for by a hash of the name either", async () => {
    const users: UserSource = { find: () => null, findHashed: () => new Promise(() => {}) };
    const on = timed({ users, algorithms: ["SHA-256"] });
    const login = { ...ALICE, nonce: nonceOf(on.auth), algorithm: "SHA-256" };
    const hash = Bun.SHA256.hash("alice:example.com", "hex");
    const value = credentials(login, { username: `"${hash}"`, userhash: "true" });
    const waiting = { alarms: new Alarms(on.wheel), log: on.log };
    const verdict = on.auth.check(request(value), ADDRESS, "uas", waiting);
    on.pass(5000);
    expect(await verdict).toMatchObject(LATE);
  });

  test.each([
    ["who is there", (found: Found) => found.resolve(SECRETS)],
    ["who is not there", (found: Found) => found.resolve(null)],
    ["whose look-up fails after all", (found: Found) => found.reject(new Error("the database is gone"))],
  ])("and comes later, %s, is dropped: nothing is counted, and no nonce used up", async (_, settle) => {
    const { asked, users } = slow();
    const on = timed({ users });
    const nonce = nonceOf(on.auth);
    const verdict = on.check(nonce);
    on.pass(5000);
    expect(await verdict).toMatchObject(LATE);
    settle(asked[0]!);
    expect(await sofar(verdict)).toMatchObject(LATE);
    expect(on.auth.counters).toMatchObject({ late: 1, accepted: 0, rejected: 0 });
    // The same request again, credentials and all.
    const again = on.check(nonce);
    asked[1]!.resolve(SECRETS);
    expect((await again).isAllowed).toBe(true);
  });

  test("is logged once a minute, with how many there were", async () => {
    const { users } = slow();
    const on = timed({ users });
    const wave = async (count: number) => {
      const verdicts = Array.from({ length: count }, () => on.check());
      on.pass(5000);
      for (const verdict of verdicts) expect((await verdict).isAllowed).toBe(false);
    };
    const told = () => on.log.lines.splice(0).map(({ level, fields }) => [level, fields.requests]);
    await wave(1);
    expect(on.log.lines).toEqual([
      {
        level: "warn",
        fields: { realm: "example.com", milliseconds: 5000, requests: 1 },
        message: "users are not looked up in time: who asks gets 503",
      },
    ]);
    told();
    for (let i = 0; i < 11; i++) await wave(3);
    expect(told()).toEqual([]);
    await wave(2);
    expect(told()).toEqual([["warn", 34]]);
    expect(on.auth.counters.late).toBe(36);
  });
});

describe("a user who comes in time", () => {
  test("is let in, and no timer is left", async () => {
    const { asked, users } = slow();
    const on = timed({ users });
    const verdict = on.check();
    on.pass(4980);
    asked[0]!.resolve(SECRETS);
    expect((await verdict).isAllowed).toBe(true);
    expect(on.wheel.size).toBe(0);
    on.pass(10_000);
    expect(on.auth.counters).toMatchObject({ accepted: 1, late: 0 });
  });

  test("or cannot be looked up: that comes out of the check, and no timer is left", async () => {
    const { asked, users } = slow();
    const on = timed({ users });
    const verdict = Promise.resolve(on.check());
    const fault = new Error("the database is gone");
    asked[0]!.reject(fault);
    expect(await verdict.catch((error) => error.cause)).toBe(fault);
    expect(on.wheel.size).toBe(0);
  });

  test("at once needs no timer at all", () => {
    const on = timed({ users: usersOf({ alice: "secret" }) });
    expect(now(on.check()).isAllowed).toBe(true);
    expect(on.wheel.size).toBe(0);
  });
});

describe("a source that fails", () => {
  const fault = new Error("the database is gone");
  const fails: [string, DigestOptions["users"]][] = [
    ["that throws", () => raise(fault)],
    ["that rejects", () => Promise.reject(fault)],
    [
      "that throws before it is asked for anybody",
      {
        find: () => null,
        get generation() {
          return raise(fault);
        },
      },
    ],
    ["of which a row is no user's", () => ({}) as UserSecrets],
  ];

  test.each(fails)("%s is logged once a minute, with how many there were", async (_, users) => {
    const on = timed({ users });
    const wave = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const failed = await attempt(() => on.check());
        expect(failed).toBeInstanceOf(CheckFailed);
        expect((failed as CheckFailed).cause).toBeInstanceOf(Error);
      }
    };
    const told = () => on.log.lines.splice(0).map(({ level, fields }) => [level, fields.realm, fields.requests]);
    await wave(3);
    expect(on.log.lines[0]!.fields.err).toBeInstanceOf(Error);
    expect(told()).toEqual([["error", "example.com", 1]]);
    on.pass(59_980);
    await wave(5);
    expect(told()).toEqual([]);
    on.pass(20);
    await wave(2);
    expect(told()).toEqual([["error", "example.com", 8]]);
  });
});

/** What is thrown or rejected with, if anything is. */
async function attempt(work: () => unknown): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    return error;
  }
}

function raise(error: Error): never {
  throw error;
}

test("of many look-ups at once those and only those are late that take longer than the time there is", async () => {
  // Beside the moment itself: the wheel turns in ticks of 10 ms.
  const delay = fc.oneof(fc.integer({ min: 0, max: 980 }), fc.integer({ min: 1020, max: 3000 }));
  const lookup = fc.record({ delay, outcome: fc.constantFrom("found", "unknown", "fails") });
  await fc.assert(
    fc.asyncProperty(fc.array(lookup, { maxLength: 30 }), async (lookups) => {
      const { asked, users } = slow();
      const on = timed({ users, lookupTimeout: 1000, failures: false });
      const verdicts = lookups.map(() => Promise.resolve(on.check()).catch(() => "fails"));
      const inOrder = [...lookups.entries()].sort(([, a], [, b]) => a.delay - b.delay);
      let at = 0;
      for (const [index, { delay, outcome }] of inOrder) {
        on.pass(delay - at);
        at = delay;
        if (outcome === "fails") asked[index]!.reject(new Error("gone"));
        else asked[index]!.resolve(outcome === "found" ? SECRETS : null);
        for (let i = 0; i < 10; i++) await null;
      }
      on.pass(3000);
      const said = (verdict: Verdict | string) =>
        typeof verdict === "string"
          ? verdict
          : verdict.isAllowed
            ? "found"
            : verdict.status === 503
              ? "late"
              : "unknown";
      const wanted = lookups.map(({ delay, outcome }) => (delay > 1000 ? "late" : outcome));
      expect((await Promise.all(verdicts)).map(said)).toEqual(wanted);
      expect(on.auth.counters.late).toBe(wanted.filter((outcome) => outcome === "late").length);
      expect(on.wheel.size).toBe(0);
    }),
    { numRuns: 50 },
  );
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])("%p is no time to look a user up in", (lookupTimeout) => {
  expect(() => digest({ realm: "example.com", users: {}, lookupTimeout })).toThrow("lookupTimeout");
});

describe("at a server", () => {
  const URI = "sip:bob@192.0.2.1";

  async function guarded(options: ServeOptions, role: Role = "uas") {
    const clock = new FakeClock();
    const { asked, users } = slow();
    const auth = digest({ realm: "example.com", users, algorithms: ["MD5"] });
    const all = await serverAndClient({ clock, plugins: [guard(auth, { role })], ...options });
    return { ...all, clock, asked, auth };
  }

  /** The line that answers the challenge of a 401 or 407. */
  function answerTo(refused: SipMessage, method: string, uri = URI): string {
    const [challenge, line] =
      refused.status === 407 ? ["Proxy-Authenticate", "Proxy-Authorization"] : ["WWW-Authenticate", "Authorization"];
    const { nonce = "" } = paramsOf(`${challenge}: ${refused.header(challenge)}`);
    return `${line}: ${credentials({ ...ALICE, nonce, uri, method })}`;
  }

  /** Everything that is said of a refusal by 503. */
  const refusal = (response: SipMessage) => [response.startLine, response.header("Retry-After")];
  const IN_TIME = ["SIP/2.0 503 User Not Looked Up In Time", "5"];

  /** Sends a request with credentials. @returns it, once its user is asked for */
  async function begin(client: WireClient, asked: readonly Found[], method: string): Promise<SipMessage> {
    const refused = await client.ask(method);
    const sent = client.request(method, { headers: [answerTo(refused, method)] });
    // The answer to a later request says that this one was taken.
    await client.ask("OPTIONS");
    expect(asked).toHaveLength(1);
    return sent;
  }

  test.each(["uas", "proxy"] as const)(
    "that is asked as a %s, a request gets 503, and no handler has it",
    async (role) => {
      let handled = 0;
      using all = await guarded({ message: () => handled++ }, role);
      const sent = await begin(all.client, all.asked, "MESSAGE");
      await all.clock.pass(5010);
      expect(refusal(await all.client.next(503, sent))).toEqual(IN_TIME);
      all.asked[0]!.resolve(SECRETS);
      expect((await all.client.restBrief()).filter((status) => status !== 100)).toEqual([]);
      expect(handled).toBe(0);
      expect(all.auth.counters).toMatchObject({ challenged: 1, late: 1, accepted: 0 });
      expect(all.log.lines).toMatchObject([{ level: "warn", fields: { requests: 1 } }]);
    },
  );

  test("a call gets 100, then 503, and leaves nothing behind", async () => {
    let handled = 0;
    using all = await guarded({ invite: () => handled++ });
    const first = await all.client.invite({}, 401);
    first.ack();
    const call = await all.client.invite({ headers: [answerTo(first.response, "INVITE")] }, 100);
    await all.clock.pass(5010);
    const refused = await all.client.next(503, call.invite);
    expect(refusal(refused)).toEqual(IN_TIME);
    call.ack(call.invite, refused);
    all.asked[0]!.resolve(SECRETS);
    expect(await all.client.restBrief()).toEqual([]);
    expect(handled).toBe(0);
    await all.clock.pass(40_000);
    await all.client.restBrief();
    // That of the last question.
    expect(all.server.stats()).toMatchObject({ dialogs: 0, transactions: 1 });
  });

  test("a call that is cancelled meanwhile has had its answer", async () => {
    using all = await guarded({ invite: (call) => void call.ring() });
    const first = await all.client.invite({}, 401);
    first.ack();
    const call = await all.client.invite({ headers: [answerTo(first.response, "INVITE")] }, 100);
    call.cancel();
    const refused = await all.client.next(487, call.invite);
    call.ack(call.invite, refused);
    await all.clock.pass(5010);
    expect(await all.client.restBrief()).not.toContain(503);
  });

  test("one handler that asks by itself is told that there is nobody", async () => {
    const { asked, users } = slow();
    const auth = digest({ realm: "example.com", users, algorithms: ["MD5"] });
    const clock = new FakeClock();
    const given: unknown[] = [];
    using all = await serverAndClient({
      clock,
      async message(request) {
        given.push(await authenticate(request, auth));
      },
    });
    const sent = await begin(all.client, asked, "MESSAGE");
    await clock.pass(5010);
    expect(refusal(await all.client.next(503, sent))).toEqual(IN_TIME);
    expect(given).toEqual([null, null]);
  });

  test("a REGISTER gets 503, also when it is sent again meanwhile, and binds nothing", async () => {
    const { asked, users } = slow();
    const auth = digest({ realm: "example.com", users, algorithms: ["MD5"] });
    using on = await Registering.open({ auth });
    const to = "<sip:alice@example.com>";
    const shape = { contacts: ["<sip:alice@192.0.2.4>"], to };
    const refused = await on.bob.register(shape);
    const headers = [answerTo(refused, "REGISTER", "sip:example.com")];
    const sent = on.client.request("REGISTER", on.bob.shape({ ...shape, headers }));
    on.client.send(sent.text);
    await on.client.ask("OPTIONS");
    expect(asked).toHaveLength(1);
    await on.clock.pass(5010);
    expect(refusal(await on.client.next(503, sent))).toEqual(IN_TIME);
    asked[0]!.resolve(SECRETS);
    on.client.send(sent.text);
    expect(refusal(await on.client.next(503, sent))).toEqual(IN_TIME);
    expect(on.phones.stats).toMatchObject({ requests: 2, registered: 0, bindings: 0 });
    expect(auth.counters).toMatchObject({ challenged: 1, late: 1, accepted: 0 });
    expect(on.running.log.lines).toMatchObject([{ level: "warn", fields: { realm: "example.com", requests: 1 } }]);
  });
});
