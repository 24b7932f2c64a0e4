/**
 * Transfers over a network that loses a tenth of the datagrams each way between who refers and who is referred: each one
 * is done, told, and nothing is left of it. T1 is 50 ms so that the timers end soon.
 */
import { expect, test } from "bun:test";
import { freePort } from "../../bench/load/process.ts";
import { type Dialog, transfers } from "../../src/index.ts";
import { openLossyRelay } from "../support/lossy-relay.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

const TIMERS = { t1: 50, t2: 400, t4: 500 };
const TRANSFERS = 40;

test("every transfer is done, and its outcome told", async () => {
  const port = await freePort();
  const relay = await openLossyRelay({ server: port, loss: 0.1, seed: 3515 });
  const [refers, isReferred] = [transfers(), transfers({ offer: () => "v=0\r\n" })];
  // Every other one is refused by the target.
  let calls = 0;
  const answered: Dialog[] = [];
  using target = await testServer({
    timers: TIMERS,
    invite(call) {
      if (calls++ % 2 === 1) call.reject(486);
      else call.answer("v=0\r\n").then((dialog) => answered.push(dialog));
    },
  });
  using bob = await testServer({
    listen: `udp://127.0.0.1:${port}`,
    advertise: `127.0.0.1:${relay.port}`,
    timers: TIMERS,
    plugins: [isReferred],
    invite: (call) => void call.answer("v=0\r\n"),
  });
  using alice = await testServer({ advertise: `127.0.0.1:${relay.outside}`, timers: TIMERS, plugins: [refers] });
  const statuses = await Promise.all(
    Array.from({ length: TRANSFERS }, async (_, number) => {
      await Bun.sleep(number * 10);
      const dialog = await alice.server.call(`sip:bob@127.0.0.1:${relay.port}`, { sdp: "v=0\r\n" }).answered;
      const referral = refers.refer(dialog, `sip:carol@127.0.0.1:${target.address.port}`);
      const status = await referral.done;
      dialog.bye();
      return status;
    }),
  );
  expect(statuses.toSorted((a, b) => a - b)).toEqual([
    ...Array<number>(TRANSFERS / 2).fill(200),
    ...Array<number>(TRANSFERS / 2).fill(486),
  ]);
  expect(calls).toBe(TRANSFERS);
  await until("the end of all but the new calls", () => {
    const { dialogs } = bob.server.stats();
    return alice.server.stats().dialogs === 0 && dialogs === TRANSFERS / 2;
  });
  expect(relay.toServer.lost + relay.toClient.lost).toBeGreaterThan(20);
  for (const dialog of answered) dialog.bye();
  await until("the end of those, too", () => bob.server.stats().dialogs === 0);
  // No timer is left but those of transactions.
  await until("the end of all timers", () =>
    [alice, bob].every(({ server }) => server.stats().timers - server.stats().transactions <= 0),
  );
  relay.close();
}, 60_000);
