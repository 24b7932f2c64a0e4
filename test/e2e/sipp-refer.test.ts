/** Calls that are transferred and taken over (RFC 3515, RFC 3891), with SIPp as the one who asks for it. */
import { describe, expect, test } from "bun:test";
import { fullUas } from "../../src/index.ts";
import { transfers } from "../../src/transfer/transfers.ts";
import { hostPort } from "../../src/transport/address.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

/** A server whose calls can be transferred. */
function transferable(): Promise<TestServer> {
  return testServer({ ...fullUas(), plugins: [transfers()] });
}

describe.skipIf(!hasSipp)("SIPp", () => {
  test.each([
    ["target that answers", "refer.xml", 200],
    ["target that is busy", "refer_busy.xml", 486],
  ])(
    "sends its callee to a %s",
    async (_, scenario, finalStatus) => {
      using target = await testServer(fullUas({ finalStatus }));
      using running = await transferable();
      const { address, port } = target.address;
      expectCalls(await callSipp(running, scenario, { more: ["-key", "target", hostPort(address, port)] }));
      expect(running.server.stats()).toMatchObject({ callsAnswered: 3, handlerErrors: 0, retransmissionsSent: 0 });
      expect(target.server.stats()).toMatchObject({
        callsStarted: 3,
        callsAnswered: finalStatus === 200 ? 3 : 0,
        handlerErrors: 0,
      });
    },
    30_000,
  );

  test("is refused transfers, and wants none told", async () => {
    using target = await testServer(fullUas());
    using running = await transferable();
    const { address, port } = target.address;
    expectCalls(await callSipp(running, "refer_refused.xml", { more: ["-key", "target", hostPort(address, port)] }));
    expect(running.server.stats()).toMatchObject({ callsAnswered: 3, handlerErrors: 0, retransmissionsSent: 0 });
    // The one REFER of each call that was followed.
    expect(target.server.stats()).toMatchObject({ callsStarted: 3, callsAnswered: 3 });
  }, 30_000);

  test("takes over a call", async () => {
    using running = await transferable();
    expectCalls(await callSipp(running, "replaces.xml"));
    await until("the end of the dialogs", () => running.server.stats().dialogs === 0);
    expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 6, retransmissionsSent: 0 });
  }, 30_000);
});
