/** Calls whose INVITE has no offer, and what a dialog knows of its session: RFC 3261 s13.2.1, s14; RFC 3262 s5; RFC 6337. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallFailed, type CallOptions, type Dialog, type DialogHandlers } from "../../src/index.ts";
import { ANSWER } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { OFFER, type RequestShape } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { type ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const SDP = "v=0\r\ns=ours\r\n";
const said = (octets: Uint8Array | null) => (octets === null ? null : Buffer.from(octets).toString());
const brief = ({ session }: Dialog) => [session.state, said(session.local), said(session.remote)];

async function called(invite: (call: Call) => unknown) {
  const calls: Call[] = [];
  const running = await testServer({
    invite(call) {
      calls.push(call);
      return invite(call);
    },
  });
  const client = await WireClient.open(running.address);
  return {
    calls,
    client,
    server: running.server,
    get dialog(): Dialog {
      return calls[0]!.dialog!;
    },
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

/** The ACK for a 2xx, with an answer in it. */
async function ack(call: ClientCall, body: string, contentType?: string): Promise<void> {
  const shape = { uri: call.response.contactUri!, to: call.response.header("To")!, from: call.invite.header("From")! };
  const { callId, cseq } = call.invite;
  call.client.request("ACK", { ...shape, callId, cseq, body, ...(contentType === undefined ? {} : { contentType }) });
  await call.client.rest();
}

const prack = (call: ClientCall, more: RequestShape = {}) =>
  call.ask("PRACK", { headers: [`RAck: ${call.response.header("RSeq")} ${call.response.cseq} INVITE`], ...more });

describe("a call that comes in", () => {
  test("with an offer: the 2xx answers it, and the session is known whenever it is asked for", async () => {
    for (const isText of [true, false]) {
      const octets = Buffer.from(SDP);
      using peer = await called((call) => {
        void call.answer(isText ? SDP : octets);
        octets.fill(0x58);
      });
      const call = await peer.client.invite({ body: OFFER });
      call.ack();
      await peer.client.rest();
      expect(brief(peer.dialog)).toEqual(["stable", SDP, OFFER]);
    }
  });

  test("without one: the 2xx offers, the ACK answers, and is looked at before answer() resolves", async () => {
    let seen: unknown;
    using peer = await called(async (call) => {
      seen = brief(await call.answer(SDP));
    });
    const call = await peer.client.invite();
    expect(call.response.body).toBe(SDP);
    expect(brief(peer.dialog)).toEqual(["local-offer", null, null]);
    await ack(call, ANSWER);
    expect(seen).toEqual(["stable", SDP, ANSWER]);
    // Another ACK changes nothing.
    await ack(call, OFFER);
    expect(brief(peer.dialog)).toEqual(["stable", SDP, ANSWER]);
  });

  test("an ACK without the answer leaves the offer unanswered; a re-INVITE makes it good", async () => {
    const handlers: DialogHandlers = { invite: (again) => void again.answer(SDP) };
    using peer = await called((call) => void call.answer(SDP, handlers));
    const call = await peer.client.invite();
    await ack(call, "");
    expect(brief(peer.dialog)).toEqual(["unanswered", null, null]);
    const again = call.send("INVITE", { contact: `<sip:alice@${peer.client.sentBy}>`, body: OFFER });
    call.ack(again, await peer.client.next(200, again));
    await peer.client.rest();
    expect(brief(peer.dialog)).toEqual(["stable", SDP, OFFER]);
  });

  test("answered without a description: the session says that the offer was never answered", async () => {
    using peer = await called((call) => void call.answer());
    const call = await peer.client.invite({ body: OFFER });
    call.ack();
    await peer.client.rest();
    expect(brief(peer.dialog)).toEqual(["unanswered", null, null]);
  });

  test("neither side describes anything: there is no session, and the call stands", async () => {
    using peer = await called((call) => void call.answer());
    const call = await peer.client.invite();
    await ack(call, "");
    expect(brief(peer.dialog)).toEqual(["none", null, null]);
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test("a body that is no session description is none", async () => {
    using peer = await called((call) => void call.answer("<x/>", undefined, {}));
    const call = await peer.client.invite({
      body: "<x/>",
      contentType: "application/sdp",
      headers: ["Content-Disposition: render"],
    });
    call.ack();
    await peer.client.rest();
    // What we said was an offer then; nothing answers it.
    expect(peer.dialog.session.state).toBe("unanswered");
  });

  test("the first reliable response makes the offer, the PRACK answers it, and the 2xx has none", async () => {
    using peer = await called((call) => {
      call.progress(183, { reliable: true, body: SDP });
      void call.answer(SDP);
    });
    const call = await peer.client.invite({ headers: ["Supported: 100rel"] }, 183);
    expect(call.response.body).toBe(SDP);
    expect(peer.dialog.session.state).toBe("local-offer");
    expect((await prack(call, { body: ANSWER })).status).toBe(200);
    expect(brief(peer.dialog)).toEqual(["stable", SDP, ANSWER]);
    expect((await peer.client.next(200, call.invite)).body).toBe("");
  });

  test("a PRACK without that answer is taken; the offer stays unanswered, and the call goes on", async () => {
    using peer = await called((call) => {
      call.progress(183, { reliable: true, body: SDP });
      void call.answer();
    });
    const call = await peer.client.invite({ headers: ["Require: 100rel"] }, 183);
    expect((await prack(call)).status).toBe(200);
    await peer.client.next(200, call.invite);
    expect(peer.dialog.session.state).toBe("unanswered");
  });

  test("nothing goes reliably before the offer: not at all where it is required, else as usual", async () => {
    const sent: boolean[] = [];
    using peer = await called((call) => {
      sent.push(call.progress(180, { reliable: true }));
      if (call.header("X-Go") !== undefined) void call.answer(SDP);
    });
    const { client } = peer;
    const required = client.request("INVITE", { headers: ["Require: 100rel", "X-Go: 1"] });
    const success = await client.next(200, required);
    expect(success.body).toBe(SDP);
    expect(await client.restBrief()).toEqual([]);
    const supported = await client.invite({ headers: ["Supported: 100rel"] }, 180);
    expect(supported.response.header("RSeq")).toBeUndefined();
    expect(sent).toEqual([false, true]);
  });

  test("an unreliable response with a description is a mere preview: the 2xx answers", async () => {
    using peer = await called((call) => {
      call.progress(183, { body: SDP });
      void call.answer(SDP);
    });
    const call = await peer.client.invite({ body: OFFER }, 183);
    expect(call.response.body).toBe(SDP);
    expect((await peer.client.next(200, call.invite)).body).toBe(SDP);
  });
});

describe("a re-INVITE", () => {
  test("without an offer is one; refused, the session is as it was", async () => {
    const answers: ((again: Call) => unknown)[] = [
      (again) => again.reject(488),
      (again) => again.answer("v=0\r\ns=two\r\n").catch(() => {}),
    ];
    const handlers: DialogHandlers = { invite: (again) => void answers.shift()!(again) };
    using peer = await called((call) => void call.answer(SDP, handlers));
    const { client } = peer;
    const call = await client.invite({ body: OFFER });
    call.ack();
    const contact = `<sip:alice@${client.sentBy}>`;
    const refused = call.send("INVITE", { contact, body: ANSWER });
    call.ack(refused, await client.next(488, refused));
    await client.rest();
    expect(brief(peer.dialog)).toEqual(["stable", SDP, OFFER]);
    const again = call.send("INVITE", { contact });
    const success = await client.next(200, again);
    expect(brief(peer.dialog)).toEqual(["local-offer", SDP, OFFER]);
    client.request("ACK", {
      uri: success.contactUri!,
      to: success.header("To")!,
      from: again.header("From")!,
      callId: again.callId,
      cseq: again.cseq,
      body: ANSWER,
    });
    await client.rest();
    expect(brief(peer.dialog)).toEqual(["stable", "v=0\r\ns=two\r\n", ANSWER]);
  });

  test("of ours that is refused leaves the session as it was; one that is answered changes it", async () => {
    using peer = await calling();
    const { callee } = peer;
    const { dialog } = await peer.established();
    expect(brief(dialog)).toEqual(["stable", OFFER, ANSWER]);
    const refused = dialog.invite(SDP);
    callee.respond(await callee.next("INVITE"), 488);
    await callee.next("ACK");
    expect((await refused).status).toBe(488);
    expect(brief(dialog)).toEqual(["stable", OFFER, ANSWER]);
    const asked = dialog.invite(undefined, { answer: () => SDP });
    const invite = await callee.next("INVITE");
    expect(brief(dialog)).toEqual(["stable", OFFER, ANSWER]);
    callee.respond(invite, 200, { body: OFFER });
    expect((await callee.next("ACK")).body).toBe(SDP);
    await asked;
    expect(brief(dialog)).toEqual(["stable", SDP, OFFER]);
  });
});

describe("a call of ours", () => {
  test("without an offer: the one in the 2xx is answered in the ACK", async () => {
    using peer = await calling();
    const { callee } = peer;
    const call = peer.call({ sdp: undefined, answer: () => Buffer.from(ANSWER) } as unknown as CallOptions);
    const invite = await callee.next("INVITE");
    expect((await callee.answer(invite, { body: OFFER })).body).toBe(ANSWER);
    expect(brief(await call.answered)).toEqual(["stable", ANSWER, OFFER]);
  });

  test("an answer that cannot be made: acknowledged, hung up, and the call fails", async () => {
    using peer = await calling();
    const { callee } = peer;
    const answer = () => {
      throw new Error("no codec");
    };
    const call = peer.call({ sdp: undefined, answer } as unknown as CallOptions);
    const failed = call.answered.catch((error: unknown) => error);
    const invite = await callee.next("INVITE");
    expect((await callee.answer(invite, { body: OFFER })).body).toBe("");
    callee.respond(await callee.next("BYE"), 200);
    const error = (await failed) as CallFailed;
    expect(error).toBeInstanceOf(CallFailed);
    expect([error.status, error.message]).toEqual([488, expect.stringContaining("no codec")]);
    await peer.nothingLeft();
  });

  test("a 2xx without an answer leaves our offer unanswered", async () => {
    using peer = await calling();
    const { callee } = peer;
    const call = peer.call();
    await callee.answer(await callee.next("INVITE"), { body: "" });
    expect(brief(await call.answered)).toEqual(["unanswered", null, null]);
  });

  test("two forks: each dialog has a session of its own", async () => {
    const dialogs: Dialog[] = [];
    using peer = await calling();
    const { callee } = peer;
    const call = peer.call({ progress: (_response, dialog) => dialogs.push(dialog!) });
    const invite = await callee.next("INVITE");
    callee.respond(invite, 183, { tag: "one", body: ANSWER, headers: ["Require: 100rel", "RSeq: 1"] });
    callee.respond(await callee.next("PRACK"), 200);
    callee.respond(invite, 180, { tag: "two" });
    await callee.rest();
    expect(dialogs.map(({ session }) => session.state)).toEqual(["stable", "local-offer"]);
    await callee.answer(invite, { tag: "two", body: SDP });
    expect(brief(await call.answered)).toEqual(["stable", OFFER, SDP]);
  });
});
