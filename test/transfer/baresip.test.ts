/** baresip, a phone that is none of ours, is transferred and transfers. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Dialog, fullUas, transfers } from "../../src/index.ts";
import { Baresip, baresipPath } from "../support/baresip.ts";
import { peerVerdict } from "../support/sipp.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(30_000);

const verdict = peerVerdict(baresipPath(), process.env.CI);

let phone: Baresip | null = null;
afterEach(async () => {
  await phone?.[Symbol.asyncDispose]();
  phone = null;
});

const SDP = [
  ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"],
  ...["m=audio 9 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", ""],
].join("\r\n");

async function desk() {
  const dialogs: Dialog[] = [];
  const plugin = transfers();
  const running = await testServer({
    plugins: [plugin],
    invite: (call) => void call.answer(SDP, inDialog).then((dialog) => dialogs.push(dialog)),
  });
  return Object.assign(running, { plugin, dialogs });
}

/** A re-INVITE that holds is answered as it should be. */
const inDialog = {
  invite: (again: { answer(body: string): unknown; body: Uint8Array }) => {
    const isHold = Buffer.from(again.body).includes("a=sendonly");
    void again.answer(SDP.replace("o=- 1 1", "o=- 1 2") + (isHold ? "a=recvonly\r\n" : ""));
  },
};

test("where tests run unattended, baresip is there", () => {
  expect(verdict, "CI is set and there is no baresip on the PATH: install it (apt-get install baresip-core)").not.toBe(
    "fail",
  );
});

describe.skipIf(verdict !== "run")("baresip", () => {
  test("is transferred: it calls the target, and tells of it", async () => {
    using desk1 = await desk();
    using target = await testServer(fullUas());
    phone = await Baresip.start();
    phone.dial(`sip:bob@127.0.0.1:${desk1.address.port}`);
    const dialog = await until("the call", () => desk1.dialogs[0]);
    const told: number[] = [];
    const referral = desk1.plugin.refer(dialog, `sip:carol@127.0.0.1:${target.address.port}`, {
      progress: (status) => void told.push(status),
    });
    await referral.accepted;
    expect(await referral.done).toBe(200);
    expect(told.at(-1)).toBe(200);
    dialog.bye();
    await until("the call with the target alone", () => {
      const { dialogs } = target.server.stats();
      return dialogs === 1 && desk1.server.stats().dialogs === 0;
    });
    phone.hangup();
    await until("the end", () => target.server.stats().dialogs === 0);
  });

  test("transfers: the target is called from here, it is told of it, and hangs up", async () => {
    using desk1 = await desk();
    using target = await testServer(fullUas());
    phone = await Baresip.start();
    phone.dial(`sip:bob@127.0.0.1:${desk1.address.port}`);
    await phone.event("ESTABLISHED");
    phone.transfer(`sip:carol@127.0.0.1:${target.address.port}`);
    await phone.event("CLOSED");
    await until("the call with the target alone", () => {
      return target.server.stats().dialogs === 1 && desk1.server.stats().dialogs === 1;
    });
    expect(desk1.server.stats()).toMatchObject({ callsPlaced: 1, rejected: 0 });
    const trace = await phone.stop();
    expect(trace).toMatch(/^REFER sip:[\s\S]*^SIP\/2\.0 202 [\s\S]*^SIP\/2\.0 200 OK$/m);
  });
});
