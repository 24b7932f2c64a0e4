/** Out of order and all or nothing (RFC 3261 s10.3, steps 6 and 7). */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { outcome, Registering, Registrant } from "../support/registering.ts";
import { unique } from "../support/sip-messages.ts";

const DESK = "<sip:bob@192.0.2.4>";
const CELL = "<sip:bob@192.0.2.5>";
const HOME = "<sip:bob@192.0.2.6>";

let on: Registering;
beforeEach(async () => {
  on = await Registering.open({ maxContacts: 3 });
});
afterEach(() => on[Symbol.dispose]());

/** What there is, with its seconds, in alphabetical order. */
async function known(): Promise<string[]> {
  return (await new Registrant(on.client).register()).headers("Contact").sort();
}

describe("of one Call-ID", () => {
  test.each([
    ["an older CSeq", 9],
    ["the same CSeq in another transaction", 10],
  ])("%s is refused, and changes nothing", async (_, cseq) => {
    await on.bob.register({ contacts: [DESK], expires: 100, cseq: 10 });
    for (const shape of [
      { contacts: [DESK], expires: 200 },
      { contacts: [DESK], expires: 0 },
      { contacts: ["*"], expires: 0 },
    ]) {
      // Another From tag, or it would be a merged request.
      const from = `<sip:bob@example.com>;tag=${unique("t")}`;
      const response = await on.bob.register({ ...shape, cseq, from });
      expect([response.status, response.reason]).toEqual([500, "Sequence Number Out Of Order"]);
    }
    expect(await known()).toEqual([`${DESK};expires=100`]);
    expect(on.phones.stats.refused).toBe(3);
  });

  test("the CSeq that counts is that of the contact itself", async () => {
    await on.bob.register({ contacts: [DESK], cseq: 10 });
    await on.bob.register({ contacts: [CELL], cseq: 5 });
    expect((await on.bob.register({ contacts: [CELL], cseq: 6 })).status).toBe(200);
    expect((await on.bob.register({ contacts: [DESK], cseq: 7 })).status).toBe(500);
  });

  test("CSeq counts to 2^31-1", async () => {
    await on.bob.register({ contacts: [DESK], cseq: 9, expires: 100 });
    expect((await on.bob.register({ contacts: [DESK], cseq: 2_147_483_647, expires: 103 })).status).toBe(200);
    expect((await on.bob.register({ contacts: [DESK], cseq: 2_147_483_646, expires: 104 })).status).toBe(500);
    expect(await known()).toEqual([`${DESK};expires=103`]);
  });
});

describe("of another Call-ID", () => {
  test("any CSeq is taken, and is the one that counts from then on", async () => {
    await on.bob.register({ contacts: [DESK], cseq: 1000 });
    const rebooted = new Registrant(on.client);
    expect(outcome(await rebooted.register({ contacts: [DESK], expires: 200 }))).toEqual([200, `${DESK};expires=200`]);
    // The earlier Call-ID is now the other one.
    expect((await on.bob.register({ contacts: [DESK], expires: 300, cseq: 1 })).status).toBe(200);
    expect(on.phones.stats).toMatchObject({ registered: 1, refreshed: 2 });
  });

  test("a removal is carried out", async () => {
    await on.bob.register({ contacts: [DESK, CELL], cseq: 1000 });
    expect((await new Registrant(on.client).register({ contacts: [DESK], expires: 0 })).status).toBe(200);
    expect((await new Registrant(on.client).register({ contacts: ["*"], expires: 0 })).status).toBe(200);
    expect(await known()).toEqual([]);
  });

  test("Call-IDs differ by letter case", async () => {
    await on.bob.register({ contacts: [DESK], callId: "abc", cseq: 10 });
    expect((await on.bob.register({ contacts: [DESK], callId: "ABC", cseq: 1 })).status).toBe(200);
    expect((await on.bob.register({ contacts: [DESK], callId: "ABC", cseq: 1, from: "<sip:b@c>;tag=2" })).status).toBe(
      500,
    );
  });
});

describe("all or nothing", () => {
  test("one contact with an old CSeq stops all of them", async () => {
    await on.bob.register({ contacts: [DESK], expires: 100, cseq: 10 });
    const contacts = [CELL, `${DESK};expires=0`, HOME];
    expect((await on.bob.register({ contacts, expires: 200, cseq: 5 })).status).toBe(500);
    expect(await known()).toEqual([`${DESK};expires=100`]);
  });

  test("* stops where one binding is of a later CSeq", async () => {
    await on.bob.register({ contacts: [CELL], cseq: 1, expires: 100 });
    await on.bob.register({ contacts: [DESK], cseq: 10, expires: 100 });
    expect((await on.bob.register({ contacts: ["*"], expires: 0, cseq: 5 })).status).toBe(500);
    expect(await known()).toHaveLength(2);
  });

  test("a malformed contact behind good ones stops all of them", async () => {
    const contacts = [DESK, CELL, "<sip:bob@192.0.2.6>;q=high"];
    expect((await on.bob.register({ contacts })).status).toBe(400);
    expect(await known()).toEqual([]);
  });

  test("an interval too brief behind good ones stops all of them", async () => {
    expect((await on.bob.register({ contacts: [DESK, `${CELL};expires=5`] })).status).toBe(423);
    expect(await known()).toEqual([]);
  });

  test("one contact too many stops all of them", async () => {
    await on.bob.register({ contacts: [DESK], expires: 100 });
    const contacts = [CELL, HOME, "<sip:bob@192.0.2.7>", `${DESK};expires=70`];
    expect((await on.bob.register({ contacts })).status).toBe(403);
    expect(await known()).toEqual([`${DESK};expires=100`]);
  });

  test.each([
    ["spelled the same", DESK, DESK],
    ["spelled otherwise", DESK, "<SIP:bob@192.0.2.4;unknown=1>"],
    ["added and removed", DESK, `${DESK};expires=0`],
    ["of another scheme", "<mailto:bob@example.net>", "<mailto:bob@example.net>"],
  ])("the same contact twice is refused, new or known: %s", async (_, one, other) => {
    const reason = "Same Contact Twice";
    const fresh = await on.bob.register({ contacts: [one, CELL, other] });
    expect([fresh.status, fresh.reason]).toEqual([400, reason]);
    expect(await known()).toEqual([]);
    await on.bob.register({ contacts: [one], expires: 100 });
    const again = await on.bob.register({ contacts: [one, CELL, other] });
    expect([again.status, again.reason]).toEqual([400, reason]);
    expect(await known()).toEqual([`${one};expires=100`]);
  });
});
