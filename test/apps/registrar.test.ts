/** The mode that keeps where users are. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { registrarMode } from "../../src/apps/registrar.ts";
import { digest } from "../../src/auth/digest.ts";
import { credentials, paramsOf } from "../support/digest-client.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import { OFFER } from "../support/sip-messages.ts";

setDefaultTimeout(20_000);

const BOB = { uri: "sip:example.com", to: "<sip:bob@example.com>", contact: "<sip:bob@127.0.0.1:9>" };

test("takes REGISTER, tells of OPTIONS, and nothing else", async () => {
  const options = registrarMode({ domains: ["example.com"], keepAlive: "off" });
  using peer = await serverAndClient(options);
  const { client } = peer;
  const asked = await client.ask("OPTIONS");
  expect(asked.status).toBe(200);
  expect(asked.list("Allow").toSorted()).toEqual(["OPTIONS", "REGISTER"]);
  expect(asked.list("Supported")).toEqual(expect.arrayContaining(["path", "outbound", "gruu"]));
  const call = await client.invite({ body: OFFER }, 405);
  call.ack();
  for (const method of ["MESSAGE", "SUBSCRIBE", "PUBLISH", "NOTIFY", "REFER"]) {
    const { status } = await client.ask(method);
    expect([method, status]).toEqual([method, 405]);
  }
  expect((await client.ask("REGISTER", BOB)).status).toBe(200);
  expect(options.plugins[0].lookup("sip:bob@example.com").map(({ contact }) => contact)).toEqual([
    "sip:bob@127.0.0.1:9",
  ]);
});

test("asks who it is where there are users, and lets nobody register another", async () => {
  const auth = digest({ realm: "example.com", users: { bob: "secret" }, algorithms: ["MD5"] });
  using peer = await serverAndClient(registrarMode({ auth, keepAlive: "off" }));
  const refused = await peer.client.ask("REGISTER", BOB);
  expect(refused.status).toBe(401);
  const { nonce } = paramsOf(`WWW-Authenticate: ${refused.header("WWW-Authenticate")}`);
  const as = (nc: number) => ({
    headers: [`Authorization: ${credentials({ username: "bob", password: "secret", nonce: nonce!, nc })}`],
  });
  expect((await peer.client.ask("REGISTER", { ...BOB, ...as(1) })).status).toBe(200);
  const other = await peer.client.ask("REGISTER", { ...BOB, to: "<sip:carol@example.com>", ...as(2) });
  expect(other.status).toBe(403);
});
