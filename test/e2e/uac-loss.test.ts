/**
 * Calls of ours over a network that loses a tenth of the datagrams each way: every one is answered, offered anew by both
 * sides, and ended by either, and nothing is left of it. T1 is 50 ms on both sides so that the timers end soon.
 */
import { expect, test } from "bun:test";
import { freePort } from "../../bench/load/process.ts";
import type { Dialog, DialogHandlers, Server } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { type LossyRelay, openLossyRelay } from "../support/lossy-relay.ts";
import { OFFER } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

const TIMERS = { t1: 50, t2: 400, t4: 500 };
/** Timers B, F, H, J, L, M, and the wait for an ACK. */
const TRANSACTION = 64 * TIMERS.t1;
const CALLS = 60;
const SEED = 20_264;

/** A server that calls and one that is called, each seen by the other as the relay between them. */
async function apart(handlers: DialogHandlers, invite: Parameters<typeof testServer>[0]) {
  const port = await freePort();
  const relay: LossyRelay = await openLossyRelay({ server: port, loss: 0.1, seed: SEED });
  const at = (advertise: number) => ({ advertise: `127.0.0.1:${advertise}`, timers: TIMERS });
  const callee = await testServer({ listen: `udp://127.0.0.1:${port}`, ...at(relay.port), ...invite });
  const caller = await testServer({ ...at(relay.outside), info: (request) => request.reply(200) });
  return {
    relay,
    caller: caller.server,
    callee: callee.server,
    call: (more = {}) => caller.server.call(`sip:bob@127.0.0.1:${relay.port}`, { sdp: OFFER, handlers, ...more }),
    [Symbol.dispose]() {
      caller[Symbol.dispose]();
      callee[Symbol.dispose]();
      relay.close();
    },
  };
}

/** Nothing waits for anything any more but transactions that absorb repetitions: timer D is 32 s, whatever T1 is. */
async function expectNothingLeft(...servers: Server[]): Promise<void> {
  const left = () => servers.map((server) => server.stats()).map((s) => [s.dialogs, s.timers - s.transactions]);
  await until(
    "the end of all",
    () =>
      left()
        .flat()
        .every((n) => n === 0),
    2 * TRANSACTION + 5000,
  ).catch(() => {});
  expect(left()).toEqual(servers.map(() => [0, 0]));
  const begin = performance.now();
  await Promise.all(servers.map((server) => server.stop({ graceMs: 30_000 })));
  expect(performance.now() - begin).toBeLessThan(15_000);
}

function expectLoss(relay: LossyRelay): void {
  for (const { lost, passed } of [relay.toServer, relay.toClient]) {
    expect(lost / (lost + passed)).toBeGreaterThan(0.04);
    expect(lost / (lost + passed)).toBeLessThan(0.18);
  }
}

const answering: DialogHandlers = { invite: (again) => void again.answer("v=0\r\n") };

test("every call is answered, offered anew from both sides, and ended from either", async () => {
  const answered = new Map<string, Dialog>();
  using all = await apart(answering, {
    info: (request) => request.reply(200),
    invite: (call) => {
      call.ring();
      void call.answer("v=0\r\n", answering).then((dialog) => answered.set(dialog.callId, dialog));
    },
  });
  const run = async (number: number) => {
    await Bun.sleep(number * 5);
    const dialog = await all.call().answered;
    const other = await until("the callee's dialog", () => answered.get(dialog.callId), 20_000);
    // At once on purpose: some meet, and wait out the 491.
    const offers = await Promise.all([dialog.invite(OFFER), other.invite(OFFER)]);
    const infos = await Promise.all([dialog.info({}), other.info({})]);
    expect([...offers, ...infos].map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    const [ends, waits] = number % 2 === 0 ? [dialog, other] : [other, dialog];
    ends.bye();
    expect([await ends.ended, await waits.ended]).toEqual(["local", "bye"]);
  };
  await Promise.all(Array.from({ length: CALLS }, (_, number) => run(number)));
  expectLoss(all.relay);
  const [ours, theirs] = [all.caller.stats(), all.callee.stats()];
  expect([ours.callsPlaced, theirs.callsStarted, theirs.callsAnswered]).toEqual([CALLS, CALLS, CALLS]);
  expect([ours.handlerErrors, theirs.handlerErrors, ours.malformed, theirs.malformed]).toEqual([0, 0, 0, 0]);
  expect(ours.retransmissionsSent).toBeGreaterThan(0);
  await expectNothingLeft(all.caller, all.callee);
}, 60_000);

test("every call that rings is cancelled, and every one that is refused fails with the refusal", async () => {
  using all = await apart(answering, { invite: (call) => (call.uri!.user === "bob" ? call.ring() : call.reject(486)) });
  const cancelled = Array.from({ length: CALLS }, async (_, number) => {
    await Bun.sleep(number * 5);
    const call = all.call();
    setTimeout(() => call.cancel(), 50);
    return (await callFailure(call)).status;
  });
  const refused = Array.from({ length: CALLS }, async (_, number) => {
    await Bun.sleep(number * 5);
    return (await callFailure(all.caller.call(`sip:eve@127.0.0.1:${all.relay.port}`, { sdp: OFFER }))).status;
  });
  expect(new Set(await Promise.all(cancelled))).toEqual(new Set([487]));
  expect(new Set(await Promise.all(refused))).toEqual(new Set([486]));
  expectLoss(all.relay);
  await expectNothingLeft(all.caller, all.callee);
}, 60_000);
