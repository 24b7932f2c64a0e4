/** Requests of ours over connections: one is used by all, and when it is lost all that wait on it are told at once. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ServeOptions } from "../../src/index.ts";
import { CERTIFICATES } from "../support/certificates.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { failureOf } from "../support/request-failure.ts";
import { deadPort, SipServer } from "../support/sip-server.ts";
import { testServer } from "../support/test-server.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** A server whose clock stands still: nothing happens by a time-out unless the test moves it. */
async function standing(options: ServeOptions = {}) {
  const clock = new FakeClock();
  const running = await testServer({ listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], clock, ...options });
  return {
    clock,
    server: running.server,
    log: running.log,
    [Symbol.dispose]() {
      running[Symbol.dispose]();
    },
  };
}

describe("a connection is used again", () => {
  test("100 requests at once, and 100 one after the other, make one connection", async () => {
    using peer = await SipServer.start();
    using all = await standing();
    const ask = () => all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`);
    await Promise.all(Array.from({ length: 100 }, ask));
    for (let i = 0; i < 100; i++) await ask();
    expect(peer.connections).toBe(1);
    expect(new Set(peer.requests.map(({ message }) => message.branch)).size).toBe(200);
    expect(new Set(peer.requests.map(({ message }) => message.callId)).size).toBe(200);
    expect(all.server.stats()).toMatchObject({ connectionsOpened: 1, connections: 1, clientTransactions: 200 });
  });

  test("after it was closed the next request makes another", async () => {
    for (const how of ["close", "reset"] as const) {
      using peer = await SipServer.start();
      using all = await standing();
      const ask = () => all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`);
      await ask();
      peer.endAll(how);
      await until("the end of the connection", () => all.server.stats().connections === 0);
      await ask();
      expect(peer.requests.map(({ connection }) => connection)).toEqual([0, 1]);
      expect(all.server.stats().connectionsOpened).toBe(2);
    }
  });

  test("after it was idle for its time the next request makes another", async () => {
    using peer = await SipServer.start();
    using all = await standing({ streams: { idleTimeout: 60_000 } });
    const ask = () => all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`);
    await ask();
    for (let s = 0; s <= 61; s++) await all.clock.pass(1000);
    await until("the end of the connection", () => peer.open.size === 0);
    await ask();
    expect(peer.connections).toBe(2);
    expect(all.server.stats().idleTimeouts).toBe(1);
  });

  test("it is not closed as idle while a request waits for its answer", async () => {
    using peer = await SipServer.start("silent");
    using all = await standing({ streams: { idleTimeout: 2000 } });
    const asked = all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`);
    const request = await peer.request();
    for (let s = 0; s < 30; s++) await all.clock.pass(1000);
    request.react(200);
    expect((await asked).status).toBe(200);
    expect(peer.connections).toBe(1);
  });

  test("other ports and other addresses are other connections", async () => {
    using one = await SipServer.start();
    using two = await SipServer.start();
    using three = await SipServer.start(200, { host: "127.0.0.2" });
    using all = await standing();
    for (const { at } of [one, two, three, one, two, three]) {
      await all.server.request("OPTIONS", `sip:${at};transport=tcp`);
    }
    expect([one, two, three].map(({ connections }) => connections)).toEqual([1, 1, 1]);
  });

  test("the ceiling on connections: the request fails alone, those that are open are used", async () => {
    using one = await SipServer.start();
    using two = await SipServer.start();
    using all = await standing({ streams: { connections: 1 } });
    await all.server.request("OPTIONS", `sip:${one.at};transport=tcp`);
    const failure = await failureOf(all.server.request("OPTIONS", `sip:${two.at};transport=tcp`));
    expect(failure).toMatchObject({ cause: "unreachable", status: 503 });
    expect(failure.message).toContain(two.at);
    expect((await all.server.request("OPTIONS", `sip:${one.at};transport=tcp`)).status).toBe(200);
  });
});

describe("a connection is lost", () => {
  // The clock stands still, so it is the loss that tells, not a time-out.
  for (const how of ["reset", "close"] as const) {
    test(`all requests that wait on it fail at once, those on others are not touched: ${how}`, async () => {
      using lost = await SipServer.start("silent");
      using other = await SipServer.start("silent");
      using all = await standing();
      const ask = ({ at }: SipServer) => all.server.request("OPTIONS", `sip:${at};transport=tcp`);
      const failures = Array.from({ length: 20 }, () => failureOf(ask(lost)));
      const waiting = Array.from({ length: 5 }, () => ask(other));
      await lost.request(19);
      await other.request(4);
      lost.endAll(how);
      for (const failure of await Promise.all(failures)) {
        expect(failure).toMatchObject({ cause: "unreachable", status: 503 });
        expect(failure.message).toContain(`${lost.at} (tcp)`);
      }
      expect(all.server.stats()).toMatchObject({ transportFailures: 20, transactions: 5, connections: 1 });
      for (const { react } of other.requests) react(200);
      for (const { status } of await Promise.all(waiting)) expect(status).toBe(200);
    }, 5000);
  }

  test("one that the peer closes for its part is not used for requests any more", async () => {
    using peer = await SipServer.start(({ connection }) => (connection === 0 ? "close" : 200));
    using all = await standing();
    const ask = () => all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`);
    const first = ask().catch(() => {});
    await peer.request();
    // Whether or not the connection is closed on this side as well.
    await until("the connection's end", () => all.server.stats().connections === 0, 300).catch(() => {});
    expect((await ask()).status).toBe(200);
    expect(peer.connections).toBe(2);
    await first;
  }, 5000);

  test("it was answered before it was lost: nothing fails", async () => {
    using peer = await SipServer.start([200, "close"]);
    using all = await standing();
    for (let i = 0; i < 10; i++) {
      expect((await all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`)).status).toBe(200);
      await until("the end of the connection", () => all.server.stats().connections === 0);
    }
    expect(all.server.stats().transportFailures).toBe(0);
  });

  test("octets that are no SIP: the connection is closed, and the request fails", async () => {
    const garbage = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.write("\x00\x01 no SIP at all\r\n\r\n") },
    });
    using all = await standing();
    const uri = `sip:127.0.0.1:${garbage.port};transport=tcp`;
    expect((await failureOf(all.server.request("OPTIONS", uri))).cause).toBe("unreachable");
    expect(all.server.stats().unframed).toBe(1);
    garbage.stop(true);
  });
});

describe("a connection cannot be made", () => {
  test("nobody listens: the request fails at once, and names whom it was for", async () => {
    using all = await standing();
    const port = await deadPort();
    const failure = await failureOf(all.server.request("OPTIONS", `sip:127.0.0.1:${port};transport=tcp`));
    expect(failure).toMatchObject({ cause: "unreachable", status: 503 });
    expect(failure.message).toContain(`127.0.0.1:${port} (tcp)`);
    expect(all.server.stats()).toMatchObject({ connectFailures: 1, connections: 0, transactions: 0 });
  });

  test("it takes longer than connectTimeout", async () => {
    // It takes the connection and never says a word of the TLS handshake.
    using peer = await SipServer.start("silent");
    using all = await standing({ streams: { connectTimeout: 3000 }, tls: { ca: [CERTIFICATES.server.certificate] } });
    let isOver = false;
    const asked = failureOf(all.server.request("OPTIONS", `sips:${peer.at}`)).finally(() => {
      isOver = true;
    });
    await until("the connection", () => peer.open.size === 1);
    await all.clock.pass(2900);
    expect(isOver).toBe(false);
    await all.clock.pass(150);
    expect((await asked).message).toContain(`${peer.at} (tls)`);
    expect(all.server.stats()).toMatchObject({ connectFailures: 1, connections: 0 });
    await until("the end of the connection", () => peer.open.size === 0);
  });

  test("everything that was sent on it meanwhile fails, and each request once", async () => {
    using all = await standing();
    const uri = `sip:127.0.0.1:${await deadPort()};transport=tcp`;
    const failures = await Promise.all(Array.from({ length: 50 }, () => failureOf(all.server.request("OPTIONS", uri))));
    expect(failures.map(({ cause }) => cause)).toEqual(new Array(50).fill("unreachable"));
    expect(all.server.stats()).toMatchObject({ connectFailures: 1, transportFailures: 50 });
  });
});

describe("a burst that is more than may wait for a connection", () => {
  // Each of these goes out in a write of its own before the turn is over.
  const body = "x".repeat(40_000);
  const settings = { streams: { writeQueue: 200_000 } };

  test("while it opens: each request fails by itself, and the server goes on", async () => {
    using peer = await SipServer.start();
    using all = await standing(settings);
    const outcomes = Array.from({ length: 20 }, () =>
      failureOf(
        (async () =>
          all.server.request("MESSAGE", `sip:${peer.at};transport=tcp`, { body, contentType: "text/plain" }))(),
      ).then(
        ({ cause }) => cause,
        (error: Error) => error.message,
      ),
    );
    for (const outcome of await Promise.all(outcomes)) expect(["unreachable", "Answered: 200"]).toContain(outcome);
    expect(all.server.stats().writeOverflows).toBeGreaterThan(0);
    expect((await all.server.request("OPTIONS", `sip:${peer.at};transport=tcp`)).status).toBe(200);
    await all.clock.pass(10);
    expect(all.server.stats().transactions).toBe(0);
  });

  test("to a peer that does not read: the same", async () => {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => socket.pause(), data() {} },
    });
    using all = await standing(settings);
    const uri = `sip:127.0.0.1:${listener.port};transport=tcp`;
    const outcomes: Promise<string>[] = [];
    for (let turn = 0; turn < 100 && all.server.stats().writeOverflows === 0; turn++) {
      for (let i = 0; i < 8; i++) {
        const asked = (async () => all.server.request("MESSAGE", uri, { body, contentType: "text/plain" }))();
        outcomes.push(
          failureOf(asked).then(
            ({ cause }) => cause,
            (error: Error) => error.message,
          ),
        );
      }
      await Bun.sleep(1);
    }
    expect(all.server.stats().writeOverflows).toBe(1);
    // What came after the overflow waits on a connection of its own.
    all.server.closeNow();
    const seen = new Set(await Promise.all(outcomes));
    expect([...seen].filter((cause) => cause !== "unreachable" && cause !== "closed")).toEqual([]);
    listener.stop(true);
  });
});
