/** SIPp, a peer that is none of ours, is called by `server.call`. */
import { afterEach, describe, expect, test } from "bun:test";
import { freePort } from "../../bench/load/process.ts";
import { callFailure } from "../support/call-failure.ts";
import { OFFER } from "../support/sip-messages.ts";
import { peerVerdict, runSipp, type SippResult, sippPath } from "../support/sipp.ts";
import { type TestServer, testServer } from "../support/test-server.ts";

const verdict = peerVerdict(sippPath(), process.env.CI);
const CALLS = 20;

let running: TestServer | null = null;
afterEach(() => {
  running?.[Symbol.dispose]();
  running = null;
});

/** Starts SIPp as a phone for {@link CALLS} calls. @returns its URI, and what it comes to */
async function phone(scenario: string): Promise<{ uri: string; result: Promise<SippResult> }> {
  running = await testServer({ invite: (call) => call.reject() });
  const port = await freePort();
  const to = `127.0.0.1:${running.address.port}`;
  const result = runSipp({ scenario, to, calls: CALLS, more: ["-p", `${port}`] });
  // An INVITE that comes before SIPp listens comes again.
  return { uri: `sip:phone@127.0.0.1:${port}`, result };
}

function expectAll(result: SippResult): void {
  expect(result).toMatchObject({ code: 0, successful: CALLS, failed: 0, unexpected: 0, errors: [] });
}

test("where tests run unattended, SIPp is there", () => {
  expect(verdict, "CI is set and there is no sipp on the PATH: install it (apt-get install sip-tester)").not.toBe(
    "fail",
  );
});

describe.skipIf(verdict !== "run")("SIPp, called", () => {
  test("answers, is offered anew, is hung up", async () => {
    const { uri, result } = await phone("uas_answer.xml");
    const calls = Array.from({ length: CALLS }, async () => {
      const dialog = await running!.server.call(uri, { sdp: OFFER }).answered;
      const again = await dialog.invite(`${OFFER}a=sendonly\r\n`);
      expect([again.status, Buffer.from(again.body).toString()]).toEqual([200, expect.stringContaining("a=recvonly")]);
      dialog.bye();
      return dialog.ended;
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set(["local"]));
    expectAll(await result);
    expect(running!.server.stats()).toMatchObject({ callsPlaced: CALLS, dialogs: 0, malformed: 0 });
  }, 30_000);

  test("is busy", async () => {
    const { uri, result } = await phone("uas_busy.xml");
    const calls = Array.from({ length: CALLS }, () => callFailure(running!.server.call(uri, { sdp: OFFER })));
    const statuses = (await Promise.all(calls)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([486]));
    expectAll(await result);
    expect(running!.server.stats()).toMatchObject({ callsPlaced: 0, dialogs: 0 });
  }, 30_000);

  test("rings until it is cancelled", async () => {
    const { uri, result } = await phone("uas_cancel.xml");
    const calls = Array.from({ length: CALLS }, async () => {
      const abort = new AbortController();
      const call = running!.server.call(uri, { sdp: OFFER, signal: abort.signal, progress: () => abort.abort() });
      return (await callFailure(call)).status;
    });
    expect(new Set(await Promise.all(calls))).toEqual(new Set([487]));
    expectAll(await result);
    expect(running!.server.stats()).toMatchObject({ callsPlaced: 0, dialogs: 0 });
  }, 30_000);
});
