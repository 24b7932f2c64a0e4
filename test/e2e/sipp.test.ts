/** Whole calls with SIPp, a peer that is none of ours, against the command as an operator starts it. */
import { afterEach, describe, expect, test } from "bun:test";
import { type CommandProcess, startCommand } from "../support/command-process.ts";
import { peerVerdict, runSipp, type SippResult, sippPath } from "../support/sipp.ts";

const verdict = peerVerdict(sippPath(), process.env.CI);
let command: CommandProcess | null = null;

async function listen(...flags: string[]): Promise<CommandProcess> {
  command = await startCommand("--listen", "udp://127.0.0.1:0", ...flags);
  return command;
}

afterEach(async () => {
  await command?.stop();
  command = null;
});

/** Every call ended as its scenario has it, and nothing had to be sent twice. */
function expectAll(result: SippResult, calls: number): void {
  expect(result).toMatchObject({
    code: 0,
    successful: calls,
    failed: 0,
    retransmissions: 0,
    unexpected: 0,
    errors: [],
  });
}

test("where tests run unattended, SIPp is there", () => {
  expect(verdict, "CI is set and there is no sipp on the PATH: install it (apt-get install sip-tester)").not.toBe(
    "fail",
  );
});

test("a missing peer is skipped by hand and a failure in CI", () => {
  expect(sippPath("/nonexistent")).toBeNull();
  expect(sippPath("")).toBeNull();
  expect(peerVerdict(null, undefined)).toBe("skip");
  expect(peerVerdict(null, "")).toBe("skip");
  expect(peerVerdict(null, "false")).toBe("skip");
  expect(peerVerdict(null, "true")).toBe("fail");
  expect(peerVerdict(null, "1")).toBe("fail");
  expect(peerVerdict("/usr/bin/sipp", "true")).toBe("run");
});

describe.skipIf(verdict !== "run")("SIPp", () => {
  test("makes the basic call, and every response comes", async () => {
    const { address } = await listen();
    const result = await runSipp({ scenario: "invite_bye.xml", to: address, calls: 20, rate: 50 });
    expectAll(result, 20);
    expect(result.messages).toMatchObject({ "3_100_Recv": 20, "4_180_Recv": 20, "6_200_Recv": 20, "10_200_Recv": 20 });
  }, 30_000);

  test("is counted in the last line of the log: three requests and four responses a call", async () => {
    const { address } = await listen();
    expectAll(await runSipp({ scenario: "invite_bye.xml", to: address, calls: 5, rate: 50 }), 5);
    const { code, counters } = await command!.stop();
    command = null;
    expect(code).toBe(0);
    expect(counters).toMatchObject({ callsStarted: 5, messagesReceived: 15, messagesSent: 20, rejected: 0 });
  }, 30_000);

  test("rings for the time that is set", async () => {
    const { address } = await listen("--ring-time", "400");
    const result = await runSipp({ scenario: "invite_bye.xml", to: address, calls: 5, rate: 50 });
    expectAll(result, 5);
    const { invite_180 = 0, invite_200 = 0 } = result.responseTimes;
    // SIPp's clock is some milliseconds coarse.
    expect(invite_200 - invite_180).toBeGreaterThan(380);
    expect(invite_200 - invite_180).toBeLessThan(2000);
  }, 30_000);

  test("is refused with the status that is set", async () => {
    const { address } = await listen("--final-status", "486", "--t1", "200");
    const result = await runSipp({ scenario: "busy.xml", to: address, calls: 10, rate: 50 });
    expectAll(result, 10);
    expect(result.messages).toMatchObject({ "3_486_Recv": 10, "3_486_Retrans": 0 });
  }, 30_000);

  test("cancels a call that rings", async () => {
    const { address } = await listen("--ring-time", "20000", "--t1", "200");
    const result = await runSipp({ scenario: "cancel.xml", to: address, calls: 10, rate: 50 });
    expectAll(result, 10);
    expect(result.messages).toMatchObject({ "5_487_Recv": 10, "5_487_Retrans": 0 });
  }, 30_000);

  test("offers anew in a call that stands", async () => {
    const { address } = await listen();
    expectAll(await runSipp({ scenario: "reinvite.xml", to: address, calls: 10, rate: 50 }), 10);
  }, 30_000);

  test("gets every Via and Record-Route back as it was", async () => {
    const { address } = await listen();
    expectAll(await runSipp({ scenario: "several_vias.xml", to: address, calls: 10, rate: 50 }), 10);
  }, 30_000);

  test.each(["invite_bye.xml", "reinvite.xml"])(
    "calls over IPv6: %s",
    async (scenario) => {
      command = await startCommand("--listen", "udp://[::1]:0");
      const result = await runSipp({ scenario, to: command.address, local: "::1", calls: 10, rate: 50 });
      expectAll(result, 10);
    },
    30_000,
  );

  test("makes 200 calls a second for ten seconds without one failure", async () => {
    const { address } = await listen();
    const result = await runSipp({
      scenario: "invite_bye.xml",
      to: address,
      calls: 2000,
      rate: 200,
      timeoutMs: 50_000,
    });
    expectAll(result, 2000);
    expect(result.messages).toMatchObject({ "3_100_Recv": 2000, "4_180_Recv": 2000 });
  }, 60_000);
});
