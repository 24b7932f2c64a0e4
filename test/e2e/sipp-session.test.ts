/** Sessions that change while they stand, with SIPp as the caller: hold, late offers, UPDATE. */
import { describe, expect, test } from "bun:test";
import type { Dialog } from "../../src/dialog/dialog.ts";
import { fullUas, type SdpRefused, SdpSession } from "../../src/index.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { testServer } from "../support/test-server.ts";

describe.skipIf(!hasSipp)("SIPp", () => {
  test("holds a call and resumes it", async () => {
    using running = await testServer(fullUas());
    expectCalls(await callSipp(running, "hold_resume.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
  }, 30_000);

  test("offers streams that come and go", async () => {
    using running = await testServer(fullUas());
    expectCalls(await callSipp(running, "media_lines.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
  }, 30_000);

  test("offers nothing and answers the offer in its ACK", async () => {
    const uas = fullUas();
    const dialogs: Dialog[] = [];
    using running = await testServer({
      ...uas,
      invite(call) {
        uas.invite!(call);
        dialogs.push(call.dialog!);
      },
    });
    expectCalls(await callSipp(running, "delayed_offer.xml"));
    expect(dialogs.length).toBe(3);
    for (const { session } of dialogs) {
      expect(session.state).toBe("stable");
      // The last answer, that of the second ACK.
      expect(Buffer.from(session.remote!).toString("latin1")).toMatch(/^v=0\r\no=test \d+ 1 IN IP4 /);
      expect(Buffer.from(session.local!).toString("latin1")).toMatch(/^v=0\r\no=\S+ \d+ 1 IN IP4 /);
    }
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
  }, 30_000);

  test("offers anew by UPDATE", async () => {
    using running = await testServer({
      invite(call) {
        const session = new SdpSession({ address: "127.0.0.1" });
        void call.answer(session.answer(call.body), {
          update: (request) => {
            try {
              request.reply(200, request.body.length === 0 ? {} : { body: session.answer(request.body) });
            } catch (error) {
              request.reply((error as SdpRefused).status);
            }
          },
        });
      },
    });
    expectCalls(await callSipp(running, "update.xml"));
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3 });
  }, 30_000);
});
