/** The 2xx to an INVITE and its ACK: RFC 3261 s13.3.1.4, on a clock that the test moves. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded, type Dialog, type DialogEnd, type DialogHandlers } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

/** A server that answers each call at once, and what became of the calls. */
async function answering(handlers?: DialogHandlers, timers = {}) {
  const clock = new FakeClock();
  const calls: { call: Call; answer: Promise<Dialog> }[] = [];
  const running = await testServer({
    clock,
    timers,
    invite(call) {
      calls.push({ call, answer: call.answer("v=0\r\n", handlers) });
    },
  });
  const client = await WireClient.open(running.address);
  return {
    clock,
    calls,
    client,
    server: running.server,
    /** What has come, once all that was sent is taken in and this much time has gone by then. */
    async after(ms: number): Promise<(number | string)[]> {
      const before = await client.restBrief();
      await clock.pass(ms);
      return [...before, ...(await client.restBrief())];
    },
    /** Lets time go by, T2 at a stride, until the server hangs up. */
    async untilBye(): Promise<SipMessage> {
      for (let i = 0; i < 12; i++) {
        await clock.pass(4000);
        const bye = (await client.rest()).find(({ method, status }) => method === "BYE" && status === 0);
        if (bye !== undefined) return bye;
      }
      throw new Error("No BYE came");
    },
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

describe("a 2xx without its ACK", () => {
  test("is sent again at T1, doubling to T2, and after 64*T1 the dialog ends with a BYE", async () => {
    using peer = await answering();
    const { clock, calls, client, after } = peer;
    const call = await client.invite();
    const { dialog } = calls[0]!.call;
    const ended = dialog!.ended;
    const rejected = calls[0]!.answer.catch((error: unknown) => error);

    let elapsed = 0;
    for (const interval of [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]) {
      expect([elapsed, await after(interval - 10)]).toEqual([elapsed, []]);
      await clock.pass(10);
      const [again, ...more] = await client.rest();
      expect(again?.text).toBe(call.response.text);
      expect(more).toEqual([]);
      elapsed += interval;
    }
    expect(elapsed).toBe(31_500);
    expect(await after(490)).toEqual([]);
    expect(dialog!.isTerminated).toBe(false);

    await clock.pass(10);
    const bye = await client.next("BYE");
    expect(bye.uri).toBe(`sip:alice@${client.sentBy}`);
    expect(bye.callId).toBe(call.invite.callId);
    expect(await ended).toBe("no-ack");
    const error = await rejected;
    expect(error).toBeInstanceOf(CallEnded);
    expect((error as CallEnded).cause).toBe("no-ack");
    client.respond(bye, 200);

    expect(await after(60_000)).toEqual([]);
    expect(peer.server.stats()).toMatchObject({ unacknowledged: 1, dialogs: 0, retransmissionsSent: 10 });
  });

  test("T1 and T2 are settable", async () => {
    using peer = await answering(undefined, { t1: 100, t2: 200 });
    await peer.client.invite();
    for (const interval of [100, 200, 200]) {
      expect(await peer.after(interval - 10)).toEqual([]);
      expect(await peer.after(10)).toEqual([200]);
    }
  });

  test("an ACK that comes after all finds no dialog, and does no harm", async () => {
    using peer = await answering();
    const { client } = peer;
    const call = await client.invite();
    peer.calls[0]!.answer.catch(() => {});
    client.respond(await peer.untilBye(), 200);
    call.ack();
    expect(await client.restBrief()).toEqual([]);
    expect(peer.server.stats()).toMatchObject({ strayAcks: 1, dialogs: 0, unacknowledged: 1 });
    expect((await client.ask("OPTIONS")).status).toBe(200);
  });
});

describe("the ACK", () => {
  test("ends the retransmission, and answer() resolves with the dialog", async () => {
    using peer = await answering();
    const { client, after } = peer;
    const call = await client.invite();
    expect(await after(500)).toEqual([200]);
    call.ack();
    const dialog = await peer.calls[0]!.answer;
    expect(dialog === peer.calls[0]!.call.dialog).toBe(true);
    expect(dialog.isConfirmed).toBe(true);
    for (let i = 0; i < 12; i++) expect(await after(4000)).toEqual([]);
    expect(dialog.isTerminated).toBe(false);
    expect(peer.server.stats()).toMatchObject({ unacknowledged: 0, dialogs: 1, strayAcks: 0 });
  });

  test("may come more than once, as after each 2xx that was sent again", async () => {
    using peer = await answering();
    const call = await peer.client.invite();
    for (let i = 0; i < 3; i++) call.ack();
    await peer.calls[0]!.answer;
    expect(await peer.client.restBrief()).toEqual([]);
    expect(peer.server.stats()).toMatchObject({ strayAcks: 0, dialogs: 1 });
  });

  test("counts for the 2xx with its CSeq alone", async () => {
    using peer = await answering();
    const { client, after } = peer;
    const call = await client.invite();
    client.request("ACK", call.shape({ cseq: 7 }));
    expect(await after(500)).toEqual([200]);
    call.ack();
    expect(await after(1000)).toEqual([]);
  });

  test("of no dialog is counted, and gets no answer", async () => {
    using peer = await answering();
    const { client } = peer;
    client.request("ACK", { to: "<sip:bob@127.0.0.1>;tag=unknown" });
    client.request("ACK");
    expect(await client.restBrief()).toEqual([]);
    expect(peer.server.stats().strayAcks).toBe(2);
  });

  test("a BYE stands for the ACK: who sends one has had the 2xx", async () => {
    using peer = await answering();
    const { client, after } = peer;
    const call = await client.invite();
    expect((await call.ask("BYE")).status).toBe(200);
    const dialog = await peer.calls[0]!.answer;
    expect(await dialog.ended).toBe("bye");
    expect(await after(500)).toEqual([]);
    expect(await after(30_000)).toEqual([]);
  });
});

describe("the 2xx to a re-INVITE", () => {
  const handlers: DialogHandlers = {
    invite(call) {
      void call.answer("v=0\r\n");
    },
  };

  test("is sent again until its own ACK", async () => {
    using peer = await answering(handlers);
    const { client, after } = peer;
    const call = await client.invite();
    call.ack();
    const again = call.send("INVITE", { contact: `<sip:alice@${client.sentBy}>` });
    const response = await client.next(200, again);
    expect(await after(500)).toEqual([200]);
    call.ack();
    expect(await after(1000)).toEqual([200]);
    call.ack(again, response);
    expect(await after(2000)).toEqual([]);
  });

  test("left without an ACK it ends the dialog", async () => {
    using peer = await answering(handlers);
    const { client } = peer;
    const call = await client.invite();
    call.ack();
    const dialog = await peer.calls[0]!.answer;
    await client.next(200, call.send("INVITE", { contact: `<sip:alice@${client.sentBy}>` }));
    await peer.untilBye();
    expect(await dialog.ended).toBe("no-ack");
  });

  test("a caller that re-INVITEs without the first ACK has had the first 2xx: that answer() resolves too", async () => {
    using peer = await answering(handlers);
    const { client } = peer;
    const call = await client.invite();
    const again = call.send("INVITE", { contact: `<sip:alice@${client.sentBy}>` });
    const second = new ClientCall(client, again, await client.next(200, again));
    second.ack();
    await client.rest();
    const first = await Promise.race([peer.calls[0]!.answer, Bun.sleep(2000).then(() => "pending" as const)]);
    expect(first === peer.calls[0]!.call.dialog).toBe(true);
  });
});

test("a dialog that has ended says so to whoever asks late", async () => {
  using peer = await answering();
  const call = await peer.client.invite();
  const dialog = peer.calls[0]!.call.dialog!;
  const early: Promise<DialogEnd> = dialog.ended;
  call.ack();
  await call.ask("BYE");
  expect(await early).toBe("bye");
  expect(await dialog.ended).toBe("bye");
});
