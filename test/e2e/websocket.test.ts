/** Calls over WebSocket and secure WebSocket (RFC 7118): a browser can be reached by nothing but its own connection. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type Call, CallEnded, type Dialog, type DialogEnd, fullUas, type ServeOptions } from "../../src/index.ts";
import { CA_FILE, CERTIFICATES } from "../support/certificates.ts";
import { OFFER } from "../support/sip-messages.ts";
import { StreamClient, type StreamClientOptions } from "../support/stream-client.ts";
import { type TestServer, testServer } from "../support/test-server.ts";
import { pem } from "../support/tls-listener.ts";
import { until } from "../support/until.ts";
import type { ClientCall } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

type Secured = "ws" | "wss";

function listen(transport: Secured, options: ServeOptions = {}): Promise<TestServer> {
  const tls = transport === "ws" ? {} : { ...CERTIFICATES.server, ca: [CA_FILE] };
  return testServer({
    ...fullUas(),
    listen: `${transport}://127.0.0.1:0`,
    ...options,
    tls: { ...tls, ...options.tls },
  });
}

/** A server that answers every call, and gives the dialog of the first. */
async function answering(transport: Secured) {
  const answered = Promise.withResolvers<Dialog>();
  const running = await listen(transport, {
    invite: (call) => {
      call.answer("v=0\r\n").then(answered.resolve, answered.reject);
    },
  });
  return { running, server: running.server, dialog: answered.promise };
}

/** A server that lets calls ring. */
async function ringing(transport: Secured) {
  const calls: Call[] = [];
  const running = await listen(transport, {
    invite: (call) => {
      calls.push(call);
      call.ring();
    },
  });
  return { running, server: running.server, calls };
}

async function acknowledged(client: StreamClient, contact?: string): Promise<ClientCall> {
  const call = await client.invite({ body: OFFER, ...(contact === undefined ? {} : { contact }) });
  call.ack();
  return call;
}

describe.each(["ws", "wss"] as const)("%s", (transport) => {
  const via = new RegExp(`^SIP/2\\.0/${transport.toUpperCase()} 127\\.0\\.0\\.1:\\d+;`);

  function open(to: TestServer, options: StreamClientOptions = {}): Promise<StreamClient> {
    return StreamClient.open(to.address, { transport, ...options });
  }

  test.each([true, false])("a call, as text: %p", async (text) => {
    using running = await listen(transport);
    using client = await open(running, { text });
    const invite = client.request("INVITE", { body: OFFER });
    const statuses = [];
    for (let n = 0; n < 3; n++) statuses.push((await client.next(() => true, invite)).status);
    expect(statuses).toEqual([100, 180, 200]);
    expect(new Set(client.frameKinds)).toEqual(new Set([text ? "text" : "binary"]));
    expect(running.server.stats()).toMatchObject({ callsAnswered: 1, dialogs: 1, retransmissionsSent: 0 });
  });

  test("a call from INVITE to BYE, with an offer in between", async () => {
    using running = await listen(transport);
    using client = await open(running);
    const call = await acknowledged(client);
    const { address, port } = running.address;
    expect(call.response.contactUri).toBe(`sip:${address}:${port};transport=ws`);
    const again = await call.ask("INVITE", { body: OFFER, contact: client.contact });
    expect(again.status).toBe(200);
    call.ack(again, again);
    expect((await call.ask("BYE")).status).toBe(200);
    expect(running.server.stats()).toMatchObject({ dialogs: 0, malformed: 0, rejected: 0, strayAcks: 0 });
  });

  test("a call that is cancelled: 487 is sent once, and nothing stays behind", async () => {
    using over = await disposable(ringing(transport));
    using client = await open(over.running);
    const call = await client.invite({ body: OFFER }, 180);
    const cancel = call.cancel();
    expect((await client.next(200, cancel)).status).toBe(200);
    const refusal = await client.next(487, call.invite);
    call.ack(call.invite, refusal);
    expect(over.calls[0]!.signal.reason).toMatchObject({ cause: "cancelled" });
    expect(await client.restBrief()).toEqual([]);
    expect(over.server.stats()).toMatchObject({ transactions: 0, dialogs: 0, retransmissionsSent: 0 });
  });

  const contacts: [string, string | undefined][] = [
    ["a name of nobody's", undefined],
    ["a name of nobody's, secured", "sips:alice@h7.invalid;transport=ws"],
    ["the client's address, as some libraries put it", "sip:alice@127.0.0.1:9;transport=ws"],
    ["a domain", "sip:alice@example.com;transport=wss"],
    ["no transport", "sip:alice@h7.invalid"],
  ];
  test.each(contacts)(
    "the server's BYE goes over the client's connection, where the Contact is %s",
    async (_n, uri) => {
      using over = await disposable(answering(transport));
      using client = await open(over.running);
      const call = await acknowledged(client, uri === undefined ? undefined : `<${uri}>`);
      const dialog = await over.dialog;
      dialog.bye();
      const bye = await client.next("BYE");
      expect(bye.uri).toBe(call.invite.contactUri!);
      expect(bye.header("Via")).toMatch(via);
      expect(bye.header("Via")).not.toContain("alias");
      expect(client.frameKinds.at(-1)).toBe("text");
      client.respond(bye, 200);
      await until("the answer", () => over.server.stats().messagesReceived === 3);
      expect(over.server.stats()).toMatchObject({ byesUndelivered: 0, connectionsOpened: 0, retransmissionsSent: 0 });
    },
  );

  test("the server's BYE comes as text to a client that sends text and as binary to one that does not", async () => {
    using over = await disposable(answering(transport));
    using client = await open(over.running, { text: false });
    await acknowledged(client);
    (await over.dialog).bye();
    client.respond(await client.next("BYE"), 200);
    expect(new Set(client.frameKinds)).toEqual(new Set(["binary"]));
  });

  test.each(["closed", "lost"] as const)("a call whose connection is %s while it rings is over", async (how) => {
    using over = await disposable(ringing(transport));
    using client = await open(over.running);
    await client.invite({ body: OFFER }, 180);
    const call = over.calls[0]!;
    const aborted = Promise.withResolvers<unknown>();
    call.signal.addEventListener("abort", () => aborted.resolve(call.signal.reason));
    expect(call.signal.aborted).toBe(false);
    if (how === "closed") client.end();
    else client.reset();
    const reason = await aborted.promise;
    expect(reason).toBeInstanceOf(CallEnded);
    expect(reason).toMatchObject({ cause: "unreachable" });
    // Whatever the handler does now leads nowhere, and harms nobody.
    expect(call.isOver).toBe(true);
    expect(call.ring()).toBe(false);
    expect(call.reject(486)).toBe(false);
    await expect(call.answer("v=0\r\n")).rejects.toMatchObject({ cause: "unreachable" });
    expect(over.server.stats()).toMatchObject({ connections: 0, dialogs: 0, transactions: 0, handlerErrors: 0 });
    expect(over.running.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a call that was answered and not acknowledged ends when its connection is lost", async () => {
    const answers: Promise<Dialog>[] = [];
    using running = await listen(transport, {
      timers: { t1: 20 },
      invite: (call) => {
        answers.push(call.answer("v=0\r\n"));
        answers[0]!.catch(() => {});
      },
    });
    using client = await open(running);
    await client.invite({ body: OFFER });
    client.reset();
    await until("the loss", () => running.server.stats().connections === 0);
    await expect(answers[0]!).rejects.toBeInstanceOf(CallEnded);
    await until("the end", () => running.server.stats().dialogs === 0);
    expect(running.log.lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  const unreachable: [string, string | undefined][] = [
    ["a name of nobody's", undefined],
    ["an address", "sip:alice@127.0.0.1:9;transport=ws"],
  ];
  test.each(unreachable)("a BYE after the connection was lost reaches nobody: the Contact is %s", async (_n, uri) => {
    using over = await disposable(answering(transport));
    const client = await open(over.running);
    await acknowledged(client, uri === undefined ? undefined : `<${uri}>`);
    const dialog = await over.dialog;
    let ended: DialogEnd | null = null;
    void dialog.ended.then((end) => {
      ended = end;
    });
    client[Symbol.dispose]();
    await until("the loss", () => over.server.stats().connections === 0);
    dialog.bye();
    await until("the failure", () => over.server.stats().byesUndelivered === 1);
    expect(ended as DialogEnd | null).toBe("local");
    expect(over.server.stats()).toMatchObject({ dialogs: 0, connectionsOpened: 0 });
    expect(over.running.log.lines.map(({ message }) => message)).toContain("a BYE reached nobody");
    expect(over.running.log.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
    using another = await open(over.running);
    expect((await another.ask("OPTIONS")).status).toBe(200);
  });

  test("a BYE that is under way when the connection is lost fails at once", async () => {
    using over = await disposable(answering(transport));
    using client = await open(over.running);
    await acknowledged(client);
    (await over.dialog).bye();
    await client.next("BYE");
    client.reset();
    await until("the failure", () => over.server.stats().byesUndelivered === 1);
    expect(over.server.stats()).toMatchObject({ dialogs: 0, transportFailures: 1 });
  });

  test("a dialog follows its peer to a new connection", async () => {
    using over = await disposable(answering(transport));
    using first = await open(over.running);
    const call = await acknowledged(first);
    const dialog = await over.dialog;
    first.end();
    await until("the loss", () => over.server.stats().connections === 0);
    using second = await open(over.running);
    expect((await second.ask("OPTIONS", call.shape())).status).toBe(200);
    dialog.bye();
    expect((await second.next("BYE")).callId).toBe(call.invite.callId);
  });

  test("requests of the server are never sent to a WebSocket server", async () => {
    using running = await listen(transport);
    await expect(running.server.request("OPTIONS", "sip:127.0.0.1:9;transport=ws")).rejects.toMatchObject({
      cause: "unresolved",
    });
    await expect(running.server.request("OPTIONS", "sip:x.invalid;transport=ws")).rejects.toMatchObject({
      cause: "unresolved",
    });
  });

  test("closing the server closes its connections in order", async () => {
    using running = await listen(transport);
    using client = await open(running);
    await client.ask("OPTIONS");
    await running.server.stop({ graceMs: 100 });
    await client.until("the end", () => client.isClosed);
    expect(client.closeCode).toBe(1001);
    await expect(open(running)).rejects.toThrow();
  });
});

describe("wss and certificates", () => {
  const { client, untrusted, expired, serverAuth } = CERTIFICATES;

  test("a client certificate that is required and good", async () => {
    using running = await listen("wss", { tls: { clientCertificates: "required" } });
    using caller = await StreamClient.open(running.address, { transport: "wss", tls: pem(client) });
    const call = await acknowledged(caller);
    expect((await call.ask("BYE")).status).toBe(200);
  });

  const bad: [string, Bun.TLSOptions][] = [
    ["none", {}],
    ["one of another authority", pem(untrusted)],
    ["one that has expired", pem(expired)],
    ["one for servers alone", pem(serverAuth)],
  ];
  test.each(bad)("where a client certificate is required, %s will not do", async (_name, tls) => {
    using running = await listen("wss", { tls: { clientCertificates: "required" } });
    const outcome = await StreamClient.open(running.address, { transport: "wss", tls }).then(
      async (caller) => {
        using opened = caller;
        return (await opened.ask("OPTIONS")).status;
      },
      () => "refused",
    );
    expect(outcome).toBe("refused");
    expect(running.server.stats()).toMatchObject({ messagesReceived: 0, messagesSent: 0, connections: 0 });
  });

  test.each(bad)("where one is optional, %s will do", async (_name, tls) => {
    using running = await listen("wss", { tls: { clientCertificates: "optional" } });
    using caller = await StreamClient.open(running.address, { transport: "wss", tls });
    expect((await caller.ask("OPTIONS")).status).toBe(200);
  });

  test("without TLS it is not spoken to", async () => {
    using running = await listen("wss");
    await expect(StreamClient.open(running.address, { transport: "ws" })).rejects.toThrow();
    expect(running.server.stats()).toMatchObject({ connections: 0, messagesReceived: 0 });
    using caller = await StreamClient.open(running.address, { transport: "wss" });
    expect((await caller.ask("OPTIONS")).status).toBe(200);
  });
});

/** Closes the server at the end of the test's block. */
async function disposable<T extends { running: TestServer }>(made: Promise<T>): Promise<T & Disposable> {
  const parts = await made;
  return { ...parts, [Symbol.dispose]: () => parts.running[Symbol.dispose]() };
}
