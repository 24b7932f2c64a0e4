/** The message service between two phones. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageService } from "../../examples/registrar.ts";
import type { IncomingRequest } from "../../src/index.ts";
import { testServer } from "../support/test-server.ts";

const USERS = { alice: "secret", bob: "other" };

/** A phone of a user. */
async function phoneOf(user: keyof typeof USERS, port: number, password: string = USERS[user]) {
  const received: IncomingRequest[] = [];
  const phone = await testServer({
    accept: ["*"],
    message(request) {
      received.push(request);
      request.reply(200);
    },
    credentials: { user, password },
  });
  const route = `sip:127.0.0.1:${port};lr`;
  const from = `sip:${user}@example.com`;
  return {
    received,
    register: () =>
      phone.server.request("REGISTER", "sip:example.com", {
        route,
        from,
        to: from,
        headers: { Contact: `<sip:${user}@127.0.0.1:${phone.address.port}>` },
      }),
    send: (to: string, body: string) =>
      phone.server.request("MESSAGE", to, { route, from, body, contentType: "text/plain" }),
    [Symbol.dispose]: () => phone[Symbol.dispose](),
  };
}

test("phones log in, register and reach each other, after a restart too", async () => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-example-"));
  const service = (listen: string) =>
    messageService({ listen, domain: "example.com", users: USERS, file: join(folder, "phones.sqlite") });
  const first = await service("udp://127.0.0.1:0");
  const { port } = first.addresses[0]!;
  using alice = await phoneOf("alice", port);
  using bob = await phoneOf("bob", port);
  expect((await bob.register()).status).toBe(200);
  expect((await alice.send("sip:bob@example.com", "hello")).status).toBe(200);
  await first.stop();
  const second = await service(`udp://127.0.0.1:${port}`);
  expect((await alice.send("sip:bob@example.com", "again")).status).toBe(200);
  expect(bob.received.map((request) => [request.from.uriText, Buffer.from(request.body).toString()])).toEqual([
    ["sip:alice@example.com", "hello"],
    ["sip:alice@example.com", "again"],
  ]);
  await second.stop();
  rmSync(folder, { recursive: true });
});

test("who is not registered is not available, and who does not log in says nothing", async () => {
  const server = await messageService({ listen: "udp://127.0.0.1:0", domain: "example.com", users: USERS });
  const { port } = server.addresses[0]!;
  using alice = await phoneOf("alice", port);
  using guest = await phoneOf("bob", port, "wrong");
  expect((await alice.send("sip:bob@example.com", "hello")).status).toBe(480);
  expect((await guest.register()).status).toBe(401);
  expect((await guest.send("sip:alice@example.com", "hello")).status).toBe(401);
  server.closeNow();
});
