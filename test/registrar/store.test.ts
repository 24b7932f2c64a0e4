/** A registrar and what keeps its bindings: what it is told, when it is in trouble, when answers wait for it. */
import { describe, expect, test } from "bun:test";
import { BindingFlag, type BindingRow } from "../../src/location/row.ts";
import { KeptStore } from "../support/kept-store.ts";
import { outcome, Registering, Registrant, RunningRegistrar, WALL } from "../support/registering.ts";
import { StreamClient } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

const BOB = "sip:bob@example.com";
const DESK = "<sip:bob@192.0.2.4>";
const CELL = "<sip:bob@192.0.2.5>";
const INSTANCE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"';

describe("a store is told", () => {
  test("of what is new, of what is refreshed, of what goes; not of what expires", async () => {
    const store = new KeptStore();
    using on = await Registering.open({ store });
    await on.bob.register({ contacts: [DESK, CELL], expires: 100 });
    await on.bob.register({ contacts: [DESK], expires: 200 });
    await on.bob.register({ contacts: [`${DESK};q=0.5`], expires: 200 });
    await on.bob.register({ contacts: [`${DESK};q=0.5`], expires: 200, headers: ["User-Agent: other"] });
    await on.bob.register();
    await on.bob.register({ contacts: [DESK], expires: 0 });
    await on.clock.pass(100_100);
    expect(on.phones.stats).toMatchObject({ expired: 1, bindings: 0, storeWritten: 5 });
    expect(store.told).toEqual([
      "put sip:bob@192.0.2.4",
      "put sip:bob@192.0.2.5",
      "touch sip:bob@192.0.2.4",
      "put sip:bob@192.0.2.4",
      "put sip:bob@192.0.2.4",
      "remove sip:bob@192.0.2.4",
    ]);
  });

  test("nothing of a REGISTER that is refused", async () => {
    const store = new KeptStore();
    using on = await Registering.open({ store });
    expect((await on.bob.register({ contacts: [DESK, "<sip:bob@>"] })).status).toBe(400);
    expect((await on.bob.register({ contacts: [DESK, `${CELL};expires=1`] })).status).toBe(423);
    expect(store.told).toEqual([]);
  });

  test("what goes before what comes, in one request", async () => {
    const store = new KeptStore();
    using on = await Registering.open({ store, maxBindings: 1 });
    await on.bob.register({ contacts: [DESK] });
    await on.bob.register({ contacts: [CELL, `${DESK};expires=0`] });
    expect(store.told).toEqual(["put sip:bob@192.0.2.4", "remove sip:bob@192.0.2.4", "put sip:bob@192.0.2.5"]);
  });

  test("of bindings that go with their flow, and of those ended by hand", async () => {
    const store = new KeptStore();
    using on = await RunningRegistrar.start({ store }, { listen: "ws://127.0.0.1:0" });
    using client = await StreamClient.open(on.address, { transport: "ws" });
    await new Registrant(client).register({ contacts: [DESK, CELL] });
    on.phones.unbind(BOB, "sip:bob@192.0.2.5");
    client.reset();
    await until("the flow to go", () => on.phones.stats.bindings === 0);
    expect(store.told.slice(2)).toEqual(["remove sip:bob@192.0.2.5", "remove sip:bob@192.0.2.4"]);
    expect(store.rows.size).toBe(0);
  });

  test("when the server is stopped, which waits for it", async () => {
    const store = new KeptStore();
    const on = await RunningRegistrar.start({ store });
    await on.running.server.stop();
    expect(store.isClosed).toBe(true);
  });
});

describe("a store in trouble", () => {
  test("has REGISTERs refused with 503 and why, questions answered, look-ups go on", async () => {
    const store = new KeptStore();
    using on = await Registering.open({ store });
    await on.bob.register({ contacts: [DESK], expires: 100 });
    store.trouble = "disk full";
    for (const shape of [
      { contacts: [CELL] },
      { contacts: [DESK], expires: 200 },
      { contacts: [DESK], expires: 0 },
      { contacts: ["*"], expires: 0 },
    ]) {
      const response = await on.bob.register(shape);
      expect([response.status, response.reason]).toEqual([503, "Bindings Cannot Be Stored: disk full"]);
      expect(response.header("Retry-After")).toBe("5");
    }
    expect(outcome(await on.bob.register())).toEqual([200, `${DESK};expires=100`]);
    expect(on.contacts()).toEqual(["sip:bob@192.0.2.4"]);
    expect(on.phones.stats).toMatchObject({ storeRefused: 4, refused: 4, storeTrouble: "disk full" });
    store.trouble = null;
    expect((await on.bob.register({ contacts: [CELL] })).status).toBe(200);
    expect(on.phones.stats.storeTrouble).toBeNull();
  });

  test("what is malformed is told so first", async () => {
    const store = new KeptStore();
    store.trouble = "disk full";
    using on = await Registering.open({ store });
    expect((await on.bob.register({ contacts: ["nonsense"] })).status).toBe(400);
  });

  test("one that cannot be opened ends the start", async () => {
    const store = new KeptStore();
    store.open = () => Promise.reject(new Error("no such disk"));
    await expect(RunningRegistrar.start({ store })).rejects.toThrow("no such disk");
  });
});

describe("a store that is awaited", () => {
  test("has the answer wait until what was changed is safe", async () => {
    const store = new KeptStore({ isAwaited: true });
    using on = await Registering.open({ store });
    const request = on.client.request("REGISTER", on.bob.shape({ contacts: [DESK], expires: 100 }));
    const other = new Registrant(on.client, "sip:carol@example.com");
    const second = on.client.request("REGISTER", other.shape({ contacts: ["<sip:carol@192.0.2.9>"], expires: 90 }));
    await until("both", () => store.waiting.length === 2);
    expect(await on.client.restBrief()).toEqual([]);
    store.waiting[1]!.resolve();
    expect(outcome(await on.client.next(200, second))).toEqual([200, "<sip:carol@192.0.2.9>;expires=90"]);
    store.waiting[0]!.resolve();
    // The answer is that of its own request, whatever came between.
    const response = await on.client.next(200, request);
    expect(outcome(response)).toEqual([200, `${DESK};expires=100`]);
    expect(response.header("Date")).toBeDefined();
  });

  test("that fails to write gets the client 503", async () => {
    const store = new KeptStore({ isAwaited: true });
    using on = await Registering.open({ store });
    const answer = on.bob.register({ contacts: [DESK] });
    await until("the wait", () => store.waiting.length === 1);
    store.waiting[0]!.reject(new Error("disk full"));
    const { status, reason } = await answer;
    expect([status, reason]).toEqual([503, "Bindings Cannot Be Stored: disk full"]);
    expect(on.phones.stats.storeRefused).toBe(1);
  });

  test("does not hold up questions", async () => {
    const store = new KeptStore({ isAwaited: true });
    using on = await Registering.open({ store });
    expect(outcome(await on.bob.register())).toEqual([200]);
    expect(store.waiting).toEqual([]);
  });

  test("does not hold up refusals", async () => {
    const store = new KeptStore({ isAwaited: true });
    using on = await Registering.open({ store });
    expect((await on.bob.register({ contacts: ["nonsense"] })).status).toBe(400);
    expect(store.waiting).toEqual([]);
  });

  test("has a retransmission wait with the first", async () => {
    const store = new KeptStore({ isAwaited: true });
    using on = await Registering.open({ store });
    const shape = on.bob.shape({ contacts: [DESK], branch: "z9hG4bKslow" });
    const request = on.client.request("REGISTER", shape);
    on.client.request("REGISTER", shape);
    await until("the wait", () => store.waiting.length > 0);
    expect(await on.client.restBrief()).toEqual([]);
    store.waiting[0]!.resolve();
    await on.client.next(200, request);
    expect(on.phones.stats.requests).toBe(1);
  });
});

describe("after a restart", () => {
  test("bindings are there with the time they have left, in the order of their q, with their flow over UDP", async () => {
    const store = new KeptStore();
    {
      using before = await Registering.open({ store });
      await before.bob.register({
        contacts: [`"Bob" ${DESK};q=0.5;x="a,b"`, `${CELL};q=0.9;expires=90`],
        expires: 1000,
        headers: ["User-Agent: phone"],
      });
    }
    const wallClock = () => 1_800_000_000_000 + 100_000;
    using on = await Registering.open({ store: new KeptStore({ before: store }), wallClock });
    expect(outcome(await on.bob.register())).toEqual([200, `"Bob" ${DESK};q=0.5;x="a,b";expires=900`]);
    expect(on.phones.lookup(BOB)).toMatchObject([{ contact: "sip:bob@192.0.2.4", q: 0.5, userAgent: "phone" }]);
    const [{ flow, received }] = on.phones.lookup(BOB) as [ReturnType<typeof on.phones.lookup>[number]];
    expect(flow).toMatchObject({ address: "127.0.0.1", port: Number(received.split(":")[2]) });
  });

  test.each(["udp:nowhere:5060", "udp:192.0.2.9:0", "udp:192.0.2.9:65536", "udp:", "nonsense"])(
    "nothing is sent to what is no address: %s",
    async (received) => {
      const store = new KeptStore();
      {
        using before = await Registering.open({ store });
        await before.bob.register({ contacts: ["<sip:bob@10.0.0.7>"] });
      }
      for (const [key, row] of store.rows) store.rows.set(key, { ...row, received });
      using on = await Registering.open({ store: new KeptStore({ before: store }), keepAlive: "crlf" });
      for (let n = 0; n < 6; n++) await on.clock.pass(5000);
      expect(on.phones.lookup(BOB)).toMatchObject([{ contact: "sip:bob@10.0.0.7", received, flow: null }]);
      expect(on.phones.stats.keepAlives).toBe(0);
    },
  );

  test("CSeqs are compared with those of the life before", async () => {
    const store = new KeptStore();
    {
      using before = await Registering.open({ store });
      await before.bob.register({ contacts: [DESK], callId: "same", cseq: 10 });
    }
    using on = await Registering.open({ store: new KeptStore({ before: store }) });
    expect((await on.bob.register({ contacts: [DESK], callId: "same", cseq: 9 })).status).toBe(500);
    expect((await on.bob.register({ contacts: [DESK], callId: "same", cseq: 11 })).status).toBe(200);
  });

  test("what hung on a connection is not looked up: it is gone", async () => {
    const store = new KeptStore();
    const on = await RunningRegistrar.start({ store }, { listen: "ws://127.0.0.1:0" });
    using client = await StreamClient.open(on.address, { transport: "ws" });
    await new Registrant(client).register({ contacts: [DESK] });
    // As after a crash: nothing was taken back.
    const crashed = new KeptStore({ before: store });
    on[Symbol.dispose]();
    using again = await Registering.open({ store: crashed });
    expect(again.phones.stats.bindings).toBe(1);
    expect(again.contacts()).toEqual([]);
    await again.bob.register({ contacts: [DESK] });
    expect(again.contacts()).toEqual(["sip:bob@192.0.2.4"]);
  });

  test("temporary GRUUs are good still, of flows too", async () => {
    const store = new KeptStore();
    const temporaries: string[] = [];
    const stale: string[] = [];
    const made = (text: string) => /;temp-gruu="([^"]*)"/.exec(text)![1]!;
    {
      using before = await Registering.open({ store });
      const headers = ["Supported: gruu"];
      const first = new Registrant(before.client);
      // Ended, though the same comes back.
      const ended = await before.bob.register({ contacts: [`${CELL};${INSTANCE}`], headers });
      stale.push(made(ended.text));
      await before.bob.register({ contacts: ["*"], expires: 0 });
      stale.push(made((await first.register({ contacts: [`${DESK};${INSTANCE}`], headers })).text));
      await before.clock.pass(2000);
      const second = await before.bob.register({ contacts: [`${CELL};${INSTANCE}`], headers });
      temporaries.push(made(second.text));
      for (const id of [1, 2]) {
        const carol = new Registrant(before.client, "sip:carol@example.com");
        const contacts = [`<sip:carol@192.0.2.9>;${INSTANCE};reg-id=${id}`];
        temporaries.push(made((await carol.register({ contacts, headers })).text));
      }
    }
    using on = await Registering.open({ store: new KeptStore({ before: store }) });
    for (const uri of temporaries) expect(on.contacts(uri)).toHaveLength(2);
    for (const uri of stale) expect(on.contacts(uri)).toEqual([]);
  });

  test("what a store says of GRUUs that no REGISTER made has none", async () => {
    const store = new KeptStore();
    {
      using before = await Registering.open({ store });
      await before.bob.register({ contacts: [`${DESK};${INSTANCE}`], headers: ["Supported: gruu"] });
    }
    const [row] = store.rows.values();
    const odd = {
      "sip:bob@example.com": { contact: "sip:x", instance: "", params: "" },
      'sip:"@example.com': {},
      "tel:+1": {},
      "sip:x@example.com?y=z": {},
      [`sip:${"x".repeat(2000)}@example.com`]: {},
    };
    let id = row!.id;
    for (const [aor, changes] of Object.entries(odd)) store.rows.set(aor, { ...row!, id: ++id, aor, ...changes });
    using on = await Registering.open({ store: new KeptStore({ before: store }) });
    expect(on.phones.stats.bindings).toBe(6);
    const [own, none] = (await on.bob.register({ headers: ["Supported: gruu"] })).headers("Contact").toSorted();
    expect(own).toContain(";temp-gruu=");
    expect(none).toStartWith("<sip:x>;expires=");
    const phone = new Registrant(on.client, "tel:+1");
    expect((await phone.register({ headers: ["Supported: gruu"] })).text).not.toContain("-gruu=");
  });
});

describe("beside another server on the same store", () => {
  /** A binding as the other server writes it. */
  function elsewhere(row: BindingRow, changes: Partial<BindingRow> = {}): BindingRow {
    return { ...row, received: "tcp:198.51.100.7:40000", cseq: row.cseq + 1, updated: row.updated + 1, ...changes };
  }

  test("what that one registers is looked up here, and ended here when it ends there", async () => {
    const store = new KeptStore();
    using on = await Registering.open({ store });
    await on.bob.register({ contacts: [DESK] });
    const row = store.location.row(0);
    store.location.load(elsewhere(row, { contact: "sip:bob@198.51.100.7", id: row.id + 1 }));
    expect(on.contacts().sort()).toEqual(["sip:bob@192.0.2.4", "sip:bob@198.51.100.7"]);
    store.location.unload(BOB, "sip:bob@198.51.100.7");
    expect(on.contacts()).toEqual(["sip:bob@192.0.2.4"]);
    expect(store.told).toEqual(["put sip:bob@192.0.2.4"]);
  });

  test("a flow that has moved there does not go with its old connection here", async () => {
    const store = new KeptStore();
    using on = await RunningRegistrar.start({ store }, { listen: "tcp://127.0.0.1:0" });
    using client = await StreamClient.open(on.address);
    const contact = `${DESK};reg-id=1;${INSTANCE}`;
    await new Registrant(client).register({ contacts: [contact], headers: ["Supported: outbound"] });
    store.location.load(elsewhere(store.location.row(0)));
    client.reset();
    await until("the end of the connection", () => on.running.server.stats().connections === 0);
    expect(on.phones.stats).toMatchObject({ bindings: 1, flowsLost: 0 });
    expect(store.told).toEqual(["put sip:bob@192.0.2.4"]);
  });
});

describe("bindings whose flow is gone", () => {
  const flow = (n: number, flags: number): BindingRow => ({
    id: n,
    aor: BOB,
    name: "",
    contact: `sip:bob@${n}.invalid;transport=ws`,
    params: "",
    instance: "",
    regId: 0,
    q: 1000,
    callId: `c${n}`,
    cseq: 1,
    expires: WALL / 1000 + 600,
    updated: WALL / 1000 - 60,
    path: "",
    received: "ws:127.0.0.1:9",
    userAgent: "",
    flags: BindingFlag.FlowOnly | BindingFlag.FlowLost | flags,
  });

  async function beside(flags: number): Promise<Registering> {
    const before = new KeptStore();
    for (const n of [1, 2]) before.rows.set(`row ${n}`, flow(n, flags));
    return Registering.open({ store: new KeptStore({ before }), maxContacts: 2 });
  }

  test("with an earlier life give way where their place is wanted", async () => {
    using on = await beside(0);
    expect([on.phones.stats.bindings, on.contacts()]).toEqual([2, []]);
    expect((await on.bob.register({ contacts: ["<sip:bob@192.0.2.4>"] })).status).toBe(200);
    expect([on.phones.stats.bindings, on.contacts()]).toEqual([1, ["sip:bob@192.0.2.4"]]);
  });

  test("since another server has it stay", async () => {
    using on = await beside(BindingFlag.Elsewhere);
    expect((await on.bob.register({ contacts: ["<sip:bob@192.0.2.4>"] })).status).toBe(403);
    expect([on.phones.stats.bindings, on.contacts()]).toEqual([2, []]);
  });
});
