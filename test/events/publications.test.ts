/** PUBLISH on the wire (RFC 3903), and what subscribers are told of it. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { messageSummary, messageSummaryBody } from "../../src/events/message-summary.ts";
import { pidf, presence } from "../../src/events/presence.ts";
import { refer } from "../../src/events/refer.ts";
import { eventsPeer, WireSubscriber } from "../support/events-peer.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { until } from "../support/until.ts";
import type { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const BOB = "sip:bob@127.0.0.1";
const packages = () => [presence({ minInterval: 0 }), messageSummary({ minInterval: 0 }), refer()];

function document(id: string, status = "open", more = ""): string {
  const tuple = `<tuple id="${id}"><status><basic>${status}</basic></status>${more}</tuple>`;
  return `<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:bob@x">${tuple}</presence>`;
}

interface Publish {
  event?: string;
  expires?: number;
  match?: string;
  body?: string;
  contentType?: string;
  uri?: string;
  headers?: string[];
}

function publish(client: WireClient, { event, expires, match, body, contentType, uri, headers }: Publish) {
  return client.ask("PUBLISH", {
    uri: uri ?? BOB,
    body: body ?? "",
    contentType: body === undefined ? null : (contentType ?? "application/pidf+xml"),
    headers: [
      `Event: ${event ?? "presence"}`,
      ...(expires === undefined ? [] : [`Expires: ${expires}`]),
      ...(match === undefined ? [] : [`SIP-If-Match: ${match}`]),
      ...(headers ?? []),
    ],
  });
}

function tagOf(response: SipMessage): string {
  expect(response.status).toBe(200);
  return response.header("SIP-ETag")!;
}

describe("a publication", () => {
  test("is answered with an entity-tag and Expires, and subscribers are told", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const { client } = peer;
    const alice = await WireSubscriber.open(client);
    const neutral = await alice.notified();
    expect(neutral.header("Content-Type")).toBe("application/pidf+xml");
    expect(neutral.body).toContain("<basic>closed</basic>");
    const response = await publish(client, { body: document("phone"), expires: 300 });
    expect([response.status, response.header("Expires")]).toEqual([200, "300"]);
    expect(tagOf(response)).toMatch(/^\w{16}$/);
    // One publication goes as it came.
    expect((await alice.notified()).body).toBe(document("phone"));
    expect(peer.events.stats).toMatchObject({ publications: 1, published: 1 });
  });

  test("is refreshed, modified and removed by its newest entity-tag alone", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const { client } = peer;
    const alice = await WireSubscriber.open(client);
    await alice.notified();
    const first = tagOf(await publish(client, { body: document("phone") }));
    await alice.notified();
    const second = tagOf(await publish(client, { match: first }));
    expect(second).not.toBe(first);
    // A refresh changes nothing, so nobody is told.
    await peer.pass(100);
    expect(await client.restBrief()).toEqual([]);
    expect((await publish(client, { match: first, body: document("phone", "closed") })).status).toBe(412);
    const third = tagOf(await publish(client, { match: second, body: document("phone", "closed") }));
    expect((await alice.notified()).body).toBe(document("phone", "closed"));
    const removed = await publish(client, { match: third, expires: 0 });
    expect([removed.status, removed.header("Expires")]).toEqual([200, "0"]);
    expect((await alice.notified()).body).toContain('id="none"');
    expect((await publish(client, { match: third })).status).toBe(412);
    expect(peer.events.stats.publications).toBe(0);
  });

  test("expires by itself, a refresh puts it off", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const { client } = peer;
    const tag = tagOf(await publish(client, { body: document("phone"), expires: 60 }));
    await peer.pass(50_000, 10_000);
    const next = tagOf(await publish(client, { match: tag, expires: 60 }));
    await peer.pass(50_000, 10_000);
    expect(peer.events.stats.publications).toBe(1);
    const alice = await WireSubscriber.open(client);
    expect((await alice.notified()).body).toBe(document("phone"));
    await client.rest();
    await peer.pass(11_000, 1000);
    expect((await alice.notified()).body).toContain("closed");
    expect((await publish(client, { match: next })).status).toBe(412);
    expect(peer.events.stats.publications).toBe(0);
  });

  test("with Expires: 0 and no entity-tag is not kept", async () => {
    using peer = await eventsPeer({ packages: packages() });
    expect((await publish(peer.client, { body: document("a"), expires: 0 })).status).toBe(200);
    expect(peer.events.stats.publications).toBe(0);
  });

  test("several of one resource are told as one, tuples of all, ids made unique, namespaces kept", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const { client } = peer;
    await publish(client, { body: document("phone") });
    const rpid =
      '<p:presence xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:rpid" entity="pres:bob@x"><p:note>Bob\'s</p:note>' +
      "<r:person id='one'><r:mood/></r:person><p:tuple id='phone'><p:status><p:basic>closed</p:basic></p:status></p:tuple></p:presence>";
    await publish(client, { body: rpid });
    const alice = await WireSubscriber.open(client);
    const { body } = await alice.notified();
    expect(
      body.startsWith('<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf"'),
    ).toBe(true);
    const order = ['id="phone"', 'id="phone-2"', "Bob's", "r:mood"].map((part) => body.indexOf(part));
    expect(order.every((at, i) => at > 0 && (i === 0 || at > order[i - 1]!))).toBe(true);
    expect(body).toContain('<p:tuple xmlns:p="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:rpid" id="phone-2">');
    expect(body.match(/<presence|<p:presence/g)).toHaveLength(1);
  });

  test("of the program stands beside those of PUBLISH, and is replaced and taken away by it", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const { client, events } = peer;
    const alice = await WireSubscriber.open(client);
    await alice.notified();
    events.publish("presence", "sips:BOB@127.0.0.1", pidf(BOB, [{ status: "open" }]));
    await client.rest();
    await peer.pass(50);
    // Users are case-sensitive: this is somebody else.
    expect(await client.restBrief()).toEqual([]);
    events.publish("presence", BOB, pidf(BOB, [{ id: "desk", status: "open", note: '<in> & "out"' }]));
    expect((await alice.notified()).body).toContain("<note>&lt;in&gt; &amp; &quot;out&quot;</note>");
    await publish(client, { body: document("phone") });
    const both = (await alice.notified()).body;
    expect([both.includes('id="desk"'), both.includes('id="phone"')]).toEqual([true, true]);
    events.publish("presence", BOB, null);
    expect((await alice.notified()).body).toBe(document("phone"));
  });

  test("a mailbox: the last publication counts", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const { client, events } = peer;
    const phone = await WireSubscriber.open(client, "message-summary");
    expect((await phone.notified()).body).toBe("Messages-Waiting: no\r\n");
    const summary = { waiting: true, account: BOB, messages: { "voice-message": { new: 2, old: 8, urgentNew: 1 } } };
    events.publish("message-summary", BOB, messageSummaryBody(summary));
    expect((await phone.notified()).body).toBe(
      `Messages-Waiting: yes\r\nMessage-Account: ${BOB}\r\nVoice-Message: 2/8 (1/0)\r\n`,
    );
    const type = "application/simple-message-summary";
    const given = { event: "message-summary", body: "Messages-Waiting: no\r\nFax-Message: 0/3\r\n", contentType: type };
    await publish(client, given);
    expect((await phone.notified()).body).toBe(given.body);
  });
});

describe("a PUBLISH is refused", () => {
  const body = document("phone");
  const cases: readonly [string, number, Publish][] = [
    ["an unknown package", 489, { event: "foo", body }],
    ["a package that is not published", 489, { event: "refer", body }],
    ["an unknown entity-tag", 412, { match: "nothing", body }],
    ["an empty entity-tag", 400, { match: "", body }],
    ["two entity-tags", 400, { match: "a", headers: ["SIP-If-Match: b"], body }],
    ["a list of entity-tags", 400, { match: "a, b", body }],
    ["nothing to publish", 400, {}],
    ["too short a time", 423, { expires: 1, body }],
    ["a time that is none", 400, { headers: ["Expires: 1x"], body }],
    ["a body of another package", 415, { body, contentType: "application/simple-message-summary" }],
    ["a body that nobody reads", 415, { body, contentType: "application/json" }],
    ["a body that is not well formed", 400, { body: "<presence><tuple></presence>" }],
    ["another document", 400, { body: "<dialog-info/>" }],
    ["a document type", 400, { body: `<!DOCTYPE a [<!ENTITY b "c">]>${body}` }],
  ];
  for (const [what, status, given] of cases) {
    test(`for ${what}: ${status}`, async () => {
      using peer = await eventsPeer({ packages: packages() });
      const response = await publish(peer.client, given);
      expect(response.status).toBe(status);
      if (status === 489) expect(response.header("Allow-Events")).toBe("presence, message-summary");
      if (status === 423) expect(response.header("Min-Expires")).toBe("60");
      if (status === 415) expect(response.header("Accept")).toContain("application/pidf+xml");
      expect(peer.events.stats.publications).toBe(0);
      expect(peer.server.stats().handlerErrors).toBe(0);
    });
  }

  test("for the entity-tag of another resource: 412", async () => {
    using peer = await eventsPeer({ packages: packages() });
    const tag = tagOf(await publish(peer.client, { body }));
    expect((await publish(peer.client, { match: tag, body, uri: "sip:carol@127.0.0.1" })).status).toBe(412);
    expect((await publish(peer.client, { match: tag, event: "message-summary" })).status).toBe(412);
  });

  test("for what is not allowed: 403; who asks first is answered once it is known", async () => {
    const verdict = Promise.withResolvers<boolean>();
    let questions = 0;
    using peer = await eventsPeer({
      packages: packages(),
      authorize({ resource }) {
        questions++;
        return resource === BOB ? verdict.promise : false;
      },
    });
    const { client } = peer;
    expect((await publish(client, { body, uri: "sip:carol@127.0.0.1" })).status).toBe(403);
    const asked = publish(client, { body });
    await until("the second question", () => questions === 2);
    verdict.resolve(true);
    expect((await asked).status).toBe(200);
  });

  test("above the ceilings: 503 for all, 403 for one resource; an entity-tag is still served", async () => {
    using peer = await eventsPeer({ packages: packages(), maxPublications: 2, maxPublicationsPerResource: 1 });
    const { client } = peer;
    const tag = tagOf(await publish(client, { body }));
    expect((await publish(client, { body })).status).toBe(403);
    expect((await publish(client, { body, uri: "sip:carol@127.0.0.1" })).status).toBe(200);
    const full = await publish(client, { body, uri: "sip:dave@127.0.0.1" });
    expect([full.status, full.header("Retry-After")]).toEqual([503, "30"]);
    expect((await publish(client, { match: tag })).status).toBe(200);
  });

  test("when publications are off: 405", async () => {
    using peer = await eventsPeer({ packages: packages(), publications: false });
    const response = await publish(peer.client, { body });
    expect(response.status).toBe(405);
    expect(response.list("Allow")).not.toContain("PUBLISH");
  });
});

test("presence is told no more often than its package allows", async () => {
  using peer = await eventsPeer({ packages: [presence()] });
  const { client } = peer;
  const alice = await WireSubscriber.open(client);
  await alice.notified();
  await client.rest();
  await publish(client, { body: document("one") });
  await peer.pass(4500, 500);
  await publish(client, { body: document("two") });
  expect(await client.restBrief()).toEqual([]);
  await peer.pass(600, 100);
  const told = (await alice.notified()).body;
  expect([told.includes('id="one"'), told.includes('id="two"')]).toEqual([true, true]);
});

test("what the program publishes is checked", async () => {
  using peer = await eventsPeer({ packages: packages() });
  const { events } = peer;
  const body = pidf(BOB, []);
  expect(() => events.publish("refer", BOB, body)).toThrow(TypeError);
  expect(() => events.publish("foo", BOB, body)).toThrow(TypeError);
  expect(() => events.publish("presence", "mailto:bob@x", body)).toThrow(TypeError);
  expect(() => events.publish("presence", BOB, { type: "text/plain", content: "hi" })).toThrow(TypeError);
  expect(() => events.publish("presence", BOB, { type: body.type, content: "<a/>" })).toThrow(TypeError);
});
