/** INVITE in a dialog: RFC 3261 s14.2, on the wire. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded, type DialogHandlers } from "../../src/index.ts";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

async function established(handlers?: DialogHandlers) {
  const running = await testServer({ invite: (call) => void call.answer("v=0\r\n", handlers) });
  const client = await WireClient.open(running.address);
  const call = await client.invite();
  call.ack();
  const contact = `<sip:alice@${client.sentBy}>`;
  return {
    client,
    call,
    server: running.server,
    log: running.log,
    reinvite: () => call.send("INVITE", { contact }),
    [Symbol.dispose]() {
      client[Symbol.dispose]();
      running[Symbol.dispose]();
    },
  };
}

test("the dialog's handler answers it, within the same dialog", async () => {
  const seen: unknown[] = [];
  using peer = await established({
    async invite(again) {
      seen.push(again.isReinvite, again.dialog?.isConfirmed, again.cseq);
      const dialog = await again.answer("v=0\r\ns=again\r\n");
      seen.push(dialog === again.dialog);
    },
  });
  const { client, call } = peer;
  const again = peer.reinvite();
  const response = await client.next(200, again);
  expect(response.body).toBe("v=0\r\ns=again\r\n");
  expect(response.header("To")).toBe(call.response.header("To"));
  expect(response.contactUri).toBe(call.response.contactUri);
  call.ack(again, response);
  await client.rest();
  expect(seen).toEqual([true, true, 2, true]);
  expect(peer.server.stats()).toMatchObject({ dialogs: 1, callsStarted: 1, callsAnswered: 1 });
});

test("without a handler it gets 488, and the dialog stands", async () => {
  using peer = await established();
  const { client, call } = peer;
  const again = peer.reinvite();
  call.ack(again, await client.next(488, again));
  expect((await call.ask("BYE")).status).toBe(200);
});

test("refused by the handler, the dialog stands", async () => {
  using peer = await established({ invite: (again) => again.reject(606) });
  const { client, call } = peer;
  const again = peer.reinvite();
  call.ack(again, await client.next(606, again));
  expect(peer.server.stats().dialogs).toBe(1);
  expect((await call.ask("BYE")).status).toBe(200);
});

test("a handler that throws: 500, and the dialog stands", async () => {
  using peer = await established({
    invite() {
      throw new Error("on purpose");
    },
  });
  const { client, call } = peer;
  const again = peer.reinvite();
  call.ack(again, await client.next(500, again));
  expect(peer.log.lines).toHaveLength(1);
  expect((await call.ask("BYE")).status).toBe(200);
});

test("a second one while the first waits gets 500 with Retry-After of 0 to 10 s", async () => {
  const pending: Call[] = [];
  using peer = await established({ invite: (again) => void pending.push(again) });
  const { client, call } = peer;
  const first = peer.reinvite();
  await client.next(100, first);
  const second = peer.reinvite();
  const refused = await client.next(500, second);
  expect(Number(refused.header("Retry-After"))).toBeWithin(0, 11);
  call.ack(second, refused);
  expect(pending).toHaveLength(1);
  void pending[0]!.answer("v=0\r\n");
  call.ack(first, await client.next(200, first));
  const third = peer.reinvite();
  await client.next(100, third);
  expect(pending).toHaveLength(2);
});

test("an INVITE in the dialog of an unanswered one gets the same", async () => {
  const calls: Call[] = [];
  using running = await testServer({
    invite(call) {
      calls.push(call);
      call.ring();
    },
  });
  using client = await WireClient.open(running.address);
  const call = await client.invite({}, 180);
  const again = call.send("INVITE");
  const refused = await client.next(500, again);
  expect(refused.header("Retry-After")).toMatch(/^([0-9]|10)$/);
  call.ack(again, refused);
  expect(calls).toHaveLength(1);
  void calls[0]!.answer("v=0\r\n");
  await client.next(200, call.invite);
});

test("BYE while it waits: 200, and 487 for the re-INVITE", async () => {
  const pending: Call[] = [];
  using peer = await established({ invite: (again) => void pending.push(again) });
  const { client, call } = peer;
  const again = peer.reinvite();
  await client.next(100, again);
  expect((await call.ask("BYE")).status).toBe(200);
  call.ack(again, await client.next(487, again));
  const error = await pending[0]!.answer("v=0\r\n").catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(CallEnded);
  expect(peer.server.stats().dialogs).toBe(0);
});

test("that comes again gets the same refusal, and the handler is asked once", async () => {
  let asked = 0;
  using peer = await established({
    invite(again) {
      asked++;
      again.reject(488);
    },
  });
  const { client, call } = peer;
  const again = peer.reinvite();
  const first = await client.next(488, again);
  client.send(again.text);
  expect((await client.next(488, again)).text).toBe(first.text);
  call.ack(again, first);
  await client.rest();
  expect(asked).toBe(1);
});
