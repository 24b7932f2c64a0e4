/** Callees that answer wrongly, too much or not at all: nothing crashes, nothing is left behind. */
import { expect, setDefaultTimeout, test } from "bun:test";
import type { Dialog } from "../../src/index.ts";
import { callFailure } from "../support/call-failure.ts";
import { ANSWER } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import { OFFER, responseText, type SipMessage } from "../support/sip-messages.ts";

setDefaultTimeout(20_000);

/** A 200 to an INVITE, as text to be spoiled. */
function successOf(invite: SipMessage): string {
  return responseText(invite, 200, { toTag: "callee", headers: [`Contact: <${invite.uri}>`] });
}

const LONG = "x".repeat(8000);

test.each([
  ["no Contact", { contact: null }],
  ["a star", { contact: "*" }],
  ["an empty Contact", { contact: "" }],
  ["a Contact that is no URI", { contact: "<%%%>" }],
  ["a Contact that is not closed", { contact: "<sip:bob@127.0.0.1" }],
  ["a Contact of a scheme that cannot be sent to", { contact: "<tel:+4930123456>" }],
  ["a host of another kind", { contact: "<sip:bob@[::ffff:127.0.0.1]:9>" }],
  ["an impossible port", { contact: "<sip:bob@127.0.0.1:99999>" }],
  ["an unknown transport", { contact: "<sip:bob@127.0.0.1:9;transport=pigeon>" }],
  ["several Contacts", { contact: "<sip:a@127.0.0.1:9>, <sip:b@127.0.0.1:9>" }],
  ["a long Contact", { contact: `<sip:${LONG}@127.0.0.1:9>` }],
  ["a Record-Route that is no URI", { routes: ["<%%%>", "nonsense"] }],
  ["a Record-Route that cannot be sent to", { routes: ["<tel:+1;lr>"] }],
  ["many Record-Routes", { routes: Array.from({ length: 60 }, (_, i) => `<sip:p${i}@127.0.0.1:9;lr>`) }],
  ["a long tag", { tag: LONG }],
  ["a body without an end in sight", { body: ANSWER.repeat(100) }],
] as const)("a 2xx with %s: the call stands, and can be ended by either side", async (_, shape) => {
  for (const hangUp of ["bye", "local"] as const) {
    using all = await calling();
    const call = all.call({ timeout: 1000 });
    const invite = await all.callee.next("INVITE");
    all.callee.respond(invite, 200, { body: ANSWER, ...shape });
    const dialog = await call.answered;
    expect(all.server.stats()).toMatchObject({ dialogs: 1, callsPlaced: 1, malformed: 0 });
    if (hangUp === "local") dialog.bye();
    else expect((await all.callee.ask(invite, "BYE", "tag" in shape ? { tag: shape.tag } : {})).status).toBe(200);
    expect(await dialog.ended).toBe(hangUp);
    expect(all.log.lines.filter(({ level }) => level === "error")).toEqual([]);
    await all.nothingLeft();
  }
});

test.each([
  ["another branch", ["branch=z9hG4bK", "branch=z9hG4bKx"]],
  ["a CSeq of another method", [" INVITE\r\n", " OPTIONS\r\n"]],
  ["no CSeq", ["CSeq:", "X-CSeq:"]],
  ["no Via", ["Via:", "X-Via:"]],
  ["no To", ["To:", "X-To:"]],
  ["a body that is longer than it says", ["Content-Length: 0", "Content-Length: 10"]],
] as const)("a 2xx with %s: answers nothing that was asked", async (_, [from, to]) => {
  using all = await calling();
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  all.callee.wire.send(successOf(invite).replace(from, to));
  expect(await all.callee.rest()).toEqual([]);
  all.callee.respond(invite, 486);
  expect((await callFailure(call)).status).toBe(486);
  await all.nothingLeft();
});

test("a 2xx with a Call-ID or From tag of its own is told by its branch (s17.1.3), and leaves nothing behind", async () => {
  for (const [from, to] of [
    ["Call-ID: ", "Call-ID: x"],
    [";tag=", ";tag=x"],
  ] as const) {
    using all = await calling();
    const call = all.call();
    const invite = await all.callee.next("INVITE");
    all.callee.wire.send(successOf(invite).replace(from, to));
    const dialog = await call.answered;
    dialog.bye();
    expect(await all.callee.rest()).toEqual(["ACK", "BYE"]);
    await all.nothingLeft();
  }
});

test("one call cannot take every dialog there is by ringing under ever new tags", async () => {
  using all = await calling({ limits: { dialogs: 100 } });
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  for (let i = 0; i < 150; i++) all.callee.respond(invite, 180, { tag: `t${i}` });
  await all.callee.rest();
  expect(all.server.stats().dialogs).toBeLessThan(100);
  const { dialog } = await all.established();
  dialog.bye();
  all.callee.respond(invite, 486);
  await callFailure(call);
  expect(all.server.stats().dialogs).toBe(0);
});

test("2xx under ever new tags are each acknowledged and hung up, and none stays", async () => {
  using all = await calling({ limits: { dialogs: 5 } });
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  for (let i = 0; i < 30; i++) all.callee.respond(invite, 200, { tag: `t${i}`, body: ANSWER });
  const dialog = await call.answered;
  expect(dialog.remoteTag).toBe("t0");
  const sent = await all.callee.rest();
  expect(sent.filter((what) => what === "ACK")).toHaveLength(30);
  expect(sent.filter((what) => what === "BYE")).toHaveLength(29);
  expect(all.server.stats()).toMatchObject({ dialogs: 1, callsPlaced: 1 });
});

test("responses that come again and out of order change nothing", async () => {
  using all = await calling();
  const early: (Dialog | null)[] = [];
  const call = all.call({ progress: (_, dialog) => early.push(dialog) });
  const invite = await all.callee.next("INVITE");
  const ringing = all.callee.respond(invite, 180);
  const success = all.callee.respond(invite, 200, { body: ANSWER });
  for (const text of [ringing, success, ringing]) all.callee.wire.send(text);
  all.callee.respond(invite, 486);
  all.callee.respond(invite, 100, { tag: null });
  const dialog = await call.answered;
  expect(await all.callee.rest()).toEqual(["ACK", "ACK"]);
  expect([early.length, dialog.isConfirmed, all.server.stats().dialogs]).toEqual([1, true, 1]);
});

test("an answer callback that throws: the 2xx is acknowledged and hung up, and the call fails", async () => {
  using all = await calling();
  const call = all.call({
    sdp: undefined,
    answer() {
      throw new Error("on purpose");
    },
  });
  const invite = await all.callee.next("INVITE");
  all.callee.respond(invite, 200, { body: ANSWER });
  const outcome = await Promise.race([call.answered.catch((error: Error) => error), Bun.sleep(2000)]);
  expect(outcome).toBeInstanceOf(Error);
  expect(await all.callee.rest()).toEqual(["ACK", "BYE"]);
  expect(all.server.stats().dialogs).toBe(0);
});

test("no offer where one was asked for: the ACK is empty, and the callback is not called", async () => {
  using all = await calling();
  let asked = 0;
  const call = all.call({
    sdp: undefined,
    answer() {
      asked++;
      return OFFER;
    },
  });
  const invite = await all.callee.next("INVITE");
  all.callee.respond(invite, 200);
  expect((await all.callee.next("ACK")).body).toBe("");
  await call.answered;
  expect(asked).toBe(0);
});
