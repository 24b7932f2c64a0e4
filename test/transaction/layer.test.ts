/** The transaction layer's ceiling and what is done with slots that are used again. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LayerHarness } from "../support/layer-harness.ts";
import { requestText } from "../support/sip-messages.ts";

describe("the ceiling on live transactions", () => {
  test("above it a new request is given to nobody, and live ones go on", () => {
    const harness = new LayerHarness({ ceiling: 3 });
    const texts = [1, 2, 3].map((i) => requestText("INVITE", { branch: `z9hG4bK${i}` }));
    const slots = texts.map((text) => harness.offer(text));
    const fourth = requestText("OPTIONS", { branch: "z9hG4bK4" });
    harness.receive(fourth);
    expect(harness.requests).toHaveLength(3);
    expect(harness.overloads.map(({ branch }) => branch)).toEqual(["z9hG4bK4"]);
    expect(harness.layer.counters.overloaded).toBe(1);
    expect(harness.live).toBe(3);

    // Retransmissions, responses and ACKs of the live ones pass as before.
    harness.respond(slots[0]!, 180);
    harness.receive(texts[0]!);
    harness.respond(slots[0]!, 486);
    harness.receive(texts[0]!.replaceAll("INVITE", "ACK"));
    expect(harness.takeSent().map(([, status]) => status)).toEqual([180, 180, 486]);
    expect(harness.overloads).toHaveLength(1);

    harness.pass(5000);
    expect(harness.live).toBe(2);
    harness.receive(fourth);
    expect(harness.requests).toHaveLength(4);
  });

  test("a request of ours is refused there too, and nothing is sent", () => {
    const harness = new LayerHarness({ ceiling: 1 });
    harness.offer(requestText("INVITE"));
    expect(harness.request(requestText("BYE"))).toBe(-1);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.live).toBe(1);
  });
});

test("a slot that is used again knows nothing of its last transaction", () => {
  const harness = new LayerHarness({ ceiling: 1, timers: { t1: 10, t2: 20, t4: 10 } });
  const first = requestText("INVITE", { branch: "z9hG4bKfirst" });
  const slot = harness.offer(first);
  const [before] = harness.requests;
  harness.respond(slot, 486);
  expect(harness.isLive(before!)).toBe(true);
  harness.pass(640);
  expect(harness.isLive(before!)).toBe(false);

  harness.takeSent();
  const second = requestText("MESSAGE", { branch: "z9hG4bKsecond" });
  expect(harness.offer(second)).toBe(slot);
  expect(harness.isLive(before!)).toBe(false);
  expect(harness.isLive(harness.requests[1]!)).toBe(true);
  harness.receive(second);
  expect(harness.takeSent()).toEqual([]);
  // The ACK that comes too late for the first is nobody's.
  harness.receive(first.replaceAll("INVITE", "ACK"));
  expect(harness.acks).toHaveLength(1);
});

test("whatever comes in whatever order: no timer, slot or key outlives its transaction", () => {
  const step = fc.record({
    branch: fc.integer({ min: 0, max: 9 }),
    what: fc.constantFrom("INVITE", "MESSAGE", "ACK", "CANCEL", "answer", "wait"),
    status: fc.constantFrom(100, 180, 200, 202, 408, 486),
    ms: fc.constantFrom(10, 100, 400, 3000),
  });
  const written = (method: string, branch: number) =>
    requestText(method, { branch: `z9hG4bKx${branch}`, callId: `c${branch}`, from: "<sip:a@b>;tag=a" });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, reliable) => {
      const harness = new LayerHarness({ ceiling: 8, reliable, timers: { t1: 20, t2: 80, t4: 100 } });
      for (const { branch, what, status, ms } of steps) {
        if (what === "wait") harness.pass(ms);
        else if (what === "answer") {
          const request = harness.requests.at(branch - 10);
          if (request !== undefined && harness.isLive(request)) harness.respond(request.slot, status);
        } else harness.receive(written(what, branch));
        expect(harness.live).toBeLessThanOrEqual(8);
      }
      // INVITEs wait for their user; everything else ends by itself.
      for (const request of harness.requests) if (harness.isLive(request)) harness.respond(request.slot, 486);
      harness.pass(64 * 20 + 20);
      expect(harness.wheel.size).toBe(0);
      expect(harness.live).toBe(0);
      harness.requests.length = 0;
      for (let branch = 0; branch < 8; branch++) harness.receive(written("INVITE", branch));
      expect(harness.requests.map(({ merged }) => merged)).toEqual(new Array(8).fill(false));
    }),
    { numRuns: 150 },
  );
});
