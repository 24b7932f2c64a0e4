/** RFC 3261 figure 8 with RFC 4320, row by row. Times are milliseconds since the request came. */
import { describe, expect, test } from "bun:test";
import { LayerHarness } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

const MESSAGE = requestText("MESSAGE", { branch: "z9hG4bKservernoninvite", callId: "server-non-invite" });

describe("server non-INVITE transaction: Trying", () => {
  test("the request that comes again is absorbed, without an answer and without a second handler", () => {
    const harness = new LayerHarness();
    harness.offer(MESSAGE);
    harness.pass(500);
    harness.receive(MESSAGE);
    expect(harness.requests).toHaveLength(1);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.layer.counters.retransmissionsReceived).toBe(1);
  });

  test("a request that waits gets a 100 when the client's timer E has come to T2 (RFC 4320 s4.1)", () => {
    const harness = new LayerHarness();
    harness.offer(MESSAGE);
    harness.pass(3490);
    expect(harness.takeSent()).toEqual([]);
    harness.pass(10);
    expect(harness.takeSent()).toEqual([[3500, 100]]);
    harness.pass(28_000);
    expect(harness.takeSent()).toEqual([]);
  });

  test("that moment follows T1 and T2", () => {
    const harness = new LayerHarness({ timers: { t1: 100, t2: 500 } });
    harness.offer(MESSAGE);
    // Timer E: 100, 300, 700, and from there on every 500.
    harness.pass(690);
    expect(harness.takeSent()).toEqual([]);
    harness.pass(10);
    expect(harness.takeSent()).toEqual([[700, 100]]);
  });

  test("the 100 comes over a reliable transport too: RFC 4320 s4.1 wants it without regard to the transport", () => {
    const harness = new LayerHarness({ reliable: true });
    harness.offer(MESSAGE);
    harness.pass(3490);
    expect(harness.takeSent()).toEqual([]);
    harness.pass(10);
    expect(harness.takeSent()).toEqual([[3500, 100]]);
  });

  test("never answered: the transaction ends at 64*T1 without a word (RFC 4320 s4.2)", () => {
    for (const reliable of [false, true]) {
      const harness = new LayerHarness({ reliable });
      const slot = harness.offer(MESSAGE);
      harness.pass(31_990);
      expect(harness.live).toBe(1);
      harness.takeSent();
      harness.pass(10);
      expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
      expect(harness.live).toBe(0);
      expect(harness.takeSent()).toEqual([]);
      expect(harness.wheel.size).toBe(0);
    }
  });

  test("408 is refused, and so is a provisional response other than 100", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(MESSAGE);
    for (const status of [101, 180, 183, 199, 408]) expect(harness.respond(slot, status)).toBe(false);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.respond(slot, 200)).toBe(true);
  });

  test("a 100 before that moment is refused over an unreliable transport, and taken over a reliable one", () => {
    const udp = new LayerHarness();
    const early = udp.offer(MESSAGE);
    expect(udp.respond(early, 100)).toBe(false);
    expect(udp.takeSent()).toEqual([]);

    const tcp = new LayerHarness({ reliable: true });
    const slot = tcp.offer(MESSAGE);
    expect(tcp.respond(slot, 100)).toBe(true);
    expect(tcp.takeSent()).toEqual([[0, 100]]);
  });

  test("a user that says 100 within the callback and then nothing: the transaction still ends at 64*T1", () => {
    for (const reliable of [false, true]) {
      const harness = new LayerHarness({ reliable });
      harness.onRequest = (slot) => harness.respond(slot, 100);
      harness.offer(MESSAGE);
      harness.pass(32_000);
      expect(harness.timeouts.map(({ at }) => at)).toEqual([32_000]);
      expect(harness.live).toBe(0);
    }
  });
});

describe("server non-INVITE transaction: Proceeding", () => {
  test("the request that comes again gets the octets of the 100", () => {
    const harness = new LayerHarness();
    harness.offer(MESSAGE);
    harness.pass(3500);
    const [trying] = harness.channel.take();
    harness.pass(4000);
    harness.receive(MESSAGE);
    const again = harness.channel.take();
    expect(again.map(({ message }) => message.text)).toEqual([trying!.message.text]);
    expect(harness.requests).toHaveLength(1);
  });

  test("a final response is sent, and the end at 64*T1 no longer tells the user", () => {
    const harness = new LayerHarness();
    const slot = harness.offer(MESSAGE);
    harness.pass(5000);
    harness.takeSent();
    expect(harness.respond(slot, 180)).toBe(false);
    expect(harness.respond(slot, 408)).toBe(false);
    expect(harness.respond(slot, 200)).toBe(true);
    harness.pass(60_000);
    expect(harness.takeSent()).toEqual([[5000, 200]]);
    expect(harness.timeouts).toEqual([]);
  });
});

describe("server non-INVITE transaction: Completed", () => {
  function completed(options: ConstructorParameters<typeof LayerHarness>[0] = {}) {
    const harness = new LayerHarness(options);
    const slot = harness.offer(MESSAGE);
    harness.respond(slot, 202);
    const [first] = harness.channel.take();
    return { harness, slot, text: first!.message.text };
  }

  test("the request that comes again gets the same octets, until timer J at 64*T1", () => {
    const { harness, text } = completed();
    for (const wait of [500, 1000, 30_490]) {
      harness.pass(wait);
      harness.receive(MESSAGE);
    }
    expect(harness.channel.take().map(({ message }) => message.text)).toEqual([text, text, text]);
    expect(harness.requests).toHaveLength(1);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.live).toBe(0);
    expect(harness.timeouts).toEqual([]);
    expect(harness.wheel.size).toBe(0);
    harness.receive(MESSAGE);
    expect(harness.requests).toHaveLength(2);
  });

  test("nothing is sent by itself, and no further response is taken", () => {
    const { harness, slot } = completed();
    for (const status of [100, 200, 500]) expect(harness.respond(slot, status)).toBe(false);
    harness.pass(40_000);
    expect(harness.takeSent()).toEqual([]);
  });

  test("J follows T1", () => {
    const { harness } = completed({ timers: { t1: 50 } });
    harness.pass(3190);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.live).toBe(0);
  });

  test("over a reliable transport J is zero", () => {
    const { harness } = completed({ reliable: true });
    harness.pass(10);
    expect(harness.live).toBe(0);
    expect(harness.wheel.size).toBe(0);
  });

  test("a user that answers within the callback leaves no timer but J", () => {
    const harness = new LayerHarness();
    harness.onRequest = (slot) => harness.respond(slot, 200);
    harness.offer(MESSAGE);
    expect(harness.wheel.size).toBe(1);
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual([[0, 200]]);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.live).toBe(0);
  });
});
