/** Subscriptions that REFER makes, from both ends: RFC 3515 s2.4. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { type Events, events } from "../../src/events/events.ts";
import type { ImplicitSubscription } from "../../src/events/implicit.ts";
import { refer, sipfrag, sipfragStatus } from "../../src/events/refer.ts";
import type { Call, Dialog } from "../../src/index.ts";
import { eventsPeer, WireSubscriber } from "../support/events-peer.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** A server that takes every REFER. */
async function referee() {
  const made: (ImplicitSubscription | null)[] = [];
  const plugin: { events: Events | null } = { events: null };
  const peer = await eventsPeer(
    { packages: [refer()] },
    {
      refer(request) {
        const subscription = plugin.events!.implicit(request, "refer", String(request.cseq), 180);
        request.replyInDialog(subscription === null ? 503 : 202);
        subscription?.tell(sipfrag(100));
        made.push(subscription);
      },
    },
  );
  plugin.events = peer.events;
  return Object.assign(peer, { made });
}

test("REFER outside a dialog: 202, NOTIFYs as it proceeds, the last one ends it", async () => {
  using peer = await referee();
  const { client, made } = peer;
  const asked = client.request("REFER", {
    contact: `<sip:alice@${client.sentBy}>`,
    headers: ["Refer-To: <sip:carol@example.com>"],
    cseq: 93,
  });
  const accepted = await client.next(202, asked);
  const first = await client.next("NOTIFY");
  client.respond(first, 200);
  expect(first.header("Event")).toBe("refer;id=93");
  expect(first.header("Subscription-State")).toBe("active;expires=180");
  expect(first.header("Content-Type")).toBe("message/sipfrag;version=2.0");
  expect(first.body).toBe("SIP/2.0 100 Trying\r\n");
  expect(first.header("From")).toBe(accepted.header("To")!);
  await client.rest();
  made[0]!.tell(sipfrag(180));
  made[0]!.tell(sipfrag(183, "Still going"));
  // While one is on its way the later ones wait, and the newest goes.
  const ringing = await client.next("NOTIFY");
  client.respond(ringing, 200);
  expect(ringing.body).toBe("SIP/2.0 180 Ringing\r\n");
  const going = await client.next("NOTIFY");
  expect(going.body).toBe("SIP/2.0 183 Still going\r\n");
  made[0]!.end(sipfrag(486));
  client.respond(going, 200);
  const last = await client.next("NOTIFY");
  client.respond(last, 200);
  expect(last.body).toBe("SIP/2.0 486 Busy Here\r\n");
  expect(last.header("Subscription-State")).toBe("terminated;reason=noresource");
  await client.rest();
  expect(made[0]!.isOver).toBe(true);
  made[0]!.tell(sipfrag(200));
  expect(await client.restBrief()).toEqual([]);
  expect(peer.server.stats().dialogs).toBe(0);
});

test("it can be refreshed and ended by SUBSCRIBE, but not made", async () => {
  using peer = await referee();
  const { client } = peer;
  const contact = `<sip:alice@${client.sentBy}>`;
  const asked = client.request("REFER", { contact, headers: ["Refer-To: <sip:carol@example.com>"] });
  const accepted = await client.next(202, asked);
  client.respond(await client.next("NOTIFY"), 200);
  const dialog = { uri: accepted.contactUri!, callId: asked.callId, from: asked.header("From")!, contact };
  const shape = { ...dialog, to: accepted.header("To")! };
  const headers = ["Event: refer;id=1", "Expires: 600"];
  expect((await client.ask("SUBSCRIBE", { ...shape, cseq: 2, headers })).status).toBe(200);
  const refreshed = await client.next("NOTIFY");
  client.respond(refreshed, 200);
  expect([refreshed.header("Subscription-State"), refreshed.body]).toEqual([
    "active;expires=600",
    "SIP/2.0 100 Trying\r\n",
  ]);
  expect(
    (await client.ask("SUBSCRIBE", { ...shape, cseq: 3, headers: ["Event: refer;id=9", "Expires: 600"] })).status,
  ).toBe(403);
  expect(
    (await client.ask("SUBSCRIBE", { ...shape, cseq: 4, headers: ["Event: refer;id=1", "Expires: 0"] })).status,
  ).toBe(200);
  client.respond(await client.next("NOTIFY"), 200);
  await client.rest();
  expect(peer.made[0]!.isOver).toBe(true);
  expect((await WireSubscriber.open(client, "refer")).response.status).toBe(403);
});

test("NOTIFYs for a REFER of ours are told, in a call whose session ends before", async () => {
  const told: number[] = [];
  const answered = Promise.withResolvers<Dialog>();
  const invite = (call: Call) => call.answer("v=0\r\n").then(answered.resolve);
  using peer = await eventsPeer({ packages: [refer()] }, { invite });
  const { client } = peer;
  const call = await client.invite();
  call.ack();
  const dialog = await answered.promise;
  const expected = peer.events.expect(dialog, "refer", {
    id: "2",
    onNotify: ({ body }) => told.push(sipfragStatus(body)),
  });
  const notify = (state: string, body: string, event = "refer") =>
    call.ask("NOTIFY", {
      contact: `<sip:alice@${client.sentBy}>`,
      headers: [`Event: ${event}`, `Subscription-State: ${state}`],
      body,
      contentType: "message/sipfrag;version=2.0",
    });
  expect((await notify("active;expires=60", "SIP/2.0 100 Trying\r\n")).status).toBe(200);
  expect((await call.ask("BYE")).status).toBe(200);
  expect((await notify("active;expires=60", "SIP/2.0 180 Ringing\r\n", "refer;id=2")).status).toBe(200);
  expect((await notify("active;expires=60", "SIP/2.0 180 Ringing\r\n", "refer;id=3")).status).toBe(481);
  expect((await notify("terminated;reason=noresource", "SIP/2.0 200 OK\r\n")).status).toBe(200);
  expect(await expected.ended).toMatchObject({ reason: "noresource" });
  expect(told).toEqual([100, 180, 200]);
  expect(peer.server.stats().dialogs).toBe(0);
});

test("one that nobody ends expires", async () => {
  using peer = await referee();
  const { client } = peer;
  const contact = `<sip:alice@${client.sentBy}>`;
  client.request("REFER", { contact, headers: ["Refer-To: <sip:carol@example.com>"] });
  client.respond(await client.next("NOTIFY"), 200);
  await client.rest();
  await peer.pass(181_000, 10_000);
  const last = await client.next("NOTIFY");
  client.respond(last, 200);
  expect(last.header("Subscription-State")).toBe("terminated;reason=timeout");
  await until("the end", () => peer.server.stats().dialogs === 0);
});

test("a sipfrag is read by its status line alone", () => {
  const octets = (text: string) => new TextEncoder().encode(text);
  for (const [text, status] of [
    ["SIP/2.0 200 OK\r\n", 200],
    ["SIP/2.0 603", 603],
    ["SIP/2.0 200 OK\r\nContact: <sip:a@b>\r\n", 200],
    ["SIP/2.0 2000 OK", 0],
    ["SIP/2.0 700 X", 0],
    ["INVITE sip:a@b SIP/2.0", 0],
    ["", 0],
  ] as const) {
    expect([text, sipfragStatus(octets(text))]).toEqual([text, status]);
  }
  expect(() => sipfrag(200, "a\r\nb")).toThrow(TypeError);
  expect(() => events({ packages: [refer(), refer()] })).toThrow(TypeError);
});
