/**
 * Session timers (RFC 4028) with SIPp as the caller. No interval is under 90 s, so the server's clock runs forty times as
 * fast as SIPp's; its retransmissions are set to be as late as ever.
 */
import { describe, expect, test } from "bun:test";
import { fullUas } from "../../src/index.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

const FASTER = 40;

function fastServer() {
  return testServer({
    ...fullUas(),
    sessionTimers: { expires: 1800, minSE: 90 },
    clock: { now: () => performance.now() * FASTER },
    timers: { t1: 500 * FASTER, t2: 4000 * FASTER, t4: 5000 * FASTER },
  });
}

describe.skipIf(!hasSipp)("SIPp", () => {
  test.each([
    ["keeps the session's timer itself", "timer_uac.xml"],
    ["is refreshed by UPDATE", "timer_uas_update.xml"],
    ["is refreshed by re-INVITE, for it takes no UPDATE", "timer_uas_invite.xml"],
    ["does not refresh, and is hung up on", "timer_lapse.xml"],
    ["is told that its timer is too short", "timer_small.xml"],
  ])(
    "%s",
    async (_, scenario) => {
      using running = await fastServer();
      expectCalls(await callSipp(running, scenario));
      await until("the end of the dialogs", () => running.server.stats().dialogs === 0);
      expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
    },
    30_000,
  );
});
