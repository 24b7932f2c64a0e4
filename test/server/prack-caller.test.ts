/** Reliable provisional responses to calls of ours: RFC 3262 s4 and s5. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CallFailed, type CallOptions, type ServeOptions } from "../../src/index.ts";
import { ANSWER } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { OFFER } from "../support/sip-messages.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const reliable = (rseq: number, more: readonly string[] = []) => ["Require: 100rel", `RSeq: ${rseq}`, ...more];

/** A call that was placed, and its INVITE. */
async function placed(options: CallOptions = {}, serve: ServeOptions = {}) {
  const peer = await calling(serve);
  const call = peer.call(options);
  const invite = await peer.callee.next("INVITE");
  return Object.assign(peer, { placed: call, invite });
}

describe("the INVITE", () => {
  test("says that reliable provisional responses are taken, and PRACK and UPDATE", async () => {
    using peer = await placed();
    expect(peer.invite.list("Supported")).toContain("100rel");
    expect(peer.invite.list("Allow")).toEqual(expect.arrayContaining(["INVITE", "ACK", "BYE", "PRACK", "UPDATE"]));
  });

  test("does not with `off`", async () => {
    using peer = await placed({}, { reliableProvisional: "off" });
    expect(peer.invite.list("Supported")).not.toContain("100rel");
    expect(peer.invite.list("Allow")).not.toContain("PRACK");
  });
});

describe("a reliable provisional response", () => {
  test("is acknowledged in its early dialog by a PRACK; its answer is the session's", async () => {
    const states: unknown[] = [];
    using peer = await placed({
      progress: (response, dialog) => states.push(response.status, dialog?.session.state, dialog?.isConfirmed),
    });
    const { callee, invite } = peer;
    callee.respond(invite, 183, { headers: reliable(4_294_967_294), body: ANSWER, routes: ["<sip:127.0.0.1:9;lr>"] });
    callee.respond(invite, 180, { headers: reliable(1), tag: "fork" });
    const prack = await callee.next("PRACK");
    expect(prack.header("RAck")).toBe(`1 ${invite.cseq} INVITE`);
    expect(prack.toTag).toBe("fork");
    expect([prack.callId, prack.fromTag, prack.cseq]).toEqual([invite.callId, invite.fromTag, invite.cseq + 1]);
    expect([prack.uri, prack.body, prack.header("Contact")]).toEqual([callee.uri, "", undefined]);
    callee.respond(prack, 200);
    expect(states).toEqual([183, "stable", false, 180, "local-offer", false]);
  });

  test("that comes again is neither acknowledged nor told again", async () => {
    const told: number[] = [];
    using peer = await placed({ progress: (response) => told.push(response.status) });
    const { callee, invite } = peer;
    callee.respond(invite, 180, { headers: reliable(7) });
    callee.respond(await callee.next("PRACK"), 200);
    callee.respond(invite, 180, { headers: reliable(7) });
    expect(await callee.rest()).toEqual([]);
    expect(told).toEqual([180]);
  });

  test("that is not the next one is dropped; the next one is taken", async () => {
    const told: number[] = [];
    using peer = await placed({ progress: (response) => told.push(response.status) });
    const { callee, invite } = peer;
    callee.respond(invite, 180, { headers: reliable(7) });
    callee.respond(await callee.next("PRACK"), 200);
    for (const [status, rseq] of [
      [181, 9],
      [182, 6],
      [181, 4_294_967_295],
    ] as const) {
      callee.respond(invite, status, { headers: reliable(rseq) });
    }
    expect(await callee.rest()).toEqual([]);
    callee.respond(invite, 183, { headers: reliable(8) });
    const prack = await callee.next("PRACK");
    expect(prack.header("RAck")).toBe("8 1 INVITE");
    callee.respond(prack, 200);
    expect(told).toEqual([180, 183]);
  });

  test("an unreliable one between them is told and not acknowledged; 100 never is", async () => {
    const told: number[] = [];
    using peer = await placed({ progress: (response) => told.push(response.status) });
    const { callee, invite } = peer;
    callee.respond(invite, 100, { headers: reliable(1) });
    callee.respond(invite, 180);
    callee.respond(invite, 183, { headers: ["RSeq: 5"] });
    expect(await callee.rest()).toEqual([]);
    expect(told).toEqual([180, 183]);
  });

  test("without an RSeq that can be read is taken as an unreliable one", async () => {
    const told: number[] = [];
    using peer = await placed({ progress: (response) => told.push(response.status) });
    const { callee, invite } = peer;
    for (const headers of [[], ["RSeq: 0"], ["RSeq: x"], ["RSeq: 1", "RSeq: 2"], [`RSeq: ${"9".repeat(2000)}`]]) {
      callee.respond(invite, 180, { headers: ["Require: 100rel", ...headers] });
    }
    callee.respond(invite, 180, { headers: reliable(1), tag: null });
    expect(await callee.rest()).toEqual([]);
    expect(told).toEqual([180, 180, 180, 180, 180, 180]);
  });

  test("each fork has its own order", async () => {
    using peer = await placed();
    const { callee, invite } = peer;
    callee.respond(invite, 180, { headers: reliable(100), tag: "one" });
    callee.respond(await callee.next("PRACK"), 200);
    callee.respond(invite, 180, { headers: reliable(5), tag: "two" });
    const second = await callee.next("PRACK");
    expect([second.header("RAck"), second.toTag]).toEqual(["5 1 INVITE", "two"]);
  });

  test("its PRACK comes again until it is answered", async () => {
    using peer = await placed();
    const { callee, invite, clock } = peer;
    callee.respond(invite, 180, { headers: reliable(3) });
    const first = await callee.next("PRACK");
    await clock.pass(500);
    expect((await callee.next("PRACK")).text).toBe(first.text);
    callee.respond(first, 200);
    await callee.rest();
    await clock.pass(4000);
    expect(await callee.rest()).toEqual([]);
  });

  test("the 2xx that follows an answer has none: the ACK goes without, and what the 2xx repeats is not looked at", async () => {
    using peer = await placed();
    const { callee, invite, placed: call } = peer;
    callee.respond(invite, 183, { headers: reliable(3), body: ANSWER });
    callee.respond(await callee.next("PRACK"), 200);
    const ack = await callee.answer(invite, { body: ANSWER.replace("41000", "42000") });
    expect([ack.body, ack.cseq]).toEqual(["", invite.cseq]);
    const dialog = await call.answered;
    expect(dialog.session.state).toBe("stable");
    expect(Buffer.from(dialog.session.remote!).toString()).toBe(ANSWER);
    dialog.bye();
    const bye = await callee.next("BYE");
    expect(bye.cseq).toBe(invite.cseq + 2);
    callee.respond(bye, 200);
    await peer.nothingLeft();
  });

  test("to a re-INVITE is acknowledged, too", async () => {
    using peer = await calling();
    const { callee } = peer;
    const { dialog } = await peer.established();
    const again = dialog.invite(OFFER);
    const invite = await callee.next("INVITE");
    callee.respond(invite, 183, { headers: reliable(3), body: ANSWER });
    const prack = await callee.next("PRACK");
    expect(prack.header("RAck")).toBe(`3 ${invite.cseq} INVITE`);
    callee.respond(prack, 200);
    callee.respond(invite, 200);
    expect((await callee.next("ACK")).cseq).toBe(invite.cseq);
    expect((await again).status).toBe(200);
  });
});

describe("an offer in it, where the INVITE had none", () => {
  test("is answered in the PRACK, and not again in the ACK", async () => {
    const offers: string[] = [];
    using peer = await calling();
    const { callee } = peer;
    const call = peer.call({
      sdp: undefined,
      answer(offer) {
        offers.push(Buffer.from(offer).toString());
        return ANSWER;
      },
    } as CallOptions);
    const invite = await callee.next("INVITE");
    expect(invite.body).toBe("");
    callee.respond(invite, 183, { headers: reliable(3), body: OFFER });
    const prack = await callee.next("PRACK");
    expect([prack.body, prack.header("Content-Type")]).toEqual([ANSWER, "application/sdp"]);
    callee.respond(prack, 200);
    expect((await callee.answer(invite, { body: OFFER })).body).toBe("");
    const { session } = await call.answered;
    expect(offers).toEqual([OFFER]);
    expect([session.state, Buffer.from(session.local!).toString()]).toEqual(["stable", ANSWER]);
  });

  test("an answer that cannot be made: the PRACK goes without, and the call is given up", async () => {
    using peer = await calling();
    const { callee } = peer;
    const call = peer.call({
      sdp: undefined,
      answer() {
        throw new Error("no codec");
      },
    } as unknown as CallOptions);
    const failed = call.answered.catch((error: unknown) => error);
    const invite = await callee.next("INVITE");
    callee.respond(invite, 183, { headers: reliable(3), body: OFFER });
    const prack = await callee.next("PRACK");
    expect(prack.body).toBe("");
    callee.respond(prack, 200);
    callee.respond(await callee.next("CANCEL"), 200);
    callee.respond(invite, 487);
    await callee.next("ACK");
    const error = (await failed) as CallFailed;
    expect(error).toBeInstanceOf(CallFailed);
    expect([error.status, error.message]).toEqual([488, expect.stringContaining("no codec")]);
    await peer.nothingLeft();
  });
});

describe("a PRACK that is refused", () => {
  test("with 481: the early dialog is gone, and the call with it", async () => {
    using peer = await placed();
    const { callee, invite, placed: call } = peer;
    const failed = call.answered.catch((error: unknown) => error);
    callee.respond(invite, 180, { headers: reliable(3) });
    callee.respond(await callee.next("PRACK"), 481);
    callee.respond(await callee.next("CANCEL"), 200);
    callee.respond(invite, 487);
    await callee.next("ACK");
    expect(((await failed) as CallFailed).status).toBe(481);
    await peer.nothingLeft();
  });

  test("never answered: the same", async () => {
    using peer = await placed();
    const { callee, invite, clock, placed: call } = peer;
    const failed = call.answered.catch((error: unknown) => error);
    callee.respond(invite, 180, { headers: reliable(3) });
    await callee.next("PRACK");
    for (let left = 32_000; left > 0; left -= 500) await clock.pass(500);
    callee.respond(await callee.next("CANCEL"), 200);
    callee.respond(invite, 487);
    await callee.next("ACK");
    expect(((await failed) as CallFailed).status).toBe(408);
  });

  test("another fork goes on", async () => {
    using peer = await placed();
    const { callee, invite, placed: call } = peer;
    callee.respond(invite, 180, { headers: reliable(3), tag: "one" });
    const prack = await callee.next("PRACK");
    callee.respond(invite, 180, { tag: "two" });
    callee.respond(prack, 481);
    expect(await callee.rest()).toEqual([]);
    await callee.answer(invite, { tag: "two" });
    expect((await call.answered).remoteTag).toBe("two");
  });

  test("the callee answers all the same: acknowledged and hung up, and nothing is left", async () => {
    using peer = await placed();
    const { callee, invite, placed: call } = peer;
    const failed = call.answered.catch((error: unknown) => error);
    callee.respond(invite, 180, { headers: reliable(3) });
    callee.respond(await callee.next("PRACK"), 481);
    const cancel = await callee.next("CANCEL");
    await callee.answer(invite);
    callee.respond(cancel, 200);
    callee.respond(await callee.next("BYE"), 200);
    expect(((await failed) as CallFailed).status).toBe(481);
    await peer.nothingLeft();
  });

  test("with another status: the callee decides", async () => {
    using peer = await placed();
    const { callee, invite, placed: call } = peer;
    callee.respond(invite, 180, { headers: reliable(3) });
    callee.respond(await callee.next("PRACK"), 500);
    expect(await callee.rest()).toEqual([]);
    await callee.answer(invite);
    await call.answered;
  });

  test("a challenge is answered once", async () => {
    let asked = 0;
    using peer = await placed({
      auth(challenge) {
        asked++;
        return challenge.status === 407 ? { "Proxy-Authorization": "Digest x" } : null;
      },
    });
    const { callee, invite } = peer;
    callee.respond(invite, 180, { headers: reliable(3) });
    callee.respond(await callee.next("PRACK"), 407);
    const second = await callee.next((message) => message.header("Proxy-Authorization") !== undefined);
    expect([second.method, second.header("RAck"), second.header("Proxy-Authorization")]).toEqual([
      "PRACK",
      "3 1 INVITE",
      "Digest x",
    ]);
    callee.respond(second, 407);
    await until("the second challenge to be looked at", async () => (await callee.rest()).length >= 0);
    expect(asked).toBe(1);
  });
});
