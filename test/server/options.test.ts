/** OPTIONS, and what a server says of itself: RFC 3261 s11.2. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { testServer } from "../support/test-server.ts";
import { WireClient } from "../support/wire-client.ts";

setDefaultTimeout(20_000);

test("OPTIONS tells Allow, Accept, Accept-Encoding, Accept-Language and Supported", async () => {
  using running = await testServer({
    invite: (call) => call.reject(),
    message: (request) => request.reply(200),
    accept: ["application/sdp", "text/plain"],
    supported: ["timer", "path"],
  });
  using client = await WireClient.open(running.address);
  const answer = await client.ask("OPTIONS");
  expect(answer.status).toBe(200);
  expect(answer.list("Allow")).toEqual(["INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS", "MESSAGE"]);
  expect(answer.list("Accept")).toEqual(["application/sdp", "text/plain"]);
  expect(answer.list("Accept-Encoding")).toEqual(["identity"]);
  expect(answer.list("Accept-Language")).toEqual(["en"]);
  expect(answer.list("Supported")).toEqual(["100rel", "timer", "path"]);
  expect(answer.toTag).toBeTruthy();
  expect(answer.body).toBe("");
});

test("Supported stands there even when nothing is", async () => {
  using running = await testServer({});
  using client = await WireClient.open(running.address);
  const answer = await client.ask("OPTIONS");
  expect(answer.headers("Supported")).toEqual([""]);
  expect(answer.list("Allow")).toEqual(["OPTIONS"]);
});

test("a handler of one's own answers instead", async () => {
  using running = await testServer({ options: (request) => request.reply(486) });
  using client = await WireClient.open(running.address);
  expect((await client.ask("OPTIONS")).status).toBe(486);
});

test("Server is told where it is asked for", async () => {
  using running = await testServer({ software: "Viaduct/test", invite: (call) => void call.answer("v=0\r\n") });
  using client = await WireClient.open(running.address);
  expect((await client.invite()).response.header("Server")).toBe("Viaduct/test");
});

test("a request is what its getters say", async () => {
  const seen: unknown[] = [];
  using running = await testServer({
    accept: ["text/plain"],
    message(request) {
      seen.push(
        request.method,
        request.uri?.toString(),
        request.from.tag,
        request.to.tag,
        request.callId,
        request.cseq,
        request.vias.length,
        request.supported,
        request.isInDialog,
        Buffer.from(request.body).toString(),
        request.source,
        request.localHost,
        request.header("s"),
        request.headers("x-more"),
        request.header("absent"),
        request.accepts("application", "sdp"),
        request.accepts("text", "plain"),
      );
      request.reply(200);
    },
  });
  using client = await WireClient.open(running.address);
  await client.ask("MESSAGE", {
    uri: "sip:bob@example.com;x=y",
    from: "<sip:alice@example.com>;tag=alice",
    callId: "getters@example.com",
    cseq: 42,
    headers: ["Via: SIP/2.0/UDP a.example.com", "Supported: one", "k: two", "Subject: hello", "X-More: 1", "X-More: 2"],
    body: "text",
    contentType: "text/plain",
  });
  expect(seen).toEqual([
    "MESSAGE",
    "sip:bob@example.com;x=y",
    "alice",
    undefined,
    "getters@example.com",
    42,
    2,
    ["one", "two"],
    false,
    "text",
    { transport: "UDP", address: "127.0.0.1", port: client.port },
    "127.0.0.1",
    "hello",
    ["1", "2"],
    undefined,
    true,
    false,
  ]);
});
