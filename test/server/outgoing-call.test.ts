/** Calls of ours: what goes out, and how they are answered (RFC 3261 s13.2). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Dialog, IncomingResponse } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { ANSWER, Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { OFFER } from "../support/sip-messages.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

describe("the INVITE", () => {
  test("has what a request needs, the offer, and what this end is and can do", async () => {
    using all = await calling({ software: "Viaduct/test", supported: ["timer"], invite: (call) => call.reject() });
    all.call({ from: '"Carol" <sip:carol@example.com>', headers: { Subject: "lunch" } });
    const invite = await all.callee.next("INVITE");
    const here = `127.0.0.1:${all.address.port}`;
    expect(invite.startLine).toBe(`INVITE ${all.callee.uri} SIP/2.0`);
    expect(invite.header("Via")).toMatch(new RegExp(`^SIP/2\\.0/UDP ${here};.*branch=z9hG4bK\\w{8,}`));
    expect(invite.header("From")).toMatch(/^"Carol" <sip:carol@example\.com>;tag=\w{7,}$/);
    expect(invite.header("To")).toBe(`<${all.callee.uri}>`);
    expect([invite.header("CSeq"), invite.header("Max-Forwards")]).toEqual(["1 INVITE", "70"]);
    expect(invite.headers("Contact")).toEqual([`<sip:${here}>`]);
    expect(invite.header("User-Agent")).toBe("Viaduct/test");
    expect(invite.header("Server")).toBeUndefined();
    expect(invite.list("Supported")).toContain("timer");
    expect(invite.header("Subject")).toBe("lunch");
    expect(invite.header("Content-Type")).toBe("application/sdp");
    expect(invite.body).toBe(OFFER);
  });

  test("names in Allow what the callee may send in the dialog, whether calls are taken or not (s13.2.1)", async () => {
    for (const options of [{ invite: () => {} }, {}]) {
      using all = await calling(options);
      all.call();
      const invite = await all.callee.next("INVITE");
      expect(invite.list("Allow")).toEqual(expect.arrayContaining(["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"]));
    }
  });

  test("two calls have nothing in common but the way", async () => {
    using all = await calling();
    all.call();
    const one = await all.callee.next("INVITE");
    all.call();
    const two = await all.callee.next("INVITE");
    expect(two.callId).not.toBe(one.callId);
    expect(two.fromTag).not.toBe(one.fromTag);
    expect(two.branch).not.toBe(one.branch);
  });

  test("goes by a given route, whose URI becomes a loose one (s16.12.1.1)", async () => {
    using all = await calling();
    all.call();
    const direct = await all.callee.next("INVITE");
    expect(direct.headers("Route")).toEqual([]);
    all.server.call("sip:carol@nowhere.invalid", { route: `sip:${all.callee.wire.sentBy}`, sdp: OFFER });
    const invite = await all.callee.next("INVITE");
    expect(invite.uri).toBe("sip:carol@nowhere.invalid");
    expect(invite.headers("Route")).toEqual([`<sip:${all.callee.wire.sentBy};lr>`]);
  });

  test("is sent again by timer A until something comes (s17.1.1.2)", async () => {
    using all = await calling();
    all.call();
    const first = await all.callee.next("INVITE");
    for (const wait of [500, 1000, 2000]) {
      await all.clock.pass(wait);
      expect((await all.callee.next("INVITE")).text).toBe(first.text);
    }
    all.callee.respond(first, 100, { tag: null });
    await until("the 100", () => all.server.stats().messagesReceived === 1);
    await all.clock.pass(32_000);
    expect(await all.callee.rest()).toEqual([]);
  });

  test("what cannot stand in a request is refused at once, and nothing is left of it", async () => {
    using all = await calling();
    for (const bad of [
      () => all.server.call("nobody", {}),
      () => all.server.call("tel:+4930123456", {}),
      () => all.server.call("sip:a b@127.0.0.1"),
      () => all.call({ headers: { "Call-ID": "mine" } }),
      () => all.call({ headers: { Subject: "a\r\nEvil: b" } }),
      () => all.call({ from: "sip:a@b\r\nEvil: b" }),
      () => all.call({ contentType: "a/b\r\nEvil: b" }),
      () => all.call({ route: "tel:+1" }),
    ]) {
      expect(bad).toThrow(TypeError);
    }
    expect(all.server.stats()).toMatchObject({ timers: 0, transactions: 0, messagesSent: 0 });
  });
});

describe("answered", () => {
  test("over UDP: ACK to the Contact, with a branch of its own and no body; then it can be hung up", async () => {
    using all = await calling();
    using phone = await Callee.open(all.address);
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 180);
    all.callee.respond(invite, 200, { body: ANSWER, contact: `"B;ob" <${phone.uri};x=y>;q=0.5` });
    const ack = await phone.next("ACK");
    const dialog = await call.answered;
    expect(dialog).toMatchObject({ isConfirmed: true, isCaller: true, callId: invite.callId, remoteTag: "callee" });
    expect(ack.uri).toBe(`${phone.uri};x=y`);
    expect(ack.header("CSeq")).toBe("1 ACK");
    expect(ack.branch).toMatch(/^z9hG4bK/);
    expect(ack.branch).not.toBe(invite.branch);
    expect(ack.header("From")).toBe(invite.header("From"));
    expect(ack.header("To")).toBe(`${invite.header("To")};tag=callee`);
    expect([ack.callId, ack.header("Max-Forwards"), ack.body]).toEqual([invite.callId, "70", ""]);
    expect(ack.header("Content-Type")).toBeUndefined();

    dialog.bye();
    const bye = await phone.next("BYE");
    expect([bye.header("CSeq"), bye.uri]).toEqual(["2 BYE", `${phone.uri};x=y`]);
    expect([bye.header("From"), bye.header("To")]).toEqual([ack.header("From"), ack.header("To")]);
    phone.respond(bye, 200);
    expect(await dialog.ended).toBe("local");
    expect(all.server.stats()).toMatchObject({ callsPlaced: 1, callsStarted: 0, callsAnswered: 0, dialogs: 0 });
    await all.nothingLeft();
  });

  test("over TCP: INVITE, ACK and BYE over one connection", async () => {
    using peer = await SipServer.start(({ message }) => {
      const contact = `Contact: <sip:bob@${peer.at};transport=tcp>`;
      if (message.method === "INVITE") return [180, { status: 200, headers: [contact] }];
      return message.method === "ACK" ? "silent" : 200;
    });
    using running = await testServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    const call = running.server.call(`sip:bob@${peer.at};transport=tcp`, { sdp: OFFER });
    const dialog = await call.answered;
    await peer.request(1);
    dialog.bye();
    await peer.request(2);
    expect(peer.brief).toEqual(["tcp INVITE", "tcp ACK", "tcp BYE"]);
    expect(peer.requests.map(({ connection }) => connection)).toEqual([0, 0, 0]);
    const invite = peer.requests[0]!.message;
    const { port } = running.server.addresses[1]!;
    expect(invite.header("Contact")).toBe(`<sip:127.0.0.1:${port};transport=tcp>`);
    expect(invite.header("Via")).toStartWith("SIP/2.0/TCP 127.0.0.1:");
    expect(running.server.stats()).toMatchObject({ callsPlaced: 1, connectionsOpened: 1, dialogs: 0 });
  });

  test("over TCP by a proxy that stays out of the dialog: ACK and BYE go to the Contact (s12.2.1.1)", async () => {
    using phone = await SipServer.start(({ message }) => (message.method === "ACK" ? "silent" : 200), {
      host: "127.0.0.2",
    });
    using proxy = await SipServer.start(({ message }) =>
      message.method === "INVITE"
        ? { status: 200, headers: [`Contact: <sip:bob@${phone.at};transport=tcp>`] }
        : message.method === "ACK"
          ? "silent"
          : 200,
    );
    using running = await testServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    const { answered } = running.server.call("sip:bob@example.com", { route: `sip:${proxy.at};transport=tcp` });
    const dialog = await answered;
    dialog.bye();
    await until("the BYE", () => phone.requests.length + proxy.requests.length >= 3);
    expect(phone.brief.toSorted()).toEqual(["tcp ACK", "tcp BYE"]);
    expect(proxy.brief).toEqual(["tcp INVITE"]);
  });

  test("its ACK comes again for each 2xx that comes again, the same octets (s13.2.2.4)", async () => {
    using all = await calling();
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    const success = all.callee.respond(invite, 200, { body: ANSWER });
    const ack = await all.callee.next("ACK");
    for (let i = 0; i < 3; i++) {
      all.callee.wire.send(success);
      expect((await all.callee.next("ACK")).text).toBe(ack.text);
    }
    const dialog = await call.answered;
    // And after the dialog is over: the peer may not have had one of them.
    dialog.bye();
    all.callee.respond(await all.callee.next("BYE"), 200);
    all.callee.wire.send(success);
    expect((await all.callee.next("ACK")).text).toBe(ack.text);
    expect(all.server.stats()).toMatchObject({ callsPlaced: 1, dialogs: 0 });
    // Timer M is over: nobody is left to acknowledge.
    await all.clock.pass(33_000);
    all.callee.wire.send(success);
    expect(await all.callee.rest()).toEqual([]);
    await all.nothingLeft();
  });

  test("without an offer of ours: the callee's is answered in the ACK (s13.2.1)", async () => {
    using all = await calling();
    const offers: string[] = [];
    const call = all.call({
      sdp: undefined,
      answer: (offer) => {
        offers.push(Buffer.from(offer).toString());
        return OFFER;
      },
    });
    const invite = await all.callee.next("INVITE");
    expect([invite.body, invite.header("Content-Type")]).toEqual(["", undefined]);
    const success = all.callee.respond(invite, 200, { body: ANSWER });
    const ack = await all.callee.next("ACK");
    expect([ack.body, ack.header("Content-Type")]).toEqual([OFFER, "application/sdp"]);
    all.callee.wire.send(success);
    expect((await all.callee.next("ACK")).text).toBe(ack.text);
    expect(offers).toEqual([ANSWER]);
    expect((await call.answered).isConfirmed).toBe(true);
  });

  test("requests of the callee's find the dialog's handlers", async () => {
    using all = await calling();
    const asked: string[] = [];
    const { invite, dialog } = await all.established({
      handlers: {
        request(request, of) {
          asked.push(`${request.method} ${of === dialog}`);
          request.reply(202);
        },
      },
    });
    expect((await all.callee.ask(invite, "INFO")).status).toBe(202);
    expect(asked).toEqual(["INFO true"]);
  });

  test("the callee hangs up", async () => {
    using all = await calling();
    const { invite, dialog } = await all.established();
    expect((await all.callee.ask(invite, "BYE")).status).toBe(200);
    expect(await dialog.ended).toBe("bye");
    dialog.bye();
    expect(await all.callee.rest()).toEqual([]);
    await all.nothingLeft();
  });

  test("both hang up at once: each gets an answer that says so, never 405", async () => {
    using all = await calling();
    const { invite, dialog } = await all.established();
    dialog.bye();
    const bye = await all.callee.next("BYE");
    const crossing = await all.callee.ask(invite, "BYE");
    expect([200, 481]).toContain(crossing.status);
    all.callee.respond(bye, 200);
    expect(await dialog.ended).toBe("local");
  });
});

describe("provisional responses", () => {
  test("are told one after the other, 100 is not; those with a To tag have their early dialog", async () => {
    using all = await calling();
    const told: [number, Dialog | null, string][] = [];
    const call = all.call({
      progress: (response: IncomingResponse, dialog) =>
        told.push([response.status, dialog, Buffer.from(response.body).toString()]),
    });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 100, { tag: null });
    all.callee.respond(invite, 182, { tag: null });
    all.callee.respond(invite, 180);
    all.callee.respond(invite, 183, { body: ANSWER });
    await until("all of them", () => told.length === 3);
    expect(told.map(([status, , body]) => [status, body])).toEqual([
      [182, ""],
      [180, ""],
      [183, ANSWER],
    ]);
    const early = told[1]![1]!;
    expect(told[0]![1]).toBeNull();
    expect(told[2]![1]).toBe(early);
    expect(early).toMatchObject({ isConfirmed: false, isTerminated: false, isAlive: true, remoteTag: "callee" });
    expect(all.server.stats().dialogs).toBe(1);
    await all.callee.answer(invite);
    expect(await call.answered).toBe(early);
    expect(early.isConfirmed).toBe(true);
    // One that was overtaken says nothing any more.
    all.callee.respond(invite, 180);
    await all.callee.rest();
    expect(told).toHaveLength(3);
  });

  test("in an early dialog requests go both ways, and the caller may send BYE (s15)", async () => {
    using all = await calling({ info: (request) => request.reply(200) });
    const dialogs: (Dialog | null)[] = [];
    const call = all.call({ progress: (_, dialog) => dialogs.push(dialog) });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 183);
    await until("the early dialog", () => dialogs.length === 1);
    expect((await all.callee.ask(invite, "INFO")).status).toBe(200);
    const dialog = dialogs[0]!;
    const asked = dialog.info({});
    const info = await all.callee.next("INFO");
    expect([info.header("CSeq"), info.toTag]).toEqual(["2 INFO", "callee"]);
    all.callee.respond(info, 200);
    expect((await asked).status).toBe(200);
    expect(await dialog.invite(OFFER).catch((error: Error) => error)).toBeInstanceOf(Error);
    dialog.bye();
    const bye = await all.callee.next("BYE");
    expect([bye.toTag, bye.header("CSeq")]).toEqual(["callee", "3 BYE"]);
    all.callee.respond(bye, 200);
    all.callee.respond(invite, 487);
    expect((await callFailure(call)).status).toBe(487);
    await all.callee.next("ACK");
    await all.nothingLeft();
  });

  test("the callee's INVITE in the early dialog gets 491: ours is under way (s14.2)", async () => {
    using all = await calling({ invite: (call) => call.reject() });
    const call = all.call({ handlers: { invite: (again) => void again.answer(OFFER) } });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 183);
    expect((await all.callee.ask(invite, "INVITE")).status).toBe(491);
    await all.callee.answer(invite);
    expect((await call.answered).isConfirmed).toBe(true);
  });

  test("a progress callback that throws takes nothing with it", async () => {
    using all = await calling();
    const call = all.call({
      progress() {
        throw new Error("on purpose");
      },
    });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 180);
    await all.callee.answer(invite);
    expect((await call.answered).isConfirmed).toBe(true);
    expect(all.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});
