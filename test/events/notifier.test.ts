/** The notifier on the wire: RFC 6665 s4.2. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Body, EventPackage, PackageContext } from "../../src/events/event-package.ts";
import { messageSummary } from "../../src/events/message-summary.ts";
import { presence } from "../../src/events/presence.ts";
import { refer } from "../../src/events/refer.ts";
import type { IncomingRequest } from "../../src/index.ts";
import { eventsPeer, WireSubscriber } from "../support/events-peer.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** A package whose state is text that the test sets. */
class Note implements EventPackage {
  readonly name = "note";
  readonly types = ["text/plain", "text/html"];
  text = "first";
  told = 0;
  context: PackageContext | null = null;

  attach(context: PackageContext): void {
    this.context = context;
  }

  has(resource: string): boolean {
    return !resource.startsWith("sip:nobody@");
  }

  state({ type, isPending }: { type: string; isPending: boolean }): Body {
    this.told++;
    return { type, content: isPending ? "wait" : this.text };
  }

  set(text: string): void {
    this.text = text;
    this.context!.changed("sip:bob@127.0.0.1");
  }
}

async function notePeer(options: Partial<Parameters<typeof eventsPeer>[0]> = {}) {
  const note = new Note();
  const peer = await eventsPeer({ packages: [note, presence(), messageSummary(), refer()], ...options });
  return Object.assign(peer, { note });
}

describe("a subscription", () => {
  test("is answered with Expires and Contact, and told the state at once", async () => {
    using peer = await notePeer();
    const { client } = peer;
    const bob = await WireSubscriber.open(client, "note");
    expect(bob.response.status).toBe(200);
    expect(bob.response.header("Expires")).toBe("600");
    expect(bob.response.contactUri).toBe(`sip:127.0.0.1:${peer.server.addresses[0]!.port}`);
    const notify = await bob.notified();
    expect(notify.uri).toBe(`sip:alice@${client.sentBy}`);
    expect(notify.header("Event")).toBe("note");
    expect(notify.header("Subscription-State")).toBe("active;expires=600");
    expect(notify.header("Content-Type")).toBe("text/plain");
    expect(notify.body).toBe("first");
    // In the dialog that the SUBSCRIBE made.
    expect(notify.header("From")).toBe(bob.response.header("To")!);
    expect(notify.header("To")).toBe(bob.subscribe.header("From")!);
    expect(notify.contactUri).toBe(bob.response.contactUri!);
    expect(peer.events.stats).toMatchObject({ subscriptions: 1, subscribed: 1, notifies: 1 });
    expect(await client.restBrief()).toEqual([]);
  });

  test("is told every change, with the time that is left", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note;id=7");
    expect((await bob.notified()).header("Event")).toBe("note;id=7");
    await peer.client.rest();
    await peer.pass(10_000);
    peer.note.set("second");
    const notify = await bob.notified();
    expect([notify.body, notify.header("Event")]).toEqual(["second", "note;id=7"]);
    expect(notify.header("Subscription-State")).toBe("active;expires=590");
    expect(notify.cseq).toBe(2);
  });

  test("has one NOTIFY on its way at most; the next one tells the newest state alone", async () => {
    using peer = await notePeer();
    const { client, note } = peer;
    const bob = await WireSubscriber.open(client, "note");
    const first = await bob.notified(null);
    for (let i = 0; i < 100; i++) note.set(`change ${i}`);
    await peer.pass(100, 10);
    expect(await client.restBrief()).toEqual([]);
    client.respond(first, 200);
    expect((await bob.notified()).body).toBe("change 99");
    await client.rest();
    await peer.pass(100, 10);
    expect(await client.restBrief()).toEqual([]);
  });

  test("refreshed while one is on its way: the next one waits for its response all the same", async () => {
    using peer = await notePeer();
    const { client } = peer;
    const bob = await WireSubscriber.open(client, "note");
    const first = await bob.notified(null);
    expect((await bob.again(300)).status).toBe(200);
    expect(await client.restBrief()).toEqual([]);
    client.respond(first, 200);
    expect((await bob.notified()).header("Subscription-State")).toBe("active;expires=300");
  });

  test("a change at many is told a few at a time, and each told it once", async () => {
    using peer = await notePeer({ notifyBurst: 3 });
    const { client, note } = peer;
    const all: WireSubscriber[] = [];
    for (let i = 0; i < 10; i++) all.push(await WireSubscriber.open(client, "note"));
    for (const one of all) await one.notified();
    await client.rest();
    await peer.pass(50, 10);
    const before = note.told;
    note.set("news");
    expect((await client.rest()).map(({ method }) => method)).toEqual(["NOTIFY", "NOTIFY", "NOTIFY"]);
    const more: string[] = [];
    for (let i = 0; i < 5; i++) {
      await peer.clock.pass(10);
      const came = await client.rest();
      expect(came.length).toBeLessThanOrEqual(3);
      more.push(...came.map(({ body }) => body));
    }
    expect(more).toEqual(new Array(7).fill("news"));
    // The body is made once for all of them.
    expect(note.told - before).toBe(1);
  });

  test("is refreshed: time anew, and the whole state at once", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note", 100);
    await bob.notified();
    await peer.client.rest();
    await peer.pass(90_000, 10_000);
    const refreshed = await bob.again(200);
    expect([refreshed.status, refreshed.header("Expires")]).toEqual([200, "200"]);
    expect((await bob.notified()).header("Subscription-State")).toBe("active;expires=200");
    await peer.client.rest();
    await peer.pass(150_000, 10_000);
    expect(await peer.client.restBrief()).toEqual([]);
    expect(peer.events.stats.subscriptions).toBe(1);
  });

  test("a refresh from another Contact moves where NOTIFYs go", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified();
    await bob.again(600, { contact: `<sip:elsewhere@${peer.client.sentBy}>` });
    expect((await bob.notified()).uri).toBe(`sip:elsewhere@${peer.client.sentBy}`);
  });

  test("ends by Expires: 0 with a last NOTIFY, and the dialog with it", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified();
    const ended = await bob.again(0);
    expect([ended.status, ended.header("Expires")]).toEqual([200, "0"]);
    const last = await bob.notified();
    expect([last.header("Subscription-State"), last.body]).toEqual(["terminated;reason=timeout", "first"]);
    await peer.client.rest();
    expect(peer.events.stats.subscriptions).toBe(0);
    expect(peer.server.stats().dialogs).toBe(0);
    expect((await bob.again(600)).status).toBe(481);
  });

  test("a SUBSCRIBE after the end gets 481, the last NOTIFY still unanswered", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified();
    await bob.again(0);
    const last = await bob.notified(null);
    expect((await bob.again(600)).status).toBe(481);
    peer.client.respond(last, 200);
    await peer.client.rest();
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("expires by itself", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note", 60);
    await bob.notified();
    await peer.client.rest();
    await peer.pass(59_000, 10_000);
    expect(await peer.client.restBrief()).toEqual([]);
    await peer.pass(1100, 100);
    expect((await bob.notified()).header("Subscription-State")).toBe("terminated;reason=timeout");
    await peer.client.rest();
    expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([0, 0]);
  });

  test("with Expires: 0 from the start is a fetch: one NOTIFY, and nothing is kept", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note", 0);
    expect([bob.response.status, bob.response.header("Expires")]).toEqual([200, "0"]);
    const notify = await bob.notified();
    expect([notify.header("Subscription-State"), notify.body]).toEqual(["terminated;reason=timeout", "first"]);
    peer.note.set("later");
    expect(await peer.client.restBrief()).toEqual([]);
    expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([0, 0]);
  });

  test("gets the default without Expires, and no more than the most there is", async () => {
    using peer = await notePeer({ defaultExpires: 120, maxExpires: 1000 });
    const usual = await WireSubscriber.open(peer.client, "note", null);
    expect(usual.response.header("Expires")).toBe("120");
    await usual.notified();
    const long = await WireSubscriber.open(peer.client, "note", 4_294_967_295);
    expect(long.response.header("Expires")).toBe("1000");
    expect((await long.notified()).header("Subscription-State")).toBe("active;expires=1000");
  });

  test("is of the canonical resource: escapes, letter case of the host, port and parameters do not matter", async () => {
    using peer = await notePeer();
    const uris = ["sip:b%6fb@127.0.0.1:5999;transport=udp", "SIP:bob@127.0.0.1:5060", "sips:bob@127.0.0.1"];
    const all: WireSubscriber[] = [];
    for (const uri of uris) all.push(await WireSubscriber.open(peer.client, "note", 600, { uri }));
    expect(all.map(({ response }) => response.status)).toEqual([200, 200, 200]);
    for (const one of all) await one.notified();
    await peer.client.rest();
    peer.note.set("all");
    for (const one of all) expect((await one.notified()).body).toBe("all");
  });

  test("takes the type its Accept allows", async () => {
    using peer = await notePeer();
    for (const [accept, type] of [
      ["text/html", "text/html"],
      ["application/pidf+xml, text/*", "text/plain"],
      ["*/*", "text/plain"],
      ["text/plain;q=0, text/html", "text/html"],
    ] as const) {
      const one = await WireSubscriber.open(peer.client, "note", 600, { headers: [`Accept: ${accept}`] });
      expect((await one.notified()).header("Content-Type")).toBe(type);
    }
  });
});

describe("a SUBSCRIBE is refused", () => {
  const cases: readonly [string, number, string, number | null, Record<string, unknown>][] = [
    ["an unknown package", 489, "foo", 600, {}],
    ["a template of a known one", 489, "note.winfo", 600, {}],
    ["the name in another case", 489, "Note", 600, {}],
    ["two Events", 400, "note", 600, { headers: ["Event: presence"] }],
    ["an Event that is no token", 400, '"note"', 600, {}],
    ["an Event that is a list", 400, "note, presence", 600, {}],
    ["an id that is no token", 400, 'note;id="a b"', 600, {}],
    ["too short a time", 423, "note", 59, {}],
    ["a type that it has not", 406, "note", 600, { headers: ["Accept: application/pidf+xml"] }],
    ["no Contact", 400, "note", 600, { contact: null }],
    ["two Contacts", 400, "note", 600, { contact: "<sip:a@127.0.0.1>, <sip:b@127.0.0.1>" }],
    ["a star for a Contact", 400, "note", 600, { contact: "*" }],
    ["a resource that is none", 404, "note", 600, { uri: "sip:nobody@127.0.0.1" }],
    ["refer, which REFER alone makes", 403, "refer", 600, {}],
    ["an Expires that is none", 400, "note", null, { headers: ["Expires: soon"] }],
  ];
  for (const [what, status, event, expires, shape] of cases) {
    test(`for ${what}: ${status}`, async () => {
      using peer = await notePeer();
      const one = await WireSubscriber.open(peer.client, event, expires, shape);
      expect(one.response.status).toBe(status);
      expect(await peer.client.restBrief()).toEqual([]);
      expect(peer.events.stats).toMatchObject({ subscriptions: 0, notifies: 0 });
      expect(peer.server.stats()).toMatchObject({ dialogs: 0, handlerErrors: 0 });
      const { response } = one;
      if (status === 489) expect(response.header("Allow-Events")).toBe("note, presence, message-summary, refer");
      if (status === 423) expect(response.header("Min-Expires")).toBe("60");
      if (status === 406) expect(response.header("Accept")).toBe("text/plain, text/html");
    });
  }

  test("without Event: 489", async () => {
    using peer = await notePeer();
    const response = await peer.client.ask("SUBSCRIBE", { contact: `<sip:a@${peer.client.sentBy}>` });
    expect(response.status).toBe(489);
  });

  test("above the ceiling: 503 with Retry-After; one that ends makes room", async () => {
    using peer = await notePeer({ maxSubscriptions: 1 });
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified();
    const full = await WireSubscriber.open(peer.client, "note");
    expect([full.response.status, full.response.header("Retry-After")]).toEqual([503, "30"]);
    // A refresh is not one more.
    expect((await bob.again(600)).status).toBe(200);
    await bob.notified();
    await bob.again(0);
    await bob.notified();
    await peer.client.rest();
    expect((await WireSubscriber.open(peer.client, "note")).response.status).toBe(200);
  });

  test("above the ceiling of its resource: 403; another resource is served", async () => {
    using peer = await notePeer({ maxSubscriptionsPerResource: 1 });
    await WireSubscriber.open(peer.client, "note");
    expect((await WireSubscriber.open(peer.client, "note")).response.status).toBe(403);
    const other = await WireSubscriber.open(peer.client, "note", 600, { uri: "sip:carol@127.0.0.1" });
    expect(other.response.status).toBe(200);
  });

  test("without a dialog left: 503", async () => {
    const note = new Note();
    using peer = await eventsPeer({ packages: [note] }, { limits: { dialogs: 1 } });
    await WireSubscriber.open(peer.client, "note");
    expect((await WireSubscriber.open(peer.client, "note")).response.status).toBe(503);
    expect(peer.events.stats.subscriptions).toBe(1);
  });

  test("in a dialog that does not exist: 481", async () => {
    using peer = await notePeer();
    const one = await WireSubscriber.open(peer.client, "note", 600, { to: "<sip:bob@127.0.0.1>;tag=gone" });
    expect(one.response.status).toBe(481);
  });
});

describe("a NOTIFY that fails", () => {
  for (const status of [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604]) {
    test(`with ${status} ends the subscription`, async () => {
      using peer = await notePeer();
      const bob = await WireSubscriber.open(peer.client, "note");
      await bob.notified(status);
      await peer.client.rest();
      expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([0, 0]);
      peer.note.set("more");
      await peer.pass(1000);
      expect(await peer.client.restBrief()).toEqual([]);
    });
  }

  test("by silence for 64*T1 ends it", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified(null);
    await peer.pass(33_000, 500);
    expect(peer.events.stats.subscriptions).toBe(0);
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, timeouts: 1 });
  });

  test("with 500 and Retry-After is sent again after it, with the newest state", async () => {
    using peer = await notePeer();
    const { client, note } = peer;
    const bob = await WireSubscriber.open(client, "note");
    await bob.notified(500, ["Retry-After: 7 (busy);duration=3"]);
    await client.rest();
    note.set("meanwhile");
    await peer.pass(6900, 100);
    expect(await client.restBrief()).toEqual([]);
    await peer.pass(200, 100);
    expect((await bob.notified()).body).toBe("meanwhile");
    expect(peer.events.stats.subscriptions).toBe(1);
  });

  test("again and again ends it in the end", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note", 3600);
    for (let i = 0; i < 5; i++) {
      await bob.notified(503, ["Retry-After: 1"]);
      await peer.client.rest();
      await peer.pass(1100, 100);
    }
    expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([0, 0]);
    expect(await peer.client.restBrief()).toEqual([]);
  });

  test("a refresh does not wait for Retry-After", async () => {
    using peer = await notePeer();
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified(500, ["Retry-After: 3000"]);
    await peer.client.rest();
    expect((await bob.again(600)).status).toBe(200);
    expect((await bob.notified()).header("Subscription-State")).toBe("active;expires=600");
  });
});

describe("authorization", () => {
  test("no: 403, and nothing is kept", async () => {
    const asked: string[] = [];
    using peer = await notePeer({
      authorize({ method, event, resource, request }) {
        asked.push(`${method} ${event} ${resource} ${request.from.uriText}`);
        return false;
      },
    });
    expect((await WireSubscriber.open(peer.client, "note")).response.status).toBe(403);
    expect(asked).toEqual(["SUBSCRIBE note sip:bob@127.0.0.1 sip:alice@192.0.2.10"]);
    expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([0, 0]);
  });

  test("not yet: pending with the neutral state and no news; then active", async () => {
    const verdict = Promise.withResolvers<boolean>();
    using peer = await notePeer({ authorize: () => verdict.promise });
    const bob = await WireSubscriber.open(peer.client, "note");
    expect(bob.response.status).toBe(200);
    const pending = await bob.notified();
    expect([pending.header("Subscription-State"), pending.body]).toEqual(["pending;expires=600", "wait"]);
    peer.note.set("secret");
    await peer.pass(100);
    expect(await peer.client.restBrief()).toEqual([]);
    verdict.resolve(true);
    const active = await bob.notified();
    expect([active.header("Subscription-State"), active.body]).toEqual(["active;expires=600", "secret"]);
  });

  test("not yet, and then no: rejected without a body", async () => {
    const verdict = Promise.withResolvers<boolean>();
    using peer = await notePeer({ authorize: () => verdict.promise });
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified();
    verdict.resolve(false);
    const last = await bob.notified();
    expect([last.header("Subscription-State"), last.body]).toEqual(["terminated;reason=rejected", ""]);
    await peer.client.rest();
    expect(peer.events.stats.subscriptions).toBe(0);
  });

  test("that fails: giveup, and a line in the log", async () => {
    using peer = await notePeer({ authorize: () => Promise.reject(new Error("database")) });
    const bob = await WireSubscriber.open(peer.client, "note");
    await bob.notified();
    expect((await bob.notified()).header("Subscription-State")).toBe("terminated;reason=giveup");
    expect(peer.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("of a fetch is waited for", async () => {
    const verdict = Promise.withResolvers<boolean>();
    let questions = 0;
    using peer = await notePeer({
      authorize() {
        questions++;
        return verdict.promise;
      },
    });
    const opened = WireSubscriber.open(peer.client, "note", 0);
    await until("the question", () => questions > 0);
    verdict.resolve(true);
    const bob = await opened;
    expect(bob.response.status).toBe(200);
    expect((await bob.notified()).body).toBe("first");
  });
});

describe("the program", () => {
  for (const [reason, retryAfter, state] of [
    ["deactivated", undefined, "terminated;reason=deactivated"],
    ["probation", 30, "terminated;reason=probation;retry-after=30"],
    ["giveup", 5, "terminated;reason=giveup;retry-after=5"],
    ["noresource", undefined, "terminated;reason=noresource"],
    ["rejected", undefined, "terminated;reason=rejected"],
    ["invariant", undefined, "terminated;reason=invariant"],
  ] as const) {
    test(`ends all subscriptions to a resource: ${reason}`, async () => {
      using peer = await notePeer();
      const bob = await WireSubscriber.open(peer.client, "note");
      await bob.notified();
      expect(peer.events.terminate("note", "sip:carol@127.0.0.1", reason)).toBe(0);
      expect(peer.events.terminate("note", "sip:bob@127.0.0.1", reason, retryAfter)).toBe(1);
      expect((await bob.notified()).header("Subscription-State")).toBe(state);
      await peer.client.rest();
      expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([0, 0]);
    });
  }

  test("ends many a few at a time", async () => {
    using peer = await notePeer({ notifyBurst: 2 });
    const { client } = peer;
    const all: WireSubscriber[] = [];
    for (let i = 0; i < 5; i++) all.push(await WireSubscriber.open(client, "note"));
    for (const one of all) await one.notified();
    await client.rest();
    await peer.pass(50, 10);
    expect(peer.events.terminate("note", "sip:bob@127.0.0.1", "deactivated")).toBe(5);
    expect(await client.restBrief()).toEqual(["NOTIFY", "NOTIFY"]);
    // Those that wait are not known any more either.
    expect((await all[0]!.again(600)).status).toBe(481);
    await peer.pass(30, 10);
    expect(await client.restBrief()).toEqual(["NOTIFY", "NOTIFY", "NOTIFY"]);
  });

  test("a state that throws is logged; the NOTIFY goes without a body", async () => {
    using peer = await notePeer();
    peer.note.state = () => {
      throw new Error("broken");
    };
    const bob = await WireSubscriber.open(peer.client, "note");
    expect((await bob.notified()).body).toBe("");
    expect(peer.log.lines.map(({ level }) => level)).toContain("error");
  });

  test("wrong options are told at once", () => {
    const packages = [presence()];
    expect(eventsPeer({ packages: [presence(), presence()] })).rejects.toThrow(TypeError);
    expect(eventsPeer({ packages, minExpires: 0 })).rejects.toThrow(RangeError);
    expect(eventsPeer({ packages, minExpires: 100, maxExpires: 99 })).rejects.toThrow(RangeError);
    expect(eventsPeer({ packages, defaultExpires: 1.5 })).rejects.toThrow(RangeError);
  });

  test("the server's own accept does not keep bodies of events out, nor do events keep others out", async () => {
    const ask = (client: Awaited<ReturnType<typeof notePeer>>["client"], method: string, contentType: string) =>
      client.ask(method, { uri: "sip:bob@127.0.0.1", headers: ["Event: presence"], body: "<presence/>", contentType });
    const handlers = { message: (request: IncomingRequest) => request.reply(200) };
    using open = await eventsPeer({ packages: [presence()] }, handlers);
    expect((await ask(open.client, "PUBLISH", "application/pidf+xml")).status).toBe(200);
    expect((await ask(open.client, "MESSAGE", "text/plain")).status).toBe(200);
    using named = await eventsPeer({ packages: [presence()] }, { ...handlers, accept: ["text/html"] });
    expect((await ask(named.client, "PUBLISH", "application/pidf+xml")).status).toBe(200);
    expect((await ask(named.client, "MESSAGE", "text/html")).status).toBe(200);
    expect((await ask(named.client, "MESSAGE", "text/plain")).status).toBe(415);
  });

  test("OPTIONS tells methods, events and types", async () => {
    using peer = await notePeer();
    const options = await peer.client.ask("OPTIONS");
    expect(options.list("Allow-Events")).toEqual(["note", "presence", "message-summary", "refer"]);
    expect(options.list("Allow")).toEqual(expect.arrayContaining(["SUBSCRIBE", "NOTIFY", "PUBLISH"]));
    expect(options.list("Accept")).toContain("application/pidf+xml");
  });
});

describe("in a dialog of a call", () => {
  test("a subscription shares it, and outlives the call's end", async () => {
    const note = new Note();
    using peer = await eventsPeer({ packages: [note] }, { invite: (call) => void call.answer("v=0\r\n") });
    const { client } = peer;
    const call = await client.invite({ uri: "sip:bob@127.0.0.1", to: "<sip:bob@127.0.0.1>" });
    call.ack();
    const contact = `<sip:alice@${client.sentBy}>`;
    const headers = ["Event: note", "Expires: 600"];
    expect((await call.ask("SUBSCRIBE", { headers, contact })).status).toBe(200);
    const first = await client.next("NOTIFY");
    client.respond(first, 200);
    expect([first.callId, first.body]).toEqual([call.invite.callId, "first"]);
    expect((await call.ask("BYE")).status).toBe(200);
    note.set("after the call");
    const second = await client.next("NOTIFY");
    client.respond(second, 200);
    expect(second.body).toBe("after the call");
    expect(second.cseq).toBeGreaterThan(first.cseq);
    expect((await call.ask("SUBSCRIBE", { headers: ["Event: note", "Expires: 0"], contact })).status).toBe(200);
    const last = await client.next("NOTIFY");
    client.respond(last, 200);
    expect(last.header("Subscription-State")).toBe("terminated;reason=timeout");
    await client.rest();
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("the call's own handler is not asked for it, and gets all else", async () => {
    const asked: string[] = [];
    using peer = await eventsPeer(
      { packages: [new Note()] },
      {
        invite: (call) =>
          void call.answer("v=0\r\n", {
            request(request) {
              asked.push(request.method);
              request.reply(200);
            },
          }),
      },
    );
    const { client } = peer;
    const call = await client.invite({ to: "<sip:bob@127.0.0.1>" });
    call.ack();
    const contact = `<sip:alice@${client.sentBy}>`;
    expect((await call.ask("SUBSCRIBE", { headers: ["Event: note"], contact })).header("Expires")).toBe("3600");
    client.respond(await client.next("NOTIFY"), 200);
    expect((await call.ask("INFO")).status).toBe(200);
    expect(asked).toEqual(["INFO"]);
  });

  test("two of one dialog are told apart by their id, and end each for itself", async () => {
    using peer = await notePeer();
    const { client } = peer;
    const one = await WireSubscriber.open(client, "note;id=1");
    await one.notified();
    const two = await one.again(600, { headers: ["Event: note;id=2", "Expires: 600"] });
    expect(two.status).toBe(200);
    expect((await one.notified()).header("Event")).toBe("note;id=2");
    expect((await one.again(0)).status).toBe(200);
    const last = await one.notified();
    expect([last.header("Event"), last.header("Subscription-State")]).toEqual([
      "note;id=1",
      "terminated;reason=timeout",
    ]);
    await client.rest();
    peer.note.set("still");
    expect((await one.notified()).header("Event")).toBe("note;id=2");
    await client.rest();
    expect([peer.events.stats.subscriptions, peer.server.stats().dialogs]).toEqual([1, 1]);
  });
});
