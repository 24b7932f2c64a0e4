/** Reliable provisional responses to calls that come in: RFC 3262 s3 and s5, on the wire and on a clock that stands. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded, type ServeOptions } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { OFFER, type RequestShape, type SipMessage } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { type ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const SDP = "v=0\r\ns=ours\r\n";
const REQUIRED: RequestShape = { headers: ["Require: 100rel"], body: OFFER };
const SUPPORTED: RequestShape = { headers: ["Supported: timer,100rel"], body: OFFER };

async function answering(invite: (call: Call) => unknown, more: ServeOptions = {}) {
  const clock = new FakeClock();
  const calls: Call[] = [];
  const running = await testServer({
    clock,
    invite(call) {
      calls.push(call);
      return invite(call);
    },
    ...more,
  });
  const client = await WireClient.open(running.address);
  return {
    clock,
    calls,
    client,
    server: running.server,
    log: running.log,
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

function rackOf(response: SipMessage, { rseq = Number(response.header("RSeq")), cseq = response.cseq } = {}): string {
  return `RAck: ${rseq} ${cseq} INVITE`;
}

function prack(call: ClientCall, response = call.response, more: RequestShape = {}): Promise<SipMessage> {
  return call.ask("PRACK", { headers: [rackOf(response)], ...more });
}

const isReliable = (response: SipMessage) =>
  response.list("Require").includes("100rel") && response.header("RSeq") !== undefined;

describe("a provisional response", () => {
  test("is reliable where the caller requires it, with Require, RSeq and Contact; 100 never is", async () => {
    using peer = await answering((call) => {
      call.trying();
      call.ring();
    });
    const { client } = peer;
    const call = await client.invite(REQUIRED, 100);
    expect(isReliable(call.response)).toBe(false);
    expect(call.response.header("RSeq")).toBeUndefined();
    const ringing = await client.next(180, call.invite);
    expect(ringing.list("Require")).toEqual(["100rel"]);
    expect(Number(ringing.header("RSeq"))).toBeWithin(1, 2 ** 31);
    expect(ringing.contactUri).toBeDefined();
  });

  test("is not where the caller only supports it, unless asked for", async () => {
    using peer = await answering((call) => {
      call.ring();
      call.progress(183, { reliable: true });
    });
    const { client } = peer;
    const call = await client.invite(SUPPORTED, 183);
    expect(isReliable(call.response)).toBe(true);
    expect(isReliable(await client.next(180, call.invite))).toBe(false);
  });

  test("is with `always`, and never for a caller that does not support it", async () => {
    const reliable: Record<string, boolean> = {};
    using peer = await answering(
      (call) => {
        call.ring();
        call.progress(183, { reliable: call.header("X-Wish") === "yes" });
      },
      { reliableProvisional: "always" },
    );
    const { client } = peer;
    for (const [name, headers] of [
      ["supported", ["Supported: 100rel"]],
      ["not", ["Supported: timer"]],
      ["not, though wished", ["X-Wish: yes"]],
    ] as const) {
      const call = await client.invite({ headers, body: OFFER }, 180);
      reliable[name] = isReliable(call.response);
      call.cancel();
      await client.next(487, call.invite);
    }
    expect(reliable).toEqual({ supported: true, not: false, "not, though wished": false });
  });

  test("each call begins with an RSeq of its own; within one they count up by one", async () => {
    using peer = await answering((call) => {
      for (const status of [180, 181, 182, 183]) call.progress(status);
    });
    const { client } = peer;
    const firsts = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const call = await client.invite(REQUIRED, 180);
      let { response } = call;
      firsts.add(response.header("RSeq")!);
      for (const status of [181, 182, 183]) {
        // One at a time.
        expect(await client.restBrief()).toEqual([]);
        expect((await prack(call, response)).status).toBe(200);
        const next = await client.next(status, call.invite);
        expect(Number(next.header("RSeq"))).toBe(Number(response.header("RSeq")) + 1);
        response = next;
      }
    }
    expect(firsts.size).toBe(3);
  });

  test("with `off`: Require gets 420, PRACK is not allowed, and the wish is not heard", async () => {
    using peer = await answering((call) => call.progress(183, { reliable: true }), { reliableProvisional: "off" });
    const { client } = peer;
    const refused = await client.ask("INVITE", REQUIRED);
    expect([refused.status, refused.list("Unsupported")]).toEqual([420, ["100rel"]]);
    const call = await client.invite(SUPPORTED, 183);
    expect(isReliable(call.response)).toBe(false);
    const notAllowed = await call.ask("PRACK", { headers: ["RAck: 1 1 INVITE"] });
    expect(notAllowed.status).toBe(405);
    expect(notAllowed.list("Allow")).not.toContain("PRACK");
    expect((await client.ask("OPTIONS")).list("Supported")).not.toContain("100rel");
  });

  test("is told of in Supported and Allow", async () => {
    using peer = await answering((call) => void call.answer(SDP));
    const { response } = await peer.client.invite({ body: OFFER });
    expect(response.list("Supported")).toContain("100rel");
    expect(response.list("Allow")).toEqual(expect.arrayContaining(["PRACK", "UPDATE"]));
  });
});

describe("without its PRACK", () => {
  test("it comes again at T1, doubling without a limit; after 64*T1 the call is refused with 504", async () => {
    using peer = await answering((call) => void call.ring());
    const { client, clock, calls } = peer;
    const call = await client.invite(REQUIRED, 180);
    await client.rest();
    for (const interval of [500, 1000, 2000, 4000, 8000, 16_000]) {
      await clock.pass(interval - 10);
      expect(await client.restBrief()).toEqual([]);
      await clock.pass(10);
      expect((await client.rest()).map((message) => message.text)).toEqual([call.response.text]);
    }
    await clock.pass(490);
    expect(await client.restBrief()).toEqual([]);
    expect(calls[0]!.isOver).toBe(false);
    await clock.pass(10);
    const refused = await client.next(504, call.invite);
    call.ack(call.invite, refused);
    expect((calls[0]!.signal.reason as CallEnded).cause).toBe("no-prack");
    await client.rest();
    for (let i = 0; i < 3; i++) await clock.pass(40_000);
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, transactions: 0, timers: 0 });
  });

  test("the answer that waits for it comes to nothing", async () => {
    let answer: Promise<unknown> = Promise.resolve();
    using peer = await answering((call) => {
      call.progress(183, { body: SDP });
      answer = call.answer().catch((error: unknown) => error);
    });
    const { client, clock } = peer;
    const call = await client.invite(REQUIRED, 183);
    await client.rest();
    for (let left = 32_000; left > 0; left -= 500) await clock.pass(500);
    await client.next(504, call.invite);
    expect(await answer).toBeInstanceOf(CallEnded);
    expect(((await answer) as CallEnded).cause).toBe("no-prack");
  });

  test("an INVITE that comes again gets the same response", async () => {
    using peer = await answering((call) => void call.ring());
    const { client } = peer;
    const call = await client.invite(REQUIRED, 180);
    client.send(call.invite.text);
    expect((await client.next(180, call.invite)).text).toBe(call.response.text);
  });

  test("a refusal goes out all the same, and its late PRACK is answered once", async () => {
    using peer = await answering((call) => {
      call.ring();
      call.reject(486);
    });
    const { client, clock } = peer;
    const call = await client.invite(REQUIRED, 180);
    call.ack(call.invite, await client.next(486, call.invite));
    expect((await prack(call)).status).toBe(200);
    expect((await prack(call)).status).toBe(481);
    expect((await call.ask("INFO")).status).toBe(481);
    for (let i = 0; i < 3; i++) await clock.pass(40_000);
    expect((await prack(call)).status).toBe(481);
    for (let i = 0; i < 3; i++) await clock.pass(40_000);
    expect(peer.server.stats()).toMatchObject({ dialogs: 0, transactions: 0, timers: 0 });
  });

  test("CANCEL and BYE end the call, and nothing comes again", async () => {
    for (const how of ["CANCEL", "BYE"] as const) {
      using peer = await answering((call) => void call.ring());
      const { client, clock } = peer;
      const call = await client.invite(REQUIRED, 180);
      if (how === "CANCEL") call.cancel();
      else expect((await call.ask("BYE")).status).toBe(200);
      call.ack(call.invite, await client.next(487, call.invite));
      await client.rest();
      for (let i = 0; i < 4; i++) await clock.pass(40_000);
      expect([how, await client.restBrief()]).toEqual([how, []]);
      for (let i = 0; i < 2; i++) await clock.pass(40_000);
      expect(peer.server.stats()).toMatchObject({ dialogs: 0, transactions: 0, timers: 0 });
    }
  });
});

describe("PRACK", () => {
  test("ends the retransmission, and the call rings on: a new one keeps proxies awake after 150 s", async () => {
    using peer = await answering((call) => void call.ring());
    const { client, clock } = peer;
    const call = await client.invite(REQUIRED, 180);
    await client.rest();
    const answered = await prack(call);
    expect([answered.status, answered.body]).toEqual([200, ""]);
    for (let i = 0; i < 14; i++) await clock.pass(10_000);
    expect(await client.restBrief()).toEqual([]);
    await clock.pass(10_000);
    const again = await client.next(180, call.invite);
    expect(Number(again.header("RSeq"))).toBe(Number(call.response.header("RSeq")) + 1);
    expect((await prack(call, again)).status).toBe(200);
  });

  test("that comes again gets its 200 again; another for the same response gets 481", async () => {
    using peer = await answering((call) => void call.ring());
    const { client } = peer;
    const call = await client.invite(REQUIRED, 180);
    const request = call.send("PRACK", { headers: [rackOf(call.response)] });
    const first = await client.next(200, request);
    client.send(request.text);
    expect((await client.next(200, request)).text).toBe(first.text);
    expect((await prack(call)).status).toBe(481);
  });

  test("that matches no response gets 481, and the response goes on", async () => {
    using peer = await answering((call) => void call.ring());
    const { client } = peer;
    const call = await client.invite({ ...REQUIRED, cseq: 5 }, 180);
    const rseq = Number(call.response.header("RSeq"));
    for (const rack of [`${rseq + 1} 5 INVITE`, `${rseq} 6 INVITE`, `${rseq} 5 invite`, `${rseq} 5 UPDATE`]) {
      expect([rack, (await call.ask("PRACK", { headers: [`RAck: ${rack}`] })).status]).toEqual([rack, 481]);
    }
    expect((await call.ask("PRACK", { headers: [rackOf(call.response)], to: "<sip:b@127.0.0.1>;tag=x" })).status).toBe(
      481,
    );
    expect((await prack(call)).status).toBe(200);
  });

  test("without a RAck that can be read gets 400", async () => {
    using peer = await answering((call) => void call.ring());
    const { client } = peer;
    const call = await client.invite(REQUIRED, 180);
    const good = rackOf(call.response);
    for (const headers of [
      [],
      [good, good],
      ["RAck:"],
      ["RAck: 1 INVITE"],
      ["RAck: 99999999999999999999 1 INVITE"],
      [`RAck: ${"1".repeat(3000)} 1 INVITE`],
      [`${good} more`],
    ]) {
      const refused = await call.ask("PRACK", { headers });
      expect([headers, refused.status, refused.reason]).toEqual([headers, 400, "Missing Or Malformed RAck"]);
    }
    expect((await prack(call)).status).toBe(200);
  });

  test("out of any dialog, or where nothing reliable was sent, gets 481", async () => {
    using peer = await answering((call) => void call.ring());
    const { client } = peer;
    expect((await client.ask("PRACK", { headers: ["RAck: 1 1 INVITE"] })).status).toBe(481);
    const call = await client.invite({ body: OFFER }, 180);
    expect((await call.ask("PRACK", { headers: ["RAck: 1 1 INVITE"] })).status).toBe(481);
  });
});

describe("the 2xx", () => {
  test("waits for the PRACK of a response with a description, and says it no more", async () => {
    using peer = await answering((call) => {
      call.progress(183, { body: SDP });
      void call.answer(SDP);
    });
    const { client, calls } = peer;
    const call = await client.invite(REQUIRED, 183);
    expect(call.response.body).toBe(SDP);
    expect(await client.restBrief()).toEqual([]);
    expect(calls[0]!.isOver).toBe(false);
    expect((await prack(call)).status).toBe(200);
    const success = await client.next(200, call.invite);
    expect([success.body, success.header("Content-Type")]).toEqual(["", undefined]);
    call.ack(call.invite, success);
    await client.rest();
    const { session } = calls[0]!.dialog!;
    expect(session.state).toBe("stable");
    expect(Buffer.from(session.local!).toString()).toBe(SDP);
    expect(Buffer.from(session.remote!).toString()).toBe(OFFER);
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test("keeps its own copy of what it waits with", async () => {
    const body = Buffer.from(SDP);
    using peer = await answering((call) => {
      call.progress(180);
      call.progress(183, { body, reliable: true });
      void call.answer(undefined, undefined, { "X-Late": "yes" });
      body.fill(0x58);
    });
    const { client } = peer;
    const call = await client.invite(REQUIRED, 180);
    await prack(call);
    const early = await client.next(183, call.invite);
    expect(early.body).toBe(SDP);
    expect(await client.restBrief()).toEqual([]);
    await prack(call, early);
    expect((await client.next(200, call.invite)).header("X-Late")).toBe("yes");
  });

  test("does not wait for one without; its late PRACK is answered", async () => {
    using peer = await answering((call) => {
      call.ring();
      void call.answer(SDP);
    });
    const { client, clock } = peer;
    const call = await client.invite(REQUIRED, 180);
    const success = await client.next(200, call.invite);
    expect(success.body).toBe(SDP);
    call.ack(call.invite, success);
    await client.rest();
    await clock.pass(8000);
    expect(await client.restBrief()).toEqual([]);
    expect((await prack(call)).status).toBe(200);
    expect((await prack(call)).status).toBe(481);
  });

  test("while it waits the call takes no second answer; CANCEL, BYE and a refusal end it", async () => {
    for (const how of ["CANCEL", "BYE", "reject"] as const) {
      const outcomes: unknown[] = [];
      using peer = await answering((call) => {
        call.progress(183, { body: SDP });
        void call.answer().catch((error: unknown) => outcomes.push((error as CallEnded).cause));
        void call.answer().catch((error: unknown) => outcomes.push(`second ${(error as CallEnded).cause}`));
        outcomes.push(call.progress(182));
      });
      const { client, calls, clock } = peer;
      const call = await client.invite(REQUIRED, 183);
      if (how === "CANCEL") call.cancel();
      else if (how === "BYE") call.send("BYE");
      else expect(calls[0]!.reject(480)).toBe(true);
      const refused = await client.next(how === "reject" ? 480 : 487, call.invite);
      call.ack(call.invite, refused);
      await client.rest();
      expect([how, outcomes]).toEqual([how, [false, "second over", how === "reject" ? "over" : "cancelled"]]);
      for (let i = 0; i < 4; i++) await clock.pass(40_000);
      expect(await client.restBrief()).toEqual([]);
      for (let i = 0; i < 2; i++) await clock.pass(40_000);
      expect(peer.server.stats()).toMatchObject({ dialogs: 0, transactions: 0, timers: 0 });
    }
  });

  test("in a re-INVITE, too", async () => {
    using peer = await answering(
      (call) =>
        void call.answer(SDP, {
          invite(again) {
            again.progress(183, { body: "v=0\r\ns=again\r\n" });
            void again.answer();
          },
        }),
    );
    const { client, calls } = peer;
    const call = await client.invite({ body: OFFER });
    call.ack();
    const again = call.send("INVITE", { ...REQUIRED, contact: `<sip:alice@${client.sentBy}>` });
    const early = await client.next(183, again);
    expect(isReliable(early)).toBe(true);
    expect(await client.restBrief()).toEqual([]);
    expect((await prack(call, early)).status).toBe(200);
    call.ack(again, await client.next(200, again));
    await client.rest();
    expect(Buffer.from(calls[0]!.dialog!.session.local!).toString()).toBe("v=0\r\ns=again\r\n");
  });
});

describe("an offer in a PRACK", () => {
  test("is answered in its 200 by the dialog's handler", async () => {
    const seen: string[] = [];
    using peer = await answering((call) => {
      call.progress(183, {
        body: SDP,
        handlers: {
          prack(request, dialog) {
            seen.push(request.method, Buffer.from(request.body).toString(), dialog.session.state);
            request.reply(200, { body: "v=0\r\ns=second\r\n" });
          },
        },
      });
      void call.answer();
    });
    const { client, calls } = peer;
    const call = await client.invite(REQUIRED, 183);
    const answered = await prack(call, call.response, { body: "v=0\r\ns=more\r\n" });
    expect([answered.status, answered.body]).toEqual([200, "v=0\r\ns=second\r\n"]);
    await client.next(200, call.invite);
    expect(seen).toEqual(["PRACK", "v=0\r\ns=more\r\n", "remote-offer"]);
    const { session } = calls[0]!.dialog!;
    expect([session.state, Buffer.from(session.local!).toString()]).toEqual(["stable", "v=0\r\ns=second\r\n"]);
  });

  test("without a handler gets 488; the response is acknowledged, and the session stands", async () => {
    using peer = await answering((call) => {
      call.progress(183, { body: SDP });
      void call.answer();
    });
    const { client, calls } = peer;
    const call = await client.invite(REQUIRED, 183);
    expect((await prack(call, call.response, { body: "v=0\r\ns=more\r\n" })).status).toBe(488);
    await client.next(200, call.invite);
    expect(Buffer.from(calls[0]!.dialog!.session.local!).toString()).toBe(SDP);
  });

  test("while the INVITE's own has no answer yet gets 400", async () => {
    using peer = await answering((call) => void call.ring());
    const { client, calls } = peer;
    const call = await client.invite(REQUIRED, 180);
    expect((await prack(call, call.response, { body: OFFER })).status).toBe(400);
    void calls[0]!.answer(SDP);
    expect((await client.next(200, call.invite)).body).toBe(SDP);
  });

  test("a handler that throws: 500, and the call goes on", async () => {
    using peer = await answering((call) => {
      call.progress(183, {
        body: SDP,
        handlers: {
          prack() {
            throw new Error("on purpose");
          },
        },
      });
      void call.answer();
    });
    const { client, calls } = peer;
    const call = await client.invite(REQUIRED, 183);
    expect((await prack(call, call.response, { body: OFFER })).status).toBe(500);
    await client.next(200, call.invite);
    expect(calls[0]!.dialog!.session.state).toBe("stable");
  });
});

test("what would not stand on its line is refused at once, also where it would have to wait", async () => {
  const thrown: unknown[] = [];
  using peer = await answering((call) => {
    call.progress(183, { body: SDP });
    for (const wrong of [{ headers: { "X-A": "a\r\nb" } }, { reason: "a\nb" }, { contentType: "a\r\nb" }]) {
      try {
        call.progress(182, wrong);
      } catch (error) {
        thrown.push(error);
      }
    }
    void call.answer();
  });
  const call = await peer.client.invite(REQUIRED, 183);
  await prack(call);
  await peer.client.next(200, call.invite);
  expect(thrown.map((error) => error instanceof TypeError)).toEqual([true, true, true]);
});
