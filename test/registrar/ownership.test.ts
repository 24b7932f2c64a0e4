/** Who may register what (RFC 3261 s10.3, steps 3 and 4). */
import { describe, expect, test } from "bun:test";
import { Digest, type DigestOptions, digest } from "../../src/auth/digest.ts";
import type { RegistrarOptions } from "../../src/index.ts";
import { credentials, paramsOf } from "../support/digest-client.ts";
import { outcome, Registering, type RegisterShape } from "../support/registering.ts";
import type { SipMessage } from "../support/sip-messages.ts";

const DESK = "<sip:bob@192.0.2.4>";
const USERS: DigestOptions["users"] = {
  bob: "zanzibar",
  "carol@example.com": "secret",
  sales: { password: "s", aors: ["sips:%69nfo@Example.com", "tel:+1-201-555-0123", "sip:sales@example.net"] },
  "bob smith": "pass",
};

function open(options: RegistrarOptions = {}, more: Partial<DigestOptions> = {}): Promise<Registering> {
  const auth = digest({ realm: "example.com", users: USERS, algorithms: ["MD5"], failures: false, ...more });
  return Registering.open({ auth, ...options });
}

/** Registers with the credentials of a user, asked for first. */
async function as(on: Registering, username: string, password: string, shape: RegisterShape): Promise<SipMessage> {
  const challenge = await on.bob.register(shape);
  expect(challenge.status).toBe(401);
  const { nonce = "" } = paramsOf(`WWW-Authenticate: ${challenge.header("WWW-Authenticate")}`);
  return on.bob.register({ ...shape, headers: [`Authorization: ${credentials({ username, password, nonce })}`] });
}

describe("a user may register", () => {
  test.each([
    ["bob", "zanzibar", "sip:bob@example.com"],
    ["bob", "zanzibar", "sips:%62ob@example.net;user=phone"],
    ["carol@example.com", "secret", "sip:carol@example.com"],
    ["carol@example.com", "secret", "sip:carol@EXAMPLE.com:5070"],
    ["sales", "s", "sip:sales@example.com"],
    ["sales", "s", "sip:info@example.com"],
    ["sales", "s", "tel:+1-201-555-0123"],
    ["bob smith", "pass", "sip:b%6fb%20smith@example.com"],
  ])("%s, whose password is %s, %s", async (user, password, aor) => {
    using on = await open();
    expect((await as(on, user, password, { to: `<${aor}>`, contacts: [DESK] })).status).toBe(200);
    expect(on.contacts(aor)).toEqual(["sip:bob@192.0.2.4"]);
  });

  test.each([
    ["bob", "zanzibar", "sip:alice@example.com"],
    ["bob", "zanzibar", "sip:bobby@example.com"],
    ["bob", "zanzibar", "sip:Bob@example.com"],
    ["bob", "zanzibar", "sip:bo@example.com"],
    ["bob", "zanzibar", "sip:bob"],
    ["bob", "zanzibar", "sip:example.com"],
    ["bob", "zanzibar", "tel:+12015550123"],
    ["carol@example.com", "secret", "sip:carol@example.net"],
    ["carol@example.com", "secret", "sip:carol@example.com.net"],
    ["sales", "s", "sip:info@example.net"],
  ])("but %s, whose password is %s, not %s: 403, and nothing is told of it", async (user, password, aor) => {
    using on = await open();
    const response = await as(on, user, password, { to: `<${aor}>`, contacts: [DESK] });
    expect([response.status, response.reason]).toEqual([403, "Not An Address Of This User"]);
    expect(on.contacts(aor)).toEqual([]);
    const question = await as(on, user, password, { to: `<${aor}>` });
    expect(outcome(question)).toEqual([403]);
    expect(on.phones.stats).toMatchObject({ refused: 2, bindings: 0 });
  });

  test("what mayRegister says, with the canonical address-of-record", async () => {
    const asked: [string, string][] = [];
    const mayRegister: RegistrarOptions["mayRegister"] = (user, aor) => {
      asked.push([user.name, aor]);
      return aor === "sip:room-7@example.com";
    };
    using on = await open({ mayRegister });
    const room = await as(on, "bob", "zanzibar", { to: "<sips:room%2D7@EXAMPLE.com:5070;x=y>", contacts: [DESK] });
    expect(room.status).toBe(200);
    expect((await as(on, "bob", "zanzibar", { contacts: [DESK] })).status).toBe(403);
    expect(asked).toEqual([
      ["bob", "sip:room-7@example.com"],
      ["bob", "sip:bob@example.com"],
    ]);
  });

  test("nothing where mayRegister fails: 500, and the log says so", async () => {
    const mayRegister = () => {
      throw new Error("no database");
    };
    using on = await open({ mayRegister });
    expect((await as(on, "bob", "zanzibar", { contacts: [DESK] })).status).toBe(500);
    expect(on.phones.stats.bindings).toBe(0);
    expect(on.running.log.lines.at(-1)).toMatchObject({ level: "error", message: "a handler failed" });
  });
});

describe("without credentials", () => {
  test("a REGISTER is challenged, whatever else is wrong with it", async () => {
    using on = await open({ domains: ["example.com"] });
    for (const shape of [{ contacts: ["nonsense"] }, { to: "<sip:bob@example.org>" }, { contacts: ["*"] }, {}]) {
      expect((await on.bob.register(shape)).status).toBe(401);
    }
    expect(on.phones.stats).toMatchObject({ requests: 4, refused: 0, fetched: 0 });
  });

  test("a retransmission gets the same challenge", async () => {
    using on = await open();
    const shape = on.bob.shape({ contacts: [DESK], branch: "z9hG4bKsame" });
    const first = await on.client.ask("REGISTER", shape);
    const second = await on.client.ask("REGISTER", shape);
    expect(second.text).toBe(first.text);
  });

  test("a wrong password is told of after a while, with another challenge", async () => {
    using on = await open({}, { failures: { slowUserAfter: 0, firstDelay: 300 } });
    const challenge = await on.bob.register();
    const { nonce = "" } = paramsOf(`WWW-Authenticate: ${challenge.header("WWW-Authenticate")}`);
    const authorization = `Authorization: ${credentials({ username: "bob", password: "wrong", nonce })}`;
    const request = on.client.request("REGISTER", on.bob.shape({ contacts: [DESK], headers: [authorization] }));
    expect(await on.client.restBrief()).toEqual([]);
    await on.clock.pass(310);
    const response = await on.client.next(401, request);
    expect(response.header("WWW-Authenticate")).toContain("nonce=");
    expect(on.phones.stats.bindings).toBe(0);
  });
});

test("the 200 carries what proves the server, the refusals do not", async () => {
  using on = await open();
  const response = await as(on, "bob", "zanzibar", { contacts: [DESK] });
  expect(response.header("Authentication-Info")).toMatch(/rspauth="[0-9a-f]{32}"/);
  const refusal = await as(on, "bob", "zanzibar", { contacts: ["nonsense"] });
  expect([refusal.status, refusal.headers("Authentication-Info")]).toEqual([400, []]);
});

test("a handler of the user's own may hand its REGISTERs on", async () => {
  const auth = digest({ realm: "example.com", users: USERS, algorithms: ["MD5"] });
  expect(auth).toBeInstanceOf(Digest);
  let phones: Registering["phones"] | null = null;
  const seen: string[] = [];
  using on = await Registering.open(
    { auth },
    {
      register(request) {
        seen.push(request.callId);
        return phones!.handlers.register!(request);
      },
    },
  );
  phones = on.phones;
  const response = await as(on, "bob", "zanzibar", { contacts: [DESK], expires: 60 });
  expect(outcome(response)).toEqual([200, `${DESK};expires=60`]);
  expect(response.header("Date")).toBeDefined();
  expect(seen).toEqual([on.bob.callId, on.bob.callId]);
  expect(on.phones.stats).toMatchObject({ requests: 2, registered: 1 });
});
