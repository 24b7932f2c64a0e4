/** INVITEs that are to take the place of a dialog: RFC 3891 s3, on the wire. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, Dialog, OutgoingCall, Plugin } from "../../src/index.ts";
import { CallFailed } from "../../src/index.ts";
import { transfers } from "../../src/transfer/transfers.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";
import { type ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

async function replacing(invite?: (call: Call) => unknown) {
  const calls: Call[] = [];
  const dialogs: Dialog[] = [];
  const running = await testServer({
    invite(call) {
      calls.push(call);
      if (call.replaces !== null && invite !== undefined) return invite(call);
      call.answer("v=0\r\n").then((dialog) => dialogs.push(dialog));
    },
    plugins: [transfers()],
  });
  const alice = await WireClient.open(running.address);
  const bob = await WireClient.open(running.address);
  return {
    calls,
    dialogs,
    alice,
    bob,
    server: running.server,
    /** Sends an INVITE with these header lines, waits for its final response and acknowledges it. */
    async ask(headers: readonly string[]): Promise<ClientCall> {
      const call = await bob.invite({ headers }, (message) => message.status >= 200);
      call.ack();
      return call;
    },
    [Symbol.dispose]() {
      alice[Symbol.dispose]();
      bob[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

/** Names a call of a peer's as the server sees it. */
function naming({ invite, response }: ClientCall, more = ""): string {
  return `Replaces: ${invite.callId};to-tag=${response.toTag};from-tag=${invite.fromTag}${more}`;
}

test("the call has the dialog; once it is answered the dialog is hung up", async () => {
  const { promise, resolve } = Promise.withResolvers<Call>();
  using all = await replacing((call) => {
    call.ring();
    resolve(call);
  });
  const before = await all.alice.invite();
  before.ack();
  const after = await all.bob.invite({ headers: [naming(before), "Require: replaces"] }, 180);
  const call = await promise;
  expect(call.replaces?.callId).toBe(before.invite.callId);
  expect(call.dialog).not.toBe(call.replaces);
  // Until it is answered the one before stands.
  expect(await all.alice.restBrief()).toEqual([]);
  void call.answer("v=0\r\n");
  const answer = await all.bob.next(200, after.invite);
  expect(answer.list("Supported")).toContain("replaces");
  after.ack(after.invite, answer);
  const bye = await all.alice.next("BYE");
  expect(bye.callId).toBe(before.invite.callId);
  all.alice.respond(bye, 200);
  expect(await call.replaces?.ended).toBe("local");
  expect(all.server.stats().dialogs).toBe(1);
});

test("a handler that rejects the call leaves the dialog as it was", async () => {
  using all = await replacing((call) => call.reject(488));
  const before = await all.alice.invite();
  before.ack();
  expect((await all.ask([naming(before)])).response.status).toBe(488);
  expect(await all.alice.restBrief()).toEqual([]);
  expect((await before.ask("OPTIONS")).status).toBe(200);
});

test("a caller that cancels leaves the dialog as it was", async () => {
  using all = await replacing((call) => void call.ring());
  const before = await all.alice.invite();
  before.ack();
  const after = await all.bob.invite({ headers: [naming(before)] }, 180);
  after.cancel();
  await all.bob.next(487, after.invite);
  expect(await all.alice.restBrief()).toEqual([]);
  expect((await before.ask("BYE")).status).toBe(200);
});

test("the dialog ends while the new call rings: the call goes on without it", async () => {
  using all = await replacing((call) => void call.ring());
  const before = await all.alice.invite();
  before.ack();
  const after = await all.bob.invite({ headers: [naming(before)] }, 180);
  expect((await before.ask("BYE")).status).toBe(200);
  void all.calls[1]!.answer("v=0\r\n");
  after.ack(after.invite, await all.bob.next(200, after.invite));
  expect(await all.alice.restBrief()).toEqual([]);
  expect(all.server.stats().dialogs).toBe(1);
});

describe("what does not fit", () => {
  const cases: [name: string, status: number, headers: (call: ClientCall) => string[]][] = [
    ["no such dialog", 481, () => ["Replaces: x;to-tag=1;from-tag=2"]],
    [
      "the tags the wrong way round",
      481,
      ({ invite, response }) => [`Replaces: ${invite.callId};to-tag=${invite.fromTag};from-tag=${response.toTag}`],
    ],
    ["a tag of the wrong case", 481, (call) => [naming(call).toUpperCase().replace("REPLACES", "Replaces")]],
    ["early-only, but it stands", 486, (call) => [naming(call, ";early-only")]],
    ["two of them", 400, (call) => [naming(call), naming(call)]],
    ["two values in one", 400, (call) => [`${naming(call)}, x;to-tag=1;from-tag=2`]],
    ["a tag twice", 400, (call) => [naming(call, ";to-tag=x")]],
    ["no tags", 400, ({ invite }) => [`Replaces: ${invite.callId}`]],
    ["nothing", 400, () => ["Replaces:"]],
    ["Join beside it", 400, (call) => [naming(call), naming(call).replace("Replaces", "Join")]],
  ];
  for (const [name, status, headers] of cases) {
    test(`${name}: ${status}, and the handler sees nothing of it`, async () => {
      using all = await replacing();
      const before = await all.alice.invite();
      before.ack();
      expect((await all.ask(headers(before))).response.status).toBe(status);
      expect(all.calls).toHaveLength(1);
      expect(await all.alice.restBrief()).toEqual([]);
      expect(all.server.stats().dialogs).toBe(1);
    });
  }

  test("a dialog that is over: 603", async () => {
    using all = await replacing();
    const before = await all.alice.invite();
    before.ack();
    expect((await before.ask("BYE")).status).toBe(200);
    expect((await all.ask([naming(before)])).response.status).toBe(603);
    expect(all.calls).toHaveLength(1);
  });

  test("one that was made by a REFER: 481", async () => {
    using all = await replacing();
    const contact = `<sip:alice@${all.alice.sentBy}>`;
    const refer = all.alice.request("REFER", { contact, headers: [`Refer-To: <sip:x@127.0.0.1:9>`] });
    const accepted = await all.alice.next(202, refer);
    const name = `Replaces: ${refer.callId};to-tag=${accepted.toTag};from-tag=${refer.fromTag}`;
    expect((await all.ask([name])).response.status).toBe(481);
  });

  test("an early one that the peer has begun: 481", async () => {
    using running = await testServer({ invite: (call) => void call.ring(), plugins: [transfers()] });
    using carol = await WireClient.open(running.address);
    const ringing = await carol.invite({}, 180);
    const refused = await carol.invite({ headers: [naming(ringing)] }, 481);
    refused.ack();
    expect(await carol.restBrief()).toEqual([]);
  });
});

describe("a call of ours that is not answered yet", () => {
  async function ringing(more: string) {
    const peer = await SipServer.start(
      ({ message }) => {
        if (message.method === "INVITE") return { status: 180, headers: [`Contact: <${message.uri}>`] };
        return message.method === "CANCEL" ? 200 : "silent";
      },
      { over: ["udp"] },
    );
    const all = await replacing();
    const call: OutgoingCall = all.server.call(`sip:desk@${peer.at}`, { sdp: "v=0\r\n" });
    const { message: invite } = await peer.request();
    await until("the early dialog", () => all.server.stats().dialogs === 1);
    const after = await all.ask([`Replaces: ${invite.callId};to-tag=${invite.fromTag};from-tag=peer${more}`]);
    return { all, peer, call, after };
  }

  for (const more of ["", ";early-only"]) {
    test(`is cancelled once the other is answered${more}`, async () => {
      const { all, peer, call, after } = await ringing(more);
      using _all = all;
      using _peer = peer;
      expect(after.response.status).toBe(200);
      await until("the CANCEL", () => peer.requests.some(({ message }) => message.method === "CANCEL"));
      peer.requests[0]!.react(487);
      const failure = await call.answered.catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(CallFailed);
      expect((failure as CallFailed).status).toBe(487);
      expect(peer.requests.some(({ message }) => message.method === "BYE")).toBe(false);
      await until("one dialog", () => all.server.stats().dialogs === 1);
    });
  }
});

test("without the plugin it is a call like any other, and cannot be required", async () => {
  using running = await testServer({ invite: (call) => void call.answer("v=0\r\n") });
  using client = await WireClient.open(running.address);
  const refused = await client.invite({ headers: ["Replaces: x;to-tag=1;from-tag=2", "Require: replaces"] }, 420);
  refused.ack();
  const call = await client.invite({ headers: ["Replaces: x;to-tag=1;from-tag=2"] });
  call.ack();
});

test("whatever order plugins stand in, one about events has its own", async () => {
  const events: Plugin = {
    handlers: { subscribe: (request) => request.reply(480), notify: (request) => request.reply(480) },
  };
  for (const plugins of [
    [events, transfers()],
    [transfers(), events],
  ]) {
    using running = await testServer({ plugins });
    using client = await WireClient.open(running.address);
    expect((await client.ask("SUBSCRIBE", { headers: ["Event: presence"] })).status).toBe(480);
    expect((await client.ask("NOTIFY", { headers: ["Event: presence"] })).status).toBe(480);
  }
});
