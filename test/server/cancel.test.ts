/** CANCEL: RFC 3261 s9.2, on the wire. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded } from "../../src/index.ts";
import { serverAndClient } from "../support/server-and-client.ts";
import { requestText, unique } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { cancelShape, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

/** A server that keeps each call, after doing `first` with it. */
async function keeping(first: (call: Call) => void) {
  const calls: Call[] = [];
  const peer = await serverAndClient({
    invite(call) {
      calls.push(call);
      first(call);
    },
  });
  return { ...peer, calls };
}

test("before the final response: 200 for it, 487 for the INVITE; the signal is aborted", async () => {
  for (const ring of [true, false]) {
    using peer = await keeping((call) => ring && call.ring());
    const { calls, client } = peer;
    const call = await client.invite({}, ring ? 180 : 100);
    const { signal } = calls[0]!;
    expect(signal.aborted).toBe(false);
    const cancel = call.cancel();
    const answered = await client.next(200, cancel);
    const refused = await client.next(487, call.invite);
    expect(answered.toTag).toBe(refused.toTag!);
    call.ack(call.invite, refused);
    await client.rest();
    expect(signal.aborted).toBe(true);
    expect((signal.reason as CallEnded).cause).toBe("cancelled");
    expect(peer.server.stats().dialogs).toBe(0);
  }
});

test("answer() after it rejects with CallEnded, and everything else gives false", async () => {
  using peer = await keeping((call) => void call.ring());
  const { calls, client } = peer;
  const call = await client.invite({}, 180);
  call.cancel();
  await client.next(487);
  await client.next(200);
  const error = await calls[0]!.answer("v=0\r\n").catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CallEnded);
  expect((error as CallEnded).cause).toBe("cancelled");
  expect(calls[0]!.reject(486)).toBe(false);
  expect(calls[0]!.ring()).toBe(false);
  expect(await client.restBrief()).toEqual([]);
});

test("a signal that is asked for after the CANCEL is aborted already", async () => {
  using peer = await keeping(() => {});
  const { calls, client } = peer;
  const call = await client.invite({}, 100);
  call.cancel();
  await client.next(487);
  expect(calls[0]!.signal.aborted).toBe(true);
  expect(calls[0]!.signal.reason).toBeInstanceOf(CallEnded);
});

test("it wakes a handler that waits", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  using running = await testServer({
    async invite(call) {
      call.ring();
      await new Promise((wake) => call.signal.addEventListener("abort", wake));
      resolve((call.signal.reason as CallEnded).cause);
    },
  });
  using client = await WireClient.open(running.address);
  (await client.invite({}, 180)).cancel();
  expect(await promise).toBe("cancelled");
});

test("after a refusal: 200 for it and no more", async () => {
  using peer = await keeping((call) => call.reject(486));
  const { client } = peer;
  const call = await client.invite({}, 486);
  const cancel = call.cancel();
  expect((await client.next(200, cancel)).method).toBe("CANCEL");
  expect(await client.restBrief()).toEqual([]);
  expect(peer.calls[0]!.signal.aborted).toBe(false);
});

test("after the 200: 200 for it, and the call stands", async () => {
  using peer = await keeping((call) => void call.answer("v=0\r\n"));
  const { client } = peer;
  const call = await client.invite();
  const cancel = call.cancel();
  await client.next(200, cancel);
  expect(await client.restBrief()).toEqual([]);
  call.ack();
  expect((await call.ask("BYE")).status).toBe(200);
  expect(peer.calls[0]!.signal.aborted).toBe(false);
});

test("in the same burst as the INVITE", async () => {
  using peer = await keeping((call) => void call.ring());
  const { client } = peer;
  const invite = client.request("INVITE");
  client.request("CANCEL", cancelShape(invite));
  expect((await client.rest()).map(({ status, method }) => `${status} ${method}`)).toEqual([
    "180 INVITE",
    "200 CANCEL",
    "487 INVITE",
  ]);
});

test("that comes again gets its 200 again, and the INVITE no second 487", async () => {
  using peer = await keeping((call) => void call.ring());
  const { client } = peer;
  const call = await client.invite({}, 180);
  const cancel = call.cancel();
  const first = await client.next(200, cancel);
  const refused = await client.next(487);
  client.send(cancel.text);
  const again = await client.rest();
  expect(again.map(({ text }) => text)).toEqual([first.text]);
  call.ack(call.invite, refused);
});

test("of no transaction gets 481", async () => {
  using peer = await keeping((call) => void call.ring());
  const { client } = peer;
  expect((await client.ask("CANCEL")).status).toBe(481);
  const call = await client.invite({}, 180);
  // The branch of another INVITE, and the right one from another sent-by.
  for (const wrong of [{ branch: unique("z9hG4bK") }, { sentBy: "elsewhere.example.com:5060", viaParams: ";rport" }]) {
    expect((await client.ask("CANCEL", { ...cancelShape(call.invite), ...wrong })).status).toBe(481);
  }
  expect(peer.calls[0]!.signal.aborted).toBe(false);
  // Of a request that is not an INVITE: its transaction is over when a CANCEL comes (s9.1).
  const options = await client.ask("OPTIONS");
  expect((await client.ask("CANCEL", { ...cancelShape(call.invite), branch: options.branch! })).status).toBe(481);
});

test("is answered where INVITEs are not taken", async () => {
  using running = await testServer({});
  using client = await WireClient.open(running.address);
  expect((await client.ask("CANCEL")).status).toBe(481);
});

test("of a re-INVITE: 487 for that, and the dialog stands", async () => {
  const reinvites: Call[] = [];
  using running = await testServer({
    invite: (call) => void call.answer("v=0\r\n", { invite: (again) => void reinvites.push(again) }),
  });
  using client = await WireClient.open(running.address);
  const call = await client.invite();
  call.ack();
  const again = call.send("INVITE", { contact: `<sip:alice@${client.sentBy}>` });
  await client.next(100, again);
  const cancel = client.request("CANCEL", cancelShape(again));
  await client.next(200, cancel);
  call.ack(again, await client.next(487, again));
  expect(reinvites[0]!.signal.aborted).toBe(true);
  expect(running.server.stats().dialogs).toBe(1);
  expect((await call.ask("BYE")).status).toBe(200);
});

test("its Require is not looked at (s8.2.2.3)", async () => {
  using peer = await keeping((call) => void call.ring());
  const { client } = peer;
  const call = await client.invite({}, 180);
  client.send(
    requestText("CANCEL", { ...cancelShape(call.invite), sentBy: client.sentBy, headers: ["Require: nothing"] }),
  );
  await client.next(487, call.invite);
});
