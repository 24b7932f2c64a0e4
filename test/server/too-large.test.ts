/** Answers that no datagram can hold: a short 500 goes in their place. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import fc from "fast-check";
import { type Call, CallEnded, type DialogHandlers, type ServeOptions } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { OFFER, requestText, type SipMessage } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

/** Octets of the longest datagram over IPv4. */
const LONGEST = 65_507;
const HUGE = "x".repeat(70_000);
const SDP = "v=0\r\ns=ours\r\n";
const TOO_LARGE = "SIP/2.0 500 Response Too Large For UDP";

async function serving(options: ServeOptions, host = "127.0.0.1") {
  const clock = new FakeClock();
  const listen = `udp://${host.includes(":") ? `[${host}]` : host}:0`;
  const running = await testServer({ clock, listen, ...options });
  const client = await WireClient.open(running.address, host);
  return {
    clock,
    client,
    server: running.server,
    log: running.log,
    /** Time goes by, more than any transaction takes, and nothing is left of what there was. */
    async isOver() {
      await client.rest();
      for (let i = 0; i < 3; i++) await clock.pass(40_000);
      return running.server.stats();
    },
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

const NOTHING_LEFT = { dialogs: 0, transactions: 0, timers: 0, handlerErrors: 0 };

describe("a request", () => {
  test("gets 500, the same again when it is sent again, and its handler is told", async () => {
    const told: boolean[] = [];
    using peer = await serving({
      message(request) {
        told.push(request.reply(200, { body: HUGE }), request.reply(202));
      },
    });
    const { client } = peer;
    const sent = client.request("MESSAGE");
    const refused = await client.next(500, sent);
    expect(refused.startLine).toBe(TOO_LARGE);
    expect([refused.body, refused.toTag === undefined]).toEqual(["", false]);
    client.send(sent.text);
    expect((await client.next(500, sent)).text).toBe(refused.text);
    expect(told).toEqual([false, false]);
    expect(peer.server.stats()).toMatchObject({ sendDropped: 1, socketErrors: 0, handlerErrors: 0 });
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });

  test("gets 500 in the place of any final status, and for header fields too", async () => {
    using peer = await serving({
      message: (request) => request.reply(404, { headers: { "X-Long": Array(9).fill("y".repeat(8000)) } }),
    });
    expect((await peer.client.ask("MESSAGE")).startLine).toBe(TOO_LARGE);
  });

  test("over a connection gets all of it", async () => {
    using peer = await serverAndStream({ message: (request) => request.reply(200, { body: HUGE }) });
    expect((await peer.client.ask("MESSAGE")).body).toBe(HUGE);
    expect(peer.server.stats().sendDropped).toBe(0);
  });

  test.each(["127.0.0.1", "::1"])("at %s is answered whole to the last octet that a datagram holds", async (host) => {
    let body = "";
    using peer = await serving({ message: (request) => request.reply(200, { body }) }, host);
    let count = 100_000;
    const answered = (length: number) => {
      body = "x".repeat(length);
      // As long each time, so that its answer is.
      count++;
      return peer.client.ask("MESSAGE", {
        branch: `z9hG4bK${count}`,
        callId: `${count}`,
        from: `<sip:a@b>;tag=${count}`,
      });
    };
    const head = (await answered(60_000)).text.length - 60_000;
    const excess = fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: -2000, max: 2000 }));
    await fc.assert(
      fc.asyncProperty(excess, async (octets) => {
        const answer = await answered(LONGEST - head + octets);
        expect(answer.startLine).toBe(octets > 0 ? TOO_LARGE : "SIP/2.0 200 OK");
        expect(answer.body).toBe(octets > 0 ? "" : body);
      }),
      { numRuns: 60, examples: [[0], [1]] },
    );
  });

  test("whose own Vias fill a datagram cannot be told anything, and is over in time", async () => {
    using peer = await serving({ message: (request) => request.reply(200, { body: HUGE }) });
    const { client } = peer;
    const vias = Array.from({ length: 8 }, (_, n) => `Via: SIP/2.0/UDP ${"h".repeat(8000)}.net;branch=z9hG4bK${n}`);
    const shape = { uri: "sip:b@c", headers: vias, viaParams: ";rport", sentBy: client.sentBy, branch: "z9hG4bK-1" };
    const filled = (octets: number) =>
      requestText("MESSAGE", { ...shape, callId: "1", from: `<sip:a@b>;tag=${"f".repeat(octets)}` });
    client.send(filled(LONGEST - filled(0).length));
    expect(await client.restBrief()).toEqual([]);
    // The answer, and what was to go in its place.
    expect(peer.server.stats()).toMatchObject({ serverTransactions: 2, sendDropped: 2 });
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });
});

describe("a call", () => {
  /** A server whose calls go to a function. */
  async function called(invite: (call: Call) => unknown) {
    const calls: Call[] = [];
    const peer = await serving({
      invite(call) {
        calls.push(call);
        return invite(call);
      },
    });
    return { ...peer, calls };
  }

  /** Sends an INVITE that is to get the short 500, and acknowledges it. */
  async function refused(client: WireClient, headers: string[] = []): Promise<void> {
    const call = await client.invite({ body: OFFER, headers }, (message) => message.status >= 200);
    expect(call.response.startLine).toBe(TOO_LARGE);
    call.ack();
  }

  const causeOf = (error: unknown) => (error as CallEnded).cause;

  test("gets 500, its handler is told why, and nothing is sent again", async () => {
    const causes: unknown[] = [];
    using peer = await called((call) => call.answer(HUGE).catch((error) => causes.push(causeOf(error))));
    await refused(peer.client);
    expect(await peer.client.restBrief()).toEqual([]);
    expect(causes).toEqual(["too-large"]);
    expect(causeOf(peer.calls[0]!.signal.reason)).toBe("too-large");
    expect(peer.server.stats()).toMatchObject({ callsAnswered: 0, dialogs: 0, sendDropped: 1 });
    expect(await peer.isOver()).toMatchObject({ ...NOTHING_LEFT, unacknowledged: 0 });
  });

  test("that rang before is over as well", async () => {
    using peer = await called((call) => {
      call.ring();
      call.answer(HUGE).catch(() => {});
    });
    await refused(peer.client);
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });

  test.each([
    ["answered", (call: Call) => call.reply(200, { body: HUGE })],
    ["refused", (call: Call) => call.reject(486, { headers: { "X-Long": HUGE } })],
    ["sent elsewhere", (call: Call) => call.redirect(...Array(900).fill(`sip:${"b".repeat(80)}@example.com`))],
  ])("that is %s at such length: the handler is told that it was not", async (_, answer) => {
    const told: boolean[] = [];
    using peer = await called((call) => void told.push(answer(call), call.reject(486)));
    await refused(peer.client);
    expect(told).toEqual([false, false]);
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });

  test("is not told of a progress at such length, and goes on", async () => {
    const told: boolean[] = [];
    using peer = await called((call) => {
      told.push(call.progress(183, { body: HUGE }));
      void call.answer(SDP);
    });
    const call = await peer.client.invite({ body: OFFER });
    call.ack();
    expect(told).toEqual([false]);
    expect(call.response.body).toBe(SDP);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });

  test("gets 500 where the progress had to be told reliably (RFC 3262)", async () => {
    const causes: unknown[] = [];
    const told: boolean[] = [];
    using peer = await called((call) => {
      told.push(call.progress(183, { body: HUGE }));
      return call.answer().catch((error) => causes.push(causeOf(error)));
    });
    await refused(peer.client, ["Require: 100rel"]);
    expect([told, causes]).toEqual([[false], ["too-large"]]);
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });

  test("gets 500 where the reliable progress waited for the PRACK of another, and an answer for it", async () => {
    const causes: unknown[] = [];
    using peer = await called((call) => {
      call.ring();
      call.progress(183, { body: HUGE });
      return call.answer().catch((error) => causes.push(causeOf(error)));
    });
    const { client } = peer;
    const call = await client.invite({ body: OFFER, headers: ["Require: 100rel"] }, 180);
    const rack = `RAck: ${call.response.header("RSeq")} ${call.invite.cseq} INVITE`;
    expect((await call.ask("PRACK", { headers: [rack] })).status).toBe(200);
    const final = await client.next((message) => message.status >= 200, call.invite);
    expect(final.startLine).toBe(TOO_LARGE);
    call.ack(call.invite, final);
    expect(await client.restBrief()).toEqual([]);
    expect(causes).toEqual(["too-large"]);
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });
});

describe("in a dialog", () => {
  /** A call that stands, whose handlers answer at length once and then briefly. */
  async function established() {
    let body = HUGE;
    const told: unknown[] = [];
    const handlers: DialogHandlers = {
      invite: (call) => call.answer(body).catch((error) => told.push(error instanceof CallEnded && error.cause)),
      update: (request) => void told.push(request.reply(200, { body })),
    };
    const peer = await serving({ invite: (call) => void call.answer(SDP, handlers) });
    const call = await peer.client.invite({ body: OFFER });
    call.ack();
    const { client } = peer;
    const contact = `<sip:alice@${client.sentBy}>`;
    return {
      ...peer,
      call,
      told,
      briefly: () => {
        body = SDP;
      },
      async reinvite(): Promise<SipMessage> {
        const again = call.send("INVITE", { contact, body: OFFER });
        const response = await client.next((message) => message.status >= 200, again);
        call.ack(again, response);
        return response;
      },
      update: () => call.ask("UPDATE", { contact, body: OFFER }),
    };
  }

  test("a re-INVITE gets 500, and the dialog and its session go on", async () => {
    using peer = await established();
    expect((await peer.reinvite()).startLine).toBe(TOO_LARGE);
    expect(peer.told).toEqual(["too-large"]);
    peer.briefly();
    expect((await peer.reinvite()).body).toBe(SDP);
    expect((await peer.update()).body).toBe(SDP);
    expect((await peer.call.ask("BYE")).status).toBe(200);
    expect(await peer.isOver()).toMatchObject({ ...NOTHING_LEFT, unacknowledged: 0 });
  });

  test("an UPDATE gets 500, and the next one is not in its way", async () => {
    using peer = await established();
    expect((await peer.update()).startLine).toBe(TOO_LARGE);
    expect(peer.told).toEqual([false]);
    peer.briefly();
    expect((await peer.update()).body).toBe(SDP);
    expect((await peer.reinvite()).body).toBe(SDP);
    expect((await peer.call.ask("BYE")).status).toBe(200);
    expect(await peer.isOver()).toMatchObject(NOTHING_LEFT);
  });
});
