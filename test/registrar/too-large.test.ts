/** Bindings that are too many, and too long, to be told of in one datagram. */
import { describe, expect, test } from "bun:test";
import type { RegistrarOptions } from "../../src/index.ts";
import { BindingFlag } from "../../src/location/row.ts";
import { KeptStore } from "../support/kept-store.ts";
import { outcome, Registering, Registrant } from "../support/registering.ts";
import { StreamClient } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

const TOO_LARGE = "SIP/2.0 500 Response Too Large For UDP";
/** About as long as one may be. */
const contact = (n: number) => `<sip:bob@192.0.2.${n};note=${"x".repeat(7900)}>`;
/** So many of those a datagram holds. */
const MOST = 8;

/** Bob on UDP, and again on TCP. */
async function both(options: RegistrarOptions = {}) {
  const listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"];
  const on = await Registering.open({ maxContacts: 20, ...options }, { listen });
  const stream = await StreamClient.open(on.running.server.addresses[1]!);
  return {
    on,
    bob: on.bob,
    connected: new Registrant(stream),
    stats: () => on.phones.stats,
    [Symbol.dispose]() {
      stream[Symbol.dispose]();
      on[Symbol.dispose]();
    },
  };
}

describe("over UDP", () => {
  test("one binding more than can be told is refused with 500, and nothing of it is done", async () => {
    using all = await both();
    for (let n = 1; n <= MOST; n++) expect((await all.bob.register({ contacts: [contact(n)] })).status).toBe(200);
    const before = all.on.contacts().length;
    const refused = await all.bob.register({ contacts: [contact(MOST + 1)] });
    expect([refused.startLine, refused.headers("Contact")]).toEqual([TOO_LARGE, []]);
    expect(all.on.contacts()).toHaveLength(before);
    expect(all.stats()).toMatchObject({ bindings: MOST, registered: MOST, refused: 1 });
    // Those there are can be asked for, refreshed and ended.
    expect(outcome(await all.bob.register())).toHaveLength(1 + MOST);
    expect((await all.bob.register({ contacts: [contact(1)] })).status).toBe(200);
    expect((await all.bob.register({ contacts: [contact(1)], expires: 0 })).status).toBe(200);
    expect((await all.bob.register({ contacts: [contact(MOST + 1)] })).status).toBe(200);
    expect(all.on.running.server.stats().sendDropped).toBe(0);
  });

  test("brief ones are taken as long as there is room for them", async () => {
    using all = await both();
    for (let n = 1; n < MOST; n++) await all.bob.register({ contacts: [contact(n)] });
    for (let n = 1; n <= 10; n++) {
      expect((await all.bob.register({ contacts: [`<sip:bob@198.51.100.${n}>`] })).status).toBe(200);
    }
  });

  test("what was bound over TCP cannot be asked for: 500; over TCP it can", async () => {
    using all = await both();
    for (let n = 1; n <= MOST + 3; n++) await all.connected.register({ contacts: [contact(n)], expires: 100 });
    const query = await all.bob.register();
    expect([query.startLine, query.headers("Contact")]).toEqual([TOO_LARGE, []]);
    expect(outcome(await all.connected.register())).toHaveLength(1 + MOST + 3);
    expect(all.stats()).toMatchObject({ bindings: MOST + 3, refused: 0, fetched: 2 });
    expect(all.on.running.server.stats()).toMatchObject({ sendDropped: 1, handlerErrors: 0 });
  });

  test("a refresh and the end of one are carried out, though it cannot be told what is left; * ends all", async () => {
    using all = await both();
    const phone = new Registrant(all.on.client);
    await phone.register({ contacts: [contact(1)], expires: 100 });
    for (let n = 2; n <= MOST + 3; n++) await all.connected.register({ contacts: [contact(n)], expires: 100 });
    expect((await phone.register({ contacts: [contact(1)], expires: 200 })).startLine).toBe(TOO_LARGE);
    expect((await all.bob.register({ contacts: [contact(2)], expires: 0 })).startLine).toBe(TOO_LARGE);
    const [status, ...contacts] = outcome(await all.connected.register());
    expect([status, contacts.length, contacts.filter((value) => value.endsWith(";expires=200")).length]).toEqual([
      200,
      MOST + 2,
      1,
    ]);
    expect((await phone.register({ contacts: ["*"], expires: 0 })).status).toBe(200);
    expect(all.stats()).toMatchObject({ bindings: 0, refreshed: 1 });
  });

  test("a query that is sent again gets the same 500", async () => {
    using all = await both();
    for (let n = 1; n <= MOST + 3; n++) await all.connected.register({ contacts: [contact(n)] });
    const { client } = all.on;
    const query = client.request("REGISTER", all.bob.shape());
    const first = await client.next(500, query);
    client.send(query.text);
    expect((await client.next(500, query)).text).toBe(first.text);
    expect(all.on.running.server.stats()).toMatchObject({ sendDropped: 1, retransmissionsSent: 1 });
  });

  test("many contacts of one REGISTER are all bound, or none is", async () => {
    using all = await both();
    const statuses: number[] = [];
    for (const length of [7800, 7900, 8000, 8050]) {
      const contacts = Array.from({ length: MOST }, (_, n) => `<sip:bob@192.0.2.${n};note=${"y".repeat(length)}>`);
      const { status } = await all.bob.register({ contacts });
      expect(all.stats().bindings).toBe(status === 200 ? MOST : 0);
      await all.bob.register({ contacts: ["*"], expires: 0 });
      statuses.push(status);
    }
    expect(statuses).toEqual([200, 200, 500, 500]);
    expect(all.on.running.server.stats().sendDropped).toBe(0);
  });

  test("an answer that waits for the store is looked at when it goes", async () => {
    const store = new KeptStore({ isAwaited: true });
    using all = await both({ store });
    const phone = new Registrant(all.on.client);
    for (const [n, who] of [phone, ...Array<Registrant>(MOST + 2).fill(all.connected)].entries()) {
      const answer = who.register({ contacts: [contact(n)] });
      await until("the store to be waited for", () => store.waiting.length === n + 1);
      store.waiting[n]!.resolve();
      expect((await answer).status).toBe(200);
    }
    const answer = phone.register({ contacts: [contact(0)] });
    await until("the store to be waited for", () => store.waiting.length === MOST + 4);
    store.waiting.at(-1)!.resolve();
    expect((await answer).startLine).toBe(TOO_LARGE);
  });
});

test("bindings that give way, since their flow went with an earlier life, are not told of", async () => {
  const before = new KeptStore();
  using life = await both({ store: before });
  for (let n = 1; n <= MOST; n++) await life.bob.register({ contacts: [contact(n)] });
  const flags = BindingFlag.FlowOnly | BindingFlag.FlowLost;
  for (const [key, row] of before.rows) before.rows.set(key, { ...row, flags });
  using all = await both({ store: new KeptStore({ before }), maxContacts: MOST });
  expect(all.stats().bindings).toBe(MOST);
  expect(outcome(await all.bob.register({ contacts: [contact(9)], expires: 100 }))).toEqual([
    200,
    `${contact(9)};expires=100`,
  ]);
});
