/** INVITEs that this side sends in a dialog, as the one who called and as the one who was called (RFC 3261 s14). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, type Dialog, type DialogHandlers, RequestFailed, type ServeOptions } from "../../src/index.ts";
import { ANSWER, Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { OFFER, type SipMessage } from "../support/sip-messages.ts";
import { until } from "../support/until.ts";
import type { Wanted } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const ROLES = ["caller", "callee"] as const;
type Role = (typeof ROLES)[number];
const HELD = OFFER.replace("1 1 IN", "1 2 IN").concat("a=sendonly\r\n");

/** A dialog that stands, this server in a role, and the phone at its other end. */
async function standing(role: Role, handlers?: DialogHandlers, options: ServeOptions = {}) {
  const taken = Promise.withResolvers<Dialog>();
  const all = await calling({
    ...options,
    invite: (call) => void call.answer(ANSWER, handlers).then(taken.resolve, taken.reject),
  });
  const { callee: phone } = all;
  if (role === "caller") {
    const { dialog, invite } = await all.established(handlers === undefined ? {} : { handlers });
    return { ...all, phone, dialog, send: requester(all.callee, invite), next: taker(phone, dialog) };
  }
  const call = await phone.wire.invite({ body: OFFER });
  call.ack();
  const dialog = await taken.promise;
  const send = (method: string, body = "") =>
    call.send(method, { body, contact: method === "INVITE" ? `<${phone.uri}>` : null });
  return { ...all, phone, dialog, send, next: taker(phone, dialog) };
}

/** Sends requests from the one who was called; CSeq counts up from 1. */
function requester(phone: Callee, invite: SipMessage) {
  let cseq = 0;
  return (method: string, body = ""): SipMessage => phone.send(invite, method, { cseq: ++cseq, body });
}

/** Takes requests, and sees that they stand in the dialog. */
function taker(phone: Callee, dialog: Dialog) {
  return async (wanted: Wanted): Promise<SipMessage> => {
    const request = await phone.next(wanted);
    expect([request.callId, request.fromTag, request.toTag ?? ""]).toEqual([
      dialog.callId,
      dialog.localTagText,
      dialog.remoteTag,
    ]);
    return request;
  };
}

/** Whether a promise has come to its end. */
function isOver(promise: Promise<unknown>): () => boolean {
  let over = false;
  const end = () => {
    over = true;
  };
  promise.then(end, end);
  return () => over;
}

/** What the promise was rejected with, or what it resolved with. */
function outcomeOf(promise: Promise<unknown>): Promise<unknown> {
  return Promise.race([promise.catch((error: unknown) => error), Bun.sleep(5000).then(() => "neither")]);
}

describe.each(ROLES)("as the %s", (role) => {
  test("a 2xx is acknowledged at its Contact, which is the remote target from then on (s12.2.1.2)", async () => {
    using all = await standing(role, undefined, { software: "Viaduct/test" });
    using moved = await Callee.open(all.address);
    const first = all.dialog.localCSeq;
    const asked = all.dialog.invite(HELD);
    const invite = await all.next("INVITE");
    expect([invite.cseq, invite.body, invite.header("Content-Type")]).toEqual([first + 1, HELD, "application/sdp"]);
    expect(invite.contactUri).toBe(`sip:127.0.0.1:${all.address.port}`);
    expect(invite.header("User-Agent")).toBe("Viaduct/test");
    all.phone.respond(invite, 100, { tag: null });
    all.phone.respond(invite, 180, { contact: "<sip:provisional@127.0.0.1:9>" });
    const success = all.phone.respond(invite, 200, { contact: `<${moved.uri}>`, body: ANSWER });
    const ack = await moved.next("ACK");
    expect([ack.uri, ack.header("CSeq"), ack.body]).toEqual([moved.uri, `${first + 1} ACK`, ""]);
    const response = await asked;
    expect([response.status, Buffer.from(response.body).toString()]).toEqual([200, ANSWER]);
    // Its ACK was lost.
    all.phone.wire.send(success);
    expect((await moved.next("ACK")).text).toBe(ack.text);
    const info = all.dialog.info({});
    const request = await moved.next("INFO");
    expect([request.uri, request.cseq]).toEqual([moved.uri, first + 2]);
    moved.respond(request, 200);
    await info;
  });

  test("a refusal leaves the session as it was: the target too", async () => {
    for (const status of [488, 606, 400, 500, 503, 302]) {
      using all = await standing(role);
      const asked = all.dialog.invite(HELD);
      const invite = await all.next("INVITE");
      all.phone.respond(invite, status, { contact: "<sip:elsewhere@127.0.0.1:9>" });
      expect((await asked).status).toBe(status);
      expect((await all.phone.next("ACK")).branch).toBe(invite.branch);
      expect(all.dialog.isConfirmed).toBe(true);
      all.dialog.bye();
      expect((await all.next("BYE")).uri).toBe(invite.uri);
    }
  });

  test("481 and 408 end the dialog with a BYE (s12.2.1.2)", async () => {
    for (const status of [481, 408]) {
      using all = await standing(role);
      const asked = all.dialog.invite(HELD);
      all.phone.respond(await all.next("INVITE"), status);
      expect((await asked).status).toBe(status);
      expect(await all.dialog.ended).toBe("gone");
      all.phone.respond(await all.next("BYE"), 481);
      expect(all.server.stats().dialogs).toBe(0);
      await all.nothingLeft();
    }
  });

  test("no response in 64*T1 ends the dialog (s12.2.1.2)", async () => {
    using all = await standing(role);
    const asked = all.dialog.invite(HELD);
    await all.next("INVITE");
    await all.clock.pass(32_100);
    const failure = await outcomeOf(asked);
    expect(failure).toBeInstanceOf(RequestFailed);
    expect((failure as RequestFailed).cause).toBe("timeout");
    expect(await all.dialog.ended).toBe("gone");
    all.phone.respond(await all.next("BYE"), 200);
    await all.nothingLeft();
  });

  test("no other INVITE goes out while one is under way, ours or theirs (s14.1)", async () => {
    const theirs: Call[] = [];
    using all = await standing(role, { invite: (call) => void theirs.push(call) });
    const asked = all.dialog.invite(HELD);
    const invite = await all.next("INVITE");
    const failure = await outcomeOf(all.dialog.invite(HELD));
    expect((failure as RequestFailed).cause).toBe("pending");
    await all.phone.answer(invite);
    await asked;
    const again = all.send("INVITE", OFFER);
    await all.phone.next(100, again);
    expect(((await outcomeOf(all.dialog.invite(HELD))) as RequestFailed).cause).toBe("pending");
    theirs[0]!.reject(488);
    await all.phone.next(488, again);
    const third = all.dialog.invite(HELD);
    await all.phone.answer(await all.next("INVITE"));
    expect((await third).status).toBe(200);
  });

  test("theirs gets 491 while ours is under way, and is asked for after (s14.2)", async () => {
    const theirs: Call[] = [];
    using all = await standing(role, {
      invite(call) {
        theirs.push(call);
        void call.answer(ANSWER);
      },
    });
    const asked = all.dialog.invite(HELD);
    const ours = await all.next("INVITE");
    const meets = all.send("INVITE", OFFER);
    await all.phone.next(491, meets);
    expect(theirs).toHaveLength(0);
    await all.phone.answer(ours);
    expect((await asked).status).toBe(200);
    await all.phone.next(200, all.send("INVITE", OFFER));
    expect(theirs).toHaveLength(1);
  });

  test("491 is waited out by role, and tried again with the next CSeq (s14.1)", async () => {
    const [least, most] = role === "caller" ? [2100, 4000] : [0, 2000];
    using all = await standing(role);
    const asked = all.dialog.invite(HELD);
    let cseq = all.dialog.localCSeq;
    // One that goes out early in what passes is sent again before it is answered: those are left aside.
    const tried = () =>
      all.next((message) => message.status === 0 && message.method === "INVITE" && message.cseq === cseq);
    for (let i = 0; i < 3; i++, cseq++) {
      const invite = await tried();
      expect(invite.body).toBe(HELD);
      all.phone.respond(invite, 491);
      await all.phone.next("ACK");
      if (least > 0) {
        await all.clock.pass(least - 100);
        expect((await all.phone.wire.rest()).filter((message) => message.cseq > cseq)).toEqual([]);
        await all.clock.pass(100);
      }
      await all.clock.pass(most - least + 10);
    }
    await all.phone.answer(await tried());
    expect((await asked).status).toBe(200);
  });

  test("491 ever again is the answer in the end, and the dialog stands", async () => {
    using all = await standing(role);
    const asked = all.dialog.invite(HELD);
    const over = isOver(asked);
    let tries = 0;
    await until("the end", async () => {
      for (const invite of (await all.phone.wire.rest()).filter(({ method }) => method === "INVITE")) {
        tries++;
        all.phone.respond(invite, 491);
        await all.phone.next("ACK");
      }
      await all.clock.pass(4010);
      return over();
    });
    expect((await asked).status).toBe(491);
    expect([tries >= 2 && tries <= 10, all.dialog.isConfirmed]).toEqual([true, true]);
  });

  test("a BYE while glare is waited out ends the wait", async () => {
    using all = await standing(role);
    const outcome = outcomeOf(all.dialog.invite(HELD));
    all.phone.respond(await all.next("INVITE"), 491);
    await all.phone.next("ACK");
    await all.phone.next(200, all.send("BYE"));
    await all.clock.pass(4010);
    expect(((await outcome) as RequestFailed).cause).toBe("over");
    expect(await all.phone.rest()).toEqual([]);
  });

  test("their INVITE while glare is waited out goes first; ours follows once it is answered", async () => {
    const theirs: Call[] = [];
    using all = await standing(role, { invite: (call) => void theirs.push(call) });
    const asked = all.dialog.invite(HELD);
    all.phone.respond(await all.next("INVITE"), 491);
    await all.phone.next("ACK");
    const first = all.send("INVITE", OFFER);
    await all.phone.next(100, first);
    await all.clock.pass(4010);
    expect((await all.phone.rest()).filter((what) => what === "INVITE")).toEqual([]);
    theirs[0]!.reject(488);
    await all.phone.next(488, first);
    for (let i = 0; i < 2; i++) await all.clock.pass(4010);
    await all.phone.answer(await all.next("INVITE"));
    expect((await asked).status).toBe(200);
  });

  test("an INVITE that is asked for while glare is waited out never runs beside the other (s14.1)", async () => {
    for (const offer of [OFFER, undefined]) {
      using all = await standing(role);
      const first = all.dialog.invite(HELD);
      first.catch(() => {});
      all.phone.respond(await all.next("INVITE"), 491);
      await all.phone.next("ACK");
      // Whether it is refused or goes first: the other waits for its end.
      const second = outcomeOf(all.dialog.invite(offer));
      for (let i = 0; i < 2; i++) await all.clock.pass(4010);
      const open = (await all.phone.wire.rest()).filter(({ status, method }) => status === 0 && method === "INVITE");
      expect(new Set(open.map(({ cseq }) => cseq)).size).toBe(1);
      await all.phone.answer(open[0]!);
      await Promise.race([first, second]);
    }
  });

  test("the server is closed while glare is waited out, and while it is under way: it fails", async () => {
    for (const waits of [true, false]) {
      using all = await standing(role);
      const asked = all.dialog.invite(HELD);
      const invite = await all.next("INVITE");
      if (waits) {
        all.phone.respond(invite, 491);
        await all.phone.next("ACK");
      }
      all.server.closeNow();
      const outcome = await Promise.race([asked.catch((error: unknown) => error), Bun.sleep(2000)]);
      expect([waits, outcome]).toEqual([waits, expect.any(RequestFailed)]);
      expect(await all.dialog.ended).toBe("closed");
    }
  });

  test("their BYE while ours is under way ends the dialog; a 2xx that crosses it is acknowledged", async () => {
    using all = await standing(role);
    const asked = all.dialog.invite(HELD);
    const invite = await all.next("INVITE");
    await all.phone.next(200, all.send("BYE"));
    expect(await all.dialog.ended).toBe("bye");
    all.phone.respond(invite, 200, { body: ANSWER });
    await all.phone.next("ACK");
    expect((await asked).status).toBe(200);
    expect(await all.phone.rest()).toEqual([]);
    expect(all.server.stats().dialogs).toBe(0);
    await all.nothingLeft();
  });

  test("without an offer: theirs is answered in the ACK", async () => {
    using all = await standing(role);
    const asked = all.dialog.invite(undefined, { answer: (offer) => `${Buffer.from(offer)}a=mine\r\n` });
    const invite = await all.next("INVITE");
    expect([invite.body, invite.header("Content-Type")]).toEqual(["", undefined]);
    const ack = await all.phone.answer(invite);
    expect([ack.body, ack.header("Content-Type")]).toEqual([`${ANSWER}a=mine\r\n`, "application/sdp"]);
    expect((await asked).status).toBe(200);
  });

  test("an answer callback that throws: the 2xx is acknowledged all the same, and the INVITE fails", async () => {
    using all = await standing(role);
    const asked = all.dialog.invite(undefined, {
      answer() {
        throw new Error("on purpose");
      },
    });
    const outcome = outcomeOf(asked);
    all.phone.respond(await all.next("INVITE"), 200, { body: ANSWER });
    await all.phone.next("ACK");
    expect(await outcome).toBeInstanceOf(Error);
  });

  test("in a dialog that is over: it fails, and nothing is sent", async () => {
    using all = await standing(role);
    all.dialog.bye();
    all.phone.respond(await all.next("BYE"), 200);
    expect(((await outcomeOf(all.dialog.invite(HELD))) as RequestFailed).cause).toBe("over");
    expect(await all.phone.rest()).toEqual([]);
  });

  test("headers of ours go with it; what would not stand on its line is refused", async () => {
    using all = await standing(role);
    const asked = all.dialog.invite(HELD, { headers: { Subject: "hold" } });
    const invite = await all.next("INVITE");
    expect(invite.header("Subject")).toBe("hold");
    await all.phone.answer(invite);
    await asked;
    const bad = async () => all.dialog.invite(HELD, { headers: { Subject: "a\r\nEvil: b" } });
    expect(await outcomeOf(bad())).toBeInstanceOf(TypeError);
    // It has not come between: the next one goes out.
    const next = all.dialog.invite(HELD);
    await all.phone.answer(await all.next("INVITE"));
    expect((await next).status).toBe(200);
  });
});

test("glare on both sides: two servers of ours that offer anew at once both have their way", async () => {
  const answering: DialogHandlers = { invite: (again) => void again.answer(ANSWER) };
  const taken = Promise.withResolvers<Dialog>();
  using one = await calling({ timers: { t1: 100 } });
  using two = await calling({
    invite: (call) => void call.answer(ANSWER, answering).then(taken.resolve, taken.reject),
  });
  const { port } = two.address;
  const caller = await one.server.call(`sip:two@127.0.0.1:${port}`, { sdp: OFFER, handlers: answering }).answered;
  const callee = await taken.promise;
  const [a, b] = [caller.invite(HELD), callee.invite(HELD)];
  const both = isOver(Promise.all([a, b]));
  await until("both", async () => {
    await Promise.all([one.clock.pass(100), two.clock.pass(100)]);
    return both();
  });
  expect([(await a).status, (await b).status]).toEqual([200, 200]);
  expect([caller.isConfirmed, callee.isConfirmed]).toEqual([true, true]);
  caller.bye();
  expect(await callee.ended).toBe("bye");
});
