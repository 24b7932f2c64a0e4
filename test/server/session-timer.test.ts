/** Session timers on the wire (RFC 4028), both ways, on a clock of the test's own. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { CallFailed, Dialog, DialogHandlers, ServeOptions } from "../../src/index.ts";
import { calling } from "../support/calling.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { OFFER, type RequestShape, responseText, type SipMessage } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const ANSWER = "v=0\r\no=bob 1 1 IN IP4 127.0.0.1\r\ns=-\r\n";
const ALLOW = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE";

/** A server that is called, with a clock that stands. */
async function called(options: ServeOptions = {}, handlers?: DialogHandlers) {
  const clock = new FakeClock();
  const dialogs: Dialog[] = [];
  const running = await testServer({
    clock,
    invite: (call) => void call.answer(ANSWER, handlers).then((dialog) => dialogs.push(dialog)),
    ...options,
  });
  const client = await WireClient.open(running.address);
  return {
    clock,
    client,
    log: running.log,
    server: running.server,
    /** Calls with these header lines, and takes the answer. */
    async call(...headers: string[]) {
      const call = await client.invite({ headers, body: OFFER });
      call.ack();
      const dialog = await until("the dialog", () => dialogs.at(-1));
      return {
        call,
        dialog,
        ended: dialog.ended,
        /** Sends a request in the dialog with a Contact. */
        async ask(method: string, shape: RequestShape = {}): Promise<SipMessage> {
          const request = call.send(method, { contact: `<sip:alice@${client.sentBy}>`, ...shape });
          const response = await client.next((message) => message.status >= 200, request);
          if (method === "INVITE") call.ack(request, response);
          // Nothing is to be on its way when time goes by.
          await client.rest();
          return response;
        },
      };
    },
    answer(request: SipMessage, status: number, ...headers: string[]) {
      client.send(responseText(request, status, { headers: [`Contact: <sip:alice@${client.sentBy}>`, ...headers] }));
    },
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

const timerOf = (message: SipMessage) => [message.header("Session-Expires"), message.header("Min-SE")];
const ASKS = (refresher: string) => ["Supported: timer", `Session-Expires: 600;refresher=${refresher}`];

describe("a call comes in", () => {
  test("the caller refreshes: told so, and hung up 32 s before the end when it does not", async () => {
    using all = await called();
    const { call, ended } = await all.call(...ASKS("uac"));
    expect(timerOf(call.response)).toEqual(["600;refresher=uac", undefined]);
    expect([call.response.list("Require"), call.response.list("Supported")]).toEqual([
      ["timer"],
      expect.arrayContaining(["timer"]),
    ]);
    await all.clock.pass(567_000);
    expect(await all.client.restBrief()).toEqual([]);
    await all.clock.pass(2000);
    const bye = await all.client.next("BYE");
    expect(bye.header("Reason")).toBe('SIP;cause=408;text="Session timer expired"');
    expect(await ended).toBe("expired");
    expect(all.log.lines.map(({ message }) => message)).toEqual(["a session that nobody refreshed was hung up"]);
    all.client.respond(bye, 200);
  });

  test("its re-INVITE with the same offer is answered with the same description, though nobody handles it", async () => {
    using all = await called();
    const { ask } = await all.call(...ASKS("uac"));
    await all.clock.pass(300_000);
    const response = await ask("INVITE", { headers: ASKS("uac"), body: OFFER });
    expect([response.status, response.body, ...timerOf(response)]).toEqual([
      200,
      ANSWER,
      "600;refresher=uac",
      undefined,
    ]);
    await all.clock.pass(560_000);
    // Without an offer too.
    expect((await ask("INVITE", { headers: ASKS("uac") })).body).toBe(ANSWER);
    await all.clock.pass(560_000);
    expect(await all.client.restBrief()).toEqual([]);
    await all.clock.pass(10_000);
    await all.client.next("BYE");
  });

  test("one that changes something is not, and does not refresh", async () => {
    using all = await called();
    const { ask } = await all.call(...ASKS("uac"));
    await all.clock.pass(300_000);
    const changed = OFFER.replace("alice 1 1", "alice 1 2");
    expect((await ask("INVITE", { headers: ASKS("uac"), body: changed })).status).toBe(488);
    await all.clock.pass(270_000);
    await all.client.next("BYE");
  });

  test("one that a handler answers refreshes", async () => {
    using all = await called({}, { invite: (again) => void again.answer(ANSWER) });
    const { ask } = await all.call(...ASKS("uac"));
    await all.clock.pass(500_000);
    expect(timerOf(await ask("INVITE", { headers: ASKS("uac"), body: OFFER }))[0]).toBe("600;refresher=uac");
    await all.clock.pass(560_000);
    expect(await all.client.restBrief()).toEqual([]);
  });

  test("UPDATE refreshes, and may turn the timer off", async () => {
    using all = await called();
    const { ask } = await all.call(...ASKS("uac"));
    await all.clock.pass(500_000);
    const first = await ask("UPDATE", { headers: ["k: timer", "x: 900;refresher=uac"] });
    expect([first.status, ...timerOf(first), first.list("Require")]).toEqual([
      200,
      "900;refresher=uac",
      undefined,
      ["timer"],
    ]);
    await all.clock.pass(860_000);
    const second = await ask("UPDATE");
    expect([second.status, ...timerOf(second)]).toEqual([200, undefined, undefined]);
    await all.clock.pass(10_000_000);
    expect(await all.client.restBrief()).toEqual([]);
    expect(all.server.stats().dialogs).toBe(1);
  });

  test("this end refreshes by UPDATE where the caller takes it", async () => {
    using all = await called();
    await all.call(...ASKS("uas"), ALLOW);
    for (let i = 0; i < 3; i++) {
      await all.clock.pass(300_000);
      const update = await all.client.next("UPDATE");
      expect([...timerOf(update), update.body]).toEqual(["600;refresher=uac", undefined, ""]);
      expect(update.list("Supported")).toContain("timer");
      expect(update.contactUri).toStartWith("sip:127.0.0.1");
      all.answer(update, 200, "Session-Expires: 600;refresher=uac", "Require: timer");
      await all.client.rest();
    }
  });

  test("this end refreshes by re-INVITE with what it described before where the caller does not", async () => {
    using all = await called();
    await all.call(...ASKS("uas"));
    await all.clock.pass(300_000);
    const invite = await all.client.next("INVITE");
    expect([...timerOf(invite), invite.body]).toEqual(["600;refresher=uac", undefined, ANSWER]);
    all.answer(invite, 200, "Session-Expires: 600;refresher=uac", "Require: timer");
    const ack = await all.client.next("ACK");
    expect([ack.cseq, ...timerOf(ack)]).toEqual([invite.cseq, undefined, undefined]);
  });

  test("a 422 on the way is followed by another with the interval that it asks for", async () => {
    for (const [method, headers] of [
      ["UPDATE", [ALLOW]],
      ["INVITE", []],
    ] as const) {
      using all = await called();
      await all.call(...ASKS("uas"), ...headers);
      await all.clock.pass(300_000);
      const first = await all.client.next(method);
      all.answer(first, 422, "Min-SE: 3600");
      const second = await all.client.next(method);
      expect([...timerOf(second), second.cseq, second.callId]).toEqual([
        "3600;refresher=uac",
        "3600",
        first.cseq + 1,
        first.callId,
      ]);
      all.answer(second, 200, "Session-Expires: 3600;refresher=uac", "Require: timer");
      if (method === "INVITE")
        await all.client.next((message) => message.method === "ACK" && message.cseq === second.cseq);
      await all.client.rest();
      await all.clock.pass(1_790_000);
      expect(await all.client.restBrief()).toEqual([]);
      await all.clock.pass(20_000);
      expect(timerOf(await all.client.next(method))).toEqual(["3600;refresher=uac", "3600"]);
    }
  });

  test("who does not know the dialog any more, or says nothing, has ended it (s10)", async () => {
    using all = await called();
    const { ended } = await all.call(...ASKS("uas"), ALLOW);
    await all.clock.pass(300_000);
    all.answer(await all.client.next("UPDATE"), 481);
    await all.client.next("BYE");
    expect(await ended).toBe("gone");
    const silent = await all.call(...ASKS("uas"), ALLOW);
    await all.clock.pass(300_000);
    await all.client.next("UPDATE");
    await all.clock.pass(33_000);
    expect(await silent.ended).toBe("gone");
  });

  test("a caller that can but does not ask is asked, and spared the work", async () => {
    using all = await called({ sessionTimers: { expires: 300 } });
    const { call } = await all.call("Supported: timer", ALLOW);
    expect(timerOf(call.response)[0]).toBe("300;refresher=uas");
    await all.clock.pass(150_000);
    expect(timerOf(await all.client.next("UPDATE"))[0]).toBe("300;refresher=uac");
  });

  test("a caller that cannot is left alone", async () => {
    using all = await called();
    const { call } = await all.call();
    expect([...timerOf(call.response), call.response.list("Require")]).toEqual([undefined, undefined, []]);
    await all.clock.pass(100_000_000);
    expect(await all.client.restBrief()).toEqual([]);
  });

  test("422 for one too short, 400 for what cannot be read; the call may be tried again", async () => {
    using all = await called({ sessionTimers: { minSE: 120 } });
    for (const [line, status, minSE, reason] of [
      ["Session-Expires: 119", 422, "120", "Session Interval Too Small"],
      ["x:0", 422, "120", "Session Interval Too Small"],
      ["Session-Expires: 600;refresher", 400, undefined, "Malformed Session-Expires"],
      ["Min-SE: -1", 400, undefined, "Malformed Min-SE"],
    ] as const) {
      const { response, ...call } = await all.client.invite({ headers: ["Supported: timer", line] }, status);
      expect([response.header("Min-SE"), response.reason]).toEqual([minSE, reason]);
      call.client.request("ACK", {
        uri: call.invite.uri,
        branch: call.invite.branch!,
        from: call.invite.header("From")!,
        to: response.header("To")!,
        callId: call.invite.callId,
      });
    }
    const { ask } = await all.call("Supported: timer", "Session-Expires: 120;refresher=uac");
    expect(timerOf(await ask("UPDATE", { headers: ["Supported: timer", "x: 119"] }))[1]).toBe("120");
    expect((await ask("UPDATE", { headers: ["x: soon"] })).status).toBe(400);
    await all.clock.pass(89_000);
    await all.client.next("BYE");
  });

  test("Require: timer is understood", async () => {
    using all = await called();
    const { call } = await all.call("Require: timer", "Session-Expires: 600");
    expect(timerOf(call.response)[0]).toBe("600;refresher=uac");
  });

  test("turned off: not understood, not answered, not counted down", async () => {
    using all = await called({ sessionTimers: false });
    const refused = await all.client.invite({ headers: ["Require: timer"] }, 420);
    expect(refused.response.list("Unsupported")).toEqual(["timer"]);
    refused.ack();
    const { call, ask } = await all.call("Supported: timer", "Session-Expires: 30");
    expect(timerOf(call.response)[0]).toBeUndefined();
    expect(call.response.list("Supported")).not.toContain("timer");
    expect(timerOf(await ask("UPDATE", { headers: ["Session-Expires: x"] }))[0]).toBeUndefined();
    await all.clock.pass(100_000_000);
    expect(await all.client.restBrief()).toEqual([]);
  });

  test("the end of the call ends its timer", async () => {
    using all = await called();
    const { ask } = await all.call(...ASKS("uac"));
    await ask("BYE");
    await all.clock.pass(10_000_000);
    expect(await all.client.restBrief()).toEqual([]);
    expect(all.log.lines).toEqual([]);
  });

  test("settings that cannot be are refused at the start", async () => {
    for (const sessionTimers of [{ expires: 60 }, { minSE: 1 }, { expires: 100, minSE: 200 }]) {
      expect(testServer({ sessionTimers })).rejects.toThrow(RangeError);
    }
  });
});

describe("a call of ours", () => {
  test("asks for a timer, and refreshes where the callee says so", async () => {
    using all = await calling();
    const placed = all.call();
    const invite = await all.callee.next("INVITE");
    expect([...timerOf(invite), invite.list("Supported")]).toEqual([
      "1800",
      undefined,
      expect.arrayContaining(["timer"]),
    ]);
    await all.callee.answer(invite, { headers: ["Session-Expires: 600;refresher=uac", "Require: timer", ALLOW] });
    await placed.answered;
    await all.clock.pass(299_000);
    expect(await all.callee.rest()).toEqual([]);
    await all.clock.pass(2000);
    const update = await all.callee.next("UPDATE");
    expect(timerOf(update)).toEqual(["600;refresher=uac", undefined]);
    all.callee.respond(update, 200, { headers: ["Session-Expires: 600;refresher=uac", "Require: timer"] });
    await all.callee.rest();
    await all.clock.pass(301_000);
    await all.callee.next("UPDATE");
  });

  test("hangs up where the callee was to refresh, and has not", async () => {
    using all = await calling();
    const placed = all.call();
    await all.callee.answer(await all.callee.next("INVITE"), {
      headers: ["Session-Expires: 600;refresher=uas", "Require: timer"],
    });
    const dialog = await placed.answered;
    await all.clock.pass(567_000);
    expect(await all.callee.rest()).toEqual([]);
    await all.clock.pass(2000);
    expect((await all.callee.next("BYE")).callId).toBe(dialog.callId);
    expect(await dialog.ended).toBe("expired");
  });

  test("each 422 is followed by an INVITE with what it asks for (s13)", async () => {
    using all = await calling();
    const placed = all.call({ headers: { Subject: "timers" } });
    const seen: unknown[] = [];
    let callId = "";
    for (const minSE of [3600, 4000]) {
      const invite = await all.callee.next("INVITE");
      seen.push([...timerOf(invite), invite.cseq]);
      callId = invite.callId;
      all.callee.respond(invite, 422, { headers: [`Min-SE: ${minSE}`] });
      await all.callee.next("ACK");
    }
    const invite = await all.callee.next("INVITE");
    seen.push([...timerOf(invite), invite.cseq]);
    expect(seen).toEqual([
      ["1800", undefined, 1],
      ["3600", "3600", 2],
      ["4000", "4000", 3],
    ]);
    expect([invite.callId, invite.header("Subject"), invite.headers("Session-Expires").length]).toEqual([
      callId,
      "timers",
      1,
    ]);
    await all.callee.answer(invite, { headers: ["Session-Expires: 4000;refresher=uac", "Require: timer", ALLOW] });
    await placed.answered;
    await all.clock.pass(2_001_000);
    // What was refused before the dialog counts no more (s7.4).
    expect(timerOf(await all.callee.next("UPDATE"))).toEqual(["4000;refresher=uac", undefined]);
  });

  test("a 422 that asks for nothing more is the end of it", async () => {
    for (const headers of [[], ["Min-SE: 1800"], ["Min-SE: many"]]) {
      using all = await calling();
      const placed = all.call();
      all.callee.respond(await all.callee.next("INVITE"), 422, { headers });
      const failure = await placed.answered.catch((error: unknown) => error);
      expect((failure as CallFailed).status).toBe(422);
    }
  });

  test("a callee that knows no timers is looked after by re-INVITE, and any answer will do", async () => {
    using all = await calling();
    const { dialog } = await all.established();
    await all.clock.pass(901_000);
    const first = await all.callee.next("INVITE");
    expect([...timerOf(first), first.body]).toEqual(["1800;refresher=uac", undefined, OFFER]);
    // In each request (s7.1), by one that takes no calls as well.
    expect(first.list("Supported")).toContain("timer");
    all.callee.respond(first, 488);
    await all.callee.next("ACK");
    await all.clock.pass(890_000);
    expect(await all.callee.rest()).toEqual([]);
    await all.clock.pass(20_000);
    await all.callee.answer(await all.callee.next("INVITE"));
    expect(dialog.isConfirmed).toBe(true);
  });

  test("a refresh of the callee's is answered by one that takes no calls as well", async () => {
    using all = await calling();
    const { invite, dialog } = await all.established({});
    const headers = ["Require: timer", "Session-Expires: 600;refresher=uac"];
    const response = await all.callee.ask(invite, "UPDATE", { headers });
    expect([response.status, ...timerOf(response)]).toEqual([200, "600;refresher=uac", undefined]);
    await all.clock.pass(569_000);
    await all.callee.next("BYE");
    expect(await dialog.ended).toBe("expired");
  });

  test("settings: who is to refresh, the interval, the least, or nothing at all", async () => {
    for (const [sessionTimers, wanted, isSupported] of [
      [{ refresher: "uac" }, ["1800;refresher=uac", undefined], true],
      [{ expires: 600, minSE: 300, refresher: "uas" }, ["600;refresher=uas", "300"], true],
      [false, [undefined, undefined], false],
    ] as const) {
      using all = await calling({ sessionTimers });
      all.call().answered.catch(() => {});
      const invite = await all.callee.next("INVITE");
      expect([timerOf(invite), invite.list("Supported").includes("timer")]).toEqual([[...wanted], isSupported]);
    }
  });
});
