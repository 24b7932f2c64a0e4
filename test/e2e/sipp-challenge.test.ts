/** SIPp, a peer that is none of ours, is called by `server.call` and asks who calls (RFC 3261 s22.2). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { freePort } from "../../bench/load/process.ts";
import { callFailure } from "../support/call-failure.ts";
import { OFFER } from "../support/sip-messages.ts";
import { runSipp } from "../support/sipp.ts";
import { hasSipp } from "../support/sipp-calls.ts";
import { testServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const CALLS = 5;

/** Calls it one after the other, with the credentials of each call, so that each is asked anew. */
async function callAll(password: string, algorithm: string, qop: string) {
  using running = await testServer({ invite: (call) => call.reject() });
  const port = await freePort();
  const more = ["-p", `${port}`, "-key", "qop", qop, "-key", "algorithm", algorithm];
  const to = `127.0.0.1:${running.address.port}`;
  const result = runSipp({ scenario: "uas_challenge.xml", to, calls: CALLS, more });
  const ends: (string | number)[] = [];
  for (let i = 0; i < CALLS; i++) {
    // Each function is another user's: none has a session with the phone yet.
    const credentials = () => ({ user: "alice", password });
    // An INVITE that comes before SIPp listens comes again.
    const call = running.server.call(`sip:phone@127.0.0.1:${port}`, { sdp: OFFER, credentials });
    const dialog = await call.answered.catch(() => null);
    if (dialog === null) ends.push((await callFailure(call)).status);
    else {
      dialog.bye();
      ends.push(await dialog.ended);
    }
  }
  return { ends, result: await result, stats: running.server.stats() };
}

describe.skipIf(!hasSipp)("SIPp, called, asks who calls", () => {
  test.each([
    ["MD5", "auth"],
    ["MD5", "auth-int"],
    ["MD5", "auth,auth-int"],
  ])("and finds the credentials right with %s and qop %s, of the BYE too", async (algorithm, qop) => {
    const { ends, result, stats } = await callAll("secret word", algorithm, qop);
    expect(ends).toEqual(Array(CALLS).fill("local"));
    expect(result).toMatchObject({ code: 0, successful: CALLS, failed: 0, unexpected: 0, errors: [] });
    expect(stats).toMatchObject({ challengesAnswered: CALLS, challengesUnanswered: 0, dialogs: 0 });
  });

  test("and finds others wrong", async () => {
    const { ends } = await callAll("secret  word", "MD5", "auth");
    expect(ends).toEqual(Array(CALLS).fill(403));
  });
});
