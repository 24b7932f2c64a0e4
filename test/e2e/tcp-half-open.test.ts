/** A peer that ends its side of a connection: it sends no more, and is sent what it asked for. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, IncomingRequest } from "../../src/index.ts";
import { DEFAULT_STREAMS } from "../../src/transport/settings.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { briefOf, turns } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const T1 = 500;

describe("a peer that ends its side", () => {
  test("still gets the answers to all it asked, and then the end", async () => {
    const waiting: IncomingRequest[] = [];
    using peer = await serverAndStream({ message: (request) => waiting.push(request) });
    const { client, server } = peer;
    client.send(client.text("OPTIONS") + client.text("MESSAGE") + client.text("MESSAGE"));
    client.end();
    await client.next(200);
    await until("the requests", () => waiting.length === 2);
    waiting[1]!.reply(202);
    await client.next(202);
    await turns(5);
    expect(server.stats().connections).toBe(1);
    waiting[0]!.reply(200);
    expect((await client.restAtEnd()).map(briefOf)).toEqual([200]);
    expect(server.stats()).toMatchObject({ connections: 0, transactions: 0, idleTimeouts: 0, connectionsOpened: 0 });
  });

  test("an INVITE that is answered later", async () => {
    const calls: Call[] = [];
    using peer = await serverAndStream({
      invite(call) {
        call.ring();
        calls.push(call);
      },
    });
    const { client, server } = peer;
    client.request("INVITE");
    client.end();
    await client.next(180);
    await turns(5);
    expect(server.stats().connections).toBe(1);
    calls[0]!.reject(486);
    expect((await client.restAtEnd()).map(briefOf)).toEqual([486]);
    expect(server.stats().connections).toBe(0);
  });

  test("with nothing asked: the end at once", async () => {
    using peer = await serverAndStream({});
    peer.client.end();
    expect(await peer.client.restAtEnd()).toEqual([]);
    await until("the connection to be gone", () => peer.server.stats().connections === 0);
  });

  test("in the middle of a message: the end, without a word", async () => {
    using peer = await serverAndStream({});
    peer.client.send(peer.client.text("OPTIONS").slice(0, 100));
    peer.client.end();
    expect(await peer.client.restAtEnd()).toEqual([]);
    await until("the connection to be gone", () => peer.server.stats().connections === 0);
  });

  test("a request that is never answered does not hold the connection beyond its transaction", async () => {
    const clock = new FakeClock();
    using peer = await serverAndStream({ clock, message: () => {} });
    const { client, server } = peer;
    client.request("MESSAGE");
    client.end();
    await until("the request", () => server.stats().transactions === 1);
    await clock.pass(32 * T1);
    await clock.pass(32 * T1 + 10);
    await until("the end of the transaction", () => server.stats().transactions === 0);
    // Long before it would have been idle for too long.
    await clock.pass(DEFAULT_STREAMS.messageTimeout);
    await until("the connection to be gone", () => server.stats().connections === 0);
    expect((await client.restAtEnd()).map(briefOf)).toEqual([100]);
  });
});
