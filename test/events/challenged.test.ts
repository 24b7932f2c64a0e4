/** SUBSCRIBEs and NOTIFYs of ours that are challenged (RFC 6665 s4.1.2, RFC 3261 s22). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { messageSummary } from "../../src/events/message-summary.ts";
import { presence } from "../../src/events/presence.ts";
import type { SubscribeOptions } from "../../src/events/subscription.ts";
import type { ServeOptions } from "../../src/index.ts";
import { asks, givenIn, isRight, onlyGiven, proxyAsks } from "../support/challenger.ts";
import { eventsPeer, isFinal, WireNotifier, WireSubscriber } from "../support/events-peer.ts";
import { responseText } from "../support/sip-messages.ts";

setDefaultTimeout(20_000);

const ALICE = { user: "alice", password: "secret" } as const;

async function subscribing(options: SubscribeOptions = {}, serve: ServeOptions = {}) {
  const peer = await eventsPeer({ packages: [messageSummary(), presence()] }, { credentials: ALICE, ...serve });
  const subscription = peer.events.subscribe(`sip:bob@${peer.client.sentBy}`, "message-summary", options);
  const first = await WireNotifier.asked(peer.client);
  return Object.assign(peer, { subscription, first });
}

describe("a SUBSCRIBE", () => {
  test("is sent again in the same call, and its NOTIFY makes the dialog", async () => {
    using peer = await subscribing();
    const { client, first, subscription } = peer;
    first.answer(401, [asks()]);
    const notifier = await WireNotifier.asked(client);
    const { subscribe } = notifier;
    for (const name of ["From", "To", "Call-ID", "Event", "Expires", "Accept", "Contact"]) {
      expect(subscribe.headers(name)).toEqual(first.subscribe.headers(name));
    }
    expect([subscribe.cseq, isRight(onlyGiven(subscribe), ALICE, subscribe)]).toEqual([2, true]);
    notifier.answer(200, ["Expires: 600"]);
    expect((await notifier.notify("active;expires=600")).status).toBe(200);
    expect([subscription.state, subscription.dialogs[0]!.localCSeq]).toEqual(["active", 2]);
  });

  test("waits for its NOTIFY from the second on (s4.1.2.4)", async () => {
    using peer = await subscribing();
    await peer.pass(20_000);
    peer.first.answer(401, [asks()]);
    const notifier = await WireNotifier.asked(peer.client);
    notifier.answer(200, ["Expires: 600"]);
    await peer.client.rest();
    await peer.pass(20_000);
    expect(peer.subscription.state).toBe("trying");
    await peer.pass(13_000);
    expect(await peer.subscription.ended).toEqual({ reason: "no-notify" });
  });

  test("that is refused for good ends the subscription", async () => {
    using peer = await subscribing();
    peer.first.answer(401, [asks()]);
    (await WireNotifier.asked(peer.client)).answer(401, [asks({ nonce: "other" })]);
    expect(await peer.subscription.ended).toMatchObject({ reason: "refused", status: 401 });
  });

  test("that is not wanted any more is not sent again", async () => {
    using peer = await subscribing();
    void peer.subscription.unsubscribe();
    peer.first.answer(401, [asks()]);
    expect(await peer.subscription.ended).toMatchObject({ reason: "unsubscribed" });
    expect(await peer.client.restBrief()).toEqual([]);
  });

  test("to be put right after its challenge (423) carries credentials at once", async () => {
    using peer = await subscribing({ expires: 60 });
    peer.first.answer(407, [proxyAsks()]);
    (await WireNotifier.asked(peer.client)).answer(423, ["Min-Expires: 900"]);
    const { subscribe } = await WireNotifier.asked(peer.client);
    expect([subscribe.header("Expires"), subscribe.cseq, onlyGiven(subscribe, true).nc]).toEqual([
      "900",
      3,
      "00000002",
    ]);
  });
});

test("a refresh and the end of a subscription carry credentials, and answer for them", async () => {
  using peer = await subscribing({ expires: 600 }, { credentials: undefined as never });
  const { first: notifier, subscription } = peer;
  notifier.answer(200, ["Expires: 600"]);
  await notifier.notify("active;expires=600");
  // There are none: it stands until it expires.
  subscription.refresh();
  notifier.answer(401, [asks()], await notifier.asked());
  await peer.client.rest();
  expect(subscription.state).toBe("active");

  using other = await subscribing({ expires: 600, credentials: ALICE }, { credentials: undefined as never });
  const { first } = other;
  first.answer(200, ["Expires: 600"]);
  await first.notify("active;expires=600");
  await other.pass(540_020, 60_000);
  const refresh = await first.asked();
  first.answer(401, [asks({ algorithm: "SHA-256" })], refresh);
  const again = await first.asked();
  expect([again.cseq, isRight(onlyGiven(again), ALICE, again)]).toEqual([refresh.cseq + 1, true]);
  first.answer(200, ["Expires: 600"], again);
  await first.notify("active;expires=600");
  void other.subscription.unsubscribe();
  const last = await first.asked();
  expect([last.header("Expires"), onlyGiven(last).nc]).toEqual(["0", "00000002"]);
  first.answer(401, [asks({ algorithm: "SHA-256", nonce: "b", stale: true })], last);
  first.answer(200, ["Expires: 0"], await first.asked());
  await first.notify("terminated;reason=timeout");
  expect(await other.subscription.ended).toMatchObject({ reason: "unsubscribed" });
});

test("`auth` of a subscription is asked about its refreshes too", async () => {
  let asked = 0;
  using peer = await subscribing({ auth: () => ({ Authorization: `Digest ${++asked}` }) });
  const { first: notifier, subscription } = peer;
  notifier.answer(200, ["Expires: 600"]);
  await notifier.notify("active;expires=600");
  subscription.refresh();
  notifier.answer(401, [asks()], await notifier.asked());
  expect((await notifier.asked()).headers("Authorization")).toEqual(["Digest 1"]);
});

test("a NOTIFY is sent again with credentials, and the next one has them at once", async () => {
  using peer = await eventsPeer({ packages: [presence()] }, { credentials: ALICE });
  const { client } = peer;
  const subscriber = await WireSubscriber.open(client);
  const first = await subscriber.notified(null);
  client.send(responseText(first, 407, { headers: [proxyAsks()] }));
  const second = await subscriber.notified();
  expect([second.cseq, second.body]).toEqual([first.cseq + 1, first.body]);
  expect(isRight(onlyGiven(second, true), ALICE, second)).toBe(true);
  expect(isFinal(await subscriber.again(0))).toBe(true);
  const last = await subscriber.notified();
  expect(last.header("Subscription-State")).toStartWith("terminated");
  expect(givenIn(last, true).map(({ nc }) => nc)).toEqual(["00000002"]);
});
