/** UPDATE in early and confirmed dialogs, both ways: RFC 3311. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, type Dialog, type DialogHandlers, type IncomingRequest, RequestFailed } from "../../src/index.ts";
import { ANSWER } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { OFFER } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const SDP = "v=0\r\ns=ours\r\n";
const HOLD = "v=0\r\ns=hold\r\n";
const said = (octets: Uint8Array | null) => (octets === null ? null : Buffer.from(octets).toString());

/** A server whose calls are answered, and a call that stands. */
async function established(handlers?: DialogHandlers, offer = OFFER) {
  const clock = new FakeClock();
  const calls: Call[] = [];
  const running = await testServer({
    clock,
    invite(call) {
      calls.push(call);
      void call.answer(SDP, handlers).catch(() => {});
    },
  });
  const client = await WireClient.open(running.address);
  const call = await client.invite({ body: offer });
  call.ack();
  await client.rest();
  const contact = `<sip:alice@${client.sentBy}>`;
  return {
    clock,
    client,
    call,
    contact,
    dialog: calls[0]!.dialog!,
    server: running.server,
    log: running.log,
    update: (body?: string) => call.ask("UPDATE", { contact, ...(body === undefined ? {} : { body }) }),
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

describe("theirs", () => {
  test("without an offer and a handler: 200 with our Contact, and the target is refreshed", async () => {
    using peer = await established();
    const { client, call, dialog } = peer;
    const contact = `<sip:elsewhere@${client.sentBy}>`;
    const answered = await call.ask("UPDATE", { contact });
    expect([answered.status, answered.body]).toEqual([200, ""]);
    expect(answered.contactUri).toBe(call.response.contactUri);
    expect(dialog.remoteTarget).toBe(`sip:elsewhere@${client.sentBy}`);
    expect(dialog.session.state).toBe("stable");
  });

  test("with an offer and no handler: 488, and the session is as it was", async () => {
    using peer = await established();
    const { client, call, dialog } = peer;
    expect((await call.ask("UPDATE", { contact: `<sip:x@${client.sentBy}>`, body: HOLD })).status).toBe(488);
    expect([dialog.session.state, said(dialog.session.local), said(dialog.session.remote)]).toEqual([
      "stable",
      SDP,
      OFFER,
    ]);
    expect(dialog.remoteTarget).toBe(`sip:alice@${client.sentBy}`);
  });

  test("the dialog's handler answers the offer", async () => {
    const seen: unknown[] = [];
    using peer = await established({
      update(request, dialog) {
        seen.push(dialog.session.state, said(request.body), request.dialog === dialog);
        seen.push(request.reply(200, { body: "v=0\r\ns=held\r\n" }), request.reply(200));
      },
    });
    const answered = await peer.update(HOLD);
    expect([answered.status, answered.body]).toEqual([200, "v=0\r\ns=held\r\n"]);
    expect(answered.contactUri).toBe(peer.call.response.contactUri);
    expect(seen).toEqual(["remote-offer", HOLD, true, true, false]);
    const { session } = peer.dialog;
    expect([session.state, said(session.local), said(session.remote)]).toEqual(["stable", "v=0\r\ns=held\r\n", HOLD]);
  });

  test("refused, or not answered, or its handler throws: the session is as it was, and the next one is heard", async () => {
    const answers: ((request: IncomingRequest) => unknown)[] = [
      (request) => request.reply(488),
      () => {
        throw new Error("on purpose");
      },
      (request) => request.reply(200),
      (request) => request.reply(200, { body: HOLD }),
    ];
    using peer = await established({ update: (request) => answers.shift()!(request) });
    const outcomes: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const { status } = await peer.update(OFFER);
      outcomes.push([status, peer.dialog.session.state, said(peer.dialog.session.local)]);
    }
    expect(outcomes).toEqual([
      [488, "stable", SDP],
      [500, "stable", SDP],
      [200, "unanswered", SDP],
      [200, "stable", HOLD],
    ]);
  });

  test("a second one while the first waits gets 500 with Retry-After; when it is never answered the next is heard", async () => {
    const pending: IncomingRequest[] = [];
    using peer = await established({ update: (request) => void pending.push(request) });
    const { call, client, clock, contact } = peer;
    call.send("UPDATE", { contact, body: HOLD });
    for (const body of [HOLD, undefined]) {
      const refused = await peer.update(body);
      expect(refused.status).toBe(500);
      expect(Number(refused.header("Retry-After"))).toBeWithin(0, 11);
    }
    expect(pending).toHaveLength(1);
    // An INVITE meets the open offer as well.
    const again = call.send("INVITE", { contact, body: HOLD });
    call.ack(again, await client.next(500, again));
    for (let i = 0; i < 3; i++) await clock.pass(40_000);
    await client.rest();
    expect(peer.dialog.session.state).toBe("stable");
    call.send("UPDATE", { contact, body: HOLD });
    await client.rest();
    expect(pending).toHaveLength(2);
    expect(pending[0]!.reply(200)).toBe(false);
    expect(pending[1]!.reply(200, { body: SDP })).toBe(true);
  });

  test("while an offer of ours is open an offer gets 491, another UPDATE goes through", async () => {
    using peer = await established({ update: (request) => request.reply(200) });
    const { client, dialog } = peer;
    const ours = dialog.update(HOLD);
    const update = await client.next("UPDATE");
    expect((await peer.update(HOLD)).status).toBe(491);
    expect((await peer.update()).status).toBe(200);
    const again = peer.call.send("INVITE", { contact: peer.contact, body: HOLD });
    peer.call.ack(again, await client.next(491, again));
    client.respond(update, 200);
    expect((await ours).status).toBe(200);
    expect(dialog.session.state).toBe("unanswered");
  });

  test("while a re-INVITE of theirs waits: its offer is still to be answered, 500", async () => {
    const pending: Call[] = [];
    using peer = await established({
      invite: (again) => void pending.push(again),
      update: (request) => request.reply(200, { body: SDP }),
    });
    const { call, client, contact } = peer;
    for (const body of [HOLD, ""]) {
      const again = call.send("INVITE", { contact, body });
      await client.next(100, again);
      expect((await peer.update(HOLD)).status).toBe(500);
      expect((await peer.update()).status).toBe(200);
      pending.pop()!.reject(488);
      call.ack(again, await client.next(488, again));
      expect((await peer.update(HOLD)).status).toBe(200);
    }
  });

  test("out of any dialog gets 481", async () => {
    using peer = await established();
    expect((await peer.client.ask("UPDATE", { body: OFFER })).status).toBe(481);
  });

  test("in an early dialog: refused while the INVITE's offer is open, taken once it is answered reliably", async () => {
    const handlers: DialogHandlers = { update: (request) => request.reply(200, { body: HOLD }) };
    const calls: Call[] = [];
    using running = await testServer({
      invite(call) {
        calls.push(call);
        call.progress(180, { handlers });
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({ body: OFFER, headers: ["Supported: 100rel"] }, 180);
    const contact = `<sip:alice@${client.sentBy}>`;
    expect((await call.ask("UPDATE", { contact, body: OFFER })).status).toBe(500);
    expect((await call.ask("UPDATE", { contact })).status).toBe(200);
    calls[0]!.progress(183, { reliable: true, body: SDP });
    const early = await client.next(183, call.invite);
    expect((await call.ask("PRACK", { headers: [`RAck: ${early.header("RSeq")} 1 INVITE`] })).status).toBe(200);
    expect((await call.ask("UPDATE", { contact, body: OFFER })).body).toBe(HOLD);
    void calls[0]!.answer(SDP);
    expect((await client.next(200, call.invite)).body).toBe("");
    expect(said(calls[0]!.dialog!.session.local)).toBe(HOLD);
  });
});

describe("ours", () => {
  test("with an offer, answered in its 2xx, whose Contact is the target from then on", async () => {
    using peer = await calling();
    const { callee } = peer;
    const { dialog } = await peer.established();
    const answered = dialog.update(HOLD);
    const update = await callee.next("UPDATE");
    expect([update.body, update.contactUri]).toEqual([HOLD, expect.stringContaining("127.0.0.1")]);
    expect(dialog.session.state).toBe("local-offer");
    callee.respond(update, 200, { body: SDP, contact: `<sip:moved@${callee.wire.sentBy}>` });
    expect((await answered).status).toBe(200);
    expect([dialog.session.state, said(dialog.session.local), said(dialog.session.remote)]).toEqual([
      "stable",
      HOLD,
      SDP,
    ]);
    expect(dialog.remoteTarget).toBe(`sip:moved@${callee.wire.sentBy}`);
  });

  test("refused: the session is as it was", async () => {
    using peer = await calling();
    const { callee } = peer;
    const { dialog } = await peer.established();
    const answered = dialog.update(HOLD);
    callee.respond(await callee.next("UPDATE"), 488);
    expect((await answered).status).toBe(488);
    expect([dialog.session.state, said(dialog.session.local)]).toEqual(["stable", OFFER]);
    expect(dialog.isConfirmed).toBe(true);
  });

  test("a second offer while one is open is refused before anything is sent", async () => {
    using peer = await calling();
    const { callee } = peer;
    const { dialog } = await peer.established();
    const first = dialog.update(HOLD);
    const update = await callee.next("UPDATE");
    for (const second of [
      dialog.update(HOLD),
      dialog.invite(HOLD),
      dialog.invite(),
      dialog.request("UPDATE", { body: HOLD }),
    ]) {
      const error = await second.catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(RequestFailed);
      expect((error as RequestFailed).cause).toBe("pending");
    }
    expect(await callee.rest()).toEqual([]);
    const refresh = dialog.update();
    callee.respond(await callee.next("UPDATE"), 200);
    expect((await refresh).status).toBe(200);
    callee.respond(update, 200, { body: SDP });
    await first;
    expect(dialog.session.state).toBe("stable");
  });

  test("491 is waited out: 2.1 to 4 s for the caller, up to 2 s for the callee, and tried again", async () => {
    using peer = await calling();
    const { callee, clock } = peer;
    const { dialog } = await peer.established();
    const answered = dialog.update(HOLD);
    const first = await callee.next("UPDATE");
    callee.respond(first, 491);
    await callee.rest();
    expect(dialog.session.state).toBe("stable");
    await clock.pass(2090);
    expect(await callee.rest()).toEqual([]);
    await clock.pass(1920);
    const second = await callee.next("UPDATE");
    expect([second.body, second.cseq]).toEqual([HOLD, first.cseq + 1]);
    callee.respond(second, 200, { body: SDP });
    expect((await answered).status).toBe(200);

    using called = await established();
    const ours = called.dialog.update(HOLD).catch((reason: unknown) => reason);
    called.client.respond(await called.client.next("UPDATE"), 491);
    await called.client.rest();
    await called.clock.pass(2010);
    called.client.respond(await called.client.next("UPDATE"), 491);
    await called.client.rest();
    called.dialog.bye();
    await called.clock.pass(2010);
    expect(((await ours) as RequestFailed).cause).toBe("over");
  });

  test("481, 408 and silence end the dialog", async () => {
    for (const status of [481, 408, "silence"] as const) {
      using peer = await calling();
      const { callee, clock } = peer;
      const { dialog } = await peer.established();
      const outcome = dialog.update(HOLD).catch((error: RequestFailed) => error);
      const update = await callee.next("UPDATE");
      if (status === "silence") for (let left = 32_000; left > 0; left -= 500) await clock.pass(500);
      else callee.respond(update, status);
      expect((await outcome).status).toBe(status === "silence" ? 408 : status);
      expect(await dialog.ended).toBe("gone");
    }
  });

  test("in a dialog that is over: nothing is sent", async () => {
    using peer = await established();
    peer.dialog.bye();
    peer.client.respond(await peer.client.next("BYE"), 200);
    const error = (await peer.dialog.update(HOLD).catch((reason: unknown) => reason)) as RequestFailed;
    expect(error.cause).toBe("over");
    expect(await peer.client.restBrief()).toEqual([]);
  });

  test("a header that would not stand on its line is refused, and no offer stays open", async () => {
    using peer = await established();
    const { dialog, client } = peer;
    const refused = async () => dialog.update(HOLD, { headers: { "X-A": "a\r\nb" } });
    expect(await refused().catch((error: unknown) => error)).toBeInstanceOf(TypeError);
    expect(dialog.session.state).toBe("stable");
    const good = dialog.update(HOLD);
    const update = await client.next("UPDATE");
    client.respond(update, 488);
    expect((await good).status).toBe(488);
  });

  test("as the caller in an early dialog: with an offer only after an answer that came reliably", async () => {
    const dialogs: Dialog[] = [];
    using peer = await calling();
    const { callee } = peer;
    const call = peer.call({ progress: (_response, dialog) => dialogs.push(dialog!) });
    const invite = await callee.next("INVITE");
    callee.respond(invite, 183, { body: ANSWER });
    await callee.rest();
    const tooSoon = (await dialogs[0]!.update(HOLD).catch((error: unknown) => error)) as RequestFailed;
    expect(tooSoon.cause).toBe("pending");
    callee.respond(invite, 183, { body: ANSWER, headers: ["Require: 100rel", "RSeq: 9"] });
    callee.respond(await callee.next("PRACK"), 200);
    await callee.rest();
    const answered = dialogs[0]!.update(HOLD);
    const update = await callee.next("UPDATE");
    callee.respond(update, 200, { body: SDP });
    expect((await answered).status).toBe(200);
    expect((await callee.answer(invite, { body: "" })).body).toBe("");
    const dialog = await call.answered;
    expect([dialog.session.state, said(dialog.session.remote)]).toEqual(["stable", SDP]);
  });

  test("as the callee in an early dialog: with an offer only once the answer is acknowledged by PRACK", async () => {
    const calls: Call[] = [];
    using running = await testServer({
      invite(call) {
        calls.push(call);
        call.progress(183, { reliable: true, body: SDP });
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({ body: OFFER, headers: ["Supported: 100rel"] }, 183);
    const dialog = calls[0]!.dialog!;
    const tooSoon = (await dialog.update(HOLD).catch((error: unknown) => error)) as RequestFailed;
    expect([tooSoon.cause, tooSoon.message]).toEqual(["pending", expect.stringContaining("PRACK")]);
    await call.ask("PRACK", { headers: [`RAck: ${call.response.header("RSeq")} 1 INVITE`] });
    const answered = dialog.update(HOLD);
    const update = await client.next("UPDATE");
    expect([update.uri, update.body]).toEqual([`sip:alice@${client.sentBy}`, HOLD]);
    client.respond(update, 488);
    expect((await answered).status).toBe(488);
    expect(said(dialog.session.local)).toBe(SDP);
  });
});
