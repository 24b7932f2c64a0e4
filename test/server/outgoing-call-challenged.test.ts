/** Calls of ours that are challenged, and answer by themselves (RFC 3261 s22). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { CallOptions, Dialog, ServeOptions } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { ANSWER, Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { asks, givenIn, isRight, onlyGiven, proxyAsks } from "../support/challenger.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const ALICE = { user: "alice", password: "secret" } as const;

/** A call that was placed, and its first INVITE. */
async function placed(options: CallOptions = {}, serve: ServeOptions = {}) {
  const all = await calling({ credentials: ALICE, ...serve });
  const call = all.call(options);
  const first = await all.callee.next("INVITE");
  return {
    ...all,
    placed: call,
    first,
    /** Takes the next INVITE of the call, after the ACK of the one before. */
    async nextInvite(): Promise<SipMessage> {
      await all.callee.next("ACK");
      return all.callee.next("INVITE");
    },
  };
}

/** The part of an INVITE that stays. */
function identity(invite: SipMessage): unknown[] {
  return [invite.uri, invite.callId, ...["From", "To", "Contact"].map((name) => invite.header(name)), invite.body];
}

const expires = (invite: SipMessage) => invite.header("Session-Expires");

describe("an INVITE", () => {
  test("is sent again with credentials; its ACK has the same, and the BYE others of its own", async () => {
    for (const isProxy of [false, true]) {
      using all = await placed();
      const { callee, first } = all;
      const headers = [(isProxy ? proxyAsks : asks)({ algorithm: "SHA-256" })];
      callee.respond(first, isProxy ? 407 : 401, { headers });
      const refusedAck = await callee.next("ACK");
      expect([refusedAck.branch, refusedAck.cseq, givenIn(refusedAck, isProxy)]).toEqual([first.branch, 1, []]);
      const second = await callee.next("INVITE");
      expect(identity(second)).toEqual(identity(first));
      expect([second.cseq, second.branch === first.branch, expires(second)]).toEqual([2, false, expires(first)]);
      expect(isRight(onlyGiven(second, isProxy), ALICE, second)).toBe(true);
      const ack = await callee.answer(second);
      const field = isProxy ? "Proxy-Authorization" : "Authorization";
      expect([ack.cseq, ack.header(field)]).toEqual([2, second.header(field)]);
      const dialog = await all.placed.answered;
      expect([dialog.localCSeq, dialog.session.state]).toEqual([2, "stable"]);
      dialog.bye();
      const bye = await callee.next("BYE");
      expect([bye.cseq, onlyGiven(bye, isProxy).nc]).toEqual([3, "00000002"]);
      expect(isRight(onlyGiven(bye, isProxy), ALICE, bye)).toBe(true);
      callee.respond(bye, 200);
      await all.nothingLeft();
    }
  });

  test("whose 2xx comes again is acknowledged with the same octets", async () => {
    using all = await placed();
    all.callee.respond(all.first, 401, { headers: [asks()] });
    const second = await all.nextInvite();
    const answer = all.callee.respond(second, 200, { body: ANSWER });
    const ack = await all.callee.next("ACK");
    all.callee.wire.send(answer);
    expect((await all.callee.next("ACK")).text).toBe(ack.text);
  });

  test("that a proxy refuses after a phone has rung: its early dialogs are over, the next INVITE makes others", async () => {
    const early: (Dialog | null)[] = [];
    using all = await placed({ progress: (_, dialog) => early.push(dialog) });
    const { callee, first } = all;
    callee.respond(first, 183, { headers: ["Require: 100rel", "RSeq: 7"], body: ANSWER });
    const prack = await callee.next("PRACK");
    callee.respond(prack, 200);
    callee.respond(first, 407, { headers: [proxyAsks()] });
    const second = await all.nextInvite();
    // The PRACK had 2.
    expect([prack.cseq, second.cseq]).toEqual([2, 3]);
    expect(await early[0]!.ended).toBe("failed");
    // A phone that takes the same tag again counts its reliable responses anew.
    callee.respond(second, 180, { headers: ["Require: 100rel", "RSeq: 3"] });
    const again = await callee.next("PRACK");
    expect([again.header("RAck"), again.cseq, onlyGiven(again, true).nc]).toEqual(["3 3 INVITE", 4, "00000002"]);
    callee.respond(again, 200);
    await callee.answer(second);
    const dialog = await all.placed.answered;
    expect([dialog === early[1], dialog.session.state, dialog.localCSeq]).toEqual([true, "stable", 4]);
    dialog.bye();
    callee.respond(await callee.next("BYE"), 200);
    await all.nothingLeft();
  });

  test("that forks, refused by a phone and a proxy in one response: both are answered (RFC 8760 s2.5)", async () => {
    using all = await placed();
    all.callee.respond(all.first, 401, { headers: [asks({ realm: "phone" }), proxyAsks({ realm: "proxy" })] });
    const second = await all.nextInvite();
    expect([onlyGiven(second).realm, onlyGiven(second, true).realm]).toEqual(["phone", "proxy"]);
    await all.callee.answer(second);
    await all.placed.answered;
  });

  test("with a wrong password: CallFailed carries the 401, and nothing of the call is left", async () => {
    using all = await placed();
    all.callee.respond(all.first, 401, { headers: [asks()] });
    all.callee.respond(await all.nextInvite(), 401, { headers: [asks({ nonce: "other" })] });
    const failure = await callFailure(all.placed);
    expect([failure.status, failure.message]).toEqual([401, "401 Whatever"]);
    expect(await all.callee.rest()).toEqual(["ACK"]);
    await all.nothingLeft();
  });

  test("cancelled: the one that is under way is, by its branch and CSeq, without credentials", async () => {
    using all = await placed();
    const { callee } = all;
    callee.respond(all.first, 401, { headers: [asks()] });
    const second = await all.nextInvite();
    all.placed.cancel();
    expect(await callee.rest()).toEqual([]);
    callee.respond(second, 180);
    const cancel = await callee.next("CANCEL");
    expect([cancel.branch, cancel.cseq, cancel.header("Authorization")]).toEqual([second.branch, 2, undefined]);
    callee.respond(cancel, 200);
    callee.respond(second, 487);
    expect((await callFailure(all.placed)).status).toBe(487);
    await all.nothingLeft();
  });

  test("cancelled before its challenge: that is not looked at", async () => {
    using all = await placed();
    all.placed.cancel();
    all.callee.respond(all.first, 401, { headers: [asks()] });
    expect((await callFailure(all.placed)).status).toBe(487);
    expect(await all.callee.rest()).toEqual(["ACK"]);
  });

  test("cancelled, or timed out, while credentials are looked for: 487, and no INVITE goes out any more", async () => {
    for (const isTimeout of [false, true]) {
      const { promise, resolve } = Promise.withResolvers<typeof ALICE>();
      using all = await placed({ timeout: 60_000 }, { credentials: () => promise });
      all.callee.respond(all.first, 401, { headers: [asks()] });
      await all.callee.next("ACK");
      if (isTimeout) await all.clock.pass(60_100);
      else all.placed.cancel();
      expect((await callFailure(all.placed)).status).toBe(487);
      resolve(ALICE);
      expect(await all.callee.rest()).toEqual([]);
      await all.nothingLeft();
    }
  });

  test("that is never answered once it has credentials: 408", async () => {
    using all = await placed();
    all.callee.respond(all.first, 401, { headers: [asks()] });
    await all.nextInvite();
    await all.clock.pass(32_100);
    expect((await callFailure(all.placed)).status).toBe(408);
  });

  test("that is too short for the callee's timer after its challenge (422): the third has both", async () => {
    using all = await placed({}, { sessionTimers: { expires: 90 } });
    all.callee.respond(all.first, 401, { headers: [asks()] });
    all.callee.respond(await all.nextInvite(), 422, { headers: ["Min-SE: 3600"] });
    const third = await all.nextInvite();
    expect([third.cseq, expires(third), onlyGiven(third).nc]).toEqual([3, "3600", "00000002"]);
    expect(isRight(onlyGiven(third), ALICE, third)).toBe(true);
    await all.callee.answer(third);
    await all.placed.answered;
  });

  test("that is redirected after its challenge: credentials for the server stay there, those for the proxy go along", async () => {
    using all = await calling({ credentials: ALICE });
    const { callee } = all;
    using elsewhere = await Callee.open(all.address);
    const route = `sip:${callee.wire.sentBy}`;
    all.server.call("sip:bob@biloxi.example", { route, redirects: 1 });
    callee.respond(await callee.next("INVITE"), 401, {
      headers: [asks({ realm: "server" }), proxyAsks({ realm: "proxy" })],
    });
    callee.respond(await callee.next((message) => message.cseq === 2 && message.method === "INVITE"), 302, {
      contact: `<${elsewhere.uri}>`,
    });
    const third = await callee.next((message) => message.cseq === 3 && message.method === "INVITE");
    expect([third.uri, givenIn(third), onlyGiven(third, true).realm]).toEqual([elsewhere.uri, [], "proxy"]);
    expect(isRight(onlyGiven(third, true), ALICE, third)).toBe(true);
  });

  test("of the next call goes out with credentials at once", async () => {
    using all = await placed();
    all.callee.respond(all.first, 401, { headers: [asks()] });
    await all.callee.answer(await all.nextInvite());
    await all.placed.answered;
    all.call();
    const next = await all.callee.next("INVITE");
    expect([next.cseq, onlyGiven(next).nc]).toEqual([1, "00000002"]);
    const ack = await all.callee.answer(next);
    expect(ack.header("Authorization")).toBe(next.header("Authorization"));
  });

  test("over a lossy line: the challenge comes again and is acknowledged again, one INVITE follows it", async () => {
    using all = await placed();
    const { callee } = all;
    const refusal = callee.respond(all.first, 401, { headers: [asks()] });
    const second = await all.nextInvite();
    callee.wire.send(refusal);
    expect((await callee.next("ACK")).cseq).toBe(1);
    // Nothing came back for the second: it is sent again as it was.
    await all.clock.pass(600);
    expect((await callee.next("INVITE")).text).toBe(second.text);
    await callee.answer(second);
    await all.placed.answered;
  });
});

describe("whose credentials", () => {
  test("of the call go before those of the server, in its dialog too", async () => {
    using all = await placed({ credentials: { user: "carol", password: "c" } });
    const { callee } = all;
    await callee.answer(all.first);
    const dialog = await all.placed.answered;
    dialog.bye();
    callee.respond(await callee.next("BYE"), 407, { headers: [proxyAsks()] });
    const bye = await callee.next("BYE");
    expect([onlyGiven(bye, true).username, bye.cseq]).toEqual(["carol", 3]);
    expect(await dialog.ended).toBe("local");
  });

  test("`auth` goes first: what it gives is sent, and null gives up although there are credentials", async () => {
    using gives = await placed({ auth: () => ({ Authorization: "Digest by-hand" }) });
    gives.callee.respond(gives.first, 401, { headers: [asks()] });
    const second = await gives.nextInvite();
    expect(second.headers("Authorization")).toEqual(["Digest by-hand"]);
    // The ACK of a 2xx has what its INVITE had, whoever made it.
    expect((await gives.callee.answer(second)).headers("Authorization")).toEqual(["Digest by-hand"]);
    using none = await placed({ auth: () => null });
    none.callee.respond(none.first, 401, { headers: [asks()] });
    expect((await callFailure(none.placed)).status).toBe(401);
  });

  test("`auth` is asked about requests in the dialog too", async () => {
    const asked: (string | undefined)[] = [];
    using all = await placed({
      auth(challenge) {
        asked.push(challenge.header("CSeq"));
        return { "Proxy-Authorization": `Digest ${asked.length}` };
      },
    });
    const { callee } = all;
    await callee.answer(all.first);
    const dialog = await all.placed.answered;
    const info = dialog.info({});
    callee.respond(await callee.next("INFO"), 407);
    const second = await callee.next("INFO");
    expect([second.cseq, second.headers("Proxy-Authorization")]).toEqual([3, ["Digest 1"]]);
    callee.respond(second, 200);
    expect((await info).status).toBe(200);
    dialog.bye();
    expect((await callee.next("BYE")).header("Proxy-Authorization")).toBeUndefined();
    expect(asked).toEqual(["2 INFO"]);
  });

  test("of a function that fails: CallFailed says so, without a word of what it failed over", async () => {
    using all = await placed(
      {},
      {
        credentials: () => {
          throw new Error("the vault is closed");
        },
      },
    );
    all.callee.respond(all.first, 401, { headers: [asks()] });
    const failure = await callFailure(all.placed);
    expect([failure.status, failure.message]).toEqual([
      401,
      "A challenge could not be answered: Error: the vault is closed",
    ]);
    await until("the log", () =>
      all.log.lines.some(({ message }) => message === "a function that answers challenges failed"),
    );
  });
});
