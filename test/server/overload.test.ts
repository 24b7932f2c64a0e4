/** The ceilings on what a server keeps at once. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Call } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

test("above the ceiling on transactions: 503 with Retry-After; live calls are untouched", async () => {
  const calls: Call[] = [];
  const clock = new FakeClock();
  using running = await testServer({
    clock,
    limits: { transactions: 3 },
    invite(call) {
      calls.push(call);
      call.ring();
    },
  });
  using client = await WireClient.open(running.address);
  const ringing = [];
  for (let i = 0; i < 3; i++) ringing.push(await client.invite({}, 180));
  for (const method of ["INVITE", "OPTIONS", "FOO"]) {
    const refused = await client.ask(method);
    expect([method, refused.status]).toEqual([method, 503]);
    expect(Number(refused.header("Retry-After"))).toBeGreaterThan(0);
    expect(refused.toTag).toBeTruthy();
  }
  expect(calls).toHaveLength(3);
  expect(running.server.stats()).toMatchObject({ overloaded: 3, transactions: 3, dialogs: 3 });

  // A retransmission still gets its response, and an answer still goes out.
  client.send(ringing[0]!.invite.text);
  expect((await client.next(180)).text).toBe(ringing[0]!.response.text);
  for (const [i, call] of calls.entries()) {
    call.reject(486);
    const refused = await client.next(486, ringing[i]!.invite);
    ringing[i]!.ack(ringing[i]!.invite, refused);
  }
  await client.rest();
  await clock.pass(5000);
  expect((await client.ask("OPTIONS")).status).toBe(200);
});

test("a retransmission refused there has the same tag: it is refused without a transaction", async () => {
  using running = await testServer({ limits: { transactions: 1 }, invite: (call) => void call.ring() });
  using client = await WireClient.open(running.address);
  await client.invite({}, 180);
  const refused = await client.invite({}, 503);
  client.send(refused.invite.text);
  expect((await client.next(503)).toTag).toBe(refused.response.toTag!);
  refused.ack();
  expect(running.server.stats().transactions).toBe(1);
});

test("above the ceiling on dialogs: 503 with Retry-After; one that ends makes room", async () => {
  const results: unknown[] = [];
  using running = await testServer({
    limits: { dialogs: 1 },
    invite(call) {
      results.push(call.ring());
      call.answer("v=0\r\n").then(
        () => results.push("acknowledged"),
        () => results.push("rejected"),
      );
    },
  });
  using client = await WireClient.open(running.address);
  const call = await client.invite();
  call.ack();
  const refused = await client.invite({}, 503);
  expect(refused.response.header("Retry-After")).toMatch(/^\d+$/);
  refused.ack();
  await client.rest();
  expect(results).toEqual([true, "acknowledged", false, "rejected"]);
  expect((await call.ask("BYE")).status).toBe(200);
  (await client.invite()).ack();
  await client.rest();
  expect(running.server.stats()).toMatchObject({ dialogs: 1, callsAnswered: 2 });
});
