/** RFC 3261 figure 7 with RFC 6026 s7.1, row by row. Times are milliseconds since the INVITE came. */
import { describe, expect, test } from "bun:test";
import { LayerHarness } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

const INVITE = requestText("INVITE", { branch: "z9hG4bKserverinvite", callId: "server-invite" });
const ACK = INVITE.replaceAll("INVITE", "ACK");

describe("server INVITE transaction: Proceeding", () => {
  test("an INVITE that comes again before any response is absorbed, and makes no second call", () => {
    const harness = new LayerHarness();
    harness.offer(INVITE);
    harness.receive(INVITE);
    expect(harness.requests).toHaveLength(1);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.layer.counters.retransmissionsReceived).toBe(1);
  });

  test("an INVITE that comes again gets the octets of the last provisional response", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(INVITE);
    harness.respond(slot, 100);
    harness.respond(slot, 180);
    const [, ringing] = harness.channel.take();
    harness.pass(700);
    harness.receive(INVITE);
    const again = harness.channel.take();
    expect(again.map(({ message }) => message.text)).toEqual([ringing!.message.text]);
    expect(harness.requests).toHaveLength(1);
  });

  test("it rings as long as the user likes: no timer runs", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(INVITE);
    harness.respond(slot, 180);
    harness.takeSent();
    harness.pass(300_000);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.timeouts).toEqual([]);
    expect(harness.live).toBe(1);
    expect(harness.respond(slot, 200)).toBe(true);
  });

  test("responses go where the transaction's request came from, by its Via", () => {
    const harness = new LayerHarness();
    harness.receive(requestText("INVITE", { sentBy: "192.0.2.10:5080" }), "192.0.2.99", 4000);
    harness.respond(harness.requests[0]!.slot, 180);
    harness.receive(requestText("INVITE", { sentBy: "192.0.2.10:5080", viaParams: ";rport" }), "192.0.2.99", 4000);
    harness.respond(harness.requests[1]!.slot, 180);
    harness.receive(requestText("INVITE", { sentBy: "pc.example.com" }), "192.0.2.99", 4000);
    harness.respond(harness.requests[2]!.slot, 180);
    expect(harness.channel.take().map(({ address, port }) => `${address}:${port}`)).toEqual([
      "192.0.2.99:5080",
      "192.0.2.99:4000",
      "192.0.2.99:5060",
    ]);
  });
});

describe("server INVITE transaction: Completed and Confirmed", () => {
  /** A call refused at time 0. */
  function refused(options: ConstructorParameters<typeof LayerHarness>[0] = {}) {
    const harness = new LayerHarness(options);
    const slot = harness.offer(INVITE);
    harness.respond(slot, 486);
    const [first] = harness.channel.take();
    return { harness, slot, text: first!.message.text };
  }

  test("timer G: the final response again at T1, doubling to T2; timer H: the end at 64*T1", () => {
    const { harness, slot } = refused();
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual(
      [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map((at) => [at, 486]),
    );
    expect(harness.timeouts).toEqual([]);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
    expect(harness.live).toBe(0);
    harness.pass(60_000);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.wheel.size).toBe(0);
  });

  test("T1 and T2 are settable", () => {
    const { harness, slot } = refused({ timers: { t1: 100, t2: 300 } });
    harness.pass(6400);
    const times = harness.takeSent().map(([at]) => at);
    expect(times.slice(0, 5)).toEqual([100, 300, 600, 900, 1200]);
    expect(times.at(-1)).toBe(6300);
    expect(harness.timeouts).toEqual([{ slot, at: 6400 }]);
  });

  test("what is sent again has the same octets", () => {
    const { harness, text } = refused();
    harness.pass(4000);
    harness.receive(INVITE);
    const again = harness.channel.take();
    expect(again).toHaveLength(4);
    for (const { message } of again) expect(message.text).toBe(text);
  });

  test("the ACK is absorbed and ends timer G; INVITEs are absorbed until timer I, T4 later", () => {
    const { harness } = refused();
    harness.pass(200);
    harness.receive(ACK);
    expect(harness.acks).toEqual([]);
    harness.pass(4990);
    harness.receive(INVITE);
    harness.receive(ACK);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.acks).toEqual([]);
    expect(harness.requests).toHaveLength(1);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.live).toBe(0);
    expect(harness.timeouts).toEqual([]);
    expect(harness.wheel.size).toBe(0);
  });

  test("after timer I the same INVITE is a new one", () => {
    const { harness } = refused({ timers: { t4: 1000 } });
    harness.receive(ACK);
    harness.pass(990);
    harness.receive(INVITE);
    expect(harness.requests).toHaveLength(1);
    harness.pass(10);
    harness.receive(INVITE);
    expect(harness.requests).toHaveLength(2);
    expect(harness.requests[1]!.merged).toBe(false);
  });

  test("no response is taken after a final one", () => {
    const { harness, slot } = refused();
    for (const status of [100, 180, 200, 486, 603]) expect(harness.respond(slot, status)).toBe(false);
    expect(harness.takeSent()).toEqual([]);
  });

  test("over a reliable transport: nothing is sent again, H runs, and the ACK ends it at once", () => {
    const { harness, slot } = refused({ reliable: true });
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual([]);
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);

    const other = refused({ reliable: true }).harness;
    other.receive(ACK);
    other.pass(10);
    expect(other.live).toBe(0);
    expect(other.acks).toEqual([]);
    expect(other.wheel.size).toBe(0);
  });

  test("a 3xx is as final as a 6xx", () => {
    for (const status of [300, 302, 401, 500, 603, 699]) {
      const harness = new LayerHarness();
      const slot = harness.offer(INVITE);
      harness.respond(slot, status);
      harness.pass(500);
      expect(harness.takeSent()).toEqual([
        [0, status],
        [500, status],
      ]);
    }
  });
});

describe("server INVITE transaction: Accepted (RFC 6026)", () => {
  function accepted(options: ConstructorParameters<typeof LayerHarness>[0] = {}) {
    const harness = new LayerHarness(options);
    const slot = harness.offer(INVITE);
    harness.respond(slot, 180);
    harness.respond(slot, 200);
    harness.takeSent();
    return { harness, slot };
  }

  test("INVITEs are absorbed without an answer, until timer L at 64*T1", () => {
    for (const reliable of [false, true]) {
      const { harness } = accepted({ reliable });
      harness.pass(31_990);
      harness.receive(INVITE);
      expect(harness.requests).toHaveLength(1);
      expect(harness.takeSent()).toEqual([]);
      expect(harness.live).toBe(1);
      harness.pass(10);
      expect(harness.live).toBe(0);
      expect(harness.timeouts).toEqual([]);
      expect(harness.wheel.size).toBe(0);
      harness.receive(INVITE);
      expect(harness.requests).toHaveLength(2);
    }
  });

  test("each ACK with the INVITE's branch goes to the user", () => {
    const { harness } = accepted();
    harness.receive(ACK);
    harness.receive(ACK);
    expect(harness.acks).toHaveLength(2);
    expect(harness.live).toBe(1);
  });

  test("more 2xx of the user are passed on, nothing else is", () => {
    const { harness, slot } = accepted();
    expect(harness.respond(slot, 200)).toBe(true);
    expect(harness.respond(slot, 299)).toBe(true);
    for (const status of [100, 180, 199, 300, 486, 603]) expect(harness.respond(slot, status)).toBe(false);
    expect(harness.takeSent().map(([, status]) => status)).toEqual([200, 299]);
  });

  test("L follows T1", () => {
    const { harness } = accepted({ timers: { t1: 20 } });
    harness.pass(1270);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.live).toBe(0);
  });
});

test("a timer never fires early, and at most a tick late, wherever between two ticks it was started", () => {
  for (const offset of [1, 3, 9]) {
    const harness = new LayerHarness();
    harness.clock.skip(offset);
    harness.wheel.advance(harness.clock.now());
    const started = harness.now;
    const slot = harness.offer(INVITE);
    harness.respond(slot, 486);
    harness.pass(600);
    const again = harness.takeSent()[1]![0] - started;
    expect(again).toBeGreaterThanOrEqual(500);
    expect(again).toBeLessThan(510 + 10);
    harness.pass(31_390 - offset);
    expect(harness.timeouts).toEqual([]);
    harness.pass(40);
    expect(harness.timeouts[0]!.at - started).toBeGreaterThanOrEqual(32_000);
  }
});

test("a transaction that is over keeps no memory", () => {
  const harness = new LayerHarness({ timers: { t1: 10, t2: 20, t4: 10 } });
  for (let i = 0; i < 3000; i++) {
    const slot = harness.offer(requestText("INVITE", { branch: `z9hG4bK${i}` }));
    harness.respond(slot, 180);
    harness.respond(slot, i % 2 === 0 ? 486 : 200);
    harness.pass(640);
    harness.channel.take();
    harness.requests.length = 0;
  }
  expect(harness.live).toBe(0);
  expect(harness.wheel.size).toBe(0);
  // The first segment is enough: 3,000 responses and keys that stayed would take two more.
  expect(harness.layer.store.capacity).toBe(1 << 20);
});
