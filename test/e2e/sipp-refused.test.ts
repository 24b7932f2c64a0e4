/** Requests beside calls and requests that are refused, with SIPp as the client. */
import { describe, expect, test } from "bun:test";
import { fullUas } from "../../src/index.ts";
import { CLEAN, callSipp, expectCalls, hasSipp } from "../support/sipp-calls.ts";
import { testServer } from "../support/test-server.ts";

describe.skipIf(!hasSipp)("SIPp", () => {
  test.each([
    ["sends MESSAGE, in a call and outside one", "message.xml"],
    ["sends INFO, in a call and where there is none", "info.xml"],
    ["sends INFO with a package that is not taken", "info_package.xml"],
    ["uses methods that are not known", "unknown_method.xml"],
    ["sends descriptions that do not do", "bad_sdp.xml"],
    ["requires extensions that are not there", "required.xml"],
  ])(
    "%s",
    async (_, scenario) => {
      using running = await testServer(fullUas());
      expectCalls(await callSipp(running, scenario));
      expect(running.server.stats()).toMatchObject({ ...CLEAN, callsAnswered: 3, retransmissionsSent: 0 });
    },
    30_000,
  );
});
