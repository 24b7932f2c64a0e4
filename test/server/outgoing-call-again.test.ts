/** Calls of ours that are placed again: redirections (RFC 3261 s8.1.3.4) and challenges (s22.2, s22.3). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { IncomingResponse } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { deadPort } from "../support/sip-server.ts";

setDefaultTimeout(20_000);

/** The part of an INVITE that stays when it is placed again. */
function identity(invite: SipMessage): unknown[] {
  return [invite.callId, invite.header("From"), invite.header("To"), invite.header("Contact"), invite.body];
}

describe("a redirection", () => {
  test("is the end of the call where none is to be followed", async () => {
    using all = await calling();
    const call = all.call();
    all.callee.respond(await all.callee.next("INVITE"), 302, { contact: "<sip:carol@127.0.0.1:9>" });
    const failure = await callFailure(call);
    expect([failure.status, failure.response!.header("Contact")]).toEqual([302, "<sip:carol@127.0.0.1:9>"]);
    expect(await all.callee.rest()).toEqual(["ACK"]);
  });

  test("is followed to its best Contact first, then to the others, by q", async () => {
    using all = await calling();
    using phones = await several(3, all.address);
    const [one, two, three] = phones.all;
    const call = all.call({ redirects: 1 });
    const first = await all.callee.next("INVITE");
    all.callee.respond(first, 302, {
      contact: `<${one!.uri}>;q=0.2, <mailto:bob@example.com>, <${two!.uri};x=y>;q=0.9`,
      headers: [`Contact: ${three!.uri};q=0.5;expires=60`],
    });
    const best = await two!.next("INVITE");
    expect(best.uri).toBe(`${two!.uri};x=y`);
    expect(identity(best)).toEqual(identity(first));
    expect([best.cseq, best.branch === first.branch]).toEqual([2, false]);
    two!.respond(best, 486);
    const second = await three!.next("INVITE");
    expect([second.uri, second.cseq]).toEqual([three!.uri, 3]);
    three!.respond(second, 404);
    const third = await one!.next("INVITE");
    expect(third.cseq).toBe(4);
    await one!.answer(third);
    expect((await call.answered).localCSeq).toBe(4);
    expect(await two!.rest()).toEqual(["ACK"]);
    expect(await all.callee.rest()).toEqual(["ACK"]);
    for (const phone of [one!, three!]) expect(await phone.rest()).toEqual(phone === one ? [] : ["ACK"]);
  });

  test("whose every Contact refuses: the call fails with the last refusal", async () => {
    using all = await calling();
    const call = all.call({ redirects: 1 });
    const first = await all.callee.next("INVITE");
    all.callee.respond(first, 300, { contact: `<${all.callee.uri};n=1>, <${all.callee.uri};n=2>;q=0.5` });
    for (const [n, status] of [
      [1, 486],
      [2, 603],
    ] as const) {
      const invite = await all.callee.next(({ uri, method }) => method === "INVITE" && uri.endsWith(`n=${n}`));
      all.callee.respond(invite, status);
    }
    expect((await callFailure(call)).status).toBe(603);
    await all.nothingLeft();
  });

  test("no more often than it is said", async () => {
    using all = await calling();
    const call = all.call({ redirects: 2 });
    for (let n = 1; n <= 3; n++) {
      all.callee.respond(await all.callee.next("INVITE"), 302, { contact: `<${all.callee.uri};n=${n}>` });
    }
    expect((await callFailure(call)).status).toBe(302);
    expect(await all.callee.rest()).toEqual(["ACK", "ACK", "ACK"]);
  });

  test("to a URI that was tried already: it is not tried again (s8.1.3.4)", async () => {
    using all = await calling();
    const call = all.call({ redirects: 5 });
    all.callee.respond(await all.callee.next("INVITE"), 302, { contact: `<${all.callee.uri}>` });
    expect((await callFailure(call)).status).toBe(302);
    expect(await all.callee.rest()).toEqual(["ACK"]);
  });

  test("to somebody who cannot be reached: the next one is tried (s8.1.3.4)", async () => {
    using all = await calling({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
    const call = all.call({ redirects: 1 });
    const first = await all.callee.next("INVITE");
    const gone = `sip:bob@127.0.0.1:${await deadPort()};transport=tcp`;
    all.callee.respond(first, 302, { contact: `<${gone}>;q=1, <${all.callee.uri};n=2>;q=0.5` });
    await all.callee.next("ACK");
    const second = await all.callee.next("INVITE");
    expect(second.uri).toEndWith(";n=2");
    await all.callee.answer(second);
    expect((await call.answered).isConfirmed).toBe(true);
  });

  test("goes by the route of the call, which stands in the INVITE still (s8.1.2)", async () => {
    using all = await calling();
    using elsewhere = await Callee.open(all.address);
    const route = `sip:${all.callee.wire.sentBy}`;
    all.server.call("sip:bob@example.com", { route, redirects: 1 });
    const first = await all.callee.next("INVITE");
    all.callee.respond(first, 302, { contact: `<${elsewhere.uri}>` });
    await all.callee.next("ACK");
    const arrived = [all.callee, elsewhere].map(async (at) => ({ at, message: await at.next("INVITE") }));
    for (const one of arrived) one.catch(() => {});
    const { at, message } = await Promise.race(arrived);
    expect([message.uri, message.headers("Route")]).toEqual([elsewhere.uri, first.headers("Route")]);
    expect(at).toBe(all.callee);
  });

  test("whose Contact carries headers: they are no part of the Request-URI (s19.1.1)", async () => {
    using all = await calling();
    all.call({ redirects: 1 });
    all.callee.respond(await all.callee.next("INVITE"), 302, {
      contact: `<${all.callee.uri};n=1?Replaces=a%3Bto-tag%3Db&Subject=hi>`,
    });
    await all.callee.next("ACK");
    expect((await all.callee.next("INVITE")).uri).toBe(`${all.callee.uri};n=1`);
  });

  test("with nothing to go to is the end", async () => {
    for (const contact of [null, "*", "<mailto:a@b.example>", "<tel:+4930>", "<sip:>", "%&/(", "<sip:a@b;lr", ""]) {
      using all = await calling();
      const call = all.call({ redirects: 3 });
      all.callee.respond(await all.callee.next("INVITE"), 302, { contact });
      expect((await callFailure(call)).status).toBe(302);
      expect(all.log.lines.filter(({ level }) => level === "error")).toEqual([]);
    }
  });

  test("a call that was given up follows none", async () => {
    using all = await calling();
    const call = all.call({ redirects: 3 });
    const invite = await all.callee.next("INVITE");
    call.cancel();
    all.callee.respond(invite, 302, { contact: `<${all.callee.uri};n=1>` });
    expect((await callFailure(call)).status).toBe(487);
    expect(await all.callee.rest()).toEqual(["ACK"]);
  });

  test("is cancelled where it has led to", async () => {
    using all = await calling();
    using elsewhere = await Callee.open(all.address);
    const call = all.call({ redirects: 1 });
    all.callee.respond(await all.callee.next("INVITE"), 302, { contact: `<${elsewhere.uri}>` });
    const invite = await elsewhere.next("INVITE");
    call.cancel();
    elsewhere.respond(invite, 180);
    const cancel = await elsewhere.next("CANCEL");
    expect([cancel.branch, cancel.uri]).toEqual([invite.branch, invite.uri]);
    elsewhere.respond(cancel, 200);
    elsewhere.respond(invite, 487);
    expect((await callFailure(call)).status).toBe(487);
  });
});

describe("a challenge", () => {
  test("is answered: the same INVITE with the credentials and the next CSeq (s22.2)", async () => {
    for (const status of [401, 407]) {
      const [asks, answers] =
        status === 401 ? ["WWW-Authenticate", "Authorization"] : ["Proxy-Authenticate", "Proxy-Authorization"];
      using all = await calling();
      const asked: (string | undefined)[] = [];
      const call = all.call({
        headers: { Subject: "lunch" },
        auth(challenge: IncomingResponse) {
          asked.push(challenge.header(asks));
          return { [answers]: 'Digest username="alice"' };
        },
      });
      const first = await all.callee.next("INVITE");
      expect(first.header(answers)).toBeUndefined();
      all.callee.respond(first, status, { headers: [`${asks}: Digest realm="r", nonce="n"`] });
      await all.callee.next("ACK");
      const second = await all.callee.next("INVITE");
      expect(asked).toEqual(['Digest realm="r", nonce="n"']);
      expect(identity(second)).toEqual(identity(first));
      expect([second.uri, second.cseq, second.branch === first.branch]).toEqual([first.uri, 2, false]);
      expect(second.header("Subject")).toBe("lunch");
      expect(second.headers(answers)).toEqual(['Digest username="alice"']);
      expect((await all.callee.answer(second)).cseq).toBe(2);
      const dialog = await call.answered;
      dialog.bye();
      expect((await all.callee.next("BYE")).cseq).toBe(3);
    }
  });

  test("by a proxy and then by the callee: both credentials stand in the third INVITE", async () => {
    using all = await calling();
    const call = all.call({
      auth: ({ status }): Record<string, string> =>
        status === 407 ? { "Proxy-Authorization": "Digest p" } : { Authorization: "Digest u" },
    });
    for (const status of [407, 401]) all.callee.respond(await all.callee.next("INVITE"), status);
    const third = await all.callee.next("INVITE");
    expect([third.cseq, third.header("Authorization"), third.header("Proxy-Authorization")]).toEqual([
      3,
      "Digest u",
      "Digest p",
    ]);
    await all.callee.answer(third);
    await call.answered;
  });

  test("that comes again with a new nonce: the credentials of before are replaced, not kept beside", async () => {
    using all = await calling();
    let nonce = 0;
    all.call({ auth: () => ({ Authorization: `Digest nonce="${++nonce}"` }) });
    for (let i = 0; i < 2; i++) all.callee.respond(await all.callee.next("INVITE"), 401);
    const third = await all.callee.next("INVITE");
    expect(third.headers("Authorization")).toEqual(['Digest nonce="2"']);
  });

  test("is answered twice at most", async () => {
    using all = await calling();
    let asked = 0;
    const call = all.call({ auth: () => ({ Authorization: `Digest ${++asked}` }) });
    for (let i = 0; i < 3; i++) all.callee.respond(await all.callee.next("INVITE"), 401);
    expect((await callFailure(call)).status).toBe(401);
    expect(asked).toBe(2);
    expect(await all.callee.rest()).toEqual(["ACK", "ACK", "ACK"]);
  });

  test("that is not answered is the end", async () => {
    for (const auth of [() => null, undefined]) {
      using all = await calling();
      const call = all.call(auth === undefined ? {} : { auth });
      all.callee.respond(await all.callee.next("INVITE"), 401);
      expect((await callFailure(call)).status).toBe(401);
    }
  });

  test("after the call was given up is not looked at", async () => {
    using all = await calling();
    let asked = 0;
    const call = all.call({ auth: () => ({ Authorization: `Digest ${++asked}` }) });
    const invite = await all.callee.next("INVITE");
    call.cancel();
    all.callee.respond(invite, 401);
    expect((await callFailure(call)).status).toBe(487);
    expect(asked).toBe(0);
  });

  test("whose answer cannot be made ends the call: a callback that throws, or a value that is no header's", async () => {
    const broken = (): Record<string, string> => {
      throw new Error("on purpose");
    };
    for (const auth of [broken, () => ({ Authorization: "a\r\nEvil: b" })]) {
      using all = await calling();
      const call = all.call({ auth });
      all.callee.respond(await all.callee.next("INVITE"), 401);
      await all.callee.next("ACK");
      const outcome = await Promise.race([call.answered.catch((error: Error) => error.name), Bun.sleep(2000)]);
      expect(outcome).toBeString();
      expect((await all.callee.wire.rest()).map(({ text }) => text)).toEqual([]);
    }
  });
});

/** Phones that are closed together. */
async function several(count: number, server: { address: string; port: number }) {
  const all: Callee[] = [];
  for (let i = 0; i < count; i++) all.push(await Callee.open(server));
  return {
    all,
    [Symbol.dispose]() {
      for (const phone of all) phone[Symbol.dispose]();
    },
  };
}
