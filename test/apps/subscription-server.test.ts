/** The mode that keeps presence and mailboxes. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { subscriptionServer } from "../../src/apps/subscription-server.ts";
import { pidf } from "../../src/events/presence.ts";
import { WireSubscriber } from "../support/events-peer.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndClient } from "../support/server-and-client.ts";

setDefaultTimeout(20_000);

test("takes SUBSCRIBE and PUBLISH, tells of OPTIONS, and nothing else", async () => {
  const clock = new FakeClock();
  using peer = await serverAndClient({ ...subscriptionServer(), clock });
  const { client } = peer;
  const options = await client.ask("OPTIONS");
  expect(options.status).toBe(200);
  expect(options.list("Allow").toSorted()).toEqual(["OPTIONS", "PUBLISH", "SUBSCRIBE"]);
  expect(options.list("Allow-Events")).toEqual(["presence", "message-summary"]);
  for (const method of ["INVITE", "NOTIFY", "MESSAGE", "REGISTER", "REFER"]) {
    const refused = await client.ask(method);
    expect([method, refused.status]).toEqual([method, 405]);
  }
  expect((await client.ask("NOTIFY", { to: "<sip:a@127.0.0.1>;tag=x" })).status).toBe(405);
  const alice = await WireSubscriber.open(client);
  expect((await alice.notified()).body).toContain("closed");
  const { type, content } = pidf("sip:bob@127.0.0.1", [{ status: "open" }]);
  const published = await client.ask("PUBLISH", {
    uri: "sip:bob@127.0.0.1",
    headers: ["Event: presence"],
    body: String(content),
    contentType: type,
  });
  expect([published.status, published.header("Expires")]).toEqual([200, "3600"]);
  // Presence is told once in five seconds.
  await client.rest();
  await clock.pass(5000);
  expect((await alice.notified()).body).toBe(String(content));
});

test("its intervals can be set, and it can publish by itself", async () => {
  const options = subscriptionServer({ minExpires: 120, defaultExpires: 300 });
  using peer = await serverAndClient(options);
  expect((await WireSubscriber.open(peer.client, "presence", 100)).response.status).toBe(423);
  expect((await WireSubscriber.open(peer.client, "presence", null)).response.header("Expires")).toBe("300");
  options.plugins[0].publish("presence", "sip:carol@127.0.0.1", pidf("sip:carol@x", [{ status: "open", note: "in" }]));
  const carol = await WireSubscriber.open(peer.client, "presence", 0, { uri: "sip:carol@127.0.0.1" });
  expect((await carol.notified()).body).toContain("<note>in</note>");
});
