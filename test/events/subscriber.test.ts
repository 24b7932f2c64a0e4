/** Subscriptions of ours, the notifier played by the test: RFC 6665 s4.1. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { messageSummary } from "../../src/events/message-summary.ts";
import { presence } from "../../src/events/presence.ts";
import type { Notification, SubscribeOptions, Subscription, SubscriptionEnd } from "../../src/events/subscription.ts";
import { eventsPeer, WireNotifier } from "../support/events-peer.ts";

setDefaultTimeout(20_000);

async function subscribing(options: SubscribeOptions = {}, event = "message-summary") {
  const peer = await eventsPeer({ packages: [presence(), messageSummary()] });
  const told: string[] = [];
  const ends: SubscriptionEnd[] = [];
  const onNotify = ({ state, reason, body }: Notification) => {
    told.push([state, reason, Buffer.from(body).toString()].filter((part) => part !== "").join(" "));
  };
  const subscription: Subscription = peer.events.subscribe(`sip:bob@${peer.client.sentBy}`, event, {
    onNotify,
    ...options,
  });
  void subscription.ended.then((end) => ends.push(end));
  const notifier = await WireNotifier.asked(peer.client);
  return Object.assign(peer, { subscription, told, ends, notifier });
}

const BODY = { body: "Messages-Waiting: yes\r\n", contentType: "application/simple-message-summary" };

describe("a subscription of ours", () => {
  test("asks by a whole SUBSCRIBE", async () => {
    using peer = await subscribing({ id: "5", expires: 700, headers: { "X-Mine": "1" }, from: "sip:me@example.com" });
    const { subscribe } = peer.notifier;
    expect(subscribe.uri).toBe(`sip:bob@${peer.client.sentBy}`);
    expect(subscribe.header("Event")).toBe("message-summary;id=5");
    expect(subscribe.header("Expires")).toBe("700");
    expect(subscribe.header("Accept")).toBe("application/simple-message-summary");
    expect(subscribe.header("X-Mine")).toBe("1");
    expect(subscribe.header("From")).toStartWith("<sip:me@example.com>;tag=");
    expect(subscribe.contactUri).toBe(`sip:127.0.0.1:${peer.server.addresses[0]!.port}`);
    expect(peer.subscription.state).toBe("trying");
  });

  test("is active once a NOTIFY says so; the user gets state and body", async () => {
    using peer = await subscribing();
    const { notifier, subscription } = peer;
    notifier.answer(200, ["Expires: 3600"]);
    expect((await notifier.notify("pending;expires=3600")).status).toBe(200);
    expect(subscription.state).toBe("pending");
    const headers = ["Event: message-summary", "Subscription-State: active;expires=3600"];
    expect((await notifier.notify("", { ...BODY, headers })).status).toBe(200);
    expect(subscription.state).toBe("active");
    expect(peer.told).toEqual(["pending", "active Messages-Waiting: yes\r\n"]);
    expect(peer.server.stats().dialogs).toBe(1);
  });

  test("takes a NOTIFY that comes before the answer to its SUBSCRIBE", async () => {
    using peer = await subscribing();
    const { notifier, subscription } = peer;
    expect((await notifier.notify("active;expires=100")).status).toBe(200);
    expect(subscription.state).toBe("active");
    notifier.answer(200, ["Expires: 100"]);
    expect((await notifier.notify("active;expires=90")).status).toBe(200);
    expect(peer.told).toEqual(["active", "active"]);
  });

  test("is refreshed in its dialog before it expires, our tag in From once", async () => {
    using peer = await subscribing({ expires: 600 });
    const { client, notifier } = peer;
    notifier.answer(200, ["Expires: 600"]);
    await notifier.notify("active;expires=600");
    await peer.pass(539_000, 60_000);
    expect(await client.restBrief()).toEqual([]);
    await peer.pass(1100, 100);
    const refresh = await notifier.asked();
    expect(refresh.header("From")).toBe(notifier.subscribe.header("From")!);
    expect(refresh.header("To")).toBe(`${notifier.subscribe.header("To")};tag=${notifier.tag}`);
    expect(refresh.uri).toBe(`sip:notifier@${client.sentBy}`);
    expect(refresh.cseq).toBe(notifier.subscribe.cseq + 1);
    expect([refresh.header("Event"), refresh.header("Expires")]).toEqual(["message-summary", "600"]);
    notifier.answer(200, ["Expires: 600"], refresh);
    await notifier.notify("active;expires=600");
    await client.rest();
    await peer.pass(541_000, 60_000);
    expect((await notifier.asked()).cseq).toBe(refresh.cseq + 1);
  });

  test("unsubscribes: Expires 0, and ends with the last NOTIFY", async () => {
    using peer = await subscribing();
    const { notifier, subscription } = peer;
    notifier.answer(200, ["Expires: 3600"]);
    await notifier.notify("active;expires=3600");
    const ended = subscription.unsubscribe();
    const last = await notifier.asked();
    expect(last.header("Expires")).toBe("0");
    notifier.answer(200, ["Expires: 0"], last);
    expect(subscription.state).toBe("active");
    expect((await notifier.notify("terminated;reason=timeout")).status).toBe(200);
    expect(await ended).toMatchObject({ reason: "unsubscribed" });
    expect(subscription.state).toBe("terminated");
    expect(peer.server.stats().dialogs).toBe(0);
    expect((await notifier.notify("active;expires=5")).status).toBe(481);
    expect(peer.events.stats.subscriptionsOfOurs).toBe(0);
  });

  test("unsubscribed before the first NOTIFY: once it has come", async () => {
    const abort = new AbortController();
    using peer = await subscribing({ signal: abort.signal });
    const { notifier } = peer;
    notifier.answer(200, ["Expires: 3600"]);
    abort.abort();
    await peer.client.rest();
    await notifier.notify("active;expires=3600");
    expect((await notifier.asked()).header("Expires")).toBe("0");
  });

  test("unsubscribed and the last NOTIFY never comes: over after Timer N", async () => {
    using peer = await subscribing();
    const { notifier, subscription } = peer;
    notifier.answer(200, ["Expires: 3600"]);
    await notifier.notify("active;expires=3600");
    const ended = subscription.unsubscribe();
    notifier.answer(200, ["Expires: 0"], await notifier.asked());
    await peer.client.rest();
    await peer.pass(33_000);
    expect(await ended).toMatchObject({ reason: "unsubscribed" });
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("fetches: a NOTIFY that is first and last makes no dialog", async () => {
    using peer = await subscribing({ expires: 0 });
    const { notifier } = peer;
    expect(notifier.subscribe.header("Expires")).toBe("0");
    notifier.answer(200, ["Expires: 0"]);
    const headers = ["Event: message-summary", "Subscription-State: terminated;reason=timeout"];
    expect((await notifier.notify("", { ...BODY, headers })).status).toBe(200);
    expect(await peer.subscription.ended).toEqual({ reason: "timeout", retryAfter: undefined });
    expect(peer.told).toEqual(["terminated timeout Messages-Waiting: yes\r\n"]);
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("tries again with a longer time after 423, in the same call", async () => {
    using peer = await subscribing({ expires: 60 });
    const { client, notifier } = peer;
    notifier.answer(423, ["Min-Expires: 900"]);
    const second = await client.next("SUBSCRIBE");
    expect(second.header("Expires")).toBe("900");
    expect([second.callId, second.cseq, second.fromTag]).toEqual([
      notifier.subscribe.callId,
      2,
      notifier.subscribe.fromTag!,
    ]);
    // One that asks for no longer time is not believed.
    notifier.answer(423, ["Min-Expires: 900"], second);
    expect(await peer.subscription.ended).toMatchObject({ reason: "refused", status: 423 });
  });

  test("answers a challenge with the credentials given", async () => {
    using peer = await subscribing({ auth: () => ({ Authorization: "Digest x" }) });
    const { client, notifier } = peer;
    notifier.answer(401, ['WWW-Authenticate: Digest realm="a", nonce="b"']);
    const second = await client.next("SUBSCRIBE");
    expect([second.header("Authorization"), second.cseq]).toEqual(["Digest x", 2]);
  });

  test("is over when it is refused", async () => {
    using peer = await subscribing();
    peer.notifier.answer(489, ["Allow-Events: presence"]);
    expect(await peer.subscription.ended).toEqual({ reason: "refused", status: 489, retryAfter: undefined });
    await peer.pass(60_000, 10_000);
    expect(await peer.client.restBrief()).toEqual([]);
    expect(peer.events.stats.subscriptionsOfOurs).toBe(0);
  });

  test("is over when no NOTIFY comes in 64*T1; one that comes later gets 481", async () => {
    using peer = await subscribing();
    const { notifier } = peer;
    notifier.answer(200, ["Expires: 3600"]);
    await peer.client.rest();
    await peer.pass(33_000);
    expect(await peer.subscription.ended).toEqual({ reason: "no-notify" });
    expect((await notifier.notify("active;expires=10")).status).toBe(481);
  });

  test("is over when the server is closed", async () => {
    const peer = await subscribing();
    await peer.notifier.notify("active;expires=10");
    peer[Symbol.dispose]();
    expect(await peer.subscription.ended).toEqual({ reason: "closed" });
  });
});

describe("a NOTIFY", () => {
  test("of a fork is taken where the package allows, each with a dialog of its own", async () => {
    using peer = await subscribing();
    const { client, notifier, subscription } = peer;
    const fork = new WireNotifier(client, notifier.subscribe);
    notifier.answer(200, ["Expires: 600"]);
    expect((await notifier.notify("active;expires=600")).status).toBe(200);
    expect((await fork.notify("active;expires=600")).status).toBe(200);
    expect(subscription.dialogs).toHaveLength(2);
    expect((await fork.notify("terminated;reason=noresource")).status).toBe(200);
    expect(subscription.state).toBe("active");
    await peer.pass(541_000, 60_000);
    expect((await notifier.asked()).header("Expires")).toBe("3600");
  });

  test("of a fork gets 481 where it does not", async () => {
    using peer = await subscribing({}, "presence");
    const { client, notifier } = peer;
    expect((await notifier.notify("active;expires=600")).status).toBe(200);
    expect((await new WireNotifier(client, notifier.subscribe).notify("active;expires=600")).status).toBe(481);
    expect(peer.server.stats().dialogs).toBe(1);
  });

  const faults: readonly [string, number, readonly string[]][] = [
    ["no Event", 489, ["Subscription-State: active"]],
    ["another Event", 481, ["Event: presence", "Subscription-State: active"]],
    ["another id", 481, ["Event: message-summary;id=2", "Subscription-State: active"]],
    ["no Subscription-State", 400, ["Event: message-summary"]],
    ["two of them", 400, ["Event: message-summary", "Subscription-State: active", "Subscription-State: pending"]],
    ["one that cannot be read", 400, ["Event: message-summary", "Subscription-State: ;active"]],
  ];
  for (const [what, status, headers] of faults) {
    test(`with ${what} gets ${status}, before and in the dialog`, async () => {
      using peer = await subscribing();
      const { notifier } = peer;
      expect((await notifier.notify("", { headers })).status).toBe(status);
      expect(peer.server.stats().dialogs).toBe(0);
      expect((await notifier.notify("active;expires=100")).status).toBe(200);
      expect((await notifier.notify("", { headers })).status).toBe(status);
      expect(peer.subscription.state).toBe("active");
      expect(peer.server.stats().handlerErrors).toBe(0);
    });
  }

  test("outside of everything gets 481", async () => {
    using peer = await subscribing();
    const headers = ["Event: message-summary", "Subscription-State: active"];
    expect((await peer.client.ask("NOTIFY", { headers })).status).toBe(481);
    expect((await peer.client.ask("NOTIFY", { headers, to: "<sip:a@127.0.0.1>;tag=none" })).status).toBe(481);
  });

  test("whose handler throws is answered all the same, and logged", async () => {
    using peer = await subscribing({
      onNotify() {
        throw new Error("mine");
      },
    });
    expect((await peer.notifier.notify("active;expires=100")).status).toBe(200);
    expect(peer.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
    expect(peer.subscription.state).toBe("active");
  });
});

describe("a refresh that fails", () => {
  async function refreshing(options: SubscribeOptions = {}) {
    const peer = await subscribing({ expires: 600, ...options });
    peer.notifier.answer(200, ["Expires: 600"]);
    await peer.notifier.notify("active;expires=600");
    await peer.client.rest();
    peer.subscription.refresh();
    return Object.assign(peer, { refresh: await peer.notifier.asked() });
  }

  for (const status of [404, 481, 489]) {
    test(`with ${status} ends it; another one is begun, with a Call-ID of its own`, async () => {
      using peer = await refreshing();
      const { client, notifier } = peer;
      notifier.answer(status, [], peer.refresh);
      await client.rest();
      await peer.pass(1100, 100);
      const anew = await WireNotifier.asked(client);
      expect(anew.subscribe.callId).not.toBe(notifier.subscribe.callId);
      expect(peer.server.stats().dialogs).toBe(0);
      await anew.notify("active;expires=600");
      expect(peer.subscription.state).toBe("active");
    });
  }

  test("with 481 and no retry is the end", async () => {
    using peer = await refreshing({ retry: false });
    peer.notifier.answer(481, [], peer.refresh);
    expect(await peer.subscription.ended).toMatchObject({ reason: "refused", status: 481 });
  });

  test("with 500 leaves it; it is tried again, and expires in the end", async () => {
    using peer = await refreshing({ retry: false });
    const { client, notifier } = peer;
    notifier.answer(500, [], peer.refresh);
    await client.rest();
    expect(peer.subscription.state).toBe("active");
    expect((await notifier.notify("active")).status).toBe(200);
    const tries = new Set<number>();
    for (let passed = 0; passed < 610; passed += 5) {
      await peer.pass(5000, 5000);
      for (const message of await client.rest()) {
        if (message.method !== "SUBSCRIBE") continue;
        notifier.answer(500, [], message);
        tries.add(message.cseq);
      }
    }
    expect(tries.size).toBeGreaterThan(2);
    expect(tries.size).toBeLessThan(10);
    expect(await peer.subscription.ended).toEqual({ reason: "expired" });
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("with 423 is sent again with the time it wants", async () => {
    using peer = await refreshing();
    peer.notifier.answer(423, ["Min-Expires: 5000"], peer.refresh);
    expect((await peer.notifier.asked()).header("Expires")).toBe("5000");
  });

  test("by silence ends it", async () => {
    using peer = await refreshing({ retry: false });
    await peer.pass(33_000);
    expect((await peer.subscription.ended).reason).toMatch(/^(no-notify|unreachable)$/);
    expect(peer.server.stats().dialogs).toBe(0);
  });
});

describe("a notifier that ends it", () => {
  async function ended(state: string) {
    const peer = await subscribing();
    peer.notifier.answer(200, ["Expires: 3600"]);
    await peer.notifier.notify("active;expires=3600");
    await peer.notifier.notify(state);
    await peer.client.rest();
    return peer;
  }

  for (const [state, seconds] of [
    ["terminated;reason=deactivated", 0],
    ["terminated;reason=timeout", 0],
    ["terminated", 0],
    ["terminated;reason=probation;retry-after=45", 45],
    ["terminated;reason=probation", 30],
    ["terminated;reason=giveup;retry-after=7", 7],
    ["terminated;reason=Giveup", 60],
  ] as const) {
    test(`${state}: another after ${seconds} s`, async () => {
      using peer = await ended(state);
      if (seconds > 0) {
        await peer.pass(seconds * 1000 - 500, 500);
        expect(await peer.client.restBrief()).toEqual([]);
      }
      await peer.pass(1000, 100);
      const anew = await WireNotifier.asked(peer.client);
      expect(anew.subscribe.callId).not.toBe(peer.notifier.subscribe.callId);
      expect(peer.ends).toEqual([]);
    });
  }

  for (const reason of ["rejected", "noresource", "invariant"]) {
    test(`${reason}: nothing more`, async () => {
      using peer = await ended(`terminated;reason=${reason}`);
      expect(await peer.subscription.ended).toEqual({ reason, retryAfter: undefined });
      await peer.pass(400_000, 50_000);
      expect(await peer.client.restBrief()).toEqual([]);
    });
  }

  test("at once again and again is asked more and more seldom", async () => {
    using peer = await subscribing();
    let { notifier } = peer;
    const waits: number[] = [];
    for (let i = 0; i < 5; i++) {
      await notifier.notify("terminated;reason=deactivated");
      notifier.answer(200, ["Expires: 3600"]);
      let waited = 0;
      for (; !(await peer.client.rest()).some(isSubscribe); waited++) await peer.pass(500, 500);
      waits.push(waited);
      notifier = new WireNotifier(peer.client, seen!);
    }
    expect(waits.at(-1)!).toBeGreaterThanOrEqual(16);
    expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
  });
});

let seen: WireNotifier["subscribe"] | undefined;

function isSubscribe(message: WireNotifier["subscribe"]): boolean {
  if (message.method !== "SUBSCRIBE") return false;
  seen = message;
  return true;
}

test("what cannot be subscribed to is told at once", async () => {
  using peer = await eventsPeer({ packages: [] });
  const { events } = peer;
  expect(() => events.subscribe("sip:a@127.0.0.1", "a b")).toThrow(TypeError);
  expect(() => events.subscribe("sip:a@127.0.0.1", "a", { id: "ü" })).toThrow(TypeError);
  expect(() => events.subscribe("nothing", "a")).toThrow(TypeError);
  expect(() => events.subscribe("sip:a@127.0.0.1", "a", { expires: -1 })).toThrow(RangeError);
  expect(() => events.subscribe("sip:a@127.0.0.1", "a", { headers: { "X-A": "b\r\nc: d" } })).toThrow(TypeError);
  expect(events.stats.subscriptionsOfOurs).toBe(0);
});

test("nobody at the other end: over, with what stood for a status", async () => {
  using peer = await eventsPeer({ packages: [] });
  const subscription = peer.events.subscribe("sip:bob@127.0.0.1:9", "presence");
  await peer.pass(33_000);
  expect((await subscription.ended).reason).toMatch(/^(no-notify|unreachable)$/);
});
