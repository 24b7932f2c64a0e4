/** Where a BYE goes, and over what: RFC 3261 s12.2.1.1 with RFC 3263, RFC 5923 and the flows of connections. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Dialog, ServeOptions } from "../../src/index.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { requestText, unique } from "../support/sip-messages.ts";
import { deadPort, type Reaction, SipServer } from "../support/sip-server.ts";
import { bytesOf } from "../support/sip-text.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

interface CallShape {
  over: "udp" | "tcp";
  /** Default: a user at the caller's port. */
  contact?: string;
  /** URIs of Record-Route, in order. */
  routes?: readonly string[];
}

/** A server on UDP and TCP with a nameserver, a standing clock, and a peer that calls it. */
async function caller(reaction: Reaction = 200, options: ServeOptions = {}) {
  const clock = new FakeClock();
  const dns = await DnsServer.start();
  const peer = await SipServer.start(reaction);
  const answered: Dialog[] = [];
  const running = await testServer({
    listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"],
    clock,
    resolve: { nameservers: [dns.address], dnsTimeout: 300 },
    invite: (call) => void call.answer("v=0\r\n").then((dialog) => answered.push(dialog)),
    ...options,
  });
  const [udp, tcp] = running.server.addresses;
  return {
    clock,
    dns,
    peer,
    server: running.server,
    log: running.log,
    /** Calls, and waits until the call stands. */
    async call({ over, contact = `<sip:alice@${peer.at}>`, routes = [] }: CallShape): Promise<Dialog> {
      const socket = over === "tcp" ? await peer.connect(tcp!) : null;
      const send = (text: string) => (socket === null ? peer.sendTo(text, udp!) : void socket.write(bytesOf(text)));
      const callId = unique("bye");
      const shape = {
        transport: over.toUpperCase(),
        sentBy: peer.at,
        from: "<sip:alice@example.com>;tag=a",
        callId,
        headers: routes.map((uri) => `Record-Route: <${uri}>`),
      };
      send(requestText("INVITE", { ...shape, contact }));
      const response = await peer.response(200, callId);
      send(requestText("ACK", { ...shape, to: response.header("To")! }));
      return until("the dialog", () => answered.find((dialog) => dialog.callId === callId));
    },
    /** Lines that say that a BYE reached nobody. */
    lostByes: () => running.log.lines.filter(({ message }) => message === "a BYE reached nobody"),
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      peer[Symbol.dispose]();
      dns[Symbol.dispose]();
    },
  };
}

describe("the Contact is a name", () => {
  test("it is resolved, and the BYE goes to what is found", async () => {
    using all = await caller();
    using elsewhere = await SipServer.start();
    all.dns
      .srv("_sip._udp.phone.test", { target: "a.phone.test", port: elsewhere.port })
      .a("a.phone.test", "127.0.0.1");
    const dialog = await all.call({ over: "udp", contact: "<sip:alice@phone.test>" });
    dialog.bye();
    const { message, transport } = await elsewhere.request();
    expect([transport, message.startLine]).toEqual(["udp", "BYE sip:alice@phone.test SIP/2.0"]);
    expect(all.peer.requests).toEqual([]);
    const { port } = all.server.addresses[0]!;
    expect(message.header("Via")).toStartWith(`SIP/2.0/UDP 127.0.0.1:${port};`);
  });

  test("when its first server fails the next one gets the BYE, with a branch of its own", async () => {
    using all = await caller();
    using first = await SipServer.start(503);
    using second = await SipServer.start();
    for (const [priority, { port }] of [first, second].entries()) {
      all.dns.srv("_sip._tcp.phone.test", { target: "a.phone.test", port, priority });
    }
    all.dns.a("a.phone.test", "127.0.0.1");
    (await all.call({ over: "udp", contact: "<sip:alice@phone.test;transport=tcp>" })).bye();
    const [one, two] = [(await first.request()).message, (await second.request()).message];
    expect(two.text.replace(two.branch!, "")).toBe(one.text.replace(one.branch!, ""));
    expect(two.branch).not.toBe(one.branch);
    expect(all.server.stats().byesUndelivered).toBe(0);
  });

  test("it leads nowhere: the BYE is counted as undelivered, and the log names call and host", async () => {
    using all = await caller();
    const dialog = await all.call({ over: "udp", contact: "<sip:alice@nobody.test>" });
    const { callId } = dialog;
    dialog.bye();
    expect(await dialog.ended).toBe("local");
    await until("the count", () => all.server.stats().byesUndelivered === 1);
    expect(all.lostByes()).toHaveLength(1);
    expect(all.lostByes()[0]!.fields).toMatchObject({ callId });
    expect(String(all.lostByes()[0]!.fields.cause)).toContain("nobody.test");
    expect(all.server.stats()).toMatchObject({ dialogs: 0, clientTransactions: 0 });
  });

  test("one made to lead nowhere is not looked up: the way the call came is used", async () => {
    for (const over of ["udp", "tcp"] as const) {
      using all = await caller();
      (await all.call({ over, contact: "<sip:x7f@df7jal23ls0d.invalid;transport=ws>" })).bye();
      const { message, transport } = await all.peer.request();
      expect([transport, message.uri]).toEqual([over, "sip:x7f@df7jal23ls0d.invalid;transport=ws"]);
      expect(all.dns.queries).toEqual([]);
    }
  });
});

describe("the Contact is numeric", () => {
  test("with transport=tcp, from a call over UDP: a connection is made for it", async () => {
    using all = await caller();
    (await all.call({ over: "udp", contact: `<sip:alice@${all.peer.at};transport=tcp>` })).bye();
    const { message, transport } = await all.peer.request();
    expect([transport, message.method]).toEqual(["tcp", "BYE"]);
    expect(message.header("Via")).toStartWith("SIP/2.0/TCP 127.0.0.1:");
    expect(all.server.stats()).toMatchObject({ connectionsOpened: 1, connectionsAccepted: 0 });
  });

  test("a call over TCP: the BYE goes over the connection that it came on, for the peer may be reached by no other", async () => {
    for (const contact of ["<sip:alice@127.0.0.1:9;transport=tcp>", "<sip:alice@192.0.2.77:5060;transport=tcp>"]) {
      using all = await caller();
      (await all.call({ over: "tcp", contact })).bye();
      const { message, transport, connection } = await all.peer.request();
      expect([transport, message.method, connection]).toEqual(["tcp", "BYE", 0]);
      expect(`<${message.uri}>`).toBe(contact);
      expect(message.header("Via")).toStartWith(`SIP/2.0/TCP 127.0.0.1:${all.server.addresses[1]!.port};`);
      // The INVITE, its ACK, and the answer to the BYE.
      await until("its answer", () => all.server.stats().messagesReceived === 3);
      await all.clock.pass(40_000);
      expect(all.server.stats()).toMatchObject({ connectionsOpened: 0, byesUndelivered: 0 });
    }
  });

  test("the connection was lost before: a new one is made to the Contact", async () => {
    for (const how of ["close", "reset"] as const) {
      using all = await caller();
      const dialog = await all.call({ over: "tcp", contact: `<sip:alice@${all.peer.at};transport=tcp>` });
      all.peer.endAll(how);
      await until("the end of the connection", () => all.server.stats().connections === 0);
      dialog.bye();
      const { transport, connection } = await all.peer.request();
      expect([how, transport, connection]).toEqual([how, "tcp", 1]);
      expect(all.server.stats()).toMatchObject({ connectionsOpened: 1, byesUndelivered: 0 });
    }
  });

  for (const how of ["reset", "close"] as const) {
    test(`the connection is lost under the BYE, by a ${how}: the same`, async () => {
      using all = await caller();
      const dialog = await all.call({ over: "tcp", contact: `<sip:alice@${all.peer.at};transport=tcp>` });
      all.peer.onRequest = ({ connection }) => (connection === 0 ? how : 200);
      dialog.bye();
      const [first, second] = [await all.peer.request(0), await all.peer.request(1)];
      expect([first.connection, second.connection]).toEqual([0, 1]);
      expect(second.message.branch).not.toBe(first.message.branch);
      expect([second.message.callId, second.message.cseq]).toEqual([first.message.callId, first.message.cseq]);
      expect(all.server.stats().byesUndelivered).toBe(0);
    }, 5000);
  }

  test("nobody is there any more: counted, and one line in the log", async () => {
    using all = await caller();
    const port = await deadPort();
    const dialog = await all.call({ over: "tcp", contact: `<sip:alice@127.0.0.1:${port};transport=tcp>` });
    all.peer.endAll();
    await until("the end of the connection", () => all.server.stats().connections === 0);
    dialog.bye();
    await until("the count", () => all.server.stats().byesUndelivered === 1);
    expect(all.lostByes()).toHaveLength(1);
    expect(String(all.lostByes()[0]!.fields.cause)).toContain(`127.0.0.1:${port}`);
    expect(all.lostByes()[0]!.level).toBe("info");
  });

  test("a BYE that is never answered is counted after 64*T1; one that is refused is not", async () => {
    for (const over of ["udp", "tcp"] as const) {
      using all = await caller("silent");
      (await all.call({ over })).bye();
      await all.peer.request();
      await all.clock.pass(32_000);
      await until("the count", () => all.server.stats().byesUndelivered === 1);
      all.peer.onRequest = () => 481;
      (await all.call({ over })).bye();
      await all.peer.request(1);
      await all.clock.pass(40_000);
      expect(all.server.stats().byesUndelivered).toBe(1);
    }
  });
});

describe("the route set", () => {
  test("a named first route is resolved; Request-URI and Route are as s12.2.1.1 has them", async () => {
    using all = await caller();
    using proxy = await SipServer.start();
    all.dns.a("proxy.test", "127.0.0.1");
    const routes = [`sip:proxy.test:${proxy.port};transport=tcp;lr`, "sip:far.test;lr"];
    (await all.call({ over: "udp", routes })).bye();
    const { message, transport } = await proxy.request();
    expect(transport).toBe("tcp");
    expect(message.uri).toBe(`sip:alice@${all.peer.at}`);
    expect(message.headers("Route")).toEqual(routes.map((uri) => `<${uri}>`));
    expect(all.dns.queries.filter((query) => query.includes("far.test"))).toEqual([]);
  });

  test("a proxy that the call came through over TCP gets the BYE on its connection", async () => {
    using all = await caller();
    const route = `sip:${all.peer.at};transport=tcp;lr`;
    (await all.call({ over: "tcp", routes: [route], contact: "<sip:alice@192.0.2.77>" })).bye();
    const { message, connection } = await all.peer.request();
    expect([message.uri, connection]).toEqual(["sip:alice@192.0.2.77", 0]);
    expect(all.server.stats().connectionsOpened).toBe(0);
  });

  test("one that is elsewhere is gone to, whatever connection the call came on", async () => {
    using all = await caller();
    using proxy = await SipServer.start(200, { host: "127.0.0.2" });
    (await all.call({ over: "tcp", routes: [`sip:${proxy.at};transport=tcp;lr`] })).bye();
    expect((await proxy.request()).transport).toBe("tcp");
    expect(all.peer.requests).toEqual([]);
  });

  test("a strict router by name is gone to, and stands in the Request-URI", async () => {
    using all = await caller();
    using proxy = await SipServer.start();
    all.dns.a("strict.test", "127.0.0.1");
    const strict = `sip:strict.test:${proxy.port}`;
    (await all.call({ over: "udp", routes: [strict, "sip:far.test;lr"] })).bye();
    const { message } = await proxy.request();
    expect(message.uri).toBe(strict);
    expect(message.headers("Route")).toEqual(["<sip:far.test;lr>", `<sip:alice@${all.peer.at}>`]);
  });

  test("a tel URI as remote target goes by its route, and without one by the way the call came", async () => {
    using all = await caller();
    using proxy = await SipServer.start();
    (await all.call({ over: "udp", contact: "<tel:+4930123456>", routes: [`sip:${proxy.at};lr`] })).bye();
    expect((await proxy.request()).message.uri).toBe("tel:+4930123456");
    (await all.call({ over: "tcp", contact: "<tel:+4930123456>" })).bye();
    expect((await all.peer.request()).message.uri).toBe("tel:+4930123456");
  });
});

test("UTF-8 in Contact and Record-Route goes back as it came", async () => {
  using all = await caller();
  // UTF-8, one character an octet.
  const user = "j\xc3\xbcrg";
  const routes = [`sip:${user}@${all.peer.at};lr`];
  (await all.call({ over: "udp", contact: `<sip:${user}@${all.peer.at}>`, routes })).bye();
  const { message } = await all.peer.request();
  expect(message.uri).toBe(`sip:${user}@${all.peer.at}`);
  expect(message.headers("Route")).toEqual(routes.map((uri) => `<${uri}>`));
});

test("calls from one peer over one connection: their BYEs do not open another", async () => {
  using all = await caller();
  const contact = `<sip:alice@${all.peer.at};transport=tcp>`;
  const dialogs: Dialog[] = [];
  for (let i = 0; i < 5; i++) dialogs.push(await all.call({ over: "udp", contact }));
  for (const dialog of dialogs) dialog.bye();
  await all.peer.request(4);
  expect(all.peer.connections).toBe(1);
  const byes = all.peer.requests.map(({ message }) => message.callId);
  expect(byes).toEqual(dialogs.map(({ callId }) => callId));
});
