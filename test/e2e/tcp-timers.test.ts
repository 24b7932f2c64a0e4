/** Transactions over TCP: nothing is sent again that the transport delivers, and nothing waits for stragglers. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const T1 = 500;
const T2 = 4000;

describe("timers know the transport (RFC 3261 s17)", () => {
  test("a final response that is not 2xx is sent once; without an ACK the transaction ends after 64*T1", async () => {
    const clock = new FakeClock();
    using peer = await serverAndStream({
      clock,
      invite(call) {
        call.ring();
        call.reject(486);
      },
    });
    const { client, server } = peer;
    await client.invite({}, 486);
    for (let n = 0; n < 7; n++) await clock.pass(T2);
    expect(await client.restBrief()).toEqual([180]);
    expect(server.stats()).toMatchObject({ retransmissionsSent: 0, transactions: 1 });
    await clock.pass(T2);
    expect(server.stats()).toMatchObject({ transactions: 0, timeouts: 1 });
  });

  test("its ACK ends it at once: timer I is zero", async () => {
    using peer = await serverAndStream({ invite: (call) => void call.reject(486) });
    const call = await peer.client.invite({}, 486);
    expect(peer.server.stats().transactions).toBe(1);
    call.ack();
    await until("the end of the transaction", () => peer.server.stats().transactions === 0);
  });

  test("a non-INVITE transaction is gone with its response: timer J is zero", async () => {
    using peer = await serverAndStream({});
    await peer.client.ask("OPTIONS");
    expect(peer.server.stats()).toMatchObject({ transactions: 0, serverTransactions: 1 });
  });

  test("a request of the server's is sent once, and fails after 64*T1", async () => {
    const clock = new FakeClock();
    using peer = await serverAndStream({ clock, invite: async (call) => (await call.answer("v=0\r\n")).bye() });
    const { client, server } = peer;
    const call = await client.invite();
    call.ack();
    await client.next("BYE");
    for (let n = 0; n < 7; n++) await clock.pass(T2);
    expect(await client.restBrief()).toEqual([]);
    expect(server.stats().byesUndelivered).toBe(0);
    await clock.pass(T2);
    expect(server.stats()).toMatchObject({ byesUndelivered: 1, timeouts: 1 });
    expect(await client.restBrief()).toEqual([]);
  });

  test("a 2xx is sent again until its ACK comes, at T1 doubling to T2 (s13.3.1.4)", async () => {
    const clock = new FakeClock();
    using peer = await serverAndStream({ clock, invite: (call) => void call.answer("v=0\r\n") });
    const { client, server } = peer;
    const call = await client.invite();
    for (const wait of [T1, 2 * T1, 4 * T1, T2, T2]) {
      await clock.pass(wait - 20);
      expect(await client.restBrief()).toEqual([]);
      await clock.pass(20);
      expect((await client.next(200, call.invite)).text).toBe(call.response.text);
    }
    call.ack();
    await client.rest();
    await clock.pass(T2);
    expect(await client.restBrief()).toEqual([]);
    expect(server.stats()).toMatchObject({ retransmissionsSent: 5, unacknowledged: 0 });
  });

  test("a repeated INVITE gets the last response once more, and no second call", async () => {
    const calls: Call[] = [];
    using peer = await serverAndStream({
      invite(call) {
        calls.push(call);
        call.ring();
      },
    });
    const { client } = peer;
    const call = await client.invite({}, 180);
    client.send(call.invite.text);
    await client.next(180, call.invite);
    expect(calls).toHaveLength(1);
  });
});
