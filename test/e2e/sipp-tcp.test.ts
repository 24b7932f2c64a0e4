/** Calls with SIPp over TCP: all of them on one connection (`t1`), and each on one of its own (`tn`). */
import { describe, expect, test } from "bun:test";
import { fullUas, type ServeOptions } from "../../src/index.ts";
import { hostPort } from "../../src/transport/address.ts";
import { startCommand } from "../support/command-process.ts";
import { peerVerdict, runSipp, type SippOptions, type SippResult, sippPath } from "../support/sipp.ts";
import { type TestServer, testServer } from "../support/test-server.ts";

function listen(options: ServeOptions = {}, address = "tcp://127.0.0.1:0"): Promise<TestServer> {
  return testServer({ ...fullUas(), listen: address, ...options });
}

function run(to: TestServer, mode: string, options: Omit<SippOptions, "more" | "to">): Promise<SippResult> {
  const { address, port } = to.address;
  return runSipp({ ...options, to: hostPort(address, port), more: ["-t", mode, "-max_socket", "500"] });
}

/** Every call ended as its scenario has it. */
function expectAll(result: SippResult, calls: number): void {
  expect(result).toMatchObject({ code: 0, successful: calls, failed: 0, unexpected: 0, errors: [] });
}

describe.skipIf(peerVerdict(sippPath(), process.env.CI) !== "run")("SIPp over TCP", () => {
  /** SIPp's name for a way to use connections, and how many there are for so many calls. */
  const ways: [mode: string, connections: (calls: number) => number][] = [
    ["t1", () => 1],
    ["tn", (calls) => calls],
  ];

  describe.each(ways)("%s", (mode, connections) => {
    test("makes the basic call, and nothing is sent twice", async () => {
      using running = await listen();
      const result = await run(running, mode, { scenario: "invite_bye.xml", calls: 50, rate: 100 });
      expectAll(result, 50);
      expect(result.messages).toMatchObject({ "3_100_Recv": 50, "4_180_Recv": 50, "6_200_Recv": 50 });
      expect(running.server.stats()).toMatchObject({
        callsAnswered: 50,
        dialogs: 0,
        connectionsAccepted: connections(50),
        connectionsOpened: 0,
        messagesReceived: 150,
        messagesSent: 200,
        retransmissionsSent: 0,
        malformed: 0,
        unframed: 0,
      });
    }, 30_000);

    test("cancels a call that rings; its 487 is sent once", async () => {
      using running = await listen({ ...fullUas({ ringTime: 20_000 }), timers: { t1: 200 } });
      const result = await run(running, mode, { scenario: "cancel.xml", calls: 10, rate: 50 });
      expectAll(result, 10);
      expect(result.messages).toMatchObject({ "5_487_Recv": 10, "5_487_Retrans": 0 });
      expect(running.server.stats()).toMatchObject({
        connectionsAccepted: connections(10),
        messagesSent: 40,
        retransmissionsSent: 0,
        dialogs: 0,
        // RFC 3261 s17.2.1: the ACK ends the transaction at once.
        transactions: 0,
      });
    }, 30_000);

    test("offers anew in a call that stands", async () => {
      using running = await listen();
      expectAll(await run(running, mode, { scenario: "reinvite.xml", calls: 10, rate: 50 }), 10);
      expect(running.server.stats()).toMatchObject({ connectionsAccepted: connections(10), dialogs: 0 });
    }, 30_000);
  });

  test("is refused; the refusal is not sent again however long its ACK takes", async () => {
    using running = await listen({ ...fullUas({ finalStatus: 486 }), timers: { t1: 200 } });
    const result = await run(running, "t1", { scenario: "busy.xml", calls: 10, rate: 50 });
    expectAll(result, 10);
    expect(result.messages).toMatchObject({ "3_486_Recv": 10, "3_486_Retrans": 0 });
    expect(running.server.stats()).toMatchObject({ transactions: 0, retransmissionsSent: 0 });
  }, 30_000);

  test("calls over IPv6", async () => {
    using running = await listen({}, "tcp://[::1]:0");
    expectAll(await run(running, "t1", { scenario: "invite_bye.xml", local: "::1", calls: 10, rate: 50 }), 10);
  }, 30_000);

  test("calls the command as an operator starts it, which listens on UDP and TCP at one port", async () => {
    const probe = await listen();
    const { port } = probe.address;
    probe[Symbol.dispose]();
    const command = await startCommand("--listen", `udp://127.0.0.1:${port}`, "--listen", `tcp://127.0.0.1:${port}`);
    try {
      const to = `127.0.0.1:${port}`;
      const results = await Promise.all(
        ["u1", "t1", "tn"].map((mode) =>
          runSipp({ scenario: "invite_bye.xml", to, calls: 20, rate: 50, more: ["-t", mode, "-max_socket", "500"] }),
        ),
      );
      for (const result of results) expectAll(result, 20);
    } finally {
      const { code, counters } = await command.stop();
      expect(code).toBe(0);
      expect(counters).toMatchObject({ callsStarted: 60, messagesReceived: 180, messagesSent: 240, malformed: 0 });
    }
  }, 30_000);
});
