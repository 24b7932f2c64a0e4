/** The `reg` package: RFC 3680. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { type ContactChange, RegPackage } from "../../src/events/reg.ts";
import { eventsPeer, WireSubscriber } from "../support/events-peer.ts";

setDefaultTimeout(20_000);

const BOB = "sip:bob@127.0.0.1";

/** A change of one contact by its end. */
function end(id: string, event: "expired" | "unregistered" = "expired"): ContactChange[] {
  return [{ contact: { id }, event }];
}

test("bindings are told whole at first, then as they come and go", async () => {
  const reg = new RegPackage({ minInterval: 0 });
  using peer = await eventsPeer({ packages: [reg] });
  const { client } = peer;
  const watcher = await WireSubscriber.open(client, "reg");
  const first = await watcher.notified();
  expect(first.header("Content-Type")).toBe("application/reginfo+xml");
  expect(first.body).toContain('version="0" state="full"');
  expect(first.body).toContain(`<registration aor="${BOB}" id="r1" state="init"></registration>`);

  const contact = { id: "1", uri: "sip:bob@10.0.0.1;x=<y>", q: 0.5, expires: 60, callId: "a&b", cseq: 7 };
  reg.changed(BOB, [{ contact, event: "registered" }]);
  const bound = await watcher.notified();
  expect(bound.body).toContain('version="1" state="partial"');
  expect(bound.body).toContain(
    '<contact id="1" state="active" event="registered" duration-registered="0" expires="60" q="0.5" callid="a&amp;b" cseq="7">' +
      "<uri>sip:bob@10.0.0.1;x=&lt;y&gt;</uri></contact>",
  );
  await client.rest();
  await peer.pass(10_000, 5000);
  reg.changed(BOB, [{ contact: { id: "2", uri: "sip:bob@10.0.0.2", displayName: "Bob's" }, event: "created" }]);
  const second = await watcher.notified();
  expect(second.body).not.toContain('id="1"');
  expect(second.body).toContain("<display-name>Bob&apos;s</display-name>");

  reg.changed(BOB, [{ contact: { id: "1", uri: "sip:bob@10.0.0.1" }, event: "refreshed" }]);
  expect((await watcher.notified()).body).toContain('event="refreshed" duration-registered="10"');
  reg.changed(BOB, end("1"));
  reg.changed(BOB, end("1"));
  const gone = (await watcher.notified()).body;
  expect([gone.includes('id="1" state="terminated" event="expired"'), gone.includes('id="r1" state="active"')]).toEqual(
    [true, true],
  );
  reg.changed(BOB, end("2", "unregistered"));
  expect((await watcher.notified()).body).toContain('id="r1" state="terminated"');
  await watcher.again(600);
  expect((await watcher.notified()).body).toContain('version="6" state="full"');
});

test("what stands is asked for when somebody begins to watch; what nobody watches is not kept", async () => {
  const reg = new RegPackage({ minInterval: 0 });
  const asked: string[] = [];
  reg.follow({
    contactsOf(resource) {
      asked.push(resource);
      return [{ id: "1", uri: "sip:bob@10.0.0.1", expires: 60 }];
    },
  });
  using peer = await eventsPeer({ packages: [reg] });
  expect(reg.isWatched).toBe(false);
  expect(reg.wants(BOB)).toBe(false);
  reg.changed(BOB, [{ contact: { id: "9", uri: "sip:bob@10.0.0.9" }, event: "registered" }]);
  expect(asked).toEqual([]);

  const watcher = await WireSubscriber.open(peer.client, "reg");
  expect([reg.isWatched, reg.wants(BOB), reg.wants("sip:x@127.0.0.1")]).toEqual([true, true, false]);
  const first = (await watcher.notified()).body;
  expect(first).toContain('<contact id="1" state="active" event="registered" expires="60">');
  expect([first.includes('id="9"'), first.includes('state="full"')]).toEqual([false, true]);
  await peer.client.rest();
  await peer.pass(10_000, 5000);
  reg.changed(BOB, end("1"));
  expect((await watcher.notified()).body).toContain('id="1" state="terminated" event="expired"');
  expect(asked).toEqual([BOB]);
  await watcher.again(600);
  expect((await watcher.notified()).body).not.toContain("<contact");
});

test("the seconds that a binding still has count down", async () => {
  const reg = new RegPackage({ minInterval: 0 });
  reg.follow({ contactsOf: () => [{ id: "1", uri: "sip:bob@10.0.0.1", expires: 60 }] });
  using peer = await eventsPeer({ packages: [reg] });
  const watcher = await WireSubscriber.open(peer.client, "reg");
  await watcher.notified();
  await peer.client.rest();
  await peer.pass(10_000, 5000);
  await watcher.again(600);
  expect((await watcher.notified()).body).toContain('expires="50"');
});

test("an address-of-record that is none gets 404", async () => {
  using peer = await eventsPeer({ packages: [new RegPackage({ has: (resource) => resource === BOB })] });
  expect((await WireSubscriber.open(peer.client, "reg")).response.status).toBe(200);
  expect((await WireSubscriber.open(peer.client, "reg", 600, { uri: "sip:x@127.0.0.1" })).response.status).toBe(404);
});
