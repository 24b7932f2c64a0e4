/** Connections that go away in mid-call: what is still to be said is said over a new one (RFC 3261 s18.2.2, s18.4). */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, Dialog, IncomingRequest, RequestFailed } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { briefOf, StreamClient, turns } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

const T1 = 500;
/** Of an answered call the INVITE's transaction stays until timer L, whatever the transport (RFC 6026 s7.1). */
const ACCEPTED = 1;
const LISTENS = { listen: true } as const;

/** A server that rings every call and keeps it, with a caller that can be called back. */
async function ringing() {
  const calls: Call[] = [];
  const peer = await serverAndStream(
    {
      invite(call) {
        calls.push(call);
        call.ring();
      },
    },
    LISTENS,
  );
  return { ...peer, calls, [Symbol.dispose]: () => peer[Symbol.dispose]() };
}

/** The same with the call answered and acknowledged. */
async function established(contact?: string) {
  const dialogs: Dialog[] = [];
  const peer = await serverAndStream({ invite: async (call) => dialogs.push(await call.answer("v=0\r\n")) }, LISTENS);
  const call = await peer.client.invite(contact === undefined ? {} : { contact });
  call.ack();
  await until("the ACK", () => dialogs.length === 1);
  return { ...peer, call, dialog: dialogs[0]!, [Symbol.dispose]: () => peer[Symbol.dispose]() };
}

/** Resets the client's connection and waits until the server has seen it. */
async function reset({ client, server }: Pick<Awaited<ReturnType<typeof serverAndStream>>, "client" | "server">) {
  client.reset();
  await until("the reset", () => server.stats().connections === 0);
}

describe("a response whose connection was lost goes over a new one, to where Via says", () => {
  test("the final response to an INVITE", async () => {
    using peer = await ringing();
    const { client, server, calls } = peer;
    const { invite } = await client.invite({}, 180);
    await reset(peer);
    expect(calls[0]!.signal.aborted).toBe(false);
    calls[0]!.reject(486);
    const refused = await client.next(486, invite);
    expect(client.isOverOwn(refused)).toBe(false);
    expect(client.accepted).toBe(1);
    expect(server.stats()).toMatchObject({ connectionsOpened: 1, connections: 1, undeliverable: 0 });
  });

  test("a 2xx, whose ACK and BYE come over a connection of the caller's choice", async () => {
    using peer = await ringing();
    const { client, server, address, calls } = peer;
    const { invite } = await client.invite({}, 180);
    await reset(peer);
    const answering = calls[0]!.answer("v=0\r\n");
    const answered = await client.next(200, invite);
    using again = await StreamClient.open(address);
    const call = again.call(invite, answered);
    call.ack();
    const dialog = await answering;
    expect((await call.ask("BYE")).status).toBe(200);
    expect(await dialog.ended).toBe("bye");
    expect(server.stats().dialogs).toBe(0);
  });

  test("a 2xx that is sent again", async () => {
    const clock = new FakeClock();
    using peer = await serverAndStream({ clock, invite: (call) => void call.answer("v=0\r\n") }, LISTENS);
    const { client } = peer;
    const { invite, response } = await client.invite();
    await reset(peer);
    await clock.pass(T1);
    const again = await client.next(200, invite);
    expect(again.text).toBe(response.text);
    expect(client.isOverOwn(again)).toBe(false);
    await clock.pass(2 * T1);
    await client.next(200, invite);
    expect(client.accepted).toBe(1);
  });

  test("to the address it came from, with the port of sent-by, whatever its host says", async () => {
    const waiting: IncomingRequest[] = [];
    using peer = await serverAndStream({ message: (request) => waiting.push(request) }, LISTENS);
    const { client } = peer;
    const request = client.request("MESSAGE", { sentBy: `pc33.invalid:${client.port}` });
    await until("the request", () => waiting.length === 1);
    await reset(peer);
    expect(waiting[0]!.reply(200)).toBe(true);
    const answer = await client.next(200, request);
    expect(client.isOverOwn(answer)).toBe(false);
    expect(answer.header("Via")).toEndWith(";received=127.0.0.1");
  });

  test("several for one peer share the new connection, in order", async () => {
    const waiting: IncomingRequest[] = [];
    using peer = await serverAndStream({ message: (request) => waiting.push(request) }, LISTENS);
    const { client, server } = peer;
    const requests = Array.from({ length: 20 }, () => client.request("MESSAGE"));
    await until("the requests", () => waiting.length === 20);
    await reset(peer);
    for (const request of waiting) request.reply(200);
    for (const { callId } of requests) expect((await client.next(200)).callId).toBe(callId);
    expect(client.accepted).toBe(1);
    expect(server.stats()).toMatchObject({ connectionsOpened: 1, transactions: 0 });
  });

  test("an orderly end is no different", async () => {
    using peer = await ringing();
    const { client, server, calls } = peer;
    const { invite } = await client.invite({}, 180);
    client.end();
    await turns(5);
    // Half open: the peer still reads.
    calls[0]!.reject(486);
    expect(client.isOverOwn(await client.next(486, invite))).toBe(true);
    expect(server.stats().connectionsOpened).toBe(0);
  });

  test("where nobody listens: it is given up, and nothing else is harmed", async () => {
    const waiting: IncomingRequest[] = [];
    using peer = await serverAndStream({ message: (request) => waiting.push(request) });
    const { client, server, address } = peer;
    client.request("MESSAGE");
    await until("the request", () => waiting.length === 1);
    await reset(peer);
    waiting[0]!.reply(200);
    await until("the failure", () => server.stats().connectFailures === 1);
    using other = await StreamClient.open(address);
    expect((await other.ask("OPTIONS")).status).toBe(200);
    expect(server.stats()).toMatchObject({ connections: 1, transactions: 0, handlerErrors: 0 });
    expect(peer.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

describe("a call whose connection was lost goes on", () => {
  test("a BYE of the server's goes over a new connection to the Contact", async () => {
    using peer = await established();
    const { client, server, dialog } = peer;
    await reset(peer);
    expect(dialog.isConfirmed).toBe(true);
    dialog.bye();
    const bye = await client.next("BYE");
    expect(client.isOverOwn(bye)).toBe(false);
    client.respond(bye, 200);
    await until("the end of the transaction", () => server.stats().transactions === ACCEPTED);
    expect(server.stats()).toMatchObject({ connectionsOpened: 1, byesUndelivered: 0, transportFailures: 0 });
  });

  test("a BYE of the caller's over another connection ends it, and the answer goes back the same way", async () => {
    using peer = await established();
    const { call, dialog, server, address } = peer;
    await reset(peer);
    using again = await StreamClient.open(address);
    const answer = await again.ask("BYE", call.shape());
    expect(answer.status).toBe(200);
    expect(await dialog.ended).toBe("bye");
    expect(server.stats()).toMatchObject({ dialogs: 0, connectionsOpened: 0 });
  });

  test("after a request over another connection, what the server sends goes over that one", async () => {
    using peer = await established();
    const { call, dialog, address, client } = peer;
    await reset(peer);
    using again = await StreamClient.open(address);
    expect((await again.ask("OPTIONS", call.shape())).status).toBe(200);
    dialog.bye();
    again.respond(await again.next("BYE"), 200);
    expect(client.accepted).toBe(0);
  });

  test("a request under way fails at once, and goes to the Contact over a new connection", async () => {
    using peer = await established();
    const { client, server, dialog } = peer;
    dialog.bye();
    const first = await client.next("BYE");
    expect(client.isOverOwn(first)).toBe(true);
    client.reset();
    const second = await client.next("BYE");
    expect(client.isOverOwn(second)).toBe(false);
    expect([second.callId, second.header("CSeq")]).toEqual([first.callId, first.header("CSeq")!]);
    expect(second.branch).not.toBe(first.branch);
    client.respond(second, 200);
    await until("the end of the transaction", () => server.stats().transactions === ACCEPTED);
    expect(server.stats()).toMatchObject({ transportFailures: 1, byesUndelivered: 0, clientTransactions: 2 });
  });

  test("over a connection whose peer has ended its side no request is sent: nobody could answer there", async () => {
    const dialogs: Dialog[] = [];
    const waiting: IncomingRequest[] = [];
    using peer = await serverAndStream(
      {
        invite: async (call) => dialogs.push(await call.answer("v=0\r\n")),
        message: (request) => waiting.push(request),
      },
      LISTENS,
    );
    const { client, server } = peer;
    const call = await client.invite();
    call.ack();
    // What waits for its answer keeps the connection.
    const message = client.request("MESSAGE");
    client.end();
    await until("the request", () => waiting.length === 1 && dialogs.length === 1);
    await turns(5);
    dialogs[0]!.bye();
    const bye = await client.next("BYE");
    expect(client.isOverOwn(bye)).toBe(false);
    client.respond(bye, 200);
    waiting[0]!.reply(200);
    expect(client.isOverOwn(await client.next(200, message))).toBe(true);
    await until("the end of the transaction", () => server.stats().transactions === ACCEPTED);
    expect(server.stats()).toMatchObject({ byesUndelivered: 0, connectionsOpened: 1 });
  });

  test("a BYE that reaches nobody is counted, at once", async () => {
    using peer = await established("<sip:alice@127.0.0.1:9;transport=tcp>");
    const { server, dialog } = peer;
    await reset(peer);
    dialog.bye();
    await until("the failure", () => server.stats().byesUndelivered === 1);
    expect(server.stats()).toMatchObject({ dialogs: 0, transactions: ACCEPTED, connections: 0, transportFailures: 1 });
    expect(peer.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });
});

test("a request of the server's finds the connection of its target, but not once that has ended its side", async () => {
  const waiting: IncomingRequest[] = [];
  using peer = await serverAndStream({ message: (request) => waiting.push(request) });
  const { client, server } = peer;
  await client.ask("OPTIONS");
  const target = `sip:alice@127.0.0.1:${client.localPort};transport=tcp`;
  const asking = server.request("OPTIONS", target);
  client.respond(await client.next("OPTIONS"), 200);
  expect((await asking).status).toBe(200);
  client.request("MESSAGE");
  client.end();
  await until("the request", () => waiting.length === 1);
  await turns(5);
  // Nobody listens there: to send it over the old connection would be to wait for nothing.
  const cause = await server.request("OPTIONS", target).then(
    () => "answered",
    (error: RequestFailed) => error.cause,
  );
  expect(cause).toBe("unreachable");
  waiting[0]!.reply(200);
  expect((await client.restAtEnd()).map(briefOf)).toEqual([200]);
});

test("a server that is closed while a connection is under way leaves none behind", async () => {
  const waiting: IncomingRequest[] = [];
  using peer = await serverAndStream({ message: (request) => waiting.push(request) }, LISTENS);
  const { client, server } = peer;
  client.request("MESSAGE");
  await until("the request", () => waiting.length === 1);
  await reset(peer);
  waiting[0]!.reply(200);
  server.closeNow();
  await until("the connection to come", () => client.accepted === 1);
  await until("the connection to go", () => client.held === 0);
  expect(server.stats().connections).toBe(0);
});

test("a peer that resets in the middle of a burst harms no other", async () => {
  using peer = await serverAndStream({});
  const { client, server, address } = peer;
  const victims = await Promise.all(Array.from({ length: 20 }, () => StreamClient.open(address)));
  for (const victim of victims) {
    victim.send(Array.from({ length: 50 }, () => victim.text("OPTIONS")).join(""));
    victim.reset();
  }
  for (let n = 0; n < 20; n++) expect((await client.ask("OPTIONS")).status).toBe(200);
  await until("the others to be gone", () => server.stats().connections === 1);
  expect((await client.rest()).map(briefOf)).toEqual([]);
  expect(peer.log.lines.filter(({ level }) => level === "error")).toEqual([]);
});
