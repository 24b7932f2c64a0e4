/** Requests of ours in dialogs that are challenged, as the one who called and as the one who was called (RFC 3261 s22.3). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type CredentialsOption, type Dialog, type ServeOptions, transfers } from "../../src/index.ts";
import { ANSWER, type Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { asks, givenIn, isRight, onlyGiven, proxyAsks } from "../support/challenger.ts";
import { OFFER, requestText, unique } from "../support/sip-messages.ts";
import { SipServer } from "../support/sip-server.ts";
import { bytesOf } from "../support/sip-text.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const ALICE = { user: "alice", password: "secret" } as const;
const ROLES = ["caller", "callee"] as const;
const HELD = OFFER.replace("1 1 IN", "1 2 IN").concat("a=sendonly\r\n");

/** A dialog that stands, this server in a role, and the phone at its other end. */
async function standing(role: (typeof ROLES)[number], options: ServeOptions = {}) {
  const taken = Promise.withResolvers<Dialog>();
  const all = await calling({
    credentials: ALICE,
    plugins: [transfers()],
    invite: (call) => void call.answer(ANSWER).then(taken.resolve, taken.reject),
    ...options,
  });
  const phone: Callee = all.callee;
  if (role === "caller") {
    const { dialog, invite } = await all.established();
    return {
      ...all,
      phone,
      dialog,
      send: (method: string, body = "") => phone.send(invite, method, { cseq: 5, body }),
    };
  }
  const call = await phone.wire.invite({ body: OFFER });
  call.ack();
  const send = (method: string, body = "") => call.send(method, { body, contact: `<${phone.uri}>` });
  return { ...all, phone, dialog: await taken.promise, send };
}

/** Credentials that come when they are told to. */
function withheld() {
  const { promise, resolve } = Promise.withResolvers<typeof ALICE>();
  const credentials: CredentialsOption = () => promise;
  return { credentials, give: () => resolve(ALICE) };
}

for (const role of ROLES) {
  describe(`as the ${role}`, () => {
    test.each(["INFO", "UPDATE", "MESSAGE", "OPTIONS", "REFER", "SUBSCRIBE", "NOTIFY"])(
      "%s is sent again in the dialog, with its next CSeq and credentials",
      async (method) => {
        using all = await standing(role);
        const { phone, dialog } = all;
        const before = dialog.localCSeq;
        const headers = { "Refer-To": "<sip:carol@127.0.0.1>", Event: "x", "Subscription-State": "active" };
        const body = method === "UPDATE" ? HELD : "hello";
        const asked = dialog.request(method, { headers, body });
        const first = await phone.next(method);
        phone.respond(first, 401, { headers: [asks({ qop: "auth-int" })] });
        const second = await phone.next(method);
        expect([first.cseq, second.cseq, dialog.localCSeq]).toEqual([before + 1, before + 2, before + 2]);
        for (const name of ["From", "To", "Call-ID", "Contact", "Event", "Refer-To", "Content-Type"]) {
          expect(second.headers(name)).toEqual(first.headers(name));
        }
        expect([second.uri, second.body, second.branch === first.branch]).toEqual([first.uri, body, false]);
        expect(isRight(onlyGiven(second), ALICE, second)).toBe(true);
        phone.respond(second, 200, { body: method === "UPDATE" ? ANSWER : "" });
        expect((await asked).status).toBe(200);
        if (method === "UPDATE") expect(dialog.session.state).toBe("stable");
      },
    );

    test("a re-INVITE: the offer stays open meanwhile, the ACK has the credentials of the second", async () => {
      using all = await standing(role);
      const { phone, dialog } = all;
      const asked = dialog.invite(HELD);
      const first = await phone.next("INVITE");
      phone.respond(first, 407, { headers: [proxyAsks()] });
      expect((await phone.next("ACK")).branch).toBe(first.branch!);
      const second = await phone.next("INVITE");
      expect([dialog.session.state, second.body, second.cseq]).toEqual(["local-offer", HELD, first.cseq + 1]);
      expect(isRight(onlyGiven(second, true), ALICE, second)).toBe(true);
      const ack = await phone.answer(second);
      expect([ack.cseq, ack.header("Proxy-Authorization")]).toEqual([
        second.cseq,
        second.header("Proxy-Authorization"),
      ]);
      expect((await asked).status).toBe(200);
      expect(Buffer.from(dialog.session.local!).toString()).toBe(HELD);
    });

    test("a re-INVITE while credentials are looked for: the peer's own gets 491, and ours goes on (s14.1)", async () => {
      const { credentials, give } = withheld();
      using all = await standing(role, { credentials });
      const { phone, dialog } = all;
      const asked = dialog.invite(HELD);
      phone.respond(await phone.next("INVITE"), 401, { headers: [asks()] });
      await phone.next("ACK");
      const theirs = all.send("INVITE", ANSWER);
      expect((await phone.next((message) => message.status >= 200, theirs)).status).toBe(491);
      give();
      await phone.answer(await phone.next("INVITE"));
      expect((await asked).status).toBe(200);
    });

    test("a re-INVITE that meets glare after its challenge is waited out, and carries credentials at once", async () => {
      using all = await standing(role);
      const { phone, dialog } = all;
      const asked = dialog.invite(HELD);
      phone.respond(await phone.next("INVITE"), 401, { headers: [asks()] });
      await phone.next("ACK");
      phone.respond(await phone.next("INVITE"), 491);
      await phone.next("ACK");
      await all.clock.pass(4100);
      const third = await phone.next("INVITE");
      expect(onlyGiven(third).nc).toBe("00000002");
      await phone.answer(third);
      expect((await asked).status).toBe(200);
    });

    test("a BYE: the dialog is over, and the BYE is answered for all the same", async () => {
      using all = await standing(role);
      const { phone, dialog } = all;
      dialog.bye();
      const first = await phone.next("BYE");
      phone.respond(first, 407, { headers: [proxyAsks()] });
      const second = await phone.next("BYE");
      expect(second.cseq).toBe(first.cseq + 1);
      expect(isRight(onlyGiven(second, true), ALICE, second)).toBe(true);
      phone.respond(second, 200);
      expect(await dialog.ended).toBe("local");
      await all.nothingLeft();
    });

    test("every later request in the dialog carries credentials, those of another dialog do not have to", async () => {
      using all = await standing(role);
      const { phone, dialog } = all;
      for (const [at, method] of ["INFO", "MESSAGE", "BYE"].entries()) {
        if (method === "BYE") dialog.bye();
        else void dialog.request(method, { body: "x" });
        let request = await phone.next(method);
        if (at === 0) {
          phone.respond(request, 401, { headers: [asks(), asks({ realm: "other", algorithm: "SHA-256" })] });
          request = await phone.next(method);
        }
        expect(givenIn(request).map(({ nc }) => Number(nc))).toEqual([at + 1, at + 1]);
        for (const given of givenIn(request)) expect(isRight(given, ALICE, request)).toBe(true);
        phone.respond(request, 200);
      }
    });

    test("the dialog ends while credentials are looked for: the request is not sent again", async () => {
      const { credentials, give } = withheld();
      using all = await standing(role, { credentials });
      const { phone, dialog } = all;
      const asked = dialog.info({});
      phone.respond(await phone.next("INFO"), 401, { headers: [asks()] });
      const bye = all.send("BYE");
      expect((await phone.next(200, bye)).status).toBe(200);
      give();
      expect((await asked).status).toBe(401);
      expect(await phone.rest()).toEqual([]);
    });

    test("a wrong password is the request's result, and says nothing of the dialog", async () => {
      using all = await standing(role);
      const { phone, dialog } = all;
      const asked = dialog.info({});
      for (let i = 0; i < 2; i++) phone.respond(await phone.next("INFO"), 401, { headers: [asks({ nonce: `${i}` })] });
      expect((await asked).status).toBe(401);
      expect(dialog.isAlive).toBe(true);
      // The next one is not sent with what was refused.
      const next = dialog.info({});
      const request = await phone.next("INFO");
      expect(givenIn(request)).toEqual([]);
      phone.respond(request, 200);
      expect((await next).status).toBe(200);
    });

    test("a weaker algorithm than the dialog was asked for is not answered, wherever it has moved", async () => {
      using all = await standing(role);
      const { phone, dialog } = all;
      const first = dialog.update();
      phone.respond(await phone.next("UPDATE"), 401, { headers: [asks({ algorithm: "SHA-256" })] });
      const moved = `<sip:bob@${phone.wire.sentBy.replace("127.0.0.1", "127.0.0.2")};maddr=127.0.0.1>`;
      phone.respond(await phone.next("UPDATE"), 200, { contact: moved });
      await first;
      const second = dialog.info({});
      phone.respond(await phone.next("INFO"), 401, { headers: [asks()] });
      expect((await second).status).toBe(401);
    });
  });
}

test("a PRACK is answered for, and the call goes on", async () => {
  using all = await calling({ credentials: ALICE });
  const { callee } = all;
  const call = all.call();
  const invite = await callee.next("INVITE");
  callee.respond(invite, 180, { headers: ["Require: 100rel", "RSeq: 1"] });
  callee.respond(await callee.next("PRACK"), 407, { headers: [proxyAsks()] });
  const second = await callee.next("PRACK");
  expect([second.header("RAck"), second.cseq]).toEqual(["1 1 INVITE", 3]);
  expect(isRight(onlyGiven(second, true), ALICE, second)).toBe(true);
  callee.respond(second, 200);
  await callee.answer(invite);
  const dialog = await call.answered;
  dialog.bye();
  expect(onlyGiven(await callee.next("BYE"), true).nc).toBe("00000002");
});

test("a PRACK whose credentials are refused: the call is given up", async () => {
  using all = await calling({ credentials: ALICE });
  const { callee } = all;
  const call = all.call();
  const failed = call.answered.catch((error: unknown) => error);
  const invite = await callee.next("INVITE");
  callee.respond(invite, 180, { headers: ["Require: 100rel", "RSeq: 1"] });
  for (let i = 0; i < 2; i++) callee.respond(await callee.next("PRACK"), 407, { headers: [proxyAsks()] });
  callee.respond(await callee.next("CANCEL"), 200);
  callee.respond(invite, 487);
  expect(await failed).toMatchObject({ status: 407 });
});

test("a session that is refreshed is so with credentials (RFC 4028)", async () => {
  using all = await calling({ credentials: ALICE, sessionTimers: { expires: 90, refresher: "uac" } });
  const { callee } = all;
  const call = all.call();
  const allow = "Allow: INVITE, ACK, BYE, UPDATE";
  const agreed = ["Session-Expires: 90;refresher=uac", "Require: timer"];
  await callee.answer(await callee.next("INVITE"), { headers: [allow, ...agreed] });
  const dialog = await call.answered;
  await all.clock.pass(46_000);
  callee.respond(await callee.next("UPDATE"), 401, { headers: [asks()] });
  const second = await callee.next("UPDATE");
  expect(isRight(onlyGiven(second), ALICE, second)).toBe(true);
  callee.respond(second, 200, { headers: agreed });
  expect(await callee.rest()).toEqual([]);
  // The refresh counts: the session stands beyond its first end.
  for (let i = 0; i < 3; i++) await all.clock.pass(14_000);
  expect(dialog.isAlive).toBe(true);
});

test("over the caller's connection, the BYE goes back the same way; once that is gone, over another", async () => {
  for (const isLost of [false, true]) {
    const { credentials, give } = withheld();
    using peer = await SipServer.start(({ message }) =>
      givenIn(message).length > 0 ? 200 : { status: 401, headers: [asks()] },
    );
    const dialogs: Dialog[] = [];
    using running = await testServer({
      listen: "tcp://127.0.0.1:0",
      credentials,
      invite: (call) => void call.answer(ANSWER).then((dialog) => dialogs.push(dialog)),
    });
    const socket = await peer.connect(running.address);
    const shape = {
      transport: "TCP",
      sentBy: peer.at,
      from: "<sip:alice@example.com>;tag=a",
      callId: unique("auth"),
      contact: `<sip:alice@${peer.at};transport=tcp>`,
    };
    socket.write(bytesOf(requestText("INVITE", shape)));
    const response = await peer.response(200);
    socket.write(bytesOf(requestText("ACK", { ...shape, to: response.header("To")!, contact: null })));
    (await until("the dialog", () => dialogs[0])).bye();
    await peer.request(0);
    if (isLost) {
      peer.endAll();
      await until("its end", () => running.server.stats().connections === 0);
    }
    give();
    const { message, connection } = await peer.request(1);
    expect(isRight(onlyGiven(message), ALICE, message)).toBe(true);
    expect(connection).toBe(isLost ? 1 : 0);
  }
});
