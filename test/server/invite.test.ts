/** Calls on the wire: what a handler does with one, and what the caller sees. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded, type Dialog } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

describe("an INVITE that comes again", () => {
  test("gets the same response, and makes no second call", async () => {
    let handled = 0;
    using running = await testServer({
      invite(call) {
        handled++;
        call.reject(486);
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 486);
    for (let i = 0; i < 3; i++) {
      client.send(call.invite.text);
      expect((await client.next(486, call.invite)).text).toBe(call.response.text);
    }
    call.ack();
    client.send(call.invite.text);
    expect(await client.restBrief()).toEqual([]);
    expect(handled).toBe(1);
    expect(running.server.stats()).toMatchObject({ callsStarted: 1, retransmissionsReceived: 4 });
  });

  test("gets the last provisional response while it rings, and nothing of its own once it is answered", async () => {
    const calls: Call[] = [];
    using running = await testServer({
      invite(call) {
        calls.push(call);
        call.ring();
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 180);
    client.send(call.invite.text);
    expect((await client.next(180)).text).toBe(call.response.text);
    void calls[0]!.answer("v=0\r\n");
    await client.next(200);
    client.send(call.invite.text);
    expect(await client.restBrief()).toEqual([]);
    expect(calls).toHaveLength(1);
  });
});

describe("merged requests", () => {
  test("the same INVITE by another path gets 482, and the first goes on", async () => {
    let handled = 0;
    using running = await testServer({
      invite(call) {
        handled++;
        call.ring();
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 180);
    const { invite } = call;
    const second = client.request("INVITE", {
      from: invite.header("From")!,
      to: invite.header("To")!,
      callId: invite.callId,
      headers: ["Via: SIP/2.0/UDP other.example.com;branch=z9hG4bKpath2"],
    });
    const refused = await client.next(482, second);
    expect(refused.branch).toBe(second.branch!);
    expect(handled).toBe(1);
    call.cancel();
    await client.next(487, invite);
    expect(running.server.stats().merged).toBe(1);
  });
});

describe("a handler that takes its time", () => {
  test("has a 100 sent for it, once", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    using running = await testServer({
      async invite(call) {
        await promise;
        call.reject(480);
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 100);
    expect(await client.restBrief()).toEqual([]);
    resolve();
    expect((await client.next(480, call.invite)).status).toBe(480);
  });

  test("that has said 100 or 180 itself gets none beside", async () => {
    for (const [status, say] of [
      [100, (call: Call) => call.trying()],
      [180, (call: Call) => call.ring()],
    ] as const) {
      using running = await testServer({ invite: (call) => void say(call) });
      using client = await WireClient.open(running.address);
      client.request("INVITE");
      expect([status, await client.restBrief()]).toEqual([status, [status]]);
    }
  });

  test("its provisional response is sent again each minute (s13.3.1.1)", async () => {
    const clock = new FakeClock();
    const calls: Call[] = [];
    using running = await testServer({
      clock,
      invite(call) {
        calls.push(call);
        call.ring();
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 180);
    for (let minute = 0; minute < 3; minute++) {
      await clock.pass(59_990);
      expect(await client.restBrief()).toEqual([]);
      await clock.pass(10);
      const again = await client.rest();
      expect(again.map(({ text }) => text)).toEqual([call.response.text]);
    }
    calls[0]!.progress(183);
    const later = await client.next(183);
    await clock.pass(60_000);
    expect((await client.rest()).map(({ text }) => text)).toEqual([later.text]);
    calls[0]!.reject(480);
    call.ack(call.invite, await client.next(480));
    await client.rest();
    for (let i = 0; i < 3; i++) await clock.pass(60_000);
    expect(await client.restBrief()).toEqual([]);
  });
});

describe("a handler that fails", () => {
  for (const [how, invite] of [
    [
      "throws",
      () => {
        throw new Error("on purpose");
      },
    ],
    ["rejects", () => Promise.reject(new Error("on purpose"))],
    [
      "rings, waits and throws",
      async (call: Call) => {
        call.ring();
        await Bun.sleep(1);
        throw new Error("on purpose");
      },
    ],
  ] as const) {
    test(`${how}: 500, one log line with Call-ID, branch and peer, and the server goes on`, async () => {
      using running = await testServer({ invite });
      using client = await WireClient.open(running.address);
      for (let i = 0; i < 2; i++) {
        const call = await client.invite({}, 500);
        call.ack();
        expect(running.log.lines).toHaveLength(i + 1);
        const { level, fields } = running.log.lines[i]!;
        expect(level).toBe("error");
        expect(fields).toMatchObject({
          method: "INVITE",
          callId: call.invite.callId,
          branch: call.invite.branch,
          peer: client.sentBy,
        });
        expect((fields.err as Error).message).toBe("on purpose");
        await client.rest();
      }
      expect(running.server.stats()).toMatchObject({ handlerErrors: 2, dialogs: 0 });
    });
  }

  test("of another method: the same", async () => {
    using running = await testServer({
      info() {
        throw new Error("on purpose");
      },
      message: () => Promise.reject(new Error("on purpose")),
    });
    using client = await WireClient.open(running.address);
    for (const method of ["INFO", "MESSAGE"]) {
      const response = await client.ask(method);
      expect(response.status).toBe(500);
      expect(running.log.lines.at(-1)!.fields).toMatchObject({ method, callId: response.callId, peer: client.sentBy });
    }
  });

  test("after its final response: only the log hears of it", async () => {
    using running = await testServer({
      invite(call) {
        call.reject(486);
        throw new Error("too late");
      },
      info(request) {
        request.reply(200);
        throw new Error("too late");
      },
    });
    using client = await WireClient.open(running.address);
    (await client.invite({}, 486)).ack();
    expect((await client.ask("INFO")).status).toBe(200);
    expect(await client.restBrief()).toEqual([]);
    expect(running.log.lines).toHaveLength(2);
  });
});

describe("a handle that outlives its call", () => {
  test("gives false, or rejects with CallEnded; nothing is sent", async () => {
    const calls: Call[] = [];
    using running = await testServer({ invite: (call) => void calls.push(call) });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 100);
    const handle = calls[0]!;
    expect(handle.reject(486)).toBe(true);
    call.ack(call.invite, await client.next(486));
    await client.rest();
    expect(handle.reject(603)).toBe(false);
    expect(handle.reply(200)).toBe(false);
    expect(handle.ring()).toBe(false);
    expect(handle.trying()).toBe(false);
    expect(handle.progress(183)).toBe(false);
    const error = await handle.answer("v=0\r\n").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CallEnded);
    expect((error as CallEnded).cause).toBe("over");
    expect(await client.restBrief()).toEqual([]);
  });

  test("never reaches the transaction that has its place now", async () => {
    const calls: Call[] = [];
    const clock = new FakeClock();
    using running = await testServer({
      clock,
      limits: { transactions: 2 },
      timers: { t4: 100 },
      invite: (call) => void calls.push(call),
    });
    using client = await WireClient.open(running.address);
    const first = await client.invite({}, 100);
    calls[0]!.reject(486);
    first.ack(first.invite, await client.next(486));
    await client.rest();
    await clock.pass(40_000);
    const second = await client.invite({}, 100);
    expect(calls).toHaveLength(2);
    expect(calls[0]!.reject(603)).toBe(false);
    expect(calls[0]!.ring()).toBe(false);
    calls[1]!.reject(480);
    expect((await client.next(() => true, second.invite)).status).toBe(480);
  });

  test("a second answer of the same call is refused", async () => {
    const results: unknown[] = [];
    using running = await testServer({
      invite(call) {
        void call.answer("v=0\r\n");
        call.answer("v=0\r\n").catch((error: CallEnded) => results.push(error.cause));
        results.push(call.reject(486), call.reply(200));
      },
    });
    using client = await WireClient.open(running.address);
    (await client.invite()).ack();
    expect(await client.restBrief()).toEqual([]);
    expect(results).toEqual([false, false, "over"]);
  });

  test("a request other than INVITE is answered once", async () => {
    const results: boolean[] = [];
    using running = await testServer({
      info(request) {
        results.push(request.reply(180), request.reply(202), request.reply(200), request.reply(500));
      },
    });
    using client = await WireClient.open(running.address);
    expect((await client.ask("INFO")).status).toBe(202);
    expect(await client.restBrief()).toEqual([]);
    expect(results).toEqual([false, true, false, false]);
  });
});

describe("a non-INVITE request that waits", () => {
  test("gets 100 after 3.5 s and nothing at 64*T1; a reply after that gives false", async () => {
    const clock = new FakeClock();
    const { promise, resolve } = Promise.withResolvers<(status: number) => boolean>();
    using running = await testServer({ clock, message: (request) => resolve((status) => request.reply(status)) });
    using client = await WireClient.open(running.address);
    const request = client.request("MESSAGE");
    const reply = await promise;
    await clock.pass(3490);
    expect(await client.restBrief()).toEqual([]);
    await clock.pass(10);
    expect((await client.rest()).map(({ status, callId }) => [status, callId])).toEqual([[100, request.callId]]);
    expect(reply(408)).toBe(false);
    await clock.pass(28_500);
    expect(await client.restBrief()).toEqual([]);
    expect(reply(200)).toBe(false);
    expect(await client.restBrief()).toEqual([]);
    expect(running.server.stats().timeouts).toBe(1);
  });

  test("a refused 408 does not take its 100 away", async () => {
    const clock = new FakeClock();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    using running = await testServer({ clock, message: (request) => resolve(request.reply(408)) });
    using client = await WireClient.open(running.address);
    client.request("MESSAGE");
    expect(await promise).toBe(false);
    await clock.pass(3500);
    expect(await client.restBrief()).toEqual([100]);
  });
});

describe("answer()", () => {
  test("sends what it is given: body, headers, Contact, Allow and the Record-Route of the request", async () => {
    using running = await testServer({
      software: "Test/1.0",
      supported: ["timer"],
      invite(call) {
        void call.answer("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n", undefined, { "X-One": ["a", "b"], Subject: "grüße" });
      },
    });
    using client = await WireClient.open(running.address);
    const { response } = await client.invite({ headers: ["Record-Route: <sip:p.example.com;lr>"] });
    expect(response.body).toBe("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n");
    expect(response.header("Content-Type")).toBe("application/sdp");
    expect(response.headers("X-One")).toEqual(["a", "b"]);
    expect(Buffer.from(response.header("Subject")!, "latin1").toString()).toBe("grüße");
    expect(response.list("Allow")).toEqual(["INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS"]);
    expect(response.list("Supported")).toEqual(["100rel", "timer"]);
    expect(response.header("Server")).toBe("Test/1.0");
    expect(response.header("Record-Route")).toBe("<sip:p.example.com;lr>");
    expect(response.contactUri).toBe(`sip:127.0.0.1:${running.address.port}`);
  });

  test("a sips Request-URI gets a sips Contact (s12.1.1)", async () => {
    using running = await testServer({ invite: (call) => void call.answer("v=0\r\n") });
    using client = await WireClient.open(running.address);
    const { response } = await client.invite({ uri: "sips:bob@127.0.0.1" });
    expect(response.contactUri).toMatch(/^sips:127\.0\.0\.1:\d+$/);
    expect((await client.invite()).response.contactUri).toMatch(/^sip:/);
  });

  test("reply() of a call answers by the status's class", async () => {
    const dialogs: (Dialog | null)[] = [];
    using running = await testServer({
      invite(call) {
        dialogs.push(call.dialog);
        const status = Number(call.header("X-Status"));
        if (status === 200) call.reply(183);
        call.reply(status, { headers: { "X-Mine": "yes" }, reason: status === 486 ? "Too Busy" : undefined });
      },
    });
    using client = await WireClient.open(running.address);
    const busy = (await client.invite({ headers: ["X-Status: 486"] }, 486)).response;
    expect([busy.reason, busy.header("X-Mine")]).toEqual(["Too Busy", "yes"]);
    const call = await client.invite({ headers: ["X-Status: 200"] }, 200);
    call.ack();
    expect(call.response.header("X-Mine")).toBe("yes");
    await client.next(183, call.invite);
    expect((await call.ask("BYE")).status).toBe(200);
  });

  test("reply(200) takes the content type with its body", async () => {
    using running = await testServer({
      invite: (call) => call.reply(200, { body: "--b--", contentType: "multipart/mixed;boundary=b" }),
    });
    using client = await WireClient.open(running.address);
    expect((await client.invite()).response.header("Content-Type")).toBe("multipart/mixed;boundary=b");
  });

  test("redirect() sends 302 with the targets as Contacts", async () => {
    using running = await testServer({ invite: (call) => call.redirect("sip:a@x.example", "sip:b@y.example") });
    using client = await WireClient.open(running.address);
    const { response } = await client.invite({}, 302);
    expect(response.headers("Contact")).toEqual(["<sip:a@x.example>", "<sip:b@y.example>"]);
  });
});

describe("what a handler may not send", () => {
  const INJECTION = "x\r\nX-Injected: yes";
  const attempts: readonly [string, (call: Call) => unknown][] = [
    ["a reason", (call) => call.reject(486, { reason: INJECTION })],
    ["a header's value", (call) => call.reject(486, { headers: { Subject: INJECTION } })],
    ["one of several values", (call) => call.reject(486, { headers: { Subject: ["fine", "a\nb"] } })],
    ["a bare CR", (call) => call.reject(486, { headers: { Subject: "a\rb" } })],
    ["a NUL", (call) => call.reject(486, { headers: { Subject: "a\0b" } })],
    ["a header's name", (call) => call.reject(486, { headers: { [INJECTION]: "x" } })],
    ["a name with a colon", (call) => call.reject(486, { headers: { "A:": "x" } })],
    ["an empty name", (call) => call.reject(486, { headers: { "": "x" } })],
    ["a content type", (call) => call.reject(486, { contentType: INJECTION, body: "x" })],
    ["a header of the 200", (call) => call.answer("v=0\r\n", undefined, { Subject: INJECTION })],
    ["a header of a 180", (call) => call.progress(180, { headers: { Subject: INJECTION } })],
    ["the reason of a 180", (call) => call.progress(180, { reason: INJECTION })],
    ["a redirect's target", (call) => call.redirect(`sip:a@b>${INJECTION}`)],
  ];
  for (const [what, attempt] of attempts) {
    test(`a line end in ${what}: TypeError, and the caller gets 500`, async () => {
      using running = await testServer({ invite: (call) => attempt(call) });
      using client = await WireClient.open(running.address);
      const { response } = await client.invite({}, 500);
      expect(response.text).not.toContain("Injected");
      expect(running.log.lines.map(({ fields }) => fields.err)).toEqual([expect.any(TypeError)]);
      expect(running.server.stats().dialogs).toBe(0);
    });
  }

  test("the same for a request that is not an INVITE", async () => {
    using running = await testServer({
      info: (request) => request.reply(200, { headers: { Subject: INJECTION } }),
      message: (request) => request.reply(200, { reason: INJECTION }),
    });
    using client = await WireClient.open(running.address);
    for (const method of ["INFO", "MESSAGE"]) expect((await client.ask(method)).status).toBe(500);
    expect(running.log.lines.map(({ fields }) => fields.err)).toEqual([expect.any(TypeError), expect.any(TypeError)]);
  });

  test("a handler that catches the TypeError can still answer, and its caller can still cancel", async () => {
    const caught: unknown[] = [];
    using running = await testServer({
      invite(call) {
        call.ring();
        try {
          call.reject(486, { reason: INJECTION });
        } catch (error) {
          caught.push(error);
        }
      },
    });
    using client = await WireClient.open(running.address);
    const call = await client.invite({}, 180);
    expect(caught).toEqual([expect.any(TypeError)]);
    call.cancel();
    expect((await client.rest()).map(({ status, method }) => `${status} ${method}`).toSorted()).toEqual([
      "200 CANCEL",
      "487 INVITE",
    ]);
  });

  test("a status that is none: RangeError", async () => {
    const thrown: unknown[] = [];
    const attempt = (act: () => unknown) => {
      try {
        act();
      } catch (error) {
        thrown.push(error);
      }
    };
    using running = await testServer({
      invite(call) {
        for (const status of [99, 200, 299, 700, 486.5, Number.NaN]) attempt(() => call.reject(status));
        call.reject(486);
      },
    });
    using client = await WireClient.open(running.address);
    await client.invite({}, 486);
    expect(thrown).toEqual(new Array(6).fill(expect.any(RangeError)));
  });

  test("a status that is none, for a request that is not an INVITE: RangeError", async () => {
    const thrown: unknown[] = [];
    using running = await testServer({
      info(request) {
        for (const status of [-1, 0, 99, 700, 1000, 200.5, Number.NaN]) {
          try {
            thrown.push(request.reply(status));
          } catch (error) {
            thrown.push(error);
          }
        }
        request.reply(200);
      },
    });
    using client = await WireClient.open(running.address);
    expect((await client.ask("INFO")).status).toBe(200);
    expect(thrown).toEqual(new Array(7).fill(expect.any(RangeError)));
  });
});
