/** The presence agent, watched while its user is called. */
import { expect, test } from "bun:test";
import { presenceAgent } from "../../examples/presence-agent.ts";
import { events, SdpSession } from "../../src/index.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

test("a watcher is told of the user, and of the call while it lasts", async () => {
  const user = "sip:bob@example.com";
  const agent = await presenceAgent({ listen: "udp://127.0.0.1:0", user, minInterval: 0 });
  const watching = events({ packages: [] });
  using watcher = await testServer({ plugins: [watching] });
  const route = `sip:127.0.0.1:${agent.addresses[0]!.port}`;
  const told: string[] = [];
  const subscription = watching.subscribe(user, "presence", {
    route,
    onNotify: ({ body }) => told.push(Buffer.from(body).toString()),
  });
  await until("the first word", () => told.length > 0);
  expect(told[0]).toContain("<basic>open</basic>");
  expect(told[0]).not.toContain("on the phone");

  const dialog = await watcher.server.call(user, { route, sdp: new SdpSession().offer() }).answered;
  await until("the call to be told", () => told.at(-1)!.includes("on the phone"));
  dialog.bye();
  await until("its end to be told", () => !told.at(-1)!.includes("on the phone"));

  await subscription.unsubscribe();
  agent.closeNow();
});
