/** Requests whose senders must prove who they are before a handler sees them (RFC 3261 s22). */
import { describe, expect, test } from "bun:test";
import { type Digest, digest } from "../../src/auth/digest.ts";
import type { DigestOptions } from "../../src/auth/digest-options.ts";
import { events, type IncomingRequest, presence, type ServeOptions } from "../../src/index.ts";
import { authenticate, type GuardOptions, guard } from "../../src/server/guard.ts";
import { credentials, type Params, paramsOf, proofOf } from "../support/digest-client.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import type { WireClient } from "../support/wire-client.ts";

const SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";
const ALICE = { username: "alice", password: "secret" };
const URI = "sip:bob@192.0.2.1";

function auth(options: Partial<DigestOptions> = {}): Digest {
  return digest({ realm: "example.com", users: { alice: "secret" }, algorithms: ["MD5"], ...options });
}

function guarded(options: ServeOptions = {}, digestOptions: Partial<DigestOptions> = {}, how: GuardOptions = {}) {
  const { plugins = [], ...rest } = options;
  return serverAndClient({ ...rest, plugins: [guard(auth(digestOptions), how), ...plugins] });
}

/** The parameters of the only challenge. */
function challengeIn(response: SipMessage, header = "WWW-Authenticate"): Params {
  const all = response.headers(header);
  expect(all).toHaveLength(1);
  return paramsOf(`${header}: ${all[0]}`);
}

/** The header line that answers a challenge. */
function answerTo(challenge: Params, method: string, more: { password?: string; body?: string; qop?: string } = {}) {
  return `Authorization: ${credentials({ ...ALICE, nonce: challenge.nonce!, uri: URI, method, ...more })}`;
}

/** A request that is challenged, and sent again with credentials. @returns the second answer */
async function ask(client: WireClient, method: string, headers: string[] = [], body = ""): Promise<SipMessage> {
  const refused = await client.ask(method, { headers, body });
  expect(refused.status).toBe(401);
  return client.ask(method, { headers: [...headers, answerTo(challengeIn(refused), method)], body });
}

describe("a request outside dialogs", () => {
  test("gets 401 with a challenge, and reaches its handler once it has credentials", async () => {
    const seen: IncomingRequest[] = [];
    using all = await guarded({
      message(request) {
        seen.push(request);
        request.reply(200);
      },
    });
    const refused = await all.client.ask("MESSAGE");
    expect(refused.status).toBe(401);
    expect(challengeIn(refused)).toMatchObject({ realm: "example.com", qop: "auth" });
    expect(seen).toHaveLength(0);
    const { nonce } = challengeIn(refused);
    const login = { ...ALICE, nonce: nonce!, uri: URI, method: "MESSAGE" };
    const taken = await all.client.ask("MESSAGE", { headers: [`Authorization: ${credentials(login)}`] });
    expect(taken.status).toBe(200);
    expect(paramsOf(`Authentication-Info: ${taken.header("Authentication-Info")}`).rspauth).toBe(proofOf(login));
    expect(seen.map((request) => request.user?.name)).toEqual(["alice"]);
  });

  test.each([["MESSAGE"], ["SUBSCRIBE"], ["REFER"], ["PUBLISH"], ["FOO"]])("of method %s is asked", async (method) => {
    const take = (request: IncomingRequest) => void request.reply(202);
    using all = await guarded({ message: take, subscribe: take, request: take });
    expect((await ask(all.client, method, ["Contact: <sip:a@192.0.2.2>"])).status).toBe(202);
  });

  test("for which there is no handler gets 405 as ever, and OPTIONS its answer", async () => {
    using all = await guarded({ message: (request) => request.reply(200) });
    expect((await all.client.ask("PUBLISH")).status).toBe(405);
    expect((await all.client.ask("OPTIONS")).status).toBe(200);
  });

  test("of a method that is open is taken from anybody; of others the same handler's", async () => {
    using all = await guarded({ request: (request) => request.reply(200) }, {}, { open: ["PUBLISH"] });
    expect((await all.client.ask("PUBLISH")).status).toBe(200);
    expect((await all.client.ask("MESSAGE")).status).toBe(401);
  });

  test("is asked by a proxy with 407", async () => {
    using all = await guarded({ message: (request) => request.reply(200) }, {}, { role: "proxy" });
    const refused = await all.client.ask("MESSAGE");
    expect(refused.status).toBe(407);
    const { nonce } = challengeIn(refused, "Proxy-Authenticate");
    const line = `Proxy-Authorization: ${credentials({ ...ALICE, nonce: nonce!, uri: URI, method: "MESSAGE" })}`;
    const taken = await all.client.ask("MESSAGE", { headers: [line] });
    expect(taken.status).toBe(200);
    expect(taken.header("Proxy-Authentication-Info")).toContain("rspauth=");
  });

  test("with credentials that cannot be read gets 400 that names the fault", async () => {
    using all = await guarded({ message: (request) => request.reply(200) });
    const refused = await all.client.ask("MESSAGE", { headers: ['Authorization: Digest username="alice'] });
    expect(refused.startLine).toBe("SIP/2.0 400 Malformed Authorization");
  });

  test("that a plugin takes is asked too", async () => {
    using all = await guarded({ plugins: [events({ packages: [presence()] })] });
    const headers = ["Event: presence", "Contact: <sip:alice@127.0.0.1:9>", "Expires: 60"];
    const taken = await ask(all.client, "SUBSCRIBE", headers);
    expect(taken.status).toBe(200);
    expect(taken.header("Authentication-Info")).toContain("rspauth=");
  });
});

describe("a call", () => {
  const invite: ServeOptions["invite"] = (call) => void call.answer(SDP);

  test("is challenged, its ACK is not, and it is answered once it has credentials", async () => {
    using all = await guarded({ invite });
    const first = await all.client.invite({ body: SDP }, 401);
    first.ack();
    const line = answerTo(challengeIn(first.response), "INVITE");
    const call = await all.client.invite({ body: SDP, headers: [line] });
    expect(call.response.header("Authentication-Info")).toContain("rspauth=");
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
    expect(all.server.stats().callsAnswered).toBe(1);
  });

  test("that was challenged leaves nothing behind", async () => {
    using all = await guarded({ invite });
    (await all.client.invite({ body: SDP }, 401)).ack();
    expect(await all.client.restBrief()).toEqual([]);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("once begun needs no credentials in its dialog", async () => {
    const seen: string[] = [];
    using all = await guarded({
      invite,
      message(request) {
        seen.push(request.method);
        request.reply(200);
      },
    });
    const first = await all.client.invite({ body: SDP }, 401);
    first.ack();
    const call = await all.client.invite({ body: SDP, headers: [answerTo(challengeIn(first.response), "INVITE")] });
    call.ack();
    expect((await call.ask("MESSAGE")).status).toBe(200);
    expect(seen).toEqual(["MESSAGE"]);
  });

  test("with auth-int has a proof over the body of its answer", async () => {
    using all = await guarded({ invite }, { qop: "auth-int" });
    const first = await all.client.invite({ body: SDP }, 401);
    first.ack();
    const challenge = challengeIn(first.response);
    const login = { ...ALICE, nonce: challenge.nonce!, uri: URI, qop: "auth-int" };
    const line = `Authorization: ${credentials({ ...login, method: "INVITE", body: SDP })}`;
    const call = await all.client.invite({ body: SDP, headers: [line] });
    call.ack();
    const { rspauth } = paramsOf(`Authentication-Info: ${call.response.header("Authentication-Info")}`);
    expect(rspauth).toBe(proofOf({ ...login, body: SDP }));
  });
});

describe("users that are found later", () => {
  const later = async (name: string) => {
    await Bun.sleep(5);
    return name === "alice" ? { password: "secret" } : null;
  };

  test("let a request and a call pass", async () => {
    using all = await guarded(
      { message: (request) => request.reply(200), invite: (call) => void call.answer(SDP) },
      { users: later },
    );
    expect((await ask(all.client, "MESSAGE")).status).toBe(200);
    const first = await all.client.invite({ body: SDP }, 401);
    first.ack();
    const call = await all.client.invite({ body: SDP, headers: [answerTo(challengeIn(first.response), "INVITE")] });
    call.ack();
    expect(call.response.status).toBe(200);
  });

  test("are not waited for when the caller gives up", async () => {
    let isAsked = false;
    let isCalled = false;
    const found = Promise.withResolvers<{ password: string }>();
    using all = await guarded(
      {
        invite() {
          isCalled = true;
        },
      },
      {
        users: () => {
          isAsked = true;
          return found.promise;
        },
      },
    );
    const first = await all.client.invite({ body: SDP }, 401);
    first.ack();
    const line = answerTo(challengeIn(first.response), "INVITE");
    const call = await all.client.invite({ body: SDP, headers: [line] }, 100);
    expect(isAsked).toBe(true);
    call.cancel();
    expect((await all.client.next(487, call.invite)).status).toBe(487);
    found.resolve({ password: "secret" });
    expect(await all.client.restBrief()).toContain(200);
    expect(isCalled).toBe(false);
  });

  test("that cannot be looked up are a fault of the server", async () => {
    using all = await guarded(
      { message: (request) => request.reply(200) },
      { users: () => Promise.reject(new Error("the database is gone")) },
    );
    const refused = await all.client.ask("MESSAGE");
    const line = answerTo(challengeIn(refused), "MESSAGE");
    expect((await all.client.ask("MESSAGE", { headers: [line] })).status).toBe(500);
    expect(all.log.lines.map(({ message }) => message)).toEqual(["users cannot be looked up: who asks gets 500"]);
    expect(all.server.stats().handlerErrors).toBe(1);
  });
});

describe("a wrong password", () => {
  const failures = { slowUserAfter: 0, firstDelay: 40, refuseUserAfter: 2 };

  test("is answered late, and at last not looked at", async () => {
    using all = await guarded({ message: (request) => request.reply(200) }, { failures });
    const challenge = challengeIn(await all.client.ask("MESSAGE"));
    const headers = [answerTo(challenge, "MESSAGE", { password: "guess" })];
    const before = performance.now();
    expect((await all.client.ask("MESSAGE", { headers })).status).toBe(401);
    expect(performance.now() - before).toBeGreaterThan(30);
    await all.client.ask("MESSAGE", { headers });
    const refused = await all.client.ask("MESSAGE", { headers: [answerTo(challenge, "MESSAGE")] });
    expect(refused.startLine).toBe("SIP/2.0 403 Too Many Failed Logins");
    expect(Number(refused.header("Retry-After"))).toBeGreaterThan(0);
  });

  test("of a caller is answered late too, and 100 meanwhile", async () => {
    using all = await guarded({ invite: (call) => void call.answer(SDP) }, { failures });
    const first = await all.client.invite({ body: SDP }, 401);
    first.ack();
    const line = answerTo(challengeIn(first.response), "INVITE", { password: "guess" });
    const call = await all.client.invite({ body: SDP, headers: [line] }, 100);
    const refused = await all.client.next(401, call.invite);
    call.ack(call.invite, refused);
    expect(all.server.stats().dialogs).toBe(0);
  });
});

describe("authenticate() in one handler", () => {
  test("gives the user, or answers and gives null", async () => {
    const one = auth();
    const given: (string | null)[] = [];
    using all = await serverAndClient({
      async message(request) {
        const user = await authenticate(request, one);
        given.push(user?.name ?? null);
        if (user !== null) request.reply(200);
      },
      async invite(call) {
        if ((await authenticate(call, one, "proxy")) !== null) await call.answer(SDP);
      },
    });
    expect((await ask(all.client, "MESSAGE")).status).toBe(200);
    expect(given).toEqual([null, "alice"]);
    const call = await all.client.invite({ body: SDP }, 407);
    call.ack();
    expect(call.response.headers("Proxy-Authenticate")).toHaveLength(1);
  });
});
