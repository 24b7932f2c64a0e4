/** What the transport promises, seen from a peer: no message lost on this side, whatever its length and its company. */
import { describe, expect, test } from "bun:test";
import type { ServeOptions } from "../../src/index.ts";
import { requestText } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

/** Requests in flight at once: as many as the system's smallest receive buffer holds. */
const WINDOW = 100;
const ROUNDS = 15;

/** Keeps the processor busy. */
function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe.each([
  { how: "with a budget of 1 ms", udp: { native: true, floodBudget: 1 }, pauses: true },
  { how: "without native code", udp: { native: false }, pauses: false },
])("$how", ({ udp, pauses }) => {
  test("every one of so many OPTIONS is answered, once and in order", async () => {
    using running = await testServer({
      udp,
      limits: { transactions: WINDOW * ROUNDS },
      options(request) {
        spin(0.2);
        request.reply(200);
      },
    });
    using client = await WireClient.open(running.address);
    for (let round = 0; round < ROUNDS; round++) {
      const wanted = Array.from({ length: WINDOW }, (_, n) =>
        client.request("OPTIONS", { cseq: round * WINDOW + n + 1 }),
      );
      const answered: number[] = [];
      while (answered.length < WINDOW) answered.push((await client.next(200)).cseq);
      expect(answered).toEqual(wanted.map(({ cseq }) => cseq));
    }
    expect(await client.restBrief()).toEqual([]);
    const { messagesReceived, messagesSent, floodPauses, retransmissionsReceived } = running.server.stats();
    // The probe that restBrief() sends is one more.
    expect({ messagesReceived, messagesSent }).toEqual({
      messagesReceived: WINDOW * ROUNDS + 1,
      messagesSent: WINDOW * ROUNDS + 1,
    });
    expect(retransmissionsReceived).toBe(0);
    // 20 ms of work a round, in budgets of 1 ms that are looked at after each eighth message.
    if (pauses) expect(floodPauses).toBeGreaterThan(ROUNDS);
    else expect(floodPauses).toBe(0);
  }, 20_000);

  test("the process's other work is done, between the messages where the guard can see to it", async () => {
    let handled = 0;
    let before = 0;
    using running = await testServer({
      udp,
      options(request) {
        spin(2);
        handled++;
        request.reply(200);
      },
    });
    await using http = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch() {
        before = handled;
        return new Response("ok");
      },
    });
    using client = await WireClient.open(running.address);
    const all = Array.from({ length: WINDOW }, () => client.request("OPTIONS"));
    const page = await fetch(http.url);
    expect(await page.text()).toBe("ok");
    for (const request of all) await client.next(200, request);
    if (pauses) expect(before).toBeLessThan(WINDOW);
  }, 20_000);
});

describe("long messages", () => {
  test("an OPTIONS of 60,000 octets is answered", async () => {
    using running = await testServer();
    using client = await WireClient.open(running.address);
    const { status } = await client.ask("OPTIONS", { body: "v=0\r\n".repeat(12_000) });
    expect(status).toBe(200);
  });

  test("an answer of 60,000 octets comes whole", async () => {
    const body = "v=0\r\n".repeat(12_000);
    using running = await testServer({
      options: (request) => request.reply(200, { body, contentType: "application/sdp" }),
    });
    using client = await WireClient.open(running.address);
    const answer = await client.ask("OPTIONS");
    expect(answer.body).toBe(body);
  });

  test("an answer that is too long for a datagram is counted, 500 goes in its place, and the next one comes", async () => {
    const handlers: ServeOptions = {
      options: (request) => request.reply(200, { body: "x".repeat(70_000), contentType: "text/plain" }),
      info: (request) => request.reply(200),
    };
    using running = await testServer(handlers);
    using client = await WireClient.open(running.address);
    expect((await client.ask("OPTIONS")).startLine).toBe("SIP/2.0 500 Response Too Large For UDP");
    expect((await client.ask("INFO")).status).toBe(200);
    expect(running.server.stats()).toMatchObject({ messagesReceived: 2, messagesSent: 2, sendDropped: 1 });
  });
});

describe("line ends and keep-alives", () => {
  test("before a request are passed over (RFC 3261 s7.5)", async () => {
    using running = await testServer();
    using client = await WireClient.open(running.address);
    const text = requestText("OPTIONS", { sentBy: client.sentBy });
    client.send(`\r\n\r\n${text}`);
    expect((await client.next(200)).status).toBe(200);
  });

  test("alone are not answered over UDP, nor counted as messages", async () => {
    using running = await testServer();
    using client = await WireClient.open(running.address);
    const stun = new Uint8Array(20);
    stun.set([0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
    const keepAlives = ["\r\n\r\n", "\r\n", "\0", "", stun];
    for (const octets of keepAlives) client.send(octets);
    expect(await client.restBrief()).toEqual([]);
    expect(running.server.stats()).toMatchObject({
      keepAlives: keepAlives.length,
      messagesReceived: 1,
      messagesSent: 1,
      malformed: 0,
    });
  });
});

test("a server that is closed while it is flooded leaves its port free at once", async () => {
  for (let n = 0; n < 5; n++) {
    const closed = Promise.withResolvers<void>();
    using running = await testServer({
      udp: { floodBudget: 1 },
      options(request) {
        spin(0.5);
        request.reply(200);
        if (running.server.stats().floodPauses <= 1) return;
        running.server.closeNow();
        closed.resolve();
      },
    });
    const { address } = running;
    using client = await WireClient.open(address);
    for (let m = 0; m < WINDOW; m++) client.request("OPTIONS");
    await closed.promise;
    using again = await testServer({ listen: `udp://127.0.0.1:${address.port}` });
    using other = await WireClient.open(again.address);
    expect((await other.ask("OPTIONS")).status).toBe(200);
  }
}, 20_000);
