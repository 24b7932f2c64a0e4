/** Reliable provisional responses (RFC 3262) with SIPp as the caller. */
import { describe, expect, test } from "bun:test";
import { fullUas, type IncomingRequest, SdpSession } from "../../src/index.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { testServer } from "../support/test-server.ts";

describe.skipIf(!hasSipp)("SIPp", () => {
  test("acknowledges the ringing by PRACK", async () => {
    using running = await testServer(fullUas({ ringTime: 500 }));
    expectCalls(await callSipp(running, "prack.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
  }, 30_000);

  test("gets the 200 once the answer in the 183 is acknowledged", async () => {
    using running = await testServer({
      // Nothing is sent again while SIPp waits.
      timers: { t1: 2000 },
      invite(call) {
        const sdp = new SdpSession({ address: "127.0.0.1" }).answer(call.body);
        call.progress(183, { body: sdp, reliable: true });
        void call.answer(sdp);
      },
    });
    expectCalls(await callSipp(running, "prack_answer.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
  }, 30_000);

  test("offers anew by UPDATE while it rings", async () => {
    using running = await testServer({
      invite(call) {
        const session = new SdpSession({ address: "127.0.0.1" });
        const answer = session.answer(call.body);
        let updates = 0;
        const update = (request: IncomingRequest) => {
          request.reply(200, { body: session.answer(request.body) });
          if (++updates === 2) void call.answer(answer);
        };
        call.progress(183, { body: answer, reliable: true, handlers: { update } });
      },
    });
    expectCalls(await callSipp(running, "update_early.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
  }, 30_000);

  test("is told which PRACKs match nothing", async () => {
    using running = await testServer(fullUas({ ringTime: 1000 }));
    expectCalls(await callSipp(running, "prack_wrong.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3 });
  }, 30_000);

  test("sends no PRACK: the ringing is sent again until the call is refused", async () => {
    using running = await testServer({ ...fullUas({ ringTime: 20_000 }), timers: { t1: 20, t2: 80 } });
    const result = await callSipp(running, "prack_missing.xml");
    expectCalls(result);
    // After 20, 60, 140, 300, 620 and 1,260 ms: the interval doubles without a ceiling.
    expect(result.messages).toMatchObject({
      "2_180_Recv": 3,
      "2_180_Retrans": 18,
      "3_504_Recv": 3,
      "3_504_Retrans": 0,
    });
    expect(running.server.stats()).toMatchObject({ callsAnswered: 0, handlerErrors: 0 });
  }, 30_000);
});
