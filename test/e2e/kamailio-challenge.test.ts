/** Kamailio challenges requests of ours: it counts how often each of its nonces is used (RFC 7616 s3.4, RFC 3261 s22). */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ServeOptions } from "../../src/index.ts";
import { type Kamailio, kamailioPath, startKamailio } from "../support/kamailio.ts";
import { peerVerdict } from "../support/sipp.ts";
import { type TestServer, testServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const verdict = peerVerdict(kamailioPath(), process.env.CI);
const REALM = "biloxi.example";
const PASSWORD = "pass:word";
/** A user that it asks as the server it is, one as a proxy, and one as both. */
const ROUTE = `
  if ($rU == "ready") { sl_send_reply("200", "OK"); exit; }
  if ($rU != "server" && !pv_proxy_authenticate("proxy.example", "${PASSWORD}", "0")) {
    proxy_challenge("proxy.example", "1"); exit;
  }
  if ($rU != "proxy" && !pv_www_authenticate("${REALM}", "${PASSWORD}", "0")) { www_challenge("${REALM}", "1"); exit; }
  sl_send_reply("200", "OK");
  exit;
`;

let running: TestServer | null = null;
let kamailio: Kamailio | null = null;
afterEach(async () => {
  running?.[Symbol.dispose]();
  await kamailio?.[Symbol.asyncDispose]();
  running = kamailio = null;
});

/** With qop auth: auth-int is SIPp's to check. */
async function challenger(algorithm: "MD5" | "SHA-256", credentials: ServeOptions["credentials"]) {
  running = await testServer({ credentials });
  const params = [
    `modparam("auth", "algorithm", "${algorithm}")`,
    'modparam("auth", "nonce_count", 1)',
    'modparam("auth", "qop", "auth")',
  ];
  kamailio = await startKamailio({ modules: ["pv", "sl", "auth"], params, route: ROUTE }, running.server);
  const { server } = running;
  const { at } = kamailio;
  return (user: string) =>
    server.request("MESSAGE", `sip:${user}@${at}`, { body: "hello, héllo", contentType: "text/plain" });
}

test("where tests run unattended, Kamailio is there", () => {
  expect(verdict, "CI is set and there is no kamailio: install it (apt-get install kamailio)").not.toBe("fail");
});

describe.skipIf(verdict !== "run")("Kamailio", () => {
  test.each(["MD5", "SHA-256"] as const)(
    "takes credentials with %s, and those that go out unasked",
    async (algorithm) => {
      const ask = await challenger(algorithm, { user: "alice", password: PASSWORD });
      for (const user of ["server", "proxy", "both"]) {
        for (let i = 0; i < 5; i++) expect((await ask(user)).status).toBe(200);
      }
      // Only the first of each kind was asked for: the third user is asked by nobody it does not know yet.
      expect(running!.server.stats()).toMatchObject({ challengesAnswered: 2, challengesUnanswered: 0 });
    },
  );

  test("takes many at once", async () => {
    const ask = await challenger("SHA-256", { user: "alice", password: PASSWORD });
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await ask("both")).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
  });

  test("refuses a wrong password, which is not sent again", async () => {
    const ask = await challenger("SHA-256", { user: "alice", password: "wrong" });
    expect((await ask("server")).status).toBe(401);
    expect((await ask("proxy")).status).toBe(407);
    expect(running!.server.stats()).toMatchObject({ challengesAnswered: 2, challengesUnanswered: 2 });
  });
});
