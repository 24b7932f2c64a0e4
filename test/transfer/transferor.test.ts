/** REFERs of ours and what their peer tells of them: RFC 3515 s2.4, RFC 3891 s4, RFC 3892 s2.1, RFC 4488, on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { ReferFailed, type Referral } from "../../src/transfer/referral.ts";
import { referredServer } from "../support/referred-server.ts";
import { type SipMessage, unique } from "../support/sip-messages.ts";
import type { ClientCall } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

const CAROL = "sip:carol@192.0.2.9";

/** Sends a NOTIFY as a transferee does. @returns its answer */
function notify(call: ClientCall, status: string | null, state = "active;expires=60", event = "refer") {
  const body = status === null ? "" : `SIP/2.0 ${status}\r\n`;
  return call.ask("NOTIFY", {
    headers: [`Event: ${event}`, `Subscription-State: ${state}`],
    ...(status === null ? {} : { body, contentType: "message/sipfrag" }),
  });
}

/** What a promise of a referral is rejected with. */
async function failureOf(promise: Promise<unknown>): Promise<ReferFailed> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ReferFailed)) throw new Error(`Not a failure: ${error}`);
  return error;
}

async function referring() {
  const all = await referredServer();
  const call = await all.call();
  const seen: [number, string][] = [];
  return {
    ...all,
    call,
    seen,
    /** Refers the peer, which answers so. */
    async refer(
      status: number,
      options = {},
      headers: string[] = [],
    ): Promise<{ referral: Referral; refer: SipMessage }> {
      const progress = (code: number, reason: string) => void seen.push([code, reason]);
      const referral = all.plugin.refer(call.dialog, CAROL, { progress, ...options });
      const refer = await all.client.next("REFER");
      if (headers.length === 0) all.client.respond(refer, status);
      else all.client.send(withHeaders(refer, status, headers));
      return { referral, refer };
    },
    [Symbol.dispose]: () => all[Symbol.dispose](),
  };
}

function withHeaders(request: SipMessage, status: number, headers: string[]): string {
  const copied = ["Via", "From", "To", "Call-ID", "CSeq"].flatMap((name) =>
    request.headers(name).map((value) => `${name}: ${value}`),
  );
  return [`SIP/2.0 ${status} Whatever`, ...copied, ...headers, "Content-Length: 0", "", ""].join("\r\n");
}

describe("the peer does it", () => {
  test("each status is told, and the last one is the outcome", async () => {
    using all = await referring();
    const { referral, refer } = await all.refer(202);
    expect(refer.header("Refer-To")).toBe(`<${CAROL}>`);
    expect(refer.header("Referred-By")).toBe("<sip:bob@192.0.2.1>");
    expect(refer.contactUri).toBe(all.call.response.contactUri);
    expect(refer.header("Refer-Sub")).toBeUndefined();
    await referral.accepted;
    expect((await notify(all.call, "100 Trying")).status).toBe(200);
    expect((await notify(all.call, "180")).status).toBe(200);
    expect((await notify(all.call, "200 Fine by me", "terminated;reason=noresource")).status).toBe(200);
    expect(await referral.done).toBe(200);
    expect(all.seen).toEqual([
      [100, "Trying"],
      [180, ""],
      [200, "Fine by me"],
    ]);
    // There is nothing to be told of any more.
    expect((await notify(all.call, "200 OK")).status).toBe(481);
    all.call.dialog.bye();
    await all.client.next("BYE");
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("a NOTIFY before the answer to the REFER", async () => {
    using all = await referring();
    const referral = all.plugin.refer(all.call.dialog, CAROL);
    const refer = await all.client.next("REFER");
    expect((await notify(all.call, "200 OK", "terminated;reason=noresource")).status).toBe(200);
    await referral.accepted;
    expect(await referral.done).toBe(200);
    all.client.respond(refer, 202);
    expect(await all.client.restBrief()).toEqual([]);
  });

  test("it comes to nothing: the status says so, and the call stands", async () => {
    using all = await referring();
    const { referral } = await all.refer(202);
    await notify(all.call, "486 Busy Here", "terminated;reason=noresource");
    expect(await referral.done).toBe(486);
    expect((await all.call.ask("OPTIONS")).status).toBe(200);
  });

  test("two at once are told apart by their id", async () => {
    using all = await referring();
    const one = await all.refer(202);
    const two = await all.refer(202);
    expect(two.referral.cseq).toBe(two.refer.cseq);
    await notify(all.call, "404 Not Found", "terminated;reason=noresource", `refer;id=${two.refer.cseq}`);
    expect(await two.referral.done).toBe(404);
    expect((await notify(all.call, "200 OK", "active", "refer;id=4294967295")).status).toBe(481);
    await notify(all.call, "200 OK", "terminated;reason=noresource");
    expect(await one.referral.done).toBe(200);
  });

  test("what is told after the outcome changes nothing", async () => {
    using all = await referring();
    const { referral } = await all.refer(202);
    await notify(all.call, "200 OK", "active;expires=60");
    expect((await notify(all.call, "486 Busy Here", "terminated")).status).toBe(200);
    expect(await referral.done).toBe(200);
  });

  test("we hang up meanwhile: it is told in the same dialog, which ends with it", async () => {
    using all = await referring();
    const { referral } = await all.refer(202);
    await referral.accepted;
    all.call.dialog.bye();
    all.client.respond(await all.client.next("BYE"), 200);
    expect(all.server.stats().dialogs).toBe(1);
    expect((await notify(all.call, "200 OK", "terminated;reason=noresource")).status).toBe(200);
    expect(await referral.done).toBe(200);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("handlers that the dialog has do not come between", async () => {
    using all = await referring();
    const methods: string[] = [];
    all.call.dialog.handlers = {
      request(request: { method: string; reply(status: number): void }) {
        methods.push(request.method);
        request.reply(200);
      },
    };
    const { referral } = await all.refer(202);
    await notify(all.call, "200 OK", "terminated");
    expect(await referral.done).toBe(200);
    await all.call.ask("INFO");
    expect(methods).toEqual(["INFO"]);
  });
});

describe("it is not done", () => {
  test("the REFER is refused", async () => {
    using all = await referring();
    const { referral } = await all.refer(603);
    expect(await failureOf(referral.accepted)).toMatchObject({ cause: "refused", status: 603 });
    expect(await failureOf(referral.done)).toMatchObject({ cause: "refused", status: 603 });
    expect((await notify(all.call, "200 OK")).status).toBe(481);
    expect((await all.call.ask("BYE")).status).toBe(200);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("nobody answers it: 408 after 64*T1, and the session is not touched", async () => {
    using all = await referring();
    const referral = all.plugin.refer(all.call.dialog, CAROL);
    await all.client.next("REFER");
    await all.clock.pass(32_000);
    expect(await failureOf(referral.accepted)).toMatchObject({ cause: "refused", status: 408 });
    expect(await failureOf(referral.done)).toMatchObject({ cause: "refused", status: 408 });
    expect((await all.call.ask("OPTIONS")).status).toBe(200);
  });

  test("it is accepted, and then nothing is told", async () => {
    using all = await referring();
    const { referral } = await all.refer(202);
    await referral.accepted;
    await all.clock.pass(32_010);
    expect(await failureOf(referral.done)).toMatchObject({ cause: "untold", status: 0 });
    expect((await all.call.ask("BYE")).status).toBe(200);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("the subscription lapses, or ends, before there is an outcome", async () => {
    using all = await referring();
    const one = await all.refer(202);
    await one.referral.accepted;
    await notify(all.call, "180 Ringing", "active;expires=40");
    await all.clock.pass(39_000);
    expect(await Promise.race([one.referral.done, Promise.resolve("not yet")])).toBe("not yet");
    await all.clock.pass(1_010);
    expect((await failureOf(one.referral.done)).cause).toBe("untold");
    const two = await all.refer(202);
    expect((await notify(all.call, null, "terminated;reason=giveup", `refer;id=${two.refer.cseq}`)).status).toBe(200);
    expect((await failureOf(two.referral.done)).cause).toBe("untold");
  });

  test("in a dialog that is over", async () => {
    using all = await referring();
    expect((await all.call.ask("BYE")).status).toBe(200);
    const referral = all.plugin.refer(all.call.dialog, CAROL);
    expect(await failureOf(referral.done)).toMatchObject({ cause: "refused", status: 481 });
    // The slot that the dialog had is given out once.
    const [one, two] = [await all.client.invite(), await all.client.invite()];
    expect(all.server.stats().dialogs).toBe(2);
    expect(one.response.toTag).not.toBe(two.response.toTag);
  });

  test("the server is closed meanwhile", async () => {
    using all = await referring();
    const { referral } = await all.refer(202);
    await referral.accepted;
    all.server.closeNow();
    expect((await failureOf(referral.done)).cause).toBe("untold");
  });
});

describe("what a NOTIFY may not be", () => {
  for (const body of ["", "hello", "SIP/2.0 99 Low", "SIP/2.0 700 High", "INVITE sip:a@b SIP/2.0"]) {
    test(`active with the body ${JSON.stringify(body)}: 400, and it goes on`, async () => {
      using all = await referring();
      const { referral } = await all.refer(202);
      const refused = await all.call.ask("NOTIFY", {
        headers: ["Event: refer", "Subscription-State: active"],
        ...(body === "" ? {} : { body: `${body}\r\n`, contentType: "message/sipfrag" }),
      });
      expect(refused.status).toBe(400);
      expect(all.seen).toEqual([]);
      await notify(all.call, "200 OK", "terminated");
      expect(await referral.done).toBe(200);
    });
  }

  test("of another event, or of another dialog", async () => {
    using all = await referring();
    const { referral } = await all.refer(202);
    await referral.accepted;
    expect((await notify(all.call, "200 OK", "terminated", "presence")).status).toBe(489);
    const headers = ["Event: refer", "Subscription-State: terminated"];
    expect((await all.call.ask("NOTIFY", { callId: unique("x"), headers })).status).toBe(481);
    expect(await Promise.race([referral.done, Promise.resolve("not yet")])).toBe("not yet");
  });
});

describe("without a subscription (RFC 4488)", () => {
  test("granted: the outcome is that of the REFER", async () => {
    using all = await referring();
    const { referral, refer } = await all.refer(202, { noSubscription: true }, ["Refer-Sub: false"]);
    expect(refer.header("Refer-Sub")).toBe("false");
    expect(await referral.done).toBe(202);
  });

  test("not granted: there is one all the same", async () => {
    using all = await referring();
    const { referral } = await all.refer(202, { noSubscription: true });
    await referral.accepted;
    await notify(all.call, "603 Decline", "terminated");
    expect(await referral.done).toBe(603);
  });
});

describe("what a REFER carries", () => {
  test("the dialog that is to be replaced, as the target sees it", async () => {
    using all = await referring();
    const other = await all.call.client.invite({ callId: "a%b(c)@d" });
    other.ack();
    const { refer } = await all.refer(202, {
      replaces: await all.dialogOf(other),
      referredBy: '"B" <sip:b@example.com>',
    });
    const uri = /<(.*)>/.exec(refer.header("Refer-To")!)![1]!;
    const replaces = decodeURIComponent(/[?&]Replaces=([^&]*)/.exec(uri)![1]!);
    expect(replaces).toBe(`a%b(c)@d;to-tag=${other.invite.fromTag};from-tag=${other.response.toTag}`);
    expect(uri).toStartWith(`${CAROL}?`);
    expect(uri).toContain("Require=replaces");
    expect(refer.header("Referred-By")).toBe('"B" <sip:b@example.com>');
  });

  test("no Referred-By, and headers of one's own", async () => {
    using all = await referring();
    const { refer } = await all.refer(202, { referredBy: null, headers: { Subject: "away" } });
    expect([refer.header("Referred-By"), refer.header("Subject")]).toEqual([undefined, "away"]);
  });

  test("nothing that would not stand on its line", async () => {
    using all = await referring();
    const { plugin, call } = all;
    expect(() => plugin.refer(call.dialog, "no uri")).toThrow(TypeError);
    expect(() => plugin.refer(call.dialog, CAROL, { referredBy: "sip:a@b\r\nX: y" })).toThrow(TypeError);
    expect(() => plugin.refer(call.dialog, CAROL, { headers: { Subject: "a\r\nX: y" } })).toThrow(TypeError);
    expect(() => plugin.refer(call.dialog, "tel:+1555", { replaces: call.dialog })).toThrow(TypeError);
    expect(await all.client.restBrief()).toEqual([]);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(all.server.stats().dialogs).toBe(0);
  });
});
