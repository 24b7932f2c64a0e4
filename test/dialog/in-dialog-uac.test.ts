/** Requests in the dialog of a call of ours, both ways (RFC 3261 s12.2), and where ours go. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Dialog, type IncomingRequest, RequestFailed } from "../../src/index.ts";
import { ANSWER, Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { CA_FILE, CERTIFICATES } from "../support/certificates.ts";
import { DnsServer } from "../support/dns-server.ts";
import { OFFER } from "../support/sip-messages.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** What a request came to: its status, or the cause of its failure. */
function outcomeOf(request: Promise<{ status: number }>): Promise<unknown> {
  return request.then(
    ({ status }) => status,
    (error: unknown) => (error instanceof RequestFailed ? error.cause : error),
  );
}

describe("ours", () => {
  test("OPTIONS, INFO, MESSAGE, UPDATE and any other count CSeq up, with tags, body and headers", async () => {
    using all = await calling();
    const { dialog, invite } = await all.established();
    const asks: [string, () => Promise<{ status: number }>, string, string | undefined][] = [
      ["OPTIONS", () => dialog.request("OPTIONS"), "", undefined],
      [
        "INFO",
        () => dialog.info({ body: "Signal=1", contentType: "application/dtmf-relay" }),
        "Signal=1",
        "application/dtmf-relay",
      ],
      ["MESSAGE", () => dialog.message("hello"), "hello", "text/plain"],
      ["MESSAGE", () => dialog.message(new Uint8Array([0xc3, 0xbc]), "text/html"), "\xc3\xbc", "text/html"],
      ["UPDATE", () => dialog.update(OFFER), OFFER, "application/sdp"],
      ["PING", () => dialog.request("PING", { headers: { "X-Test": ["a", "b"] } }), "", undefined],
    ];
    for (const [at, [method, ask, body, type]] of asks.entries()) {
      const asked = ask();
      const request = await all.callee.next(method);
      expect([request.uri, request.header("CSeq")]).toEqual([all.callee.uri, `${at + 2} ${method}`]);
      expect([request.header("From"), request.header("To")]).toEqual([
        invite.header("From"),
        `${invite.header("To")};tag=callee`,
      ]);
      expect([request.callId, request.body, request.header("Content-Type")]).toEqual([invite.callId, body, type]);
      if (method === "PING") expect(request.headers("X-Test")).toEqual(["a", "b"]);
      all.callee.respond(request, 200, { body: method === "UPDATE" ? ANSWER : "" });
      expect((await asked).status).toBe(200);
    }
    expect(dialog.localCSeq).toBe(7);
  });

  test("a refusal is an answer as any other: the dialog stands", async () => {
    using all = await calling();
    const { dialog } = await all.established();
    for (const status of [400, 405, 415, 501, 500, 603, 302]) {
      const asked = dialog.info({});
      all.callee.respond(await all.callee.next("INFO"), status);
      expect((await asked).status).toBe(status);
    }
    expect(dialog.isConfirmed).toBe(true);
  });

  test("481 and 408 end the dialog, by a BYE of ours (s12.2.1.2)", async () => {
    for (const status of [481, 408]) {
      using all = await calling();
      const { dialog } = await all.established();
      const asked = dialog.request("OPTIONS");
      all.callee.respond(await all.callee.next("OPTIONS"), status);
      expect((await asked).status).toBe(status);
      expect(await dialog.ended).toBe("gone");
      all.callee.respond(await all.callee.next("BYE"), 481);
      expect(all.server.stats().dialogs).toBe(0);
      await all.nothingLeft();
    }
  });

  test("no response in 64*T1 ends it as well", async () => {
    using all = await calling();
    const { dialog } = await all.established();
    const asked = outcomeOf(dialog.info({}));
    await all.callee.next("INFO");
    await all.clock.pass(32_100);
    expect(await asked).toBe("timeout");
    expect(await dialog.ended).toBe("gone");
    await all.callee.next("BYE");
    // The BYE is not heard either.
    await all.nothingLeft();
    expect(all.server.stats().byesUndelivered).toBe(1);
  });

  test("what becomes of a subscription's request says nothing of the session (RFC 5057 s5.1)", async () => {
    using all = await calling();
    const { dialog } = await all.established();
    for (const method of ["SUBSCRIBE", "NOTIFY", "REFER"]) {
      const asked = dialog.request(method);
      const request = await all.callee.next(method);
      expect(request.contactUri).toBe(`sip:127.0.0.1:${all.address.port}`);
      all.callee.respond(request, 481);
      expect((await asked).status).toBe(481);
    }
    expect(dialog.isConfirmed).toBe(true);
    expect(await all.callee.rest()).toEqual([]);
  });

  test("after the end: it fails, and nothing is sent", async () => {
    using all = await calling();
    const { dialog, invite } = await all.established();
    await all.callee.ask(invite, "BYE");
    expect(await outcomeOf(dialog.info({}))).toBe("over");
    expect(await outcomeOf(dialog.request("OPTIONS"))).toBe("over");
    dialog.bye();
    expect(await all.callee.rest()).toEqual([]);
  });

  test("one under way when the callee hangs up has its answer all the same", async () => {
    using all = await calling();
    const { dialog, invite } = await all.established();
    const asked = dialog.info({});
    const info = await all.callee.next("INFO");
    await all.callee.ask(invite, "BYE");
    all.callee.respond(info, 481);
    expect((await asked).status).toBe(481);
    expect(await dialog.ended).toBe("bye");
    expect(await all.callee.rest()).toEqual([]);
  });

  test("methods that are not for it, and headers that would not stand on their line, are refused", async () => {
    using all = await calling();
    const { dialog } = await all.established();
    const asks: (() => Promise<unknown>)[] = [
      ...["INVITE", "ACK", "BYE", "CANCEL", "IN FO", "A\r\nB", ""].map((method) => () => dialog.request(method)),
      () => dialog.info({ headers: { Subject: "a\r\nb" } }),
      () => dialog.info({ body: "x", contentType: "a/b\r\nEvil: c" }),
    ];
    for (const ask of asks) {
      const refused = (async () => ask())().catch((error: unknown) => error);
      expect(await Promise.race([refused, Bun.sleep(1000)])).toBeInstanceOf(TypeError);
    }
    expect(await all.callee.rest()).toEqual([]);
  });

  test("`await using` hangs up at the end of the block", async () => {
    using all = await calling();
    {
      await using dialog = (await all.established()).dialog;
      expect(dialog.isConfirmed).toBe(true);
    }
    all.callee.respond(await all.callee.next("BYE"), 200);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("a BYE carries the headers it is given", async () => {
    using all = await calling();
    const { dialog } = await all.established();
    dialog.bye({ headers: { Reason: 'SIP;cause=200;text="Call completed elsewhere"' } });
    expect((await all.callee.next("BYE")).header("Reason")).toBe('SIP;cause=200;text="Call completed elsewhere"');
  });
});

describe("theirs", () => {
  test("reach the server's handlers, with the dialog; OPTIONS is answered, an unknown method gets 501", async () => {
    const seen: (Dialog | null)[] = [];
    const keep = (request: IncomingRequest) => {
      seen.push(request.dialog);
      request.reply(200);
    };
    using all = await calling({ info: keep, message: keep, accept: ["*"] });
    const { dialog, invite } = await all.established();
    for (const [at, [method, status]] of (
      [
        ["INFO", 200],
        ["MESSAGE", 200],
        ["OPTIONS", 200],
        ["PING", 501],
        ["UPDATE", undefined],
      ] as const
    ).entries()) {
      const response = await all.callee.ask(invite, method, { cseq: at + 1 });
      if (status !== undefined) expect([method, response.status]).toEqual([method, status]);
      expect(response.header("To")).toBe(invite.header("From"));
    }
    expect(seen).toEqual([dialog, dialog]);
  });

  test("the first may have any CSeq; from then on a lower one gets 500 (s12.2.2)", async () => {
    for (const first of [0, 1, 77, 2 ** 31 - 2]) {
      using all = await calling({ info: (request) => request.reply(200) });
      const { dialog, invite } = await all.established();
      expect((await all.callee.ask(invite, "INFO", { cseq: first })).status).toBe(200);
      for (const cseq of [first - 1, Math.floor(first / 2), 0].filter((n) => n >= 0 && n < first)) {
        expect([cseq, (await all.callee.ask(invite, "INFO", { cseq })).status]).toEqual([cseq, 500]);
        expect((await all.callee.ask(invite, "BYE", { cseq })).status).toBe(500);
      }
      expect(dialog.isConfirmed).toBe(true);
      // What ours counts is its own affair.
      const asked = dialog.info({});
      const info = await all.callee.next("INFO");
      expect(info.cseq).toBe(2);
      all.callee.respond(info, 200);
      await asked;
      expect((await all.callee.ask(invite, "BYE", { cseq: first + 1 })).status).toBe(200);
    }
  });

  test("Call-ID and both tags must be the dialog's", async () => {
    using all = await calling({ info: (request) => request.reply(200), invite: (call) => call.reject() });
    const { invite } = await all.established();
    for (const wrong of [
      { tag: "Callee" },
      { tag: "calle" },
      { callId: `x${invite.callId}` },
      { to: `${invite.header("From")}x` },
      { from: invite.header("To")! },
    ]) {
      expect([wrong, (await all.callee.ask(invite, "INFO", wrong)).status]).toEqual([wrong, 481]);
      expect([wrong, (await all.callee.ask(invite, "BYE", wrong)).status]).toEqual([wrong, 481]);
    }
    expect((await all.callee.ask(invite, "INFO")).status).toBe(200);
  });

  test("a re-INVITE moves the remote target; a refused one does not (s12.2.2)", async () => {
    let status = 488;
    using all = await calling();
    using moved = await Callee.open(all.address);
    const { dialog, invite } = await all.established({
      handlers: { invite: (again) => (status === 200 ? void again.answer(OFFER) : again.reject(status)) },
    });
    const contact = `<${moved.uri}>`;
    for (const [cseq, phone] of [
      [1, all.callee],
      [2, moved],
    ] as const) {
      const response = await all.callee.ask(invite, "INVITE", { cseq, contact, body: ANSWER });
      expect(response.status).toBe(status);
      const asked = dialog.info({});
      const info = await phone.next("INFO");
      expect(info.uri).toBe(phone.uri);
      phone.respond(info, 200);
      await asked;
      status = 200;
    }
  });

  test("their 2xx to a re-INVITE of theirs is ours: it comes again until its ACK (s13.3.1.4)", async () => {
    using all = await calling();
    const { dialog, invite } = await all.established({ handlers: { invite: (again) => void again.answer(OFFER) } });
    const again = all.callee.send(invite, "INVITE", { cseq: 5, body: ANSWER });
    const first = await all.callee.next(200, again);
    expect([first.body, first.contactUri]).toEqual([OFFER, `sip:127.0.0.1:${all.address.port}`]);
    await all.clock.pass(500);
    expect((await all.callee.next(200, again)).text).toBe(first.text);
    await until("the end", async () => {
      await all.clock.pass(4000);
      return dialog.isTerminated;
    });
    expect(await dialog.ended).toBe("no-ack");
    await all.callee.next("BYE");
  });
});

describe("the route set", () => {
  test("is that of the 2xx, turned round (s12.1.2), and stays what it was", async () => {
    using all = await calling();
    using proxy = await Callee.open(all.address);
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    const here = `<sip:${proxy.wire.sentBy};lr;x=1>`;
    const routes = ["<sip:three.invalid;lr>, <sip:two.invalid:5070;lr>", `"Edge" ${here};ftag=a`];
    all.callee.respond(invite, 200, { routes, body: ANSWER });
    const wanted = [here, "<sip:two.invalid:5070;lr>", "<sip:three.invalid;lr>"];
    const ack = await proxy.next("ACK");
    expect([ack.uri, ack.headers("Route")]).toEqual([all.callee.uri, wanted]);
    const dialog = await call.answered;
    const asked = dialog.invite(OFFER);
    const again = await proxy.next("INVITE");
    expect([again.uri, again.headers("Route")]).toEqual([all.callee.uri, wanted]);
    proxy.respond(again, 200, { contact: "<sip:moved@127.0.0.1:9>", routes: ["<sip:new.invalid;lr>"], body: ANSWER });
    const second = await proxy.next("ACK");
    expect([second.uri, second.headers("Route")]).toEqual(["sip:moved@127.0.0.1:9", wanted]);
    await asked;
    dialog.bye();
    const bye = await proxy.next("BYE");
    expect([bye.uri, bye.headers("Route")]).toEqual([second.uri, wanted]);
  });

  test("a strict router takes its own URI as Request-URI, and finds the target last (s12.2.1.1)", async () => {
    using all = await calling();
    using proxy = await Callee.open(all.address);
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 200, { routes: ["<sip:far.invalid;lr>", `<${proxy.uri}>`], body: ANSWER });
    const ack = await proxy.next("ACK");
    expect([ack.uri, ack.headers("Route")]).toEqual([proxy.uri, ["<sip:far.invalid;lr>", `<${all.callee.uri}>`]]);
    (await call.answered).bye();
    const bye = await proxy.next("BYE");
    expect([bye.uri, bye.headers("Route")]).toEqual([ack.uri, ack.headers("Route")]);
  });

  test("by name: it is looked up for the ACK, which repeated 2xx do not overtake", async () => {
    using dns = await DnsServer.start();
    using all = await calling({ resolve: { nameservers: [dns.address] } });
    using phone = await Callee.open(all.address);
    dns.a("phone.test", "127.0.0.1");
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    const success = all.callee.respond(invite, 200, {
      contact: `<sip:bob@phone.test:${phone.wire.port}>`,
      body: ANSWER,
    });
    all.callee.wire.send(success);
    const ack = await phone.next("ACK");
    expect(ack.uri).toBe(`sip:bob@phone.test:${phone.wire.port}`);
    await call.answered;
    all.callee.wire.send(success);
    expect((await phone.next("ACK")).text).toBe(ack.text);
  });

  test("a name that leads nowhere: no ACK can be sent, nothing breaks, and the callee hangs up", async () => {
    using dns = await DnsServer.start();
    using all = await calling({ resolve: { nameservers: [dns.address] } });
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    const success = all.callee.respond(invite, 200, { contact: "<sip:bob@nobody.test>", body: ANSWER });
    const dialog = await call.answered;
    all.callee.wire.send(success);
    expect((await all.callee.ask(invite, "BYE")).status).toBe(200);
    expect(await dialog.ended).toBe("bye");
    expect(all.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("a sips call: every Contact of ours is a sips URI, in the dialog as well (s8.1.1.8, s12.1.2)", async () => {
  using dns = await DnsServer.start();
  dns.a("example.com", "127.0.0.1");
  using peer = await SipServer.start(
    ({ message }) => {
      const headers = [`Contact: <sips:bob@example.com:${peer.port}>`];
      return message.method === "ACK" ? "silent" : { status: 200, headers };
    },
    { over: ["tls"], certificate: CERTIFICATES.server },
  );
  using running = await testServer({
    listen: ["udp://127.0.0.1:0", "tls://127.0.0.1:0"],
    resolve: { nameservers: [dns.address] },
    tls: { ...CERTIFICATES.server, ca: [CA_FILE] },
  });
  const dialog = await running.server.call(`sips:bob@example.com:${peer.port}`, { sdp: OFFER }).answered;
  expect((await dialog.invite(OFFER)).status).toBe(200);
  await until("the second ACK", () => peer.brief.length === 4);
  const contacts = peer.requests.filter(({ message }) => message.method === "INVITE");
  expect(contacts.map(({ message }) => message.contactUri!.split(":")[0])).toEqual(["sips", "sips"]);
});
