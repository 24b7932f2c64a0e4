/** What keeps NATs open towards registered clients (RFC 5626 s4.4), and what becomes of those that do not answer. */
import { describe, expect, test } from "bun:test";
import { BindingFlag } from "../../src/location/row.ts";
import { DatagramClient } from "../support/datagram-client.ts";
import { probe } from "../support/exchange.ts";
import { KeptStore } from "../support/kept-store.ts";
import { Registering, Registrant, RunningRegistrar } from "../support/registering.ts";
import { requestText, type SipMessage } from "../support/sip-messages.ts";
import { textOf } from "../support/sip-text.ts";
import { StreamClient } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

const BOB = "sip:bob@example.com";
const NATED = "<sip:bob@10.0.0.7>";

describe("crlf", () => {
  /** A client that sees octets, registered with a Contact. */
  async function registered(on: RunningRegistrar, contact: string, aor = BOB): Promise<DatagramClient> {
    const client = await DatagramClient.open();
    const headers = [`Contact: ${contact.replace("PORT", `${client.port}`)}`];
    const sentBy = `127.0.0.1:${client.port}`;
    client.send(requestText("REGISTER", { sentBy, to: `<${aor}>`, headers }), on.address.port);
    await client.until((octets) => textOf(octets).startsWith("SIP/2.0 200"));
    return client;
  }

  /** The empty lines that came until now: an answer to a question behind them ends them. */
  async function linesOf(on: RunningRegistrar, client: DatagramClient): Promise<number> {
    const { text, callId } = probe(`127.0.0.1:${client.port}`);
    const from = client.received.length;
    client.send(text, on.address.port);
    await client.until((octets) => textOf(octets).includes(callId), from);
    return client.received.filter((octets) => textOf(octets) === "\r\n\r\n").length;
  }

  test("a client behind a NAT gets two line ends in each interval", async () => {
    using on = await RunningRegistrar.start({ keepAlive: "crlf", keepAliveInterval: 25 });
    using client = await registered(on, NATED);
    await on.clock.pass(24_000);
    expect(await linesOf(on, client)).toBe(0);
    await on.clock.pass(1200);
    expect(await linesOf(on, client)).toBe(1);
    for (let n = 0; n < 20; n++) await on.clock.pass(5000);
    expect(await linesOf(on, client)).toBe(5);
    expect(on.phones.stats.keepAlives).toBe(5);
  });

  test("a clock that jumps costs a client none of them, and sends it no two at once", async () => {
    using on = await RunningRegistrar.start({ keepAlive: "crlf", keepAliveInterval: 25 });
    using client = await registered(on, NATED);
    await on.clock.pass(26_000);
    expect(await linesOf(on, client)).toBe(1);
    await on.clock.pass(90_000);
    expect(await linesOf(on, client)).toBe(2);
  });

  test("all of many clients get one in their turn", async () => {
    using on = await RunningRegistrar.start({ keepAlive: "crlf", keepAliveInterval: 10 });
    const clients = [];
    for (let n = 0; n < 20; n++) clients.push(await registered(on, NATED, `sip:u${n}@example.com`));
    for (let n = 0; n < 17; n++) await on.clock.pass(600);
    expect(await Promise.all(clients.map((client) => linesOf(on, client)))).toEqual(clients.map(() => 1));
    for (const client of clients) client.close();
  });

  test("who registered at another server gets them from there", async () => {
    const store = new KeptStore();
    using on = await RunningRegistrar.start({ keepAlive: "crlf", keepAliveInterval: 10, store });
    using client = await registered(on, NATED);
    const [row] = [...store.rows.values()];
    store.location.load({ ...row!, flags: row!.flags | BindingFlag.Elsewhere });
    for (let n = 0; n < 6; n++) await on.clock.pass(5000);
    expect(await linesOf(on, client)).toBe(0);
    expect(on.contacts()).toEqual(["sip:bob@10.0.0.7"]);
  });

  test("who is behind no NAT gets none, nor who is gone", async () => {
    using on = await RunningRegistrar.start({ keepAlive: "crlf", keepAliveInterval: 10 });
    using open = await registered(on, "<sip:bob@127.0.0.1:PORT>");
    using gone = await registered(on, NATED, "sip:carol@example.com");
    on.phones.unbind("sip:carol@example.com");
    for (let n = 0; n < 6; n++) await on.clock.pass(5000);
    expect([await linesOf(on, open), await linesOf(on, gone)]).toEqual([0, 0]);
    expect(on.phones.stats.keepAlives).toBe(0);
  });

  test("a client on a connection gets none: it keeps that alive itself", async () => {
    using on = await RunningRegistrar.start(
      { keepAlive: "crlf", keepAliveInterval: 1 },
      { listen: "tcp://127.0.0.1:0" },
    );
    using client = await StreamClient.open(on.address);
    await new Registrant(client).register({ contacts: [NATED] });
    for (let n = 0; n < 5; n++) await on.clock.pass(1000);
    expect(await client.restBrief()).toEqual([]);
    expect([client.pongs, on.phones.stats.keepAlives]).toEqual([0, 0]);
  });

  test("off sends none", async () => {
    using on = await RunningRegistrar.start({ keepAlive: "off", keepAliveInterval: 1 });
    using client = await registered(on, NATED);
    for (let n = 0; n < 5; n++) await on.clock.pass(1000);
    expect(await linesOf(on, client)).toBe(0);
  });

  test("none are sent once the server is closed", async () => {
    const on = await RunningRegistrar.start({ keepAlive: "crlf", keepAliveInterval: 1 });
    using client = await registered(on, NATED);
    await on.running.server.stop();
    on.clock.skip(60_000);
    await Bun.sleep(30);
    expect(client.received.filter((octets) => textOf(octets) === "\r\n\r\n")).toEqual([]);
  });
});

describe("options", () => {
  const options = { keepAlive: "options", keepAliveInterval: 10 } as const;

  test("go to the Contact over the flow, and who answers stays", async () => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: [NATED] });
    await on.clock.pass(10_200);
    const question = await on.client.next("OPTIONS");
    expect([question.uri, question.header("To")]).toEqual(["sip:bob@10.0.0.7", `<${BOB}>`]);
    on.client.respond(question, 200);
    await on.client.rest();
    await on.clock.pass(33_000);
    expect(on.contacts()).toEqual(["sip:bob@10.0.0.7"]);
    expect(on.phones.stats).toMatchObject({ keepAlives: 2, silent: 0 });
  });

  test.each([405, 486, 503])("any answer will do: %i", async (status) => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: [NATED] });
    await on.clock.pass(10_200);
    on.client.respond(await on.client.next("OPTIONS"), status);
    await on.client.rest();
    await on.clock.pass(33_000);
    expect(on.contacts()).toEqual(["sip:bob@10.0.0.7"]);
    expect(on.phones.stats.silent).toBe(0);
  });

  /** Lets a question go without an answer. */
  async function silence(on: Registering): Promise<void> {
    await on.clock.pass(10_200);
    await on.client.next("OPTIONS");
    await on.clock.pass(33_000);
    expect(on.contacts()).toEqual([]);
    expect(on.phones.stats).toMatchObject({ silent: 1, bindings: 1 });
  }

  test("who answers nothing is looked up no more, but registered still", async () => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: [NATED] });
    await silence(on);
    expect((await on.bob.register()).headers("Contact")).toHaveLength(1);
  });

  test("who was silent is back once it registers again", async () => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: [NATED] });
    await silence(on);
    await on.bob.register({ contacts: [NATED] });
    expect(on.contacts()).toEqual(["sip:bob@10.0.0.7"]);
  });

  test("who was silent is back once it answers", async () => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: [NATED] });
    await silence(on);
    let question: SipMessage | null = null;
    // Earlier ones come again meanwhile; the one that counts is the last.
    await on.clock.pass(10_200);
    for (const message of await on.client.rest()) if (message.method === "OPTIONS") question = message;
    on.client.respond(question!, 200);
    await until("the answer", () => on.contacts().length === 1);
    expect(on.phones.stats.silent).toBe(1);
  });

  test("an answer that comes late is none about a binding that has taken the place", async () => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: [NATED] });
    await on.clock.pass(10_200);
    await on.client.next("OPTIONS");
    await on.bob.register({ contacts: [NATED], expires: 0 });
    const carol = new Registrant(on.client, "sip:carol@example.com");
    await carol.register({ contacts: ["<sip:carol@10.0.0.8>"] });
    await on.clock.pass(33_000);
    expect(on.contacts("sip:carol@example.com")).toEqual(["sip:carol@10.0.0.8"]);
    expect(on.phones.stats.silent).toBe(0);
  });

  test("who refreshes while one is out is not silent, though that one is never answered", async () => {
    using on = await Registering.open({ ...options, keepAliveInterval: 60 });
    await on.bob.register({ contacts: [NATED] });
    await on.clock.pass(60_200);
    await on.client.next("OPTIONS");
    await on.clock.pass(10_000);
    await on.bob.register({ contacts: [NATED] });
    await on.clock.pass(25_000);
    expect(on.contacts()).toEqual(["sip:bob@10.0.0.7"]);
    expect(on.phones.stats).toMatchObject({ keepAlives: 1, silent: 0 });
  });

  test("go over connections too", async () => {
    using on = await RunningRegistrar.start(options, { listen: "tcp://127.0.0.1:0" });
    using client = await StreamClient.open(on.address);
    await new Registrant(client).register({ contacts: [NATED] });
    await on.clock.pass(10_200);
    const question = await client.next("OPTIONS");
    expect(client.isOverOwn(question)).toBe(true);
    client.respond(question, 200);
    await client.rest();
    await on.clock.pass(33_000);
    expect(on.contacts()).toHaveLength(1);
  });

  test("to what is no SIP URI there are none", async () => {
    using on = await Registering.open(options);
    await on.bob.register({ contacts: ["<tel:+12015550123>", "<mailto:bob@example.net>"] });
    for (let n = 0; n < 3; n++) await on.clock.pass(10_000);
    expect(await on.client.restBrief()).toEqual([]);
    expect(on.contacts()).toHaveLength(2);
  });
});
