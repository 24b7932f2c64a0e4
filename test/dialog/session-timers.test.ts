/** When a session is refreshed, and when it is hung up (RFC 4028 s7.4, s10), on a clock of the test's own. */
import { describe, expect, test } from "bun:test";
import { type Dialog, DialogState } from "../../src/dialog/dialog.ts";
import { timerPolicy } from "../../src/dialog/session-timer.ts";
import { SessionTimers } from "../../src/dialog/session-timers.ts";
import type { Message } from "../../src/message/message.ts";
import { IncomingResponse } from "../../src/outgoing/incoming-response.ts";
import { RequestFailed } from "../../src/outgoing/request-failed.ts";
import { Alarms } from "../../src/time/alarms.ts";
import { TimerWheel } from "../../src/time/wheel.ts";
import { scanned } from "../support/layer-harness.ts";
import { parseSip, requestText, responseText } from "../support/sip-messages.ts";

const SDP = new TextEncoder().encode("v=0\r\n");

function request(method: string, ...headers: string[]): Message {
  return scanned(requestText(method, { headers })).keep();
}

function response(status: number, ...headers: string[]): Message {
  return scanned(responseText(parseSip(requestText("INVITE")), status, { toTag: "x", headers })).keep();
}

/** What is done with a refresh: a response, or null for a failure without one. */
type Script = (attempt: number) => Message | null;

/** A dialog that stands, with the timers of a server, and what happens to it written down as `time event`. */
function standing(script: Script = () => null, { described = true } = {}) {
  const wheel = new TimerWheel(0, 64);
  const events: string[] = [];
  const seconds = () => Math.round(wheel.now / 1000);
  let attempts = 0;
  const refresh = (how: string) => {
    const offer = timers.offerFor(dialog);
    events.push(`${seconds()} ${how} ${offer.fields["Session-Expires"]}`);
    const answer = script(attempts++);
    if (answer === null) return Promise.reject(new RequestFailed("unreachable", "on purpose"));
    if (answer.status < 300) timers.accepted(dialog, answer, offer);
    return Promise.resolve(new IncomingResponse(answer));
  };
  const state = {
    state: DialogState.Confirmed as number,
    isTerminated: false,
    update: () => refresh("UPDATE"),
    invite: (sdp: Uint8Array) => refresh(sdp === SDP ? "INVITE" : "INVITE without an offer"),
  };
  const dialog = state as unknown as Dialog;
  const timers = new SessionTimers({
    policy: timerPolicy({}),
    alarms: new Alarms(wheel),
    now: () => wheel.now,
    description: () => (described ? SDP : null),
    lapse: (lapsed) => {
      events.push(`${seconds()} BYE`);
      state.isTerminated = true;
      timers.ended(lapsed);
    },
  });
  return {
    events,
    timers,
    dialog,
    state,
    wheel,
    /** A request of the peer's, and our 2xx to it. */
    answered(message: Message) {
      timers.answered(dialog, message, timers.answerFor(dialog, message));
    },
    /** Time goes by, second by second; what waits for a promise gets its turn. */
    async pass(time: number) {
      for (const end = wheel.now + time * 1000; wheel.now < end; ) {
        wheel.advance(Math.min(end, wheel.now + 1000));
        for (let i = 0; i < 5; i++) await Promise.resolve();
      }
    },
  };
}

const OK = response(200, "Session-Expires: 600;refresher=uac", "Require: timer");
const ASKS_US = request("INVITE", "Supported: timer", "Session-Expires: 600;refresher=uas", "Allow: INVITE, UPDATE");
const REFRESHES = request("INVITE", "Supported: timer", "Session-Expires: 600;refresher=uac", "Allow: INVITE, UPDATE");

describe("the peer refreshes", () => {
  test("its silence ends the session 32 s early, or a third early when that is less", async () => {
    const all = standing();
    all.answered(REFRESHES);
    await all.pass(1000);
    expect(all.events).toEqual(["568 BYE"]);
    expect([all.timers.counters.lapsed, all.timers.size, all.wheel.size]).toEqual([1, 0, 0]);
    const short = standing();
    short.answered(request("INVITE", "Supported: timer", "Session-Expires: 90;refresher=uac"));
    await short.pass(200);
    expect(short.events).toEqual(["60 BYE"]);
  });

  test("each refresh of its begins the interval anew, with what that one says", async () => {
    const all = standing();
    all.answered(REFRESHES);
    await all.pass(500);
    all.answered(request("UPDATE", "Supported: timer", "Session-Expires: 900;refresher=uac"));
    await all.pass(860);
    expect(all.events).toEqual([]);
    await all.pass(10);
    expect(all.events).toEqual(["1368 BYE"]);
  });

  test("a refresh without the timer turns it off", async () => {
    const all = standing();
    all.answered(REFRESHES);
    await all.pass(500);
    all.answered(request("UPDATE"));
    await all.pass(3000);
    expect([all.events, all.timers.size, all.wheel.size]).toEqual([[], 0, 0]);
  });

  test("a request of ours between is a refresh too", async () => {
    const all = standing();
    all.answered(REFRESHES);
    await all.pass(500);
    all.timers.accepted(all.dialog, response(200, "x: 600;refresher=uas"), all.timers.offerFor(all.dialog));
    await all.pass(560);
    expect(all.events).toEqual([]);
    await all.pass(10);
    expect(all.events).toEqual(["1068 BYE"]);
  });
});

describe("this end refreshes", () => {
  test("at half time, by UPDATE where the peer takes it, each time again", async () => {
    const all = standing(() => OK);
    all.answered(ASKS_US);
    await all.pass(1000);
    expect(all.events).toEqual([
      "300 UPDATE 600;refresher=uac",
      "600 UPDATE 600;refresher=uac",
      "900 UPDATE 600;refresher=uac",
    ]);
    expect([all.timers.counters.refreshes, all.wheel.size]).toEqual([3, 1]);
  });

  test("by a re-INVITE with the last description where it does not", async () => {
    const all = standing(() => OK);
    all.answered(
      request("INVITE", "Supported: timer", "Session-Expires: 600;refresher=uas", "Allow: INVITE, ACK, BYE"),
    );
    await all.pass(301);
    expect(all.events).toEqual(["300 INVITE 600;refresher=uac"]);
  });

  test("by an UPDATE all the same where there is nothing to offer again", async () => {
    const all = standing(() => OK, { described: false });
    all.answered(request("INVITE", "Supported: timer", "Session-Expires: 600;refresher=uas"));
    await all.pass(301);
    expect(all.events).toEqual(["300 UPDATE 600;refresher=uac"]);
  });

  test("405 or 501 to UPDATE: a re-INVITE at once, and from then on", async () => {
    for (const status of [405, 501]) {
      const all = standing((attempt) => (attempt === 0 ? response(status) : OK));
      all.answered(ASKS_US);
      await all.pass(601);
      expect(all.events).toEqual([
        "300 UPDATE 600;refresher=uac",
        "300 INVITE 600;refresher=uac",
        "600 INVITE 600;refresher=uac",
      ]);
    }
  });

  test("the 2xx may hand the part over", async () => {
    const all = standing(() => response(200, "Session-Expires: 300;refresher=uas", "Require: timer"));
    all.answered(ASKS_US);
    await all.pass(1000);
    expect(all.events).toEqual(["300 UPDATE 600;refresher=uac", "568 BYE"]);
  });

  test("a refusal does not move the end: tried again while there is time, then BYE", async () => {
    const all = standing(() => response(488));
    all.answered(ASKS_US);
    await all.pass(1000);
    // Half of what is left each time.
    expect(all.events).toEqual([
      "300 UPDATE 600;refresher=uac",
      "434 UPDATE 600;refresher=uac",
      "501 UPDATE 600;refresher=uac",
      "535 UPDATE 600;refresher=uac",
      "568 BYE",
    ]);
  });

  test("no way to the peer for a while: the same, and a late success counts", async () => {
    const all = standing((attempt) => (attempt < 2 ? null : OK));
    all.answered(ASKS_US);
    await all.pass(850);
    expect(all.events.map((event) => event.split(" ").slice(0, 2).join(" "))).toEqual([
      "300 UPDATE",
      "434 UPDATE",
      "501 UPDATE",
      "801 UPDATE",
    ]);
  });

  test("Retry-After is kept to; one beyond the end leaves no time", async () => {
    const soon = standing((attempt) => (attempt === 0 ? response(500, "Retry-After: 7 (busy)") : OK));
    soon.answered(ASKS_US);
    await soon.pass(310);
    expect(soon.events).toEqual(["300 UPDATE 600;refresher=uac", "307 UPDATE 600;refresher=uac"]);
    const late = standing(() => response(503, "Retry-After: 999999"));
    late.answered(ASKS_US);
    await late.pass(1000);
    expect(late.events).toEqual(["300 UPDATE 600;refresher=uac", "568 BYE"]);
  });

  test("while a refresh hangs the peer's own counts, and the end of the hung one says nothing any more", async () => {
    const all = standing();
    const hung = Promise.withResolvers<IncomingResponse>();
    all.state.update = () => {
      all.events.push("hung");
      return hung.promise;
    };
    all.answered(ASKS_US);
    await all.pass(350);
    all.answered(REFRESHES);
    hung.resolve(new IncomingResponse(response(500)));
    await all.pass(567);
    expect(all.events).toEqual(["hung"]);
    await all.pass(2);
    expect(all.events).toEqual(["hung", "918 BYE"]);
  });

  test("one that never ends is not waited for beyond the end", async () => {
    const all = standing();
    all.state.update = () => new Promise(() => {});
    all.answered(ASKS_US);
    await all.pass(600);
    expect(all.events).toEqual(["568 BYE"]);
  });
});

describe("a call of ours", () => {
  test("the 2xx tells who refreshes", async () => {
    const all = standing(() => OK);
    all.timers.accepted(all.dialog, response(200, "x: 600;refresher=uac", "Allow: UPDATE"), all.timers.offerFor(null));
    await all.pass(301);
    const peer = standing(() => OK);
    peer.timers.accepted(peer.dialog, response(200, "x: 600;refresher=uas"), peer.timers.offerFor(null));
    await peer.pass(600);
    expect([all.events, peer.events]).toEqual([["300 UPDATE 600;refresher=uac"], ["568 BYE"]]);
  });

  test("who knows no timers is asked for a sign of life, and any answer is one", async () => {
    const all = standing((attempt) => (attempt === 0 ? response(488) : response(200)));
    all.timers.accepted(all.dialog, response(200), all.timers.offerFor(null));
    await all.pass(2750);
    expect(all.events).toEqual([
      "900 INVITE 1800;refresher=uac",
      "1800 INVITE 1800;refresher=uac",
      "2700 INVITE 1800;refresher=uac",
    ]);
    const gone = standing(() => null);
    gone.timers.accepted(gone.dialog, response(200), gone.timers.offerFor(null));
    await gone.pass(1800);
    expect(gone.events.at(-1)).toBe("1768 BYE");
  });

  test("a 422 to a refresh is remembered: Min-SE stands in all that follow", () => {
    const { timers, dialog } = standing();
    timers.accepted(dialog, response(200, "x: 600;refresher=uac"), timers.offerFor(null));
    const raised = timers.raised(dialog, timers.offerFor(dialog), response(422, "Min-SE: 3600"))!;
    expect(raised.fields).toEqual({ "Session-Expires": "3600;refresher=uac", "Min-SE": "3600" });
    expect(timers.stateOf(dialog)?.interval).toBe(600);
    timers.accepted(dialog, response(200, "x: 3600;refresher=uac"), raised);
    expect(timers.offerFor(dialog).fields).toEqual({ "Session-Expires": "3600;refresher=uac", "Min-SE": "3600" });
  });

  test("a 422 to the INVITE is not: the dialog begins without (s7.4)", () => {
    const { timers, dialog } = standing();
    const raised = timers.raised(null, timers.offerFor(null), response(422, "Min-SE: 3600"))!;
    timers.accepted(dialog, response(200, "x: 3600;refresher=uac"), raised);
    expect(timers.offerFor(dialog).fields).toEqual({ "Session-Expires": "3600;refresher=uac" });
  });
});

test("Min-SE in a request of the peer's stands in ours, timer or not", () => {
  const { timers, dialog, answered } = standing();
  answered(request("INVITE", "Min-SE: 200"));
  expect([timers.offerFor(dialog).fields, timers.size]).toEqual([{ "Min-SE": "200" }, 0]);
  answered(request("UPDATE", "Min-SE: 150", "Supported: timer", "Session-Expires: 200"));
  expect(timers.offerFor(dialog).fields).toEqual({ "Session-Expires": "200;refresher=uas", "Min-SE": "200" });
});

test("an early dialog has no session that could end: UPDATE in it says nothing of the timer", () => {
  const { timers, dialog, state } = standing();
  state.state = DialogState.Early;
  expect(timers.answerFor(dialog, request("UPDATE", "Supported: timer", "Session-Expires: 600"))).toBeNull();
  timers.accepted(dialog, OK, timers.offerFor(dialog));
  expect(timers.size).toBe(0);
});

test("the end of a dialog leaves no timer, and a stranger's end is nothing", async () => {
  const all = standing(() => OK);
  all.timers.ended(all.dialog);
  all.answered(ASKS_US);
  all.answered(REFRESHES);
  expect(all.wheel.size).toBe(1);
  all.timers.ended(all.dialog);
  await all.pass(1000);
  expect([all.events, all.timers.size, all.wheel.size]).toEqual([[], 0, 0]);
  all.state.isTerminated = true;
  all.answered(ASKS_US);
  expect(all.wheel.size).toBe(0);
});

test("an interval beyond the reach of the wheel is not cut to it", async () => {
  const all = standing();
  const answer = response(200, `x: ${0xffffffff};refresher=uas`);
  all.timers.accepted(all.dialog, answer, all.timers.offerFor(null));
  for (let day = 0; day < 30; day++) {
    all.wheel.advance(all.wheel.now + 86_400_000);
    await Promise.resolve();
  }
  expect([all.events, all.wheel.size]).toEqual([[], 1]);
});
