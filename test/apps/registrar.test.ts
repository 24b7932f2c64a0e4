/** The mode that keeps where users are. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { registrarMode } from "../../src/apps/registrar.ts";
import { digest } from "../../src/auth/digest.ts";
import { credentials, paramsOf } from "../support/digest-client.ts";
import { WireSubscriber } from "../support/events-peer.ts";
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
  expect(asked.list("Allow").toSorted()).toEqual(["OPTIONS", "REGISTER", "SUBSCRIBE"]);
  expect(asked.list("Supported")).toEqual(expect.arrayContaining(["path", "outbound", "gruu"]));
  const call = await client.invite({ body: OFFER }, 405);
  call.ack();
  for (const method of ["MESSAGE", "PUBLISH", "NOTIFY", "REFER"]) {
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

test("tells who subscribes of registrations as they come and go", async () => {
  using peer = await serverAndClient(registrarMode({ keepAlive: "off" }));
  const { client } = peer;
  await client.ask("REGISTER", BOB);
  const watcher = await WireSubscriber.open(client, "reg", 600, { uri: "sip:bob@example.com" });
  const first = (await watcher.notified()).body;
  expect(first).toContain('<registration aor="sip:bob@example.com" id="r1" state="active">');
  expect(first).toContain("<uri>sip:bob@127.0.0.1:9</uri>");
  expect((await client.ask("SUBSCRIBE", { headers: ["Event: presence", "Contact: <sip:x@127.0.0.1:9>"] })).status).toBe(
    489,
  );
});

test("tells nobody but the user itself, where there are users", async () => {
  const auth = digest({ realm: "example.com", users: { bob: "secret" }, algorithms: ["MD5"] });
  using peer = await serverAndClient(registrarMode({ auth, keepAlive: "off" }));
  const { client } = peer;
  const event = ["Event: reg", `Contact: <sip:bob@${client.sentBy}>`];
  const refused = await client.ask("SUBSCRIBE", { uri: "sip:bob@example.com", headers: event });
  expect(refused.status).toBe(401);
  const { nonce } = paramsOf(`WWW-Authenticate: ${refused.header("WWW-Authenticate")}`);
  const as = (uri: string, nc: number) => {
    const given = { method: "SUBSCRIBE", uri, username: "bob", password: "secret", nonce: nonce!, nc };
    return { uri, headers: [...event, `Authorization: ${credentials(given)}`] };
  };
  expect((await client.ask("SUBSCRIBE", as("sip:bob@example.com", 1))).status).toBe(200);
  expect((await client.ask("SUBSCRIBE", as("sip:carol@example.com", 2))).status).toBe(403);
});
