/** A call of ours that a proxy forks: several early dialogs, several 2xx (RFC 3261 s12.1, s13.2.2.4). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Dialog } from "../../src/index.ts";
import { ANSWER, Callee } from "../support/callee.ts";
import { calling } from "../support/calling.ts";
import type { SipMessage } from "../support/sip-messages.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const BOB = { tag: "bob", body: ANSWER };
const EVE = { tag: "eve", body: ANSWER };

/** A call that rings under these tags. */
async function forked(...tags: string[]) {
  const all = await calling({ info: (request) => request.reply(200) });
  const early: Dialog[] = [];
  const call = all.call({ progress: (_, dialog) => early.push(dialog!) });
  const invite = await all.callee.next("INVITE");
  for (const tag of tags) all.callee.respond(invite, 180, { tag });
  await until("the early dialogs", () => early.length === tags.length);
  return { ...all, placed: call, invite, early };
}

/** Takes an ACK and a BYE of one fork, and answers the BYE. */
async function hungUp(callee: Callee, tag: string): Promise<{ ack: SipMessage; bye: SipMessage }> {
  const ack = await callee.next(({ status, method, toTag }) => status === 0 && method === "ACK" && toTag === tag);
  const bye = await callee.next(({ status, method, toTag }) => status === 0 && method === "BYE" && toTag === tag);
  callee.respond(bye, 200);
  return { ack, bye };
}

test("each fork that rings has an early dialog of its own", async () => {
  using all = await forked("bob", "eve", "bob");
  const [bob, eve, again] = all.early;
  expect(again).toBe(bob);
  expect(eve).not.toBe(bob);
  expect([bob!.remoteTag, eve!.remoteTag]).toEqual(["bob", "eve"]);
  expect(all.server.stats().dialogs).toBe(2);
  for (const tag of ["bob", "eve"]) expect((await all.callee.ask(all.invite, "INFO", { tag })).status).toBe(200);
});

test("the first 2xx wins; the dialogs of the others end", async () => {
  using all = await forked("bob", "eve");
  await all.callee.answer(all.invite, EVE);
  const [bob, eve] = all.early;
  expect(await all.placed.answered).toBe(eve!);
  expect(await bob!.ended).toBe("failed");
  expect([bob!.isTerminated, eve!.isConfirmed]).toEqual([true, true]);
  expect(all.server.stats()).toMatchObject({ dialogs: 1, callsPlaced: 1 });
});

describe("a later 2xx of another fork is acknowledged and hung up", () => {
  test.each([
    ["that had not rung", ["bob"]],
    ["that had rung", ["bob", "eve"]],
  ])("%s", async (_, ringing) => {
    using all = await forked(...ringing);
    await all.callee.answer(all.invite, BOB);
    const dialog = await all.placed.answered;
    const late = all.callee.respond(all.invite, 200, EVE);
    const { ack, bye } = await hungUp(all.callee, "eve");
    expect([ack.header("CSeq"), bye.header("CSeq")]).toEqual(["1 ACK", "2 BYE"]);
    // It comes again as its ACK was lost: the ACK alone goes out again.
    all.callee.wire.send(late);
    expect((await all.callee.next("ACK")).text).toBe(ack.text);
    expect(await all.callee.rest()).toEqual([]);
    expect(dialog.isConfirmed).toBe(true);
    expect(all.server.stats()).toMatchObject({ dialogs: 1, callsPlaced: 1 });
    expect((await all.callee.ask(all.invite, "BYE", { tag: "bob" })).status).toBe(200);
    expect(await dialog.ended).toBe("bye");
    await all.nothingLeft();
  });

  test("and leaves the table of dialogs in order: the calls that follow are told apart", async () => {
    using all = await forked("bob", "eve");
    await all.callee.answer(all.invite, BOB);
    all.callee.respond(all.invite, 200, EVE);
    await hungUp(all.callee, "eve");
    const next = [await all.established(), await all.established()];
    expect(new Set(next.map(({ dialog }) => dialog.slot)).size).toBe(2);
    expect(all.server.stats().dialogs).toBe(3);
    for (const { invite, dialog } of next) {
      expect((await all.callee.ask(invite, "BYE")).status).toBe(200);
      expect(await dialog.ended).toBe("bye");
    }
    expect((await all.callee.ask(all.invite, "BYE", { tag: "bob" })).status).toBe(200);
    expect(all.server.stats().dialogs).toBe(0);
  });

  test("and does not hang up a call that took its place in the table meanwhile", async () => {
    using all = await forked("bob", "eve");
    await all.callee.answer(all.invite, BOB);
    await all.placed.answered;
    // Takes the slot of eve's early dialog, which is over.
    const other = await all.established();
    all.callee.respond(all.invite, 200, EVE);
    await hungUp(all.callee, "eve");
    expect(other.dialog.isConfirmed).toBe(true);
    expect((await all.callee.ask(other.invite, "INFO")).status).toBe(200);
    expect((await all.callee.ask(other.invite, "BYE")).status).toBe(200);
  });
});

test("a 2xx after the early dialog was hung up by BYE: acknowledged, and hung up again", async () => {
  using all = await forked("bob");
  all.early[0]!.bye();
  all.callee.respond(await all.callee.next("BYE"), 200);
  all.callee.respond(all.invite, 200, BOB);
  await hungUp(all.callee, "bob");
  const other = await all.established();
  expect(all.server.stats().dialogs).toBe(1);
  expect((await all.callee.ask(other.invite, "BYE")).status).toBe(200);
});

test("the dialog is that of the 2xx: its Contact and its route set, not the provisional response's", async () => {
  using all = await calling();
  using proxy = await Callee.open(all.address);
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  all.callee.respond(invite, 183, { contact: "<sip:early@127.0.0.1:9>", routes: ["<sip:127.0.0.1:9;lr>"] });
  all.callee.respond(invite, 200, {
    contact: "<sip:late@127.0.0.1:9>",
    routes: ["<sip:far.invalid;lr>", `<sip:${proxy.wire.sentBy};lr>`],
    body: ANSWER,
  });
  const ack = await proxy.next("ACK");
  expect(ack.uri).toBe("sip:late@127.0.0.1:9");
  expect(ack.headers("Route")).toEqual([`<sip:${proxy.wire.sentBy};lr>`, "<sip:far.invalid;lr>"]);
  (await call.answered).bye();
  const bye = await proxy.next("BYE");
  expect([bye.uri, bye.headers("Route")]).toEqual([ack.uri, ack.headers("Route")]);
});

test("a peer of RFC 2543, whose answer has no To tag, has its dialog", async () => {
  using all = await calling();
  const call = all.call();
  const invite = await all.callee.next("INVITE");
  const ack = await all.callee.answer(invite, { tag: null });
  expect(ack.header("To")).toBe(invite.header("To"));
  const dialog = await call.answered;
  expect(dialog.remoteTag).toBe("");
  expect((await all.callee.ask(invite, "BYE", { from: invite.header("To")! })).status).toBe(200);
  expect(await dialog.ended).toBe("bye");
});

test("tags are told apart octet by octet", async () => {
  using all = await forked("Bob", "bob");
  expect(all.early[0]).not.toBe(all.early[1]!);
  expect((await all.callee.ask(all.invite, "INFO", { tag: "BOB" })).status).not.toBe(200);
});
