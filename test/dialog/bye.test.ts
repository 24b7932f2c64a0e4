/** Requests that this side sends in a dialog: RFC 3261 s12.2.1.1, s15.1.1. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Call, Dialog, DialogEnd, DialogHandlers } from "../../src/index.ts";
import { FakeClock } from "../support/fake-clock.ts";
import type { RequestShape } from "../support/sip-messages.ts";
import { testServer } from "../support/test-server.ts";
import { ClientCall, WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

/** A server with one answered call, and the peer that made it. */
async function established(shape: (client: WireClient) => RequestShape = () => ({}), handlers?: DialogHandlers) {
  const clock = new FakeClock();
  const { promise, resolve } = Promise.withResolvers<Dialog>();
  const running = await testServer({
    clock,
    invite(call) {
      void call.answer("v=0\r\n", handlers).then(resolve);
    },
  });
  const client = await WireClient.open(running.address);
  const call = await client.invite(shape(client));
  call.ack();
  return {
    clock,
    client,
    call,
    dialog: await promise,
    server: running.server,
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

describe("BYE", () => {
  test("carries the dialog's identity, seen from this side", async () => {
    using peer = await established(() => ({
      from: '"Alice, \\"A\\"" <sip:alice@example.com>;tag=a-tag;x=y',
      to: "Bob <sip:bob@example.com>;p=q",
    }));
    const { client, call, dialog } = peer;
    dialog.bye();
    const bye = await client.next("BYE");
    const { invite, response } = call;
    expect(bye.startLine).toBe(`BYE sip:alice@${client.sentBy} SIP/2.0`);
    expect(bye.header("From")).toBe(response.header("To"));
    expect(bye.fromTag).toBe(response.toTag);
    expect(bye.header("To")).toBe(invite.header("From"));
    expect(bye.callId).toBe(invite.callId);
    expect(bye.header("CSeq")).toMatch(/^\d+ BYE$/);
    expect(bye.header("Max-Forwards")).toBe("70");
    expect(bye.headers("Via")).toHaveLength(1);
    const { address, port } = peer.server.addresses[0]!;
    expect(bye.header("Via")).toMatch(new RegExp(`^SIP/2\\.0/UDP ${address}:${port};rport;branch=z9hG4bK\\w{16}$`));
    expect(bye.header("Route")).toBeUndefined();
    expect(bye.body).toBe("");
    client.respond(bye, 200);
  });

  test("is sent again until it is answered", async () => {
    using peer = await established();
    const { client, clock, dialog } = peer;
    dialog.bye();
    const bye = await client.next("BYE");
    await clock.pass(500);
    expect((await client.next("BYE")).text).toBe(bye.text);
    client.respond(bye, 200);
    expect(await client.restBrief()).toEqual([]);
    await clock.pass(30_000);
    expect(await client.restBrief()).toEqual([]);
  });

  test("ends the dialog at once, whatever is answered; a second one is not sent", async () => {
    using peer = await established();
    const { client, call, dialog } = peer;
    dialog.bye();
    dialog.bye();
    await using _again = dialog;
    expect(await dialog.ended).toBe("local");
    expect(dialog.isTerminated).toBe(true);
    client.respond(await client.next("BYE"), 481);
    expect(await client.restBrief()).toEqual([]);
    expect((await call.ask("INFO")).status).toBe(481);
    expect(peer.server.stats().dialogs).toBe(0);
  });

  test("an answer that never comes does no harm", async () => {
    using peer = await established();
    peer.dialog.bye();
    await peer.client.next("BYE");
    for (let i = 0; i < 40; i++) await peer.clock.pass(1000);
    await peer.client.rest();
    expect(peer.server.stats()).toMatchObject({ timeouts: 1, dialogs: 0 });
  });

  test("`await using` hangs up at the end of the block", async () => {
    const seen: string[] = [];
    const running = await testServer({
      async invite(call) {
        {
          await using dialog = await call.answer("v=0\r\n");
          void dialog.ended.then((end) => seen.push(end));
          seen.push("in the block");
        }
        seen.push("after it");
      },
    });
    using _running = running;
    using client = await WireClient.open(running.address);
    const call = await client.invite();
    call.ack();
    client.respond(await client.next("BYE"), 200);
    await client.rest();
    expect(seen.toSorted()).toEqual(["after it", "in the block", "local"]);
    expect(running.server.stats().dialogs).toBe(0);
  });

  test("each request of ours takes the next CSeq, and a branch of its own", async () => {
    using one = await established();
    using other = await established();
    one.dialog.bye();
    other.dialog.bye();
    const byes = [await one.client.next("BYE"), await other.client.next("BYE")];
    expect(byes.map(({ cseq }) => cseq)).toEqual([1, 1]);
    expect(byes[0]!.branch).not.toBe(byes[1]!.branch);
  });
});

describe("the route set (s12.1.1, s12.2.1.1)", () => {
  test("loose routers: the BYE goes to the first, with all of them in Route in their order", async () => {
    using proxy = await WireClient.open({ address: "127.0.0.1", port: 9 });
    const routes = [`<sip:${proxy.sentBy};lr>`, "<sip:p2.example.com;lr;x=1>", "<sip:p3.example.com;lr>"];
    using peer = await established(() => ({
      headers: [`Record-Route: ${routes[0]}`, `Record-Route: ${routes[1]}, ${routes[2]}`],
    }));
    expect(peer.call.response.headers("Record-Route").join(", ")).toBe(routes.join(", "));
    peer.dialog.bye();
    const bye = await proxy.next("BYE");
    expect(bye.uri).toBe(`sip:alice@${peer.client.sentBy}`);
    expect(bye.headers("Route").join(", ").replaceAll(" ", "")).toBe(routes.join(",").replaceAll(" ", ""));
    expect(await peer.client.restBrief()).toEqual([]);
  });

  test("a strict router: it becomes the Request-URI, and the remote target the last Route", async () => {
    using proxy = await WireClient.open({ address: "127.0.0.1", port: 9 });
    using peer = await established(() => ({
      headers: [`Record-Route: <sip:${proxy.sentBy}>`, "Record-Route: <sip:p2.example.com;lr>"],
    }));
    peer.dialog.bye();
    const bye = await proxy.next("BYE");
    expect(bye.uri).toBe(`sip:${proxy.sentBy}`);
    expect(bye.list("Route")).toEqual(["<sip:p2.example.com;lr>", `<sip:alice@${peer.client.sentBy}>`]);
  });

  test("it stays what the first INVITE made it, whatever later requests record", async () => {
    using proxy = await WireClient.open({ address: "127.0.0.1", port: 9 });
    using stranger = await WireClient.open({ address: "127.0.0.1", port: 9 });
    using peer = await established(() => ({ headers: [`Record-Route: <sip:${proxy.sentBy};lr>`] }), {
      invite: (call) => void call.answer("v=0\r\n"),
    });
    const { client, call, dialog } = peer;
    const again = call.send("INVITE", {
      contact: `<sip:alice@${client.sentBy}>`,
      headers: [`Record-Route: <sip:${stranger.sentBy};lr>`],
    });
    call.ack(again, await client.next(200, again));
    await client.rest();
    dialog.bye();
    expect((await proxy.next("BYE")).list("Route")).toEqual([`<sip:${proxy.sentBy};lr>`]);
  });
});

describe("the remote target (s12.2.2)", () => {
  const answering: DialogHandlers = { invite: (call) => void call.answer("v=0\r\n") };

  test("an answered re-INVITE moves it", async () => {
    using elsewhere = await WireClient.open({ address: "127.0.0.1", port: 9 });
    using peer = await established(undefined, answering);
    const { client, call, dialog } = peer;
    const again = call.send("INVITE", { contact: `"Moved" <sip:alice@${elsewhere.sentBy};x=y>;expires=60` });
    call.ack(again, await client.next(200, again));
    await client.rest();
    dialog.bye();
    const bye = await elsewhere.next("BYE");
    expect(bye.uri).toBe(`sip:alice@${elsewhere.sentBy};x=y`);
    expect(await client.restBrief()).toEqual([]);
  });

  test("a refused re-INVITE does not, nor one without a Contact", async () => {
    for (const [handlers, contact, status] of [
      [{ invite: (call: Call) => call.reject(488) }, "<sip:alice@127.0.0.1:9>", 488],
      [answering, null, 200],
    ] as const) {
      using peer = await established(undefined, handlers);
      const { client, call, dialog } = peer;
      const again = call.send("INVITE", { contact });
      call.ack(again, await client.next(status, again));
      await client.rest();
      dialog.bye();
      expect((await client.next("BYE")).uri).toBe(`sip:alice@${client.sentBy}`);
    }
  });

  test("a Contact whose host is a name is not looked up: the BYE goes where the last request came from", async () => {
    using peer = await established(() => ({ contact: "<sip:alice@phone.invalid>" }));
    peer.dialog.bye();
    expect((await peer.client.next("BYE")).uri).toBe("sip:alice@phone.invalid");
  });

  test("Contact without angle brackets: its parameters are the header's, not the URI's", async () => {
    using peer = await established((client) => ({ contact: `sip:alice@${client.sentBy};q=0.7` }));
    peer.dialog.bye();
    expect((await peer.client.next("BYE")).uri).toBe(`sip:alice@${peer.client.sentBy}`);
  });
});

test("two calls of one caller with the same Call-ID are two dialogs", async () => {
  const ends: DialogEnd[] = [];
  const running = await testServer({
    invite(call) {
      void call.answer("v=0\r\n").then(({ ended }) => ended.then((end) => ends.push(end)));
    },
  });
  using _running = running;
  using client = await WireClient.open(running.address);
  const shape = { callId: "shared@127.0.0.1" };
  const one = await client.invite({ ...shape, from: "<sip:a@127.0.0.1>;tag=1" });
  one.ack();
  const invite = client.request("INVITE", { ...shape, from: "<sip:a@127.0.0.1>;tag=2" });
  const other = new ClientCall(client, invite, await client.next(200, invite));
  other.ack();
  await client.rest();
  expect(one.response.toTag).not.toBe(other.response.toTag);
  expect(running.server.stats().dialogs).toBe(2);
  expect((await one.ask("BYE")).status).toBe(200);
  expect(running.server.stats().dialogs).toBe(1);
  expect((await one.ask("BYE")).status).toBe(481);
  expect((await other.ask("BYE")).status).toBe(200);
  expect(ends).toEqual(["bye", "bye"]);
});
