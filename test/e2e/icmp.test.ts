/**
 * Peers that are gone: every answer to them brings an ICMP error back, and Linux gives such an error to the next send on
 * the socket, whoever that is for. None of it may cost a live peer a datagram.
 *
 * SIPp is the live peer: it sends every request once, so that a lost answer fails its call. The server's T1 is longer than
 * SIPp waits: a 200 sent again would hide the loss of the first.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { type DeadPeers, startDeadPeers } from "../support/dead-peers.ts";
import { icmpUnreachables, udpDrops } from "../support/kernel-counts.ts";
import { type ServerProcess, startServer } from "../support/server-process.ts";
import { runSipp, sippPath } from "../support/sipp.ts";
import { until } from "../support/until.ts";

const T1 = 20_000;
const PATIENCE = 8000;
/** Requests of peers that are gone: more than there is time for. */
const DEAD = 300_000;
/** Answered before the calls begin, so that a server that is still being compiled does not let its buffer overflow. */
const WARM = 5000;

let server: ServerProcess | null = null;
let dead: DeadPeers | null = null;

afterEach(async () => {
  await dead?.stop().catch(() => {});
  await server?.stop();
  server = dead = null;
});

const cannot = sippPath() === null || process.platform !== "linux";

describe.skipIf(cannot)("ICMP errors of peers that are gone", () => {
  // Without native code the receive buffer is the system's, which holds some 250 messages: the load is less there.
  test.each([
    { how: "with native code", native: true, rate: 1000, pause: 5 },
    { how: "without native code", native: false, rate: 500, pause: 8 },
  ])(
    "cost a live peer no call: $how",
    async ({ native, rate, pause }) => {
      const calls = rate * 3;
      server = await startServer({ listen: "udp://127.0.0.1:0", timers: { t1: T1 }, udp: { native } });
      const { ports, stats } = server;
      const port = ports[0]!;
      const errorsBefore = icmpUnreachables();
      dead = await startDeadPeers(port, pause, DEAD);
      await until("the server to be warm", async () => (await stats()).messagesReceived > WARM);
      const dropsBefore = udpDrops(port);
      const result = await runSipp({
        scenario: "invite_bye.xml",
        to: `127.0.0.1:${port}`,
        calls,
        rate,
        receiveTimeout: PATIENCE,
        timeoutMs: 40_000,
      });
      const drops = udpDrops(port) - dropsBefore;
      await dead.stop();
      dead = null;
      let received = 0;
      const end = await until("the last request to be answered", async () => {
        const now = await stats();
        const settled = now.messagesReceived === received;
        received = now.messagesReceived;
        return settled && now;
      });
      // The test is one only if the errors were there.
      expect(icmpUnreachables() - errorsBefore).toBeGreaterThan(10_000);
      if (native) expect(end.socketErrors).toBe(0);
      else expect(end.socketErrors).toBeGreaterThan(5000);
      // What the system's small buffer could not hold on a busy machine was no doing of ICMP.
      const excused = native ? 0 : drops;
      expect(result.failed).toBeLessThanOrEqual(excused);
      expect(result).toMatchObject({ retransmissions: 0, unexpected: 0 });
      for (const response of ["3_100_Recv", "4_180_Recv", "6_200_Recv", "10_200_Recv"]) {
        expect(result.messages[response]).toBeGreaterThanOrEqual(calls - excused);
      }
      expect(end).toMatchObject({ retransmissionsSent: 0, sendDropped: 0 });
      // A call is three messages in and four out, a request of the gone one each way.
      if (drops === 0) expect(end.messagesSent - end.messagesReceived).toBe(calls);
    },
    60_000,
  );
});
