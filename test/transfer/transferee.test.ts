/** A REFER that is followed: RFC 3515 s2.4, RFC 3892 s2.2, RFC 4488, RFC 4538, on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call } from "../../src/index.ts";
import { answering, OWN_SDP, referredServer, told } from "../support/referred-server.ts";
import { OFFER, unique } from "../support/sip-messages.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const ACTIVE = "active;expires=N";
const DONE = "terminated;reason=noresource";

describe("in a dialog", () => {
  test("the target is called with the session's description, and each response is told", async () => {
    using all = await referredServer();
    const call = await all.call();
    const accepted = await call.refer(`<${all.uri}>`, [`Referred-By: <sip:alice@example.com>;cid="1@a"`]);
    expect(accepted.status).toBe(202);
    expect(accepted.contactUri).toBe(call.response.contactUri);
    const first = await all.notify();
    expect(told(first)).toEqual(["refer", ACTIVE, "SIP/2.0 100 Trying\r\n"]);
    expect(first.header("Content-Type")).toBe("message/sipfrag;version=2.0");
    expect([first.callId, first.toTag, first.fromTag]).toEqual([
      call.invite.callId,
      call.invite.fromTag,
      call.response.toTag,
    ]);
    const { message: invite } = await all.target.request();
    expect(invite.startLine).toBe(`INVITE ${all.uri} SIP/2.0`);
    expect(invite.body).toBe(OWN_SDP);
    expect(invite.header("Referred-By")).toBe(`<sip:alice@example.com>;cid="1@a"`);
    // RFC 3892 s2.2: the name that the referrer knows.
    expect(invite.header("From")).toStartWith("<sip:bob@192.0.2.1>;tag=");
    expect(invite.fromTag).not.toBe(call.response.toTag);
    const last = await all.notify();
    expect(told(last)).toEqual(["refer", DONE, "SIP/2.0 200 Whatever\r\n"]);
    expect(last.cseq).toBe(first.cseq + 1);
    expect(await all.client.restBrief()).toEqual([]);
    // The call before stands until its peer hangs up.
    expect(all.server.stats().dialogs).toBe(2);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(all.server.stats().dialogs).toBe(1);
  });

  test("responses come a second apart at most, the newest alone, the last at once", async () => {
    using all = await referredServer(({ message }) =>
      message.method === "INVITE" ? [{ status: 180, headers: ["Contact: <sip:c@127.0.0.1>"] }, 182, 183] : 200,
    );
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    await all.target.request();
    expect(await all.client.restBrief()).toEqual([]);
    await all.clock.pass(1000);
    expect(told(await all.notify())[2]).toBe("SIP/2.0 183 Whatever\r\n");
    const { react } = await all.target.request();
    react(486);
    expect(told(await all.notify())).toEqual(["refer", DONE, "SIP/2.0 486 Whatever\r\n"]);
    expect(await all.client.restBrief()).toEqual([]);
  });

  test("what changes while a NOTIFY is under way is told with the next", async () => {
    using all = await referredServer();
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    const first = await all.client.next("NOTIFY");
    await all.has("ACK");
    expect(await all.client.restBrief()).toEqual([]);
    all.client.respond(first, 200);
    expect(told(await all.notify())).toEqual(["refer", DONE, "SIP/2.0 200 Whatever\r\n"]);
  });

  for (const status of [486, 503, 603]) {
    test(`the target answers ${status}: so it is told, and the call goes on`, async () => {
      using all = await referredServer(status);
      const call = await all.call();
      await call.refer(all.uri);
      await all.notify();
      expect(told(await all.notify())).toEqual(["refer", DONE, `SIP/2.0 ${status} Whatever\r\n`]);
      expect((await call.ask("OPTIONS")).status).toBe(200);
      expect(all.server.stats().dialogs).toBe(1);
    });
  }

  test("a target that is silent: 408 after 64*T1", async () => {
    using all = await referredServer("silent");
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    await all.target.request();
    await all.clock.pass(32_000);
    expect(told(await all.notify())).toEqual(["refer", DONE, "SIP/2.0 408 Request Timeout\r\n"]);
  });

  test("a target that only rings is cancelled when its time is over: 487", async () => {
    using all = await referredServer(
      ({ message }) => (message.method === "INVITE" ? 180 : message.method === "CANCEL" ? 200 : "silent"),
      { call: () => ({ timeout: 60_000 }) },
    );
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    const { message } = await all.client.next("NOTIFY").then(async (notify) => {
      expect(notify.header("Subscription-State")).toBe("active;expires=120");
      all.client.respond(notify, 200);
      return all.target.request();
    });
    await all.clock.pass(1000);
    await all.notify();
    await all.clock.pass(59_000);
    await all.has("CANCEL");
    all.target.requests[0]!.react(487);
    expect(message.method).toBe("INVITE");
    expect(told(await all.notify())[2]).toBe("SIP/2.0 487 Request Terminated\r\n");
  });

  test("an address that leads nowhere: 503", async () => {
    using all = await referredServer(200);
    const call = await all.call();
    await call.refer("<sip:carol@no.such.name.invalid>");
    await all.notify();
    expect(told(await all.notify())[2]).toBe("SIP/2.0 503 Service Unavailable\r\n");
  });

  test("the second REFER's NOTIFYs have its id", async () => {
    using all = await referredServer(486);
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    expect(told(await all.notify())[0]).toBe("refer");
    expect(told(await all.notify())[0]).toBe("refer");
    await call.refer(`<${all.uri}>`);
    const id = `refer;id=${call.invite.cseq + 2}`;
    expect(told(await all.notify())[0]).toBe(id);
    expect(told(await all.notify())[0]).toBe(id);
  });

  test("its Contact is the remote target from then on (RFC 4488 s4)", async () => {
    using all = await referredServer(486);
    const call = await all.call();
    const elsewhere = all.contact.replace("alice@", "elsewhere@");
    await call.ask("REFER", { contact: elsewhere, headers: [`Refer-To: <${all.uri}>`] });
    expect((await all.notify()).uri).toBe(elsewhere.slice(1, -1));
  });

  test("the server is closed meanwhile: nothing is left", async () => {
    using all = await referredServer(() => "silent");
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    expect((await call.ask("BYE")).status).toBe(200);
    expect(all.server.stats().dialogs).toBe(1);
    all.server.closeNow();
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("the peer hangs up before it is told: the NOTIFYs come all the same, in the same dialog", async () => {
    using all = await referredServer(() => "silent");
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    expect((await call.ask("BYE")).status).toBe(200);
    const { react } = await all.target.request();
    react(486);
    const last = await all.notify();
    expect([last.callId, ...told(last)]).toEqual([call.invite.callId, "refer", DONE, "SIP/2.0 486 Whatever\r\n"]);
    await until("the dialog's end", () => all.server.stats().dialogs === 0);
  });

  for (const how of ["481", "nothing"] as const) {
    test(`the peer answers its NOTIFY with ${how}: no more of them, and the target is called all the same`, async () => {
      using all = await referredServer(() => "silent");
      const call = await all.call();
      await call.refer(`<${all.uri}>`);
      const first = await all.client.next("NOTIFY");
      const { react, message } = await all.target.request();
      expect((await call.ask("BYE")).status).toBe(200);
      if (how === "481") all.client.respond(first, 481);
      else await all.clock.pass(32_000);
      await until("the dialog's end", () => all.server.stats().dialogs === 0);
      if (how === "481") {
        react({ status: 200, headers: [`Contact: <${message.uri}>`] });
        await all.has("ACK");
        expect(all.server.stats().dialogs).toBe(1);
      }
      // Over UDP it has been sent again while nobody answered; it is one NOTIFY all the same.
      const more = (await all.client.rest()).filter(({ status, method }) => status === 0 && method === "NOTIFY");
      expect(more.filter(({ cseq }) => cseq !== first.cseq)).toEqual([]);
    });
  }
});

describe("outside a dialog", () => {
  test("a dialog is made for the subscription alone, and ends with it", async () => {
    using all = await referredServer();
    const callId = unique("refer");
    const shape = { callId, contact: all.contact, headers: [`Refer-To: <${all.uri}>`] };
    const accepted = await all.client.ask("REFER", shape);
    expect(accepted.status).toBe(202);
    expect(accepted.toTag).not.toBeUndefined();
    const first = await all.notify();
    expect([first.callId, first.fromTag, first.uri]).toEqual([callId, accepted.toTag, all.contact.slice(1, -1)]);
    expect(told(first)).toEqual(["refer", ACTIVE, "SIP/2.0 100 Trying\r\n"]);
    expect(told(await all.notify())[1]).toBe(DONE);
    await until("the subscription's end", () => all.server.stats().dialogs === 1);
    expect(all.target.requests[0]!.message.header("From")).toStartWith("<sip:bob@192.0.2.1>;tag=");
  });

  test("without a Contact it gets 400: its NOTIFYs would go nowhere", async () => {
    using all = await referredServer();
    const refused = await all.client.ask("REFER", { headers: [`Refer-To: <${all.uri}>`] });
    expect(refused.status).toBe(400);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("Target-Dialog says which call it is about (RFC 4538)", async () => {
    const about: unknown[] = [];
    using all = await referredServer(486, {
      allow: (_request, { dialog }) => {
        about.push(dialog?.callId);
        return 403;
      },
    });
    const call = await all.call();
    const ask = (targetDialog: string) =>
      all.client.ask("REFER", {
        contact: all.contact,
        headers: [`Refer-To: <${all.uri}>`, `Target-Dialog: ${targetDialog}`],
      });
    const { callId } = call.invite;
    const [local, remote] = [call.response.toTag, call.invite.fromTag];
    await ask(`${callId};local-tag=${local};remote-tag=${remote}`);
    await ask(`${callId};local-tag=${remote};remote-tag=${local}`);
    await ask(`${callId};local-tag=${local}`);
    await ask(";");
    expect(about).toEqual([callId, undefined, undefined, undefined]);
  });

  test("no dialog is left: 503", async () => {
    using all = await referredServer(486, {}, { limits: { dialogs: 1 } });
    await all.call();
    const refused = await all.client.ask("REFER", { contact: all.contact, headers: [`Refer-To: <${all.uri}>`] });
    expect([refused.status, refused.header("Retry-After")]).toEqual([503, "5"]);
    expect(all.target.requests).toEqual([]);
  });
});

describe("without a subscription (RFC 4488)", () => {
  for (const require of [[], ["Require: norefersub"]]) {
    test(`Refer-Sub: false${require.length === 0 ? "" : " and Require"}: the target is called, and nothing is told`, async () => {
      using all = await referredServer();
      const call = await all.call();
      const accepted = await call.refer(`<${all.uri}>`, ["Refer-Sub: false;x=y", ...require]);
      expect([accepted.status, accepted.header("Refer-Sub")]).toEqual([202, "false"]);
      await all.has("ACK");
      expect(await all.client.restBrief()).toEqual([]);
    });
  }

  test("outside a dialog none is made", async () => {
    using all = await referredServer(486);
    const accepted = await all.client.ask("REFER", {
      contact: all.contact,
      headers: [`Refer-To: <${all.uri}>`, "Refer-Sub: false"],
    });
    expect(accepted.status).toBe(202);
    await all.target.request();
    expect(all.server.stats().dialogs).toBe(0);
  });
});

describe("its subscription is refreshed by SUBSCRIBE (RFC 3515 s2.4.4)", () => {
  test("Expires: 0 ends it, and the target is called all the same", async () => {
    using all = await referredServer(() => "silent");
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    const answer = await call.ask("SUBSCRIBE", { contact: all.contact, headers: ["Event: refer", "Expires: 0"] });
    expect([answer.status, answer.header("Expires")]).toEqual([200, "0"]);
    expect(told(await all.notify())).toEqual(["refer", "terminated;reason=timeout", "SIP/2.0 100 Trying\r\n"]);
    const { react } = await all.target.request();
    react(486);
    await all.has("ACK");
    expect(await all.client.restBrief()).toEqual([]);
    const late = await call.ask("SUBSCRIBE", { contact: all.contact, headers: ["Event: refer", "Expires: 60"] });
    expect(late.status).toBe(403);
  });

  test("a shorter time is granted, and it lapses then", async () => {
    using all = await referredServer(() => "silent");
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    const answer = await call.ask("SUBSCRIBE", { contact: all.contact, headers: ["Event: refer", "Expires: 10"] });
    expect(answer.header("Expires")).toBe("10");
    expect((await all.notify()).header("Subscription-State")).toBe("active;expires=10");
    await all.clock.pass(10_000);
    expect(told(await all.notify())[1]).toBe("terminated;reason=timeout");
  });

  test("more than there was is not granted", async () => {
    using all = await referredServer(() => "silent");
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    const answer = await call.ask("SUBSCRIBE", { contact: all.contact, headers: ["Event: refer", "Expires: 99999"] });
    expect(answer.header("Expires")).toBe("240");
  });

  test("of nothing it gets 403, and another event 489", async () => {
    using all = await referredServer();
    const outside = { contact: all.contact, headers: ["Event: refer"] };
    expect((await all.client.ask("SUBSCRIBE", outside)).status).toBe(403);
    const other = await all.client.ask("SUBSCRIBE", { contact: all.contact, headers: ["Event: refers"] });
    expect([other.status, other.header("Allow-Events")]).toEqual([489, "refer"]);
    const call = await all.call();
    const notify = await call.ask("NOTIFY", { headers: ["Event: refer", "Subscription-State: active"] });
    expect(notify.status).toBe(481);
  });
});

describe("the session goes on in the new call", () => {
  test("by default with the handlers and data of the one before", async () => {
    const seen: unknown[] = [];
    using all = await referredServer(answering, {
      transferred(dialog, before, reference) {
        seen.push(dialog.data, dialog.handlers === before?.handlers, dialog.callId !== before?.callId);
        seen.push(reference.uri.toString());
      },
    });
    const call = await all.call();
    call.dialog.data = "session";
    call.dialog.handlers = { invite() {} };
    await call.refer(`<${all.uri}>`);
    await all.notify();
    await all.notify();
    expect(seen).toEqual(["session", true, true, all.uri]);
  });

  test("`call` says how it is placed", async () => {
    const progress: number[] = [];
    using all = await referredServer(486, {
      call: () => ({
        from: '"B" <sip:b@example.com>',
        headers: { Subject: "ours" },
        progress: ({ status }) => progress.push(status),
      }),
    });
    const call = await all.call();
    await call.refer(`<${all.uri}?Subject=theirs>`);
    const { message } = await all.target.request();
    expect([message.header("From")?.replace(/;tag.*/, ""), message.headers("Subject")]).toEqual([
      '"B" <sip:b@example.com>',
      ["ours"],
    ]);
    expect(progress).toEqual([]);
  });

  test("what was described last is offered, off hold", async () => {
    using all = await referredServer(486, { offer: undefined });
    const call = await all.call();
    call.dialog.handlers = {
      invite: (again: Call) => void again.answer(`${OWN_SDP}a=recvonly\r\nm=audio 9 RTP/AVP 0\r\n`),
    };
    const hold = call.send("INVITE", { contact: all.contact, body: `${OFFER}a=sendonly\r\n` });
    call.ack(hold, await all.client.next(200, hold));
    await call.refer(`<${all.uri}>`);
    expect((await all.target.request()).message.body).toBe(`${OWN_SDP}m=audio 9 RTP/AVP 0\r\n`);
  });

  test("without a description there is no offer", async () => {
    using all = await referredServer(486, { offer: () => undefined });
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    const { message } = await all.target.request();
    expect([message.body, message.header("Content-Type")]).toEqual(["", undefined]);
  });

  test("a callback that throws is logged, and what became of the reference is told", async () => {
    using all = await referredServer(answering, {
      transferred() {
        throw new Error("on purpose");
      },
    });
    const call = await all.call();
    await call.refer(`<${all.uri}>`);
    await all.notify();
    expect(told(await all.notify())[1]).toBe(DONE);
    expect(all.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });
});
