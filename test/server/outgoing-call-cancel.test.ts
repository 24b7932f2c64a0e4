/** Giving up a call of ours: RFC 3261 s9.1, and what crosses a CANCEL. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Dialog } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { ANSWER } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

test("a call that rings: CANCEL with the INVITE's branch, then 487 and its ACK", async () => {
  using all = await calling();
  const abort = new AbortController();
  const early: Dialog[] = [];
  const route = `sip:${all.callee.wire.sentBy}`;
  const call = all.call({ signal: abort.signal, route, progress: (_, dialog) => early.push(dialog!) });
  const invite = await all.callee.next("INVITE");
  all.callee.respond(invite, 180);
  await until("the 180", () => early.length === 1);
  abort.abort();
  const cancel = await all.callee.next("CANCEL");
  for (const name of ["Via", "From", "To", "Call-ID", "Route", "Max-Forwards"]) {
    expect([name, cancel.headers(name)]).toEqual([name, invite.headers(name)]);
  }
  expect([cancel.uri, cancel.header("CSeq"), cancel.body]).toEqual([invite.uri, "1 CANCEL", ""]);
  for (const name of ["Contact", "Require", "Proxy-Require", "Content-Type"]) {
    expect(cancel.header(name)).toBeUndefined();
  }
  all.callee.respond(cancel, 200);
  all.callee.respond(invite, 487);
  const failure = await callFailure(call);
  expect([failure.status, failure.name]).toEqual([487, "CallFailed"]);
  expect((await all.callee.next("ACK")).branch).toBe(invite.branch);
  expect(await early[0]!.ended).toBe("failed");
  await all.nothingLeft();
});

test("before anything came: the CANCEL waits for a provisional response, 100 will do", async () => {
  using all = await calling();
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  call.cancel();
  expect(await all.callee.rest()).toEqual([]);
  // The INVITE itself is still sent again.
  await all.clock.pass(500);
  expect((await all.callee.next("INVITE")).text).toBe(invite.text);
  all.callee.respond(invite, 100, { tag: null });
  all.callee.respond(await all.callee.next("CANCEL"), 200);
  all.callee.respond(invite, 487);
  expect((await callFailure(call)).status).toBe(487);
  await all.callee.next("ACK");
  await all.nothingLeft();
});

test("before anything came, and a final response comes first: no CANCEL; a refusal is the end, a 2xx is hung up", async () => {
  for (const status of [486, 200]) {
    using all = await calling();
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    call.cancel();
    all.callee.respond(invite, status, { body: status === 200 ? ANSWER : "" });
    expect((await callFailure(call)).status).toBe(487);
    expect(await all.callee.rest()).toEqual(status === 200 ? ["ACK", "BYE"] : ["ACK"]);
    expect(all.server.stats()).toMatchObject({ dialogs: 0, callsPlaced: 0 });
  }
});

test("nothing comes at all: the call is over after 64*T1, without a CANCEL", async () => {
  using all = await calling();
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  call.cancel();
  await all.clock.pass(32_100);
  expect((await callFailure(call)).status).toBe(487);
  const sent = await all.callee.rest();
  expect(new Set(sent)).toEqual(new Set(["INVITE"]));
  // A phone that wakes up now is told nothing; what it sends is of no transaction.
  all.callee.respond(invite, 180);
  expect(await all.callee.rest()).toEqual([]);
  await all.nothingLeft();
});

test("crossing a 200: ACK, then BYE, and the call has failed all the same (s9.1)", async () => {
  for (const [ringing, tag] of [
    [true, "callee"],
    [true, "other"],
    [false, "callee"],
  ] as const) {
    using all = await calling();
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, ringing ? 180 : 100, ringing ? {} : { tag: null });
    await until("it", () => all.server.stats().messagesReceived === 1);
    call.cancel();
    const cancel = await all.callee.next("CANCEL");
    const success = all.callee.respond(invite, 200, { body: ANSWER, tag });
    all.callee.respond(cancel, 200);
    const ack = await all.callee.next("ACK");
    const bye = await all.callee.next("BYE");
    expect([ack.toTag, bye.toTag]).toEqual([tag, tag]);
    all.callee.respond(bye, 200);
    expect((await callFailure(call)).status).toBe(487);
    all.callee.wire.send(success);
    expect((await all.callee.next("ACK")).text).toBe(ack.text);
    expect(await all.callee.rest()).toEqual([]);
    expect(all.server.stats()).toMatchObject({ dialogs: 0, callsPlaced: 0 });
    await all.nothingLeft();
  }
});

test("a callee that answers the CANCEL and no more: the call is over after 64*T1 (s9.1)", async () => {
  for (const heard of [true, false]) {
    using all = await calling();
    const call = all.call();
    all.callee.respond(await all.callee.next("INVITE"), 180);
    await until("it", () => all.server.stats().messagesReceived === 1);
    call.cancel();
    const cancel = await all.callee.next("CANCEL");
    if (heard) {
      all.callee.respond(cancel, 200);
      await until("it", () => all.server.stats().messagesReceived === 2);
    }
    await all.clock.pass(32_100);
    expect((await callFailure(call)).status).toBe(487);
    await all.nothingLeft();
  }
});

test("CANCEL is sent once however often the call is given up, and again by its own timer", async () => {
  using all = await calling();
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  all.callee.respond(invite, 180);
  await until("it", () => all.server.stats().messagesReceived === 1);
  for (let i = 0; i < 3; i++) call.cancel();
  all.callee.respond(invite, 183);
  const cancel = await all.callee.next("CANCEL");
  expect(await all.callee.rest()).toEqual([]);
  await all.clock.pass(500);
  expect((await all.callee.next("CANCEL")).text).toBe(cancel.text);
});

describe("the signal", () => {
  test("aborted before the call: nobody's phone rings", async () => {
    using all = await calling();
    const call = all.call({ signal: AbortSignal.abort() });
    expect((await callFailure(call)).status).toBe(487);
    expect(await all.callee.rest()).toEqual([]);
    await all.nothingLeft();
  });

  test("aborted after the answer: nothing happens", async () => {
    using all = await calling();
    const abort = new AbortController();
    const { dialog } = await all.established({ signal: abort.signal });
    abort.abort();
    expect(await all.callee.rest()).toEqual([]);
    expect(dialog.isConfirmed).toBe(true);
  });

  test("aborted after a refusal: nothing happens", async () => {
    using all = await calling();
    const abort = new AbortController();
    const call = all.call({ signal: abort.signal });
    all.callee.respond(await all.callee.next("INVITE"), 486);
    expect((await callFailure(call)).status).toBe(486);
    abort.abort();
    expect(await all.callee.rest()).toEqual(["ACK"]);
  });

  test("that outlives many calls keeps nothing of them", async () => {
    using all = await calling({ limits: { transactions: 3 } });
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    signal.addEventListener = (_: string, listener: unknown) => void listeners.add(listener);
    signal.removeEventListener = (_: string, listener: unknown) => void listeners.delete(listener);
    const { dialog } = await all.established({ signal });
    expect(listeners.size).toBe(0);
    dialog.bye();
    // The BYE's transaction and the INVITE's are not over: the last place is taken by the one, none is left for the other.
    const last = all.call({ signal });
    const none = all.call({ signal });
    expect((await callFailure(none)).status).toBe(503);
    all.callee.respond(await all.callee.next("INVITE"), 486);
    expect((await callFailure(last)).status).toBe(486);
    expect(listeners.size).toBe(0);
  });
});

describe("the timeout", () => {
  test("no answer: the call is cancelled when it is over, not before", async () => {
    using all = await calling();
    const call = all.call({ timeout: 20_000 });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 180);
    await until("it", () => all.server.stats().messagesReceived === 1);
    await all.clock.pass(19_900);
    expect(await all.callee.rest()).toEqual([]);
    await all.clock.pass(200);
    all.callee.respond(await all.callee.next("CANCEL"), 200);
    all.callee.respond(invite, 487);
    expect((await callFailure(call)).response).toBeNull();
    await all.nothingLeft();
  });

  test("of 180 s where none is given", async () => {
    using all = await calling();
    all.call();
    all.callee.respond(await all.callee.next("INVITE"), 180);
    await until("it", () => all.server.stats().messagesReceived === 1);
    await all.clock.pass(179_900);
    expect(await all.callee.rest()).toEqual([]);
    await all.clock.pass(200);
    await all.callee.next("CANCEL");
  });

  test("has no effect on a call that was answered", async () => {
    using all = await calling({ sessionTimers: false });
    const { dialog } = await all.established({ timeout: 5_000 });
    await all.clock.pass(60_000);
    expect(all.server.stats().timers).toBe(0);
    expect(await all.callee.rest()).toEqual([]);
    expect(dialog.isConfirmed).toBe(true);
  });
});

test("over TCP the connection is lost while it rings: the call fails, and giving it up then does nothing", async () => {
  using peer = await SipServer.start(({ message }) => (message.method === "INVITE" ? 180 : "silent"));
  using running = await testServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] });
  const rung = Promise.withResolvers<Dialog | null>();
  const call = running.server.call(`sip:bob@${peer.at};transport=tcp`, { progress: (_, d) => rung.resolve(d) });
  const early = await rung.promise;
  peer.endAll("reset");
  expect((await callFailure(call)).status).toBe(503);
  expect(await early!.ended).toBe("failed");
  call.cancel();
  expect(peer.brief).toEqual(["tcp INVITE"]);
});

test("a call whose server is still looked up is given up without a word", async () => {
  using all = await calling({ resolve: { nameservers: ["127.0.0.1:9"], dnsTimeout: 300 } });
  const call = all.server.call("sip:bob@somewhere.test");
  call.cancel();
  expect((await callFailure(call)).status).toBe(487);
  expect(all.server.stats().messagesSent).toBe(0);
});
