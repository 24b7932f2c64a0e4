/** Parts of the server that plug in: what they bring, what they are told, and dialogs that outlive their session. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Dialog, type Host, type IncomingRequest, ListenError, type Plugin, serve } from "../../src/index.ts";
import { Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import { KeptLog, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** A handler that answers with a status. */
const answering = (status: number) => (request: IncomingRequest) => request.reply(status);

describe("handlers", () => {
  test("a plugin's are asked where the user has none; the user's go before, a later plugin's before an earlier's", async () => {
    using peer = await serverAndClient({
      message: answering(202),
      info: undefined,
      plugins: [
        { handlers: { message: answering(486), info: answering(200), publish: answering(403) } },
        { handlers: { publish: answering(204) } },
      ],
    });
    for (const [method, status] of [
      ["MESSAGE", 202],
      ["INFO", 200],
      ["PUBLISH", 204],
      ["SUBSCRIBE", 405],
      ["PING", 501],
    ] as const) {
      expect([method, (await peer.client.ask(method)).status]).toEqual([method, status]);
    }
    const allow = (await peer.client.ask("OPTIONS")).list("Allow");
    expect(allow).toEqual(expect.arrayContaining(["INFO", "MESSAGE", "PUBLISH", "OPTIONS"]));
    expect(allow).not.toContain("SUBSCRIBE");
  });

  test("a plugin may take calls, and every other method", async () => {
    using peer = await serverAndClient({
      plugins: [{ handlers: { invite: (call) => call.reject(486), request: answering(299) } }],
    });
    expect((await peer.client.invite({}, 486)).response.status).toBe(486);
    expect((await peer.client.ask("PING")).status).toBe(299);
  });

  test("one that throws answers 500, and the server lives", async () => {
    using peer = await serverAndClient({
      plugins: [
        {
          handlers: {
            subscribe() {
              throw new Error("on purpose");
            },
          },
        },
      ],
    });
    expect((await peer.client.ask("SUBSCRIBE")).status).toBe(500);
    expect(peer.server.stats().handlerErrors).toBe(1);
    expect((await peer.client.ask("OPTIONS")).status).toBe(200);
  });
});

describe("what it can do", () => {
  const plugins: Plugin[] = [
    { handlers: { subscribe: answering(200) }, supported: ["eventlist"], capabilities: "Allow-Events: presence\r\n" },
    { handlers: {}, supported: ["Norefersub"] },
  ];

  test("stands in the answer to OPTIONS, in a 2xx to INVITE and in an INVITE of ours", async () => {
    using all = await calling({ supported: ["replaces"], plugins, invite: (call) => void call.answer("v=0\r\n") });
    all.call();
    const said = [
      await all.callee.next("INVITE"),
      await all.callee.wire.ask("OPTIONS"),
      (await all.callee.wire.invite()).response,
    ];
    for (const message of said) {
      expect(message.list("Supported")).toEqual(expect.arrayContaining(["replaces", "eventlist", "Norefersub"]));
      expect(message.headers("Allow-Events")).toEqual(["presence"]);
      expect(message.list("Allow")).toContain("SUBSCRIBE");
    }
  });

  test("may be required, in whatever case; what nobody brings gets 420", async () => {
    using peer = await serverAndClient({ plugins });
    const required = await peer.client.ask("SUBSCRIBE", { headers: ["Require: EventList, norefersub"] });
    expect(required.status).toBe(200);
    const unknown = await peer.client.ask("SUBSCRIBE", { headers: ["Require: eventlist, x-nobody"] });
    expect([unknown.status, unknown.list("Unsupported")]).toEqual([420, ["x-nobody"]]);
  });
});

describe("a NOTIFY of no dialog", () => {
  /** A server whose plugin is offered orphans. */
  async function offered(...orphans: (Plugin["orphan"] | undefined)[]) {
    return serverAndClient({
      invite: (call) => call.reject(),
      plugins: orphans.map((orphan) => ({ handlers: {}, ...(orphan === undefined ? {} : { orphan }) })),
    });
  }
  const stranger = { to: "<sip:bob@127.0.0.1>;tag=mine", headers: ["Event: refer"] };

  test("is offered to the plugins in turn, until one takes it", async () => {
    const asked: string[] = [];
    using peer = await offered(
      undefined,
      (request) => {
        asked.push(`first ${request.header("Event")}`);
        return false;
      },
      (request) => {
        asked.push("second");
        return request.reply(200);
      },
      () => {
        asked.push("third");
        return true;
      },
    );
    const { client } = peer;
    const notify = client.request("NOTIFY", stranger);
    const response = await client.next(200, notify);
    expect(response.header("To")).toBe(stranger.to);
    client.send(notify.text);
    expect((await client.next(200, notify)).text).toBe(response.text);
    expect(asked).toEqual(["first refer", "second"]);
  });

  test("gets 481 when none takes it, each time it comes", async () => {
    for (const orphans of [[], [undefined], [() => false, () => false]]) {
      using peer = await offered(...orphans);
      const { client } = peer;
      const notify = client.request("NOTIFY", stranger);
      const first = await client.next(481, notify);
      client.send(notify.text);
      expect((await client.next(481, notify)).text).toBe(first.text);
    }
  });

  test("may be answered later", async () => {
    const kept: IncomingRequest[] = [];
    using peer = await offered((request) => {
      kept.push(request);
      return true;
    });
    const notify = peer.client.request("NOTIFY", stranger);
    await peer.client.rest();
    expect(kept).toHaveLength(1);
    expect(kept[0]!.reply(202)).toBe(true);
    await peer.client.next(202, notify);
    expect(kept[0]!.reply(200)).toBe(false);
  });

  test("other methods of no dialog, and a NOTIFY outside of one, are not offered", async () => {
    let asked = 0;
    using peer = await offered(() => ++asked > 0);
    for (const method of ["BYE", "INFO", "SUBSCRIBE", "REFER", "INVITE", "PING"]) {
      expect([method, (await peer.client.ask(method, { to: stranger.to })).status]).toEqual([method, 481]);
    }
    expect((await peer.client.ask("NOTIFY")).status).toBe(405);
    expect(asked).toBe(0);
  });

  test("whose plugin throws gets 500, and the server lives", async () => {
    using peer = await offered(() => {
      throw new Error("on purpose");
    });
    const notify = peer.client.request("NOTIFY", stranger);
    const [response] = await peer.client.rest();
    expect([response?.status, response?.callId]).toEqual([500, notify.callId]);
    expect(peer.server.stats().handlerErrors).toBe(1);
  });
});

describe("attach and closed", () => {
  test("where one cannot be attached the server does not start, and those before it are closed", async () => {
    const told: string[] = [];
    const plugin = (name: string, fails = false) => ({
      handlers: {},
      async attach() {
        told.push(`attach ${name}`);
        if (fails) throw new Error(`${name} cannot`);
      },
      closed: () => void told.push(`closed ${name}`),
    });
    const plugins = [plugin("first"), plugin("second", true), plugin("third")];
    await expect(testServer({ plugins })).rejects.toThrow("second cannot");
    expect(told).toEqual(["attach first", "attach second", "closed first"]);
  });

  test("attach comes once, before anything can arrive, with the rooms below; closed comes once at the end", async () => {
    const told: string[] = [];
    const hosts: Host[] = [];
    const plugin: Plugin = {
      handlers: {},
      attach(host) {
        told.push("attach");
        hosts.push(host);
      },
      closed: () => told.push("closed"),
    };
    const running = await testServer({ plugins: [plugin] });
    expect(told).toEqual(["attach"]);
    const host = hosts[0]!;
    expect(host.log).toBe(running.log);
    expect(host.now()).toBeGreaterThan(0);
    using callee = await Callee.open(running.address);
    const asked = host.client.request("OPTIONS", callee.uri);
    callee.respond(await callee.next("OPTIONS"), 200);
    expect((await asked).status).toBe(200);
    const rang = Promise.withResolvers<void>();
    host.alarms.set(20, rang.resolve);
    await rang.promise;
    running.server.closeNow();
    running.server.closeNow();
    await running.server.stop();
    expect(told).toEqual(["attach", "closed"]);
  });

  test("a server that cannot listen closes its plugins", async () => {
    using taken = await testServer();
    let closed = 0;
    const plugin: Plugin = { handlers: {}, closed: () => void closed++ };
    const listen = `udp://127.0.0.1:${taken.address.port}`;
    const failure = await serve({ listen, plugins: [plugin], log: new KeptLog() }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ListenError);
    expect(closed).toBe(1);
  });
});

describe("a dialog and its subscriptions", () => {
  /** A server whose plugin takes subscriptions: each holds its dialog. */
  async function notifier(limits: { dialogs?: number } = {}) {
    const subscriptions: (Dialog | null)[] = [];
    const plugin: Plugin = {
      handlers: {
        subscribe(request) {
          const dialog = request.openDialog();
          subscriptions.push(dialog);
          request.replyInDialog(dialog === null ? 503 : 200, { headers: { Expires: "60" } });
        },
      },
    };
    const peer = await serverAndClient({
      invite: (call) => void call.answer("v=0\r\n"),
      info: answering(200),
      plugins: [plugin],
      limits,
    });
    return { ...peer, subscriptions, dialogs: () => peer.server.stats().dialogs };
  }

  test("a SUBSCRIBE makes one that has no session: only what belongs to subscriptions is for it", async () => {
    using all = await notifier();
    const { client } = all;
    const headers = ["Event: presence"];
    const subscribe = client.request("SUBSCRIBE", { headers, contact: `<sip:alice@${client.sentBy}>` });
    const response = await client.next(200, subscribe);
    expect(response.contactUri).toStartWith("sip:127.0.0.1:");
    expect(response.toTag).toMatch(/^\w{7,}$/);
    const dialog = all.subscriptions[0]!;
    expect(dialog).toMatchObject({ isTerminated: true, isAlive: true, isConfirmed: false, isCaller: false });
    const inside = { from: subscribe.header("From")!, to: response.header("To")!, callId: subscribe.callId };
    for (const [cseq, [method, status]] of (
      [
        ["INFO", 481],
        ["BYE", 481],
        ["INVITE", 481],
        ["OPTIONS", 481],
        ["SUBSCRIBE", 200],
      ] as const
    ).entries()) {
      expect([method, (await client.ask(method, { ...inside, cseq: cseq + 2 })).status]).toEqual([method, status]);
    }
    expect(all.subscriptions[1]).toBe(dialog);
    expect([dialog.holds, all.dialogs()]).toEqual([2, 1]);
    const asked = dialog.request("NOTIFY", { headers: { Event: "presence" } });
    const notify = await client.next("NOTIFY");
    expect([notify.uri, notify.toTag, notify.fromTag]).toEqual([
      `sip:alice@${client.sentBy}`,
      subscribe.fromTag,
      response.toTag,
    ]);
    client.respond(notify, 200);
    expect((await asked).status).toBe(200);
    dialog.release();
    expect(all.dialogs()).toBe(1);
    dialog.release();
    expect([dialog.isAlive, all.dialogs()]).toEqual([false, 0]);
    expect((await client.ask("SUBSCRIBE", { ...inside, cseq: 9 })).status).toBe(481);
  });

  test("one of a call outlives its session while a subscription stands (RFC 5057)", async () => {
    using all = await notifier();
    const { client } = all;
    const call = await client.invite();
    call.ack();
    expect((await call.ask("SUBSCRIBE")).status).toBe(200);
    const dialog = all.subscriptions[0]!;
    expect([dialog.isConfirmed, dialog.holds]).toEqual([true, 1]);
    expect((await call.ask("INFO")).status).toBe(200);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(await dialog.ended).toBe("bye");
    expect([dialog.isTerminated, dialog.isAlive, all.dialogs()]).toEqual([true, true, 1]);
    // The session is over: what belongs to it finds nobody any more, whatever else the dialog is for.
    for (const method of ["INFO", "BYE"]) expect((await call.ask(method)).status).toBe(481);
    expect((await call.ask("SUBSCRIBE")).status).toBe(200);
    dialog.release();
    dialog.release();
    expect(all.dialogs()).toBe(0);
    expect((await call.ask("SUBSCRIBE")).status).toBe(481);
  });

  test("released while the session stands, the call goes on", async () => {
    using all = await notifier();
    const call = await all.client.invite();
    call.ack();
    await call.ask("SUBSCRIBE");
    const dialog = all.subscriptions[0]!;
    dialog.release();
    expect([dialog.isConfirmed, dialog.isAlive, all.dialogs()]).toEqual([true, true, 1]);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(all.dialogs()).toBe(0);
  });

  test("one that ended and was released leaves its place to others, once", async () => {
    using all = await notifier();
    const { client } = all;
    const call = await client.invite();
    call.ack();
    await call.ask("SUBSCRIBE");
    await call.ask("BYE");
    all.subscriptions[0]!.release();
    const [one, two] = [await client.invite(), await client.invite()];
    for (const next of [one, two]) next.ack();
    expect(all.dialogs()).toBe(2);
    for (const next of [one, two]) expect((await next.ask("BYE")).status).toBe(200);
    expect(all.dialogs()).toBe(0);
  });

  test("where there is no room, openDialog() gives null", async () => {
    using all = await notifier({ dialogs: 1 });
    expect((await all.client.ask("SUBSCRIBE")).status).toBe(200);
    expect((await all.client.ask("SUBSCRIBE")).status).toBe(503);
    expect(all.subscriptions[1]).toBeNull();
    all.subscriptions[0]!.release();
    expect((await all.client.ask("SUBSCRIBE")).status).toBe(200);
  });

  test("of a call of ours as well: a NOTIFY comes in after its BYE, and requests can still be sent", async () => {
    const notified: IncomingRequest[] = [];
    using all = await calling({
      plugins: [
        {
          handlers: {
            notify(request) {
              notified.push(request);
              request.reply(200);
            },
          },
        },
      ],
    });
    const { dialog, invite } = await all.established();
    dialog.hold();
    dialog.bye();
    all.callee.respond(await all.callee.next("BYE"), 200);
    expect((await all.callee.ask(invite, "NOTIFY", { headers: ["Event: refer"] })).status).toBe(200);
    expect(notified[0]!.dialog).toBe(dialog);
    const asked = dialog.request("SUBSCRIBE", { headers: { Event: "refer", Expires: "0" } });
    all.callee.respond(await all.callee.next("SUBSCRIBE"), 200);
    expect((await asked).status).toBe(200);
    dialog.release();
    expect((await all.callee.ask(invite, "NOTIFY", { cseq: 2 })).status).toBe(481);
    await until("the end", () => all.server.stats().dialogs === 0);
  });
});
