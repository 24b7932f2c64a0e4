/** `server.request()`: what is sent, what comes back, and what is refused before anything is sent. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type RequestOptions, type ServeOptions, Uri } from "../../src/index.ts";
import { DnsServer } from "../support/dns-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { failureOf } from "../support/request-failure.ts";
import { SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const both = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"];

async function serverAndPeer(options: ServeOptions = {}) {
  const peer = await SipServer.start();
  const running = await testServer({ listen: both, ...options });
  return {
    peer,
    server: running.server,
    log: running.log,
    [Symbol.dispose]() {
      running[Symbol.dispose]();
      peer[Symbol.dispose]();
    },
  };
}

describe("the request", () => {
  test("has what RFC 3261 s8.1.1 asks for, by default", async () => {
    using all = await serverAndPeer();
    await all.server.request("OPTIONS", `sip:bob@${all.peer.at};x=y`);
    const { message } = all.peer.requests[0]!;
    expect(message.startLine).toBe(`OPTIONS sip:bob@${all.peer.at};x=y SIP/2.0`);
    const { port } = all.server.addresses[0]!;
    expect(message.headers("Via")).toHaveLength(1);
    expect(message.header("Via")).toMatch(
      new RegExp(`^SIP/2\\.0/UDP 127\\.0\\.0\\.1:${port};rport;branch=z9hG4bK\\w{16}$`),
    );
    expect(message.header("Max-Forwards")).toBe("70");
    expect(message.header("From")).toMatch(/^<sip:127\.0\.0\.1>;tag=\w{8,}$/);
    expect(message.header("To")).toBe(`<sip:bob@${all.peer.at};x=y>`);
    expect(message.callId).toMatch(/^\w{16,}$/);
    expect(message.header("CSeq")).toBe("1 OPTIONS");
    expect(message.header("Content-Length")).toBe("0");
    expect(message.body).toBe("");
    for (const name of ["Route", "Contact", "Content-Type"]) expect(message.header(name)).toBeUndefined();
  });

  test("takes From, To, header fields and a body", async () => {
    using all = await serverAndPeer();
    await all.server.request("MESSAGE", Uri.parse(`sip:bob@${all.peer.at}`)!, {
      from: '"Alice" <sip:alice@example.com>',
      to: "sip:bob@example.com",
      headers: { Subject: "Hello", "X-Many": ["1", "2"] },
      body: "grüß dich",
      contentType: "text/plain;charset=utf-8",
    });
    const { message } = all.peer.requests[0]!;
    expect(message.header("From")).toMatch(/^"Alice" <sip:alice@example\.com>;tag=\w+$/);
    expect(message.header("To")).toBe("<sip:bob@example.com>");
    expect(message.header("Subject")).toBe("Hello");
    expect(message.headers("X-Many")).toEqual(["1", "2"]);
    expect(message.header("Content-Type")).toBe("text/plain;charset=utf-8");
    expect(Buffer.from(message.body, "latin1").toString("utf-8")).toBe("grüß dich");
  });

  test("a body of octets goes as it is", async () => {
    using all = await serverAndPeer();
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    await all.server.request("INFO", `sip:${all.peer.at};transport=tcp`, { body });
    const { message } = all.peer.requests[0]!;
    expect([...Buffer.from(message.body, "latin1")]).toEqual([...body]);
    expect(message.header("Content-Type")).toBe("application/sdp");
  });

  test("any method that is a token", async () => {
    using all = await serverAndPeer();
    for (const method of ["REGISTER", "PUBLISH", "foo", "X-~!%*_+`'.1"]) {
      expect((await all.server.request(method, `sip:${all.peer.at}`)).status).toBe(200);
      expect(all.peer.requests.at(-1)!.message.header("CSeq")).toBe(`1 ${method}`);
    }
  });

  test("a route is a loose one, whatever is said of it", async () => {
    using all = await serverAndPeer();
    for (const [given, sent] of [
      ["", ";lr"],
      [";lr", ";lr"],
      [";transport=udp;lr", ";transport=udp;lr"],
      [";lr;x=1", ";x=1;lr"],
      [";lr=on", ";lr"],
      [";lr-x=1", ";lr-x=1;lr"],
    ] as const) {
      await all.server.request("OPTIONS", "sip:bob@nobody.test", { route: `sip:p@${all.peer.at}${given}` });
      const [route, ...more] = all.peer.requests.at(-1)!.message.headers("Route");
      expect(more).toEqual([]);
      const uri = Uri.parse(/^<([^>]*)>$/.exec(route ?? "")?.[1] ?? "");
      expect([given, uri?.lr, uri?.host, uri?.port]).toEqual([given, true, "127.0.0.1", all.peer.port]);
      if (!given.startsWith(";lr=")) expect([given, route]).toEqual([given, `<sip:p@${all.peer.at}${sent}>`]);
    }
  });

  test("headers of the URI stand neither in the Request-URI nor in To (s19.1.1, s19.1.5), nor those of a route in Route", async () => {
    using all = await serverAndPeer();
    const uri = `sip:bob@${all.peer.at};x=y`;
    await all.server.request("OPTIONS", `${uri}?Subject=hi&Priority=urgent`, { route: `sip:${all.peer.at}?X=y` });
    const { message } = all.peer.requests[0]!;
    expect([message.uri, message.header("To")]).toEqual([uri, `<${uri}>`]);
    expect(message.headers("Route")).toEqual([`<sip:${all.peer.at};lr>`]);
  });

  test("another scheme goes by a route", async () => {
    using all = await serverAndPeer();
    await all.server.request("OPTIONS", "tel:+4930123456", { route: `sip:${all.peer.at}` });
    expect(all.peer.requests[0]!.message.uri).toBe("tel:+4930123456");
    expect(() => all.server.request("OPTIONS", "tel:+4930123456")).toThrow(TypeError);
  });
});

describe("the response", () => {
  test("resolves with the final one, whatever its status, with its headers and body", async () => {
    using all = await serverAndPeer();
    for (const status of [200, 202, 302, 404, 486, 500, 603]) {
      all.peer.onRequest = () => [
        100,
        183,
        { status, headers: ["X-Many: 1", "x-many: 2", "s: compact", `Contact: <sip:${status}@127.0.0.1>`] },
      ];
      const response = await all.server.request("OPTIONS", `sip:${all.peer.at}`);
      expect([response.status, response.reason]).toEqual([status, "Whatever"]);
      expect(response.headers("X-MANY")).toEqual(["1", "2"]);
      expect([response.header("Subject"), response.header("s")]).toEqual(["compact", "compact"]);
      expect(response.header("Nothing")).toBeUndefined();
      expect(response.headers("Nothing")).toEqual([]);
      expect(response.body).toEqual(new Uint8Array(0));
    }
  });

  test("stays what it was, whatever comes after it", async () => {
    using all = await serverAndPeer();
    all.peer.onRequest = ({ message }) => ({ status: 200, headers: [`X-For: ${message.callId}`] });
    for (const transport of ["udp", "tcp"]) {
      const responses = await Promise.all(
        Array.from({ length: 30 }, () => all.server.request("OPTIONS", `sip:${all.peer.at};transport=${transport}`)),
      );
      for (const response of responses) expect(response.header("X-For")).toBe(response.header("Call-ID")!);
      expect(new Set(responses.map((response) => response.header("X-For"))).size).toBe(30);
    }
  });

  test("from another server of this kind, on every transport", async () => {
    using all = await serverAndPeer();
    using other = await testServer({
      listen: both,
      message: (request) => request.reply(202, { body: request.body, contentType: "text/plain", reason: "Well" }),
    });
    for (const { transport, port } of other.server.addresses) {
      const uri = `sip:127.0.0.1:${port};transport=${transport}`;
      const response = await all.server.request("MESSAGE", uri, { body: `by ${transport}` });
      expect([response.status, response.reason]).toEqual([202, "Well"]);
      expect(Buffer.from(response.body).toString()).toBe(`by ${transport}`);
      expect(response.header("Via")).toContain(`SIP/2.0/${transport.toUpperCase()} `);
    }
  });

  test("one to itself", async () => {
    using all = await serverAndPeer();
    for (const { transport, port } of all.server.addresses) {
      const uri = `sip:127.0.0.1:${port};transport=${transport}`;
      expect((await all.server.request("OPTIONS", uri)).status).toBe(200);
    }
  });
});

describe("what cannot stand in a request is a TypeError, and nothing is sent", () => {
  test("methods of calls, and what is no method", async () => {
    using all = await serverAndPeer();
    for (const method of ["INVITE", "ACK", "BYE", "CANCEL", "PRACK", "UPDATE", "", "A B", "A\r\nB", "A:", "ä", "Ł"]) {
      expect(() => all.server.request(method, `sip:${all.peer.at}`)).toThrow(TypeError);
    }
    await all.server.request("OPTIONS", `sip:${all.peer.at}`);
    expect(all.peer.brief).toEqual(["udp OPTIONS"]);
  });

  test("URIs", async () => {
    using all = await serverAndPeer();
    for (const uri of [
      "",
      "bob",
      "sip:",
      "sip:bob@",
      `sip:${all.peer.at}\r\nX: y`,
      `sip:${all.peer.at} SIP/2.0`,
      "<sip:a@b>",
    ]) {
      expect(() => all.server.request("OPTIONS", uri)).toThrow(TypeError);
    }
    const good = `sip:${all.peer.at}`;
    for (const route of ["", "bob", `${good}\r\nX: y`, `${good}> x`, "tel:+1"]) {
      expect(() => all.server.request("OPTIONS", good, { route })).toThrow(TypeError);
    }
  });

  test("line ends in From, To, header fields and Content-Type", async () => {
    using all = await serverAndPeer();
    const evil = "<sip:a@b>\r\nX-Evil: 1";
    const wrong: RequestOptions[] = [
      { from: evil },
      { to: evil },
      { from: "sip:a@b\nX-Evil: 1" },
      { headers: { Subject: evil } },
      { headers: { "X\r\nX-Evil": "1" } },
      { headers: { "X Y": "1" } },
      { contentType: evil, body: "x" },
    ];
    for (const options of wrong) {
      expect(() => all.server.request("OPTIONS", `sip:${all.peer.at}`, options)).toThrow(TypeError);
    }
    await all.server.request("OPTIONS", `sip:${all.peer.at}`);
    expect(all.peer.requests.map(({ message }) => message.text).join()).not.toContain("X-Evil");
    expect(all.peer.requests).toHaveLength(1);
  });
});

test("the ceiling on transactions: the request fails as overloaded, and those before it do not", async () => {
  for (const transport of ["udp", "tcp"]) {
    using all = await serverAndPeer({ limits: { transactions: 4 } });
    all.peer.onRequest = () => "silent";
    const uri = `sip:${all.peer.at};transport=${transport}`;
    const asked = Array.from({ length: 4 }, () => all.server.request("OPTIONS", uri));
    expect(await failureOf(all.server.request("OPTIONS", uri))).toMatchObject({ cause: "overloaded", status: 503 });
    expect(all.server.stats()).toMatchObject({ overloaded: 1, transactions: 4 });
    await all.peer.request(3);
    for (const { react } of all.peer.requests) react(200);
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200);
    expect(all.peer.brief).toHaveLength(4);
  }
});

describe("the server ends while requests wait", () => {
  test("closeNow(): they fail as closed, over whatever transport, and nothing is tried elsewhere", async () => {
    for (const transport of ["udp", "tcp"] as const) {
      using dns = await DnsServer.start();
      using peer = await SipServer.start("silent");
      using next = await SipServer.start();
      dns
        .srv(`_sip._${transport}.carrier.test`, { target: "a.test", port: peer.port, priority: 1 })
        .srv(`_sip._${transport}.carrier.test`, { target: "a.test", port: next.port, priority: 2 })
        .a("a.test", "127.0.0.1");
      using running = await testServer({ listen: both, resolve: { nameservers: [dns.address] } });
      const failures = Array.from({ length: 5 }, () =>
        failureOf(running.server.request("OPTIONS", `sip:carrier.test;transport=${transport}`)),
      );
      await peer.request(4);
      running.server.closeNow();
      for (const failure of await Promise.all(failures)) {
        expect([transport, failure.cause, failure.status]).toEqual([transport, "closed", 503]);
      }
      await until("the end of all connections", () => peer.open.size === 0);
      expect([next.connections, next.requests.length]).toEqual([0, 0]);
    }
  });

  test("closeNow() while a connection is being made", async () => {
    using peer = await SipServer.start("silent");
    using running = await testServer({ listen: both });
    const asked = failureOf(running.server.request("OPTIONS", `sip:${peer.at};transport=tcp`));
    running.server.closeNow();
    expect((await asked).cause).toBe("closed");
    await Bun.sleep(50);
    await until("the end of all connections", () => peer.open.size === 0);
    expect(peer.requests).toEqual([]);
  });

  test("closeNow() while a name is looked up: it fails at once, and nothing is sent when the answer comes", async () => {
    using dns = await DnsServer.start();
    using peer = await SipServer.start();
    dns.misbehave("A", "slow.test", { delay: 150 }).a("slow.test", "127.0.0.1");
    using running = await testServer({ listen: both, resolve: { nameservers: [dns.address] } });
    const asked = ["udp", "tcp"].map((transport) =>
      failureOf(running.server.request("OPTIONS", `sip:slow.test:${peer.port};transport=${transport}`)),
    );
    await until("the query", () => dns.count("A", "slow.test") > 0);
    running.server.closeNow();
    const outcome = await Promise.race([Promise.all(asked), Bun.sleep(100).then(() => null)]);
    expect(outcome?.map(({ cause }) => cause)).toEqual(["closed", "closed"]);
    await Bun.sleep(200);
    expect([peer.connections, peer.requests.length]).toEqual([0, 0]);
  }, 5000);

  test("stop() waits for the answer", async () => {
    using peer = await SipServer.start("silent");
    using running = await testServer({ listen: both });
    const asked = running.server.request("OPTIONS", `sip:${peer.at};transport=tcp`);
    const request = await peer.request();
    const stopping = running.server.stop({ graceMs: 15_000 });
    request.react(200);
    expect((await asked).status).toBe(200);
    await stopping;
  });

  test("stop() waits for a request whose name is being looked up", async () => {
    using dns = await DnsServer.start();
    using peer = await SipServer.start();
    dns.misbehave("A", "slow.test", { delay: 100 }).a("slow.test", "127.0.0.1");
    using running = await testServer({ listen: both, resolve: { nameservers: [dns.address] } });
    const asked = running.server.request("OPTIONS", `sip:slow.test:${peer.port}`);
    await until("the query", () => dns.count("A", "slow.test") > 0);
    const stopping = running.server.stop({ graceMs: 15_000 });
    expect((await asked).status).toBe(200);
    await stopping;
  }, 5000);

  test("stop() gives them up when the grace is over, and after it no request is taken", async () => {
    using peer = await SipServer.start("silent");
    using running = await testServer({ listen: both });
    const asked = ["udp", "tcp"].map((transport) =>
      failureOf(running.server.request("OPTIONS", `sip:${peer.at};transport=${transport}`)),
    );
    await peer.request(1);
    await running.server.stop({ graceMs: 50 });
    for (const failure of await Promise.all(asked)) expect(failure.cause).toBe("closed");
    const { length } = peer.requests;
    expect(await failureOf(running.server.request("OPTIONS", `sip:${peer.at}`))).toMatchObject({
      cause: "closed",
      status: 503,
    });
    expect(peer.requests).toHaveLength(length);
  });
});

test("a request that is never answered fails as 408 after 64*T1, and its transaction is given back", async () => {
  const clock = new FakeClock();
  using all = await serverAndPeer({ clock });
  all.peer.onRequest = () => "silent";
  const asked = failureOf(all.server.request("OPTIONS", `sip:${all.peer.at}`));
  await all.peer.request();
  await clock.pass(32_000);
  expect(await asked).toMatchObject({ cause: "timeout", status: 408 });
  expect((await asked).message).toContain(`${all.peer.at} (udp)`);
  expect(all.server.stats()).toMatchObject({ transactions: 0, timers: 0, timeouts: 1 });
});
