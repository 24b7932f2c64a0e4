/** Requests that come in a dialog, early or confirmed: RFC 3261 s12.2.2, s14.2, s15.1.2. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded, type DialogEnd, type ServeOptions } from "../../src/index.ts";
import { serverAndClient } from "../support/server-and-client.ts";

setDefaultTimeout(20_000);

const answering: ServeOptions = { invite: (call) => void call.answer("v=0\r\n") };

describe("the To tag", () => {
  test("is the same in 100, 180, 183 and 200 of one call, and another in the next", async () => {
    using peer = await serverAndClient({
      invite(call) {
        call.trying();
        call.ring();
        call.progress(183);
        void call.answer("v=0\r\n");
      },
    });
    const { client } = peer;
    const tags = new Set<string | undefined>();
    const call = await client.invite({}, 200);
    tags.add(call.response.toTag);
    for (const status of [100, 180, 183]) tags.add((await client.next(status, call.invite)).toTag);
    expect(tags.size).toBe(1);
    expect([...tags][0]).toMatch(/^\w{7,}$/);
    expect((await client.invite()).response.toTag).not.toBe(call.response.toTag);
  });

  test("is the same in 180 and a refusal, and in what a CANCEL gets", async () => {
    using peer = await serverAndClient({ invite: (call) => void call.ring() });
    const { client } = peer;
    const call = await client.invite({}, 180);
    const cancel = call.cancel();
    const answered = await client.next(200, cancel);
    const refused = await client.next(487, call.invite);
    expect(refused.toTag).toBe(call.response.toTag);
    expect(answered.toTag).toBe(call.response.toTag);
  });
});

describe("CSeq", () => {
  test("an older number than the last gets 500; the next higher one is served", async () => {
    using peer = await serverAndClient({ ...answering, info: (request) => request.reply(200) });
    const { client } = peer;
    const call = await client.invite({ cseq: 100 });
    call.ack();
    expect((await call.ask("INFO", { cseq: 200 })).status).toBe(200);
    for (const cseq of [199, 101, 99, 0]) {
      const response = await call.ask("INFO", { cseq });
      expect([cseq, response.startLine]).toEqual([cseq, "SIP/2.0 500 Sequence Number Out Of Order"]);
    }
    expect((await call.ask("INFO", { cseq: 2_000_000_000 })).status).toBe(200);
    expect((await call.ask("BYE", { cseq: 150 })).status).toBe(500);
    expect(peer.server.stats().dialogs).toBe(1);
    expect((await call.ask("BYE", { cseq: 2_000_000_001 })).status).toBe(200);
    expect(peer.server.stats().dialogs).toBe(0);
  });
});

describe("strangers", () => {
  test("a request whose dialog does not exist gets 481", async () => {
    using peer = await serverAndClient(answering);
    const { client } = peer;
    for (const method of ["BYE", "INFO", "INVITE", "UPDATE", "OPTIONS", "MESSAGE"]) {
      const response = await client.ask(method, { to: "<sip:bob@127.0.0.1>;tag=unknown" });
      expect([method, response.status]).toEqual([method, 481]);
    }
    expect((await client.ask("BYE")).status).toBe(481);
  });

  test("Call-ID, From tag and To tag must all be the dialog's, octet by octet", async () => {
    using peer = await serverAndClient(answering);
    const { client } = peer;
    const call = await client.invite({ callId: "Exact@127.0.0.1", from: "<sip:a@127.0.0.1>;tag=Exact" });
    call.ack();
    const to = call.response.header("To")!;
    for (const wrong of [
      { callId: "exact@127.0.0.1" },
      { callId: "Exact@127.0.0.1x" },
      { from: "<sip:a@127.0.0.1>;tag=exact" },
      { from: "<sip:a@127.0.0.1>" },
      { to: `${to}x` },
      { to: to.slice(0, -1) },
    ]) {
      expect([wrong, (await call.ask("BYE", wrong)).status]).toEqual([wrong, 481]);
    }
    // The URIs are not compared (s12.2.2), nor how the header is written.
    const tag = call.response.toTag;
    expect((await call.ask("BYE", { to: `"B" <sip:other@example.com>;x=y;TAG=${tag}` })).status).toBe(200);
  });

  test("a peer of RFC 2543 without a From tag has a dialog all the same", async () => {
    using peer = await serverAndClient(answering);
    const call = await peer.client.invite({ from: "<sip:a@127.0.0.1>" });
    call.ack();
    expect((await call.ask("BYE")).status).toBe(200);
  });
});

describe("BYE in an early dialog", () => {
  test("gets 200, and the INVITE 487; the dialog ends", async () => {
    const calls: Call[] = [];
    const ends: DialogEnd[] = [];
    using peer = await serverAndClient({
      invite(call) {
        calls.push(call);
        call.ring();
        void call.dialog!.ended.then((end) => ends.push(end));
      },
    });
    const { client } = peer;
    const call = await client.invite({}, 180);
    expect((await call.ask("BYE")).status).toBe(200);
    const refused = await client.next(487, call.invite);
    call.ack(call.invite, refused);
    await client.rest();
    expect(ends).toEqual(["bye"]);
    expect(peer.server.stats().dialogs).toBe(0);
    expect(calls[0]!.isOver).toBe(true);
    const late = await calls[0]!.answer("v=0\r\n").catch((error: unknown) => error);
    expect(late).toBeInstanceOf(CallEnded);
    expect(await client.restBrief()).toEqual([]);
  });

  test("aborts the call's signal: who waits on it has nobody left to answer", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    using peer = await serverAndClient({
      invite(call) {
        call.ring();
        call.signal.addEventListener("abort", () => resolve(call.signal.reason));
      },
    });
    const { client } = peer;
    const call = await client.invite({}, 180);
    expect((await call.ask("BYE")).status).toBe(200);
    await client.next(487, call.invite);
    expect(await Promise.race([promise, Bun.sleep(2000).then(() => "not aborted")])).toBeInstanceOf(CallEnded);
  });
});

describe("requests to the dialog's own handler", () => {
  test("it is asked first, with the dialog; the server's handlers serve the rest", async () => {
    const asked: string[] = [];
    using peer = await serverAndClient({
      invite(call) {
        void call.answer("v=0\r\n", {
          request(request, dialog) {
            asked.push(`${request.method} ${dialog === call.dialog} ${request.isInDialog}`);
            request.reply(202);
          },
        });
      },
      info: (request) => request.reply(200),
    });
    const { client } = peer;
    const call = await client.invite();
    call.ack();
    expect((await call.ask("INFO")).status).toBe(202);
    expect((await call.ask("MESSAGE")).status).toBe(202);
    expect((await call.ask("FOO")).status).toBe(202);
    expect((await client.ask("INFO")).status).toBe(200);
    expect(asked).toEqual(["INFO true true", "MESSAGE true true", "FOO true true"]);
  });

  test("without one: the server's handler, OPTIONS by itself, 405 for known and 501 for unknown methods", async () => {
    using peer = await serverAndClient({ ...answering, info: (request) => request.reply(200) });
    const call = await peer.client.invite();
    call.ack();
    expect((await call.ask("INFO")).status).toBe(200);
    expect((await call.ask("OPTIONS")).status).toBe(200);
    for (const [method, status] of [
      ["REFER", 405],
      ["FOO", 501],
    ] as const) {
      const response = await call.ask(method);
      expect(response.status).toBe(status);
      expect(response.list("Allow")).toEqual(["INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS", "INFO"]);
      // The To has its tag already: no second one.
      expect(response.header("To")).toBe(call.response.header("To"));
    }
  });

  test("a retransmitted BYE gets its 200 again, though the dialog is gone", async () => {
    using peer = await serverAndClient(answering);
    const { client } = peer;
    const call = await client.invite();
    call.ack();
    const bye = call.send("BYE");
    const first = await client.next(200, bye);
    client.send(bye.text);
    expect((await client.next(200, bye)).text).toBe(first.text);
  });
});
