/** A call over a connection on which nothing is said for longer than connections may be silent. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Dialog } from "../../src/index.ts";
import { ANSWER } from "../support/callee.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { serverAndStream } from "../support/server-and-stream.ts";
import { OFFER } from "../support/sip-messages.ts";
import { StreamClient } from "../support/stream-client.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(20_000);

/** A caller over TCP whose Contact leads nowhere, in a call that stands. */
async function standing() {
  const clock = new FakeClock();
  const taken = Promise.withResolvers<Dialog>();
  const peer = await serverAndStream({
    clock,
    sessionTimers: false,
    streams: { idleTimeout: 60_000, messageTimeout: 15_000 },
    invite: (call) => void call.answer(ANSWER).then(taken.resolve, taken.reject),
  });
  const call = await peer.client.invite({ body: OFFER, contact: "<sip:alice@192.0.2.1;transport=tcp>" });
  call.ack();
  return {
    ...peer,
    call,
    dialog: await taken.promise,
    async pass(seconds: number): Promise<void> {
      for (let left = seconds; left > 0; left -= 15) await clock.pass(15_000);
    },
  };
}

describe("a connection that carries nothing for long", () => {
  test("stays while a call stands that came over it, and its BYE goes over it", async () => {
    using peer = await standing();
    await peer.pass(900);
    expect(peer.server.stats()).toMatchObject({ connections: 1, idleTimeouts: 0, dialogs: 1 });
    peer.dialog.bye();
    const bye = await peer.client.next("BYE");
    expect(bye.uri).toBe("sip:alice@192.0.2.1;transport=tcp");
    peer.client.respond(bye, 200);
  });

  test("goes once the call is over", async () => {
    using peer = await standing();
    await peer.pass(300);
    expect((await peer.call.ask("BYE")).status).toBe(200);
    await peer.pass(120);
    await peer.client.closed;
    expect(peer.server.stats()).toMatchObject({ connections: 0, idleTimeouts: 1 });
  });

  test("is not kept by a call that goes on over another", async () => {
    using peer = await standing();
    using other = await StreamClient.open(peer.address);
    other.send(other.text("INFO", peer.call.shape({ branch: "z9hG4bKanother" })));
    await other.next((message) => message.status > 0);
    await peer.pass(120);
    await peer.client.closed;
    await until("one connection", () => peer.server.stats().connections === 1);
    await peer.pass(300);
    expect(peer.server.stats()).toMatchObject({ connections: 1, idleTimeouts: 1, dialogs: 1 });
  });
});
