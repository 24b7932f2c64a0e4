/** Subscriptions and publications with SIPp as subscriber and publisher. */
import { describe, expect, test } from "bun:test";
import { DialogPackage } from "../../src/events/dialog-info.ts";
import { type Events, events } from "../../src/events/events.ts";
import { presence } from "../../src/events/presence.ts";
import { fullUas } from "../../src/index.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

/** The mode with presence that is told at once, and dialogs that are told five times a second. */
async function notifier(): Promise<{ plugin: Events; running: TestServer }> {
  const plugin = events({ packages: [presence({ minInterval: 0 }), new DialogPackage({ minInterval: 200 })] });
  return { plugin, running: await testServer({ ...fullUas(), plugins: [plugin] }) };
}

/** The last NOTIFY is answered, and nothing is left of the subscriptions. */
async function expectNothingLeft(plugin: Events, { server }: TestServer): Promise<void> {
  await until("the end of the subscriptions", () => plugin.stats.subscriptions === 0 && server.stats().dialogs === 0);
  expect(server.stats()).toMatchObject({ ...CLEAN, retransmissionsSent: 0 });
}

describe.skipIf(!hasSipp)("SIPp", () => {
  test("subscribes, refreshes and unsubscribes", async () => {
    const { plugin, running: server } = await notifier();
    using running = server;
    expectCalls(await callSipp(running, "subscribe.xml"));
    await expectNothingLeft(plugin, running);
    expect(plugin.stats).toMatchObject({ subscribed: 3, notifies: 9 });
  }, 30_000);

  test("is refused subscriptions, and fetches", async () => {
    const { plugin, running: server } = await notifier();
    using running = server;
    expectCalls(await callSipp(running, "subscribe_refused.xml"));
    await expectNothingLeft(plugin, running);
    expect(plugin.stats).toMatchObject({ subscribed: 3, notifies: 3 });
  }, 30_000);

  test("is told of a call from its beginning to its end", async () => {
    const { plugin, running: server } = await notifier();
    using running = server;
    expectCalls(await callSipp(running, "subscribe_dialog.xml", { calls: 1 }), 1);
    await expectNothingLeft(plugin, running);
    expect(plugin.stats).toMatchObject({ subscribed: 1, notifies: 4 });
  }, 30_000);

  test("publishes, and is told what it published", async () => {
    const { plugin, running: server } = await notifier();
    using running = server;
    expectCalls(await callSipp(running, "publish.xml", { calls: 1 }), 1);
    await expectNothingLeft(plugin, running);
    expect(plugin.stats).toMatchObject({ publications: 0, published: 4, subscribed: 1, notifies: 5 });
  }, 30_000);
});
