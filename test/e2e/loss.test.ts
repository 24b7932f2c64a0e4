/**
 * A network that loses datagrams both ways, between SIPp, which retransmits as RFC 3261 asks, and a server: every call
 * ends on both sides, by its BYE or by a timer. T1 is 50 ms on both sides so that the timers end soon.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { fullUas, type Server, serve } from "../../src/index.ts";
import { type LossyRelay, openLossyRelay } from "../support/lossy-relay.ts";
import { runSipp, type SippResult, sippPath } from "../support/sipp.ts";
import { until } from "../support/until.ts";

const T1 = 50;
const T2 = 400;
const T4 = 500;
/** Timers B, F, H, J, L, and the wait for an ACK. */
const TRANSACTION = 64 * T1;
const CALLS = 300;
const RATE = 100;

let server: Server | null = null;
let relay: LossyRelay | null = null;

afterEach(() => {
  server?.closeNow();
  relay?.close();
  server = relay = null;
});

async function callThrough(loss: number): Promise<SippResult> {
  server = await serve({ listen: "udp://127.0.0.1:0", timers: { t1: T1, t2: T2, t4: T4 }, ...fullUas() });
  relay = await openLossyRelay({ server: server.addresses[0]!.port, loss, seed: 20_261 });
  return runSipp({
    scenario: "invite_bye_lossy.xml",
    to: `127.0.0.1:${relay.port}`,
    calls: CALLS,
    rate: RATE,
    receiveTimeout: 2 * TRANSACTION,
    // Timer B ends an INVITE after its seventh sending, timer F a BYE after its eleventh.
    more: [
      "-key",
      "contact",
      `127.0.0.1:${relay.outside}`,
      "-T2",
      `${T2}`,
      "-max_invite_retrans",
      "6",
      "-max_non_invite_retrans",
      "10",
    ],
  });
}

/** Waits until the server has nothing left of any call: the last timer to end is J or L of the last transaction. */
async function expectNothingLeft(): Promise<void> {
  const left = () => {
    const { dialogs, transactions, timers } = server!.stats();
    return { dialogs, transactions, timers };
  };
  await until(
    "the server to forget every call",
    () => {
      const { dialogs, transactions, timers } = left();
      return dialogs + transactions + timers === 0;
    },
    // An answer whose ACK never came is ended by a BYE, which has a timer F of its own.
    2 * TRANSACTION + 3000,
  ).catch(() => {});
  expect(left()).toEqual({ dialogs: 0, transactions: 0, timers: 0 });
}

/** The relay lost about the share it was to lose, each way. */
function expectLoss(share: number): void {
  for (const { lost, passed } of [relay!.toServer, relay!.toClient]) {
    expect(lost / (lost + passed)).toBeGreaterThan(share / 2);
    expect(lost / (lost + passed)).toBeLessThan(share * 1.5);
  }
}

describe.skipIf(sippPath() === null)("SIPp over a network that loses", () => {
  test("10% of the datagrams each way: every call succeeds", async () => {
    const result = await callThrough(0.1);
    expectLoss(0.1);
    expect(result).toMatchObject({ code: 0, successful: CALLS, failed: 0 });
    expect(result.retransmissions).toBeGreaterThan(0);
    await expectNothingLeft();
    const { callsStarted, callsAnswered, retransmissionsReceived, retransmissionsSent } = server!.stats();
    // However often an INVITE came, it made one call.
    expect({ callsStarted, callsAnswered }).toEqual({ callsStarted: CALLS, callsAnswered: CALLS });
    expect(retransmissionsReceived).toBeGreaterThan(0);
    expect(retransmissionsSent).toBeGreaterThan(0);
  }, 40_000);

  test("30% of the datagrams each way: every call ends, by BYE or by a timer", async () => {
    const result = await callThrough(0.3);
    expectLoss(0.3);
    expect(result.successful + result.failed).toBe(CALLS);
    // 0.51 of the exchanges fail at a try; of seven tries one call in a hundred is lost.
    expect(result.successful).toBeGreaterThan(CALLS * 0.9);
    await expectNothingLeft();
    const { callsStarted, callsAnswered, handlerErrors, malformed } = server!.stats();
    expect(callsStarted).toBeLessThanOrEqual(CALLS);
    expect({ callsAnswered, handlerErrors, malformed }).toEqual({
      callsAnswered: callsStarted,
      handlerErrors: 0,
      malformed: 0,
    });
  }, 40_000);
});
