/** Calls of ours that are refused or come to nothing (RFC 3261 s8.1.3, s13.2.2.3, s17.1.1.2). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CallFailed, type Dialog } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { ANSWER, Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { OFFER } from "../support/sip-messages.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

describe("refused", () => {
  test.each([486, 600, 404, 503, 699, 300, 401, 407])(
    "with %d: CallFailed carries it, and it is acknowledged",
    async (status) => {
      using all = await calling();
      const call = all.call();
      const invite = await all.callee.next("INVITE");
      all.callee.respond(invite, 180);
      all.callee.respond(invite, status, { headers: ["Retry-After: 7"] });
      const failure = await callFailure(call);
      expect(failure.status).toBe(status);
      expect(failure.response!.header("retry-after")).toBe("7");
      expect(failure.message).toBe(`${status} Whatever`);
      const ack = await all.callee.next("ACK");
      expect([ack.branch, ack.uri, ack.toTag]).toEqual([invite.branch, invite.uri, "callee"]);
      expect(all.server.stats().dialogs).toBe(0);
      await all.nothingLeft();
    },
  );

  test("its early dialogs end as failed, and a request in one gets 481", async () => {
    using all = await calling({ info: (request) => request.reply(200), invite: (call) => call.reject() });
    const dialogs: Dialog[] = [];
    const call = all.call({ progress: (_, dialog) => dialogs.push(dialog!) });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 180);
    all.callee.respond(invite, 183, { tag: "voicemail" });
    await until("both", () => dialogs.length === 2);
    all.callee.respond(invite, 486);
    await callFailure(call);
    expect(await Promise.all(dialogs.map((dialog) => dialog.ended))).toEqual(["failed", "failed"]);
    expect((await all.callee.ask(invite, "INFO")).status).toBe(481);
  });

  test("no response at all: 408 after 64*T1 (s17.1.1.2)", async () => {
    using all = await calling();
    const call = all.call();
    await all.callee.next("INVITE");
    let failed = false;
    call.answered.catch(() => {
      failed = true;
    });
    await all.clock.pass(31_900);
    expect(failed).toBe(false);
    await all.clock.pass(200);
    const failure = await callFailure(call);
    expect([failure.status, failure.response]).toEqual([408, null]);
    expect(failure.message).toContain(all.callee.wire.sentBy);
    await all.nothingLeft();
  });

  test("nobody is there: 503, and nothing is left", async () => {
    using all = await calling({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    using gone = await SipServer.start();
    const { at } = gone;
    gone[Symbol.dispose]();
    const failure = await callFailure(all.server.call(`sip:bob@${at};transport=tcp`, { sdp: OFFER }));
    expect([failure.status, failure.response]).toEqual([503, null]);
    await all.nothingLeft();
  });

  test("no transaction is left: 503 at once", async () => {
    using running = await testServer({ limits: { transactions: 2 } });
    using callee = await Callee.open(running.address);
    const calls = [1, 2, 3].map(() => running.server.call(callee.uri));
    const failure = await callFailure(calls[2]!);
    expect([failure.status, failure.response]).toEqual([503, null]);
  });

  test("the server is closed meanwhile, while it rings and before anything came: 503", async () => {
    using all = await calling();
    const silent = all.call();
    await all.callee.next("INVITE");
    const early: Dialog[] = [];
    const ringing = all.call({ progress: (_, dialog) => early.push(dialog!) });
    all.callee.respond(await all.callee.next("INVITE"), 180);
    await until("the 180", () => early.length === 1);
    const { dialog } = await all.established();
    all.server.closeNow();
    for (const call of [silent, ringing]) expect((await callFailure(call)).status).toBe(503);
    expect(await dialog.ended).toBe("closed");
    expect(await early[0]!.ended).toBe("failed");
    expect((await callFailure(all.call())).status).toBe(503);
  });

  test("nobody needs to look at the failure", async () => {
    using all = await calling();
    all.call();
    all.callee.respond(await all.callee.next("INVITE"), 486);
    await all.callee.next("ACK");
    // An unhandled rejection would have failed this test.
    await Bun.sleep(20);
    expect(await all.callee.rest()).toEqual([]);
  });
});

describe("the ceiling of dialogs", () => {
  test("a 2xx that has no room is acknowledged and hung up, and the call fails with 503", async () => {
    using all = await calling({ limits: { dialogs: 1 } });
    await all.established();
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 200, { body: ANSWER, tag: "second" });
    const failure = await callFailure(call);
    expect(failure).toBeInstanceOf(CallFailed);
    expect(failure.status).toBe(503);
    // s13.2.2.4: whoever answered must not be left to think that it has a call.
    expect((await all.callee.rest()).toSorted()).toEqual(["ACK", "BYE"]);
    expect(all.server.stats().dialogs).toBe(1);
  });

  test("a provisional response that has no room is told without a dialog; the call may still be answered", async () => {
    using all = await calling({ limits: { dialogs: 1 } });
    const first = await all.established();
    const told: (Dialog | null)[] = [];
    const call = all.call({ progress: (_, dialog) => told.push(dialog) });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 180, { tag: "second" });
    await until("the 180", () => told.length === 1);
    expect(told).toEqual([null]);
    first.dialog.bye();
    all.callee.respond(await all.callee.next("BYE"), 200);
    await all.callee.answer(invite, { tag: "second" });
    expect((await call.answered).remoteTag).toBe("second");
  });
});
