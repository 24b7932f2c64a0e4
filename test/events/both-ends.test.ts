/** Our subscriber at our notifier: over TCP, and over UDP with a tenth of all messages lost both ways. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { events } from "../../src/events/events.ts";
import { messageSummary, messageSummaryBody } from "../../src/events/message-summary.ts";
import type { ServeOptions } from "../../src/index.ts";
import { openLossyRelay } from "../support/lossy-relay.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const BOB = "sip:bob@127.0.0.1";

/** @param loss what part of all datagrams is lost, but for those that the notifier's Contact is sent */
async function bothEnds(listen: string, loss = 0, timers: ServeOptions["timers"] = {}) {
  const notifier = events({ packages: [messageSummary({ minInterval: 0 })] });
  const subscriber = events({ packages: [messageSummary()] });
  const at = await testServer({ listen, plugins: [notifier], timers });
  const relay = await openLossyRelay({ server: at.address.port, loss, seed: 7 });
  const advertise = loss === 0 ? {} : { advertise: `127.0.0.1:${relay.outside}` };
  const from = await testServer({ listen, plugins: [subscriber], timers, ...advertise });
  return {
    notifier,
    subscriber,
    at,
    from,
    relay,
    [Symbol.dispose]() {
      from[Symbol.dispose]();
      at[Symbol.dispose]();
      relay.close();
    },
  };
}

test("over TCP: told at once and at every change, refreshed, unsubscribed", async () => {
  using both = await bothEnds("tcp://127.0.0.1:0");
  const told: string[] = [];
  const subscription = both.subscriber.subscribe(BOB, "message-summary", {
    route: `sip:127.0.0.1:${both.at.address.port};transport=tcp`,
    onNotify: ({ state, body }) => told.push(`${state} ${Buffer.from(body).toString().trim()}`),
  });
  await until("the first NOTIFY", () => told.length === 1);
  both.notifier.publish("message-summary", BOB, messageSummaryBody({ waiting: true }));
  await until("the second", () => told.length === 2);
  subscription.refresh();
  await until("the third", () => told.length === 3);
  expect(await subscription.unsubscribe()).toMatchObject({ reason: "unsubscribed" });
  expect(told).toEqual([
    "active Messages-Waiting: no",
    "active Messages-Waiting: yes",
    "active Messages-Waiting: yes",
    "terminated Messages-Waiting: yes",
  ]);
  await until("the end", () => both.notifier.stats.subscriptions === 0);
  for (const { server } of [both.at, both.from]) {
    expect(server.stats()).toMatchObject({ dialogs: 0, connectionsOpened: server === both.from.server ? 1 : 0 });
  }
});

test("with a tenth of all lost: every subscriber knows the last state, and all end", async () => {
  using both = await bothEnds("udp://127.0.0.1:0", 0.1, { t1: 50, t2: 400, t4: 500 });
  const last: string[] = [];
  const subscriptions = Array.from({ length: 20 }, (_, i) =>
    both.subscriber.subscribe(BOB, "message-summary", {
      route: `sip:127.0.0.1:${both.relay.port}`,
      onNotify: ({ body }) => {
        last[i] = Buffer.from(body).toString();
      },
    }),
  );
  for (let i = 1; i <= 10; i++) {
    const messages = { "voice-message": { new: i, old: 0 } };
    both.notifier.publish("message-summary", BOB, messageSummaryBody({ waiting: true, messages }));
    await Bun.sleep(50);
  }
  await until("the last state", () => last.length === 20 && last.every((body) => body?.includes(": 10/0")), 30_000);
  expect(both.relay.toClient.lost).toBeGreaterThan(0);
  await Promise.all(subscriptions.map((subscription) => subscription.unsubscribe()));
  await until("the end", () => both.notifier.stats.subscriptions === 0, 30_000);
  for (const { server } of [both.at, both.from]) expect(server.stats()).toMatchObject({ dialogs: 0, handlerErrors: 0 });
});
