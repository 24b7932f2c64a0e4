/** The message relay between a sender and a receiver. */
import { describe, expect, test } from "bun:test";
import { messageRelay } from "../../examples/message-relay.ts";
import type { IncomingRequest } from "../../src/index.ts";
import { testServer } from "../support/test-server.ts";

async function relayed(answer: (request: IncomingRequest) => void) {
  const received: IncomingRequest[] = [];
  const receiver = await testServer({
    accept: ["*"],
    message(request) {
      received.push(request);
      answer(request);
    },
  });
  const { port } = receiver.address;
  const relay = await messageRelay({
    listen: "udp://127.0.0.1:0",
    users: new Map([
      ["bob", `sip:bob@127.0.0.1:${port}`],
      ["nobody", "sip:nobody@nobody.invalid;transport=ws"],
    ]),
  });
  const sender = await testServer();
  return {
    received,
    send: (user: string) =>
      sender.server.request("MESSAGE", `sip:${user}@127.0.0.1:${relay.addresses[0]!.port}`, {
        from: "sip:alice@example.com",
        body: "hello",
        contentType: "text/plain",
      }),
    [Symbol.dispose]() {
      for (const each of [receiver, sender]) each[Symbol.dispose]();
      relay.closeNow();
    },
  };
}

describe("the relay", () => {
  test("hands a message on as it came, and its answer back", async () => {
    using all = await relayed((request) => request.reply(202));
    expect((await all.send("bob")).status).toBe(202);
    const [message] = all.received;
    expect(message!.from.uriText).toBe("sip:alice@example.com");
    expect(message!.header("Content-Type")).toBe("text/plain");
    expect(Buffer.from(message!.body).toString()).toBe("hello");
  });

  test("a refusal comes back with its reason", async () => {
    using all = await relayed((request) => request.reply(480, { reason: "Gone Fishing" }));
    expect(await all.send("bob")).toMatchObject({ status: 480, reason: "Gone Fishing" });
  });

  test("404 for whom it does not know, 503 for whom it cannot reach", async () => {
    using all = await relayed((request) => request.reply(200));
    expect((await all.send("carol")).status).toBe(404);
    expect(await all.send("nobody")).toMatchObject({ status: 503, reason: expect.stringContaining("nobody.invalid") });
    expect(all.received).toEqual([]);
  });
});
