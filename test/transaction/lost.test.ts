/** A connection is lost under its transactions: RFC 3261 s17.1.4, s18.4, s18.2.2. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { LayerHarness } from "../support/layer-harness.ts";
import type { RecordingChannel } from "../support/recording-channel.ts";
import { parseSip, requestText, responseText, unique } from "../support/sip-messages.ts";

const CAUSE = "connection reset";

function overTcp(ceiling = 64): LayerHarness {
  return new LayerHarness({ reliable: true, ceiling });
}

/** A request of ours is sent. @returns its slot, and how it is answered */
function ask(harness: LayerHarness, method: string) {
  const text = requestText(method, { sentBy: "192.0.2.1:5060", transport: "TCP" });
  const slot = harness.request(text);
  return { slot, answer: (status: number) => harness.receive(responseText(parseSip(text), status, { toTag: "t" })) };
}

function lose(harness: LayerHarness): void {
  harness.layer.lost(harness.channel, CAUSE);
}

/** Has the channel lost whenever something is sent on it, as a queue that is full has. */
function loseOnSend(harness: LayerHarness, isOnlyWay = false): void {
  const { channel } = harness;
  const send = channel.send.bind(channel);
  channel.send = (start, address, port) => {
    send(start, address, port);
    lose(harness);
  };
  if (isOnlyWay) onlyWay(channel);
}

/** Makes the channel one like a WebSocket: its peer can be reached by nothing else. */
function onlyWay(channel: RecordingChannel): void {
  Object.defineProperty(channel, "isOnlyWay", { value: true });
}

/** Nothing is left of any transaction. */
function expectClean(harness: LayerHarness): void {
  expect(harness.live).toBe(0);
  expect(harness.wheel.size).toBe(0);
  expect(harness.channel.dependants!.size).toBe(0);
}

describe("client transactions", () => {
  test("fail at once, each once and with the cause, whether or not there was a provisional response", () => {
    for (const method of ["INVITE", "MESSAGE"]) {
      const harness = overTcp();
      const asked = [ask(harness, method), ask(harness, method)];
      asked[1]!.answer(method === "INVITE" ? 180 : 100);
      expect([...harness.channel.dependants!].toSorted()).toEqual(asked.map(({ slot }) => slot).toSorted());
      lose(harness);
      expect(harness.transportFailures).toEqual(asked.map(({ slot }) => ({ slot, cause: CAUSE })));
      expect(harness.layer.counters.transportFailures).toBe(2);
      expectClean(harness);
      lose(harness);
      harness.pass(64_000);
      expect(harness.transportFailures).toHaveLength(2);
      expect(harness.timeouts).toEqual([]);
    }
  });

  test("the slot is given back and its generation moves; a response that comes too late is a stray", () => {
    const harness = overTcp(1);
    const { slot, answer } = ask(harness, "MESSAGE");
    const generation = harness.layer.pool.generation(slot);
    lose(harness);
    expect(harness.layer.pool.isLive(slot, generation)).toBe(false);
    expect(harness.layer.pool.generation(slot)).toBe(generation + 1);
    answer(200);
    expect(harness.strayResponses).toEqual([200]);
    expect(harness.responses).toEqual([]);
    const again = ask(harness, "MESSAGE");
    expect(again.slot).toBe(slot);
    again.answer(200);
    expect(harness.responses).toEqual([{ slot, status: 200 }]);
  });

  test("with a final response are not told", () => {
    for (const [method, status] of [
      ["MESSAGE", 200],
      ["MESSAGE", 404],
      ["INVITE", 200],
      ["INVITE", 486],
    ] as const) {
      const harness = overTcp();
      ask(harness, method).answer(status);
      expect([...harness.channel.dependants!]).toEqual([]);
      lose(harness);
      expect(harness.transportFailures).toEqual([]);
      harness.pass(32_010);
      expectClean(harness);
    }
  });

  test("that timed out are not told", () => {
    const harness = overTcp();
    ask(harness, "MESSAGE");
    ask(harness, "INVITE");
    harness.pass(32_000);
    expect(harness.timeouts).toHaveLength(2);
    expectClean(harness);
    lose(harness);
    expect(harness.transportFailures).toEqual([]);
  });

  test("what the user sends while it is told is not lost with the rest", () => {
    const harness = overTcp();
    const asked = [ask(harness, "MESSAGE"), ask(harness, "MESSAGE"), ask(harness, "MESSAGE")];
    // On another connection, as a second server would be tried.
    const other = new LayerHarness({ reliable: true }).channel;
    const sent: number[] = [];
    harness.transportFailures.push = (failure) => {
      const text = requestText("MESSAGE", { transport: "TCP", branch: unique("z9hG4bKagain") });
      const octets = Buffer.from(text, "latin1");
      const start = other.arena.open(octets.length);
      other.arena.put(octets);
      const branch = Buffer.from(parseSip(text).branch!, "latin1");
      sent.push(harness.layer.request(other, "192.0.2.21", 5060, start, branch, "MESSAGE", null));
      return Array.prototype.push.call(harness.transportFailures, failure);
    };
    lose(harness);
    expect(harness.transportFailures.map(({ slot }) => slot)).toEqual(asked.map(({ slot }) => slot));
    expect(new Set(sent).size).toBe(3);
    expect(harness.live).toBe(3);
    expect([...other.dependants!].toSorted()).toEqual(sent.toSorted());
    expect(other.sent).toHaveLength(3);
  });
});

describe("server transactions", () => {
  test("go on: the response is sent, to where the Via says, for a new connection to be made", () => {
    for (const method of ["INVITE", "MESSAGE"]) {
      const harness = overTcp();
      const slot = harness.offer(
        requestText(method, { transport: "TCP", sentBy: "192.0.2.10:5099", viaParams: ";rport" }),
      );
      if (method === "INVITE") harness.respond(slot, 180);
      lose(harness);
      expect([harness.unreachable, harness.transportFailures]).toEqual([[], []]);
      expect(harness.isLive(harness.requests[0]!)).toBe(true);
      harness.channel.take();
      expect(harness.respond(slot, 486)).toBe(true);
      const [sent] = harness.channel.take();
      expect([sent!.message.status, sent!.address, sent!.port]).toEqual([486, "192.0.2.10", 5099]);
      if (method === "INVITE") harness.pass(32_000);
      expectClean(harness);
    }
  });

  test("end where there is no other way to the peer, those without a final response; the user is told once", () => {
    const harness = overTcp();
    onlyWay(harness.channel);
    const waiting = [harness.offer(requestText("INVITE")), harness.offer(requestText("MESSAGE"))];
    harness.respond(waiting[0]!, 180);
    const answered = harness.offer(requestText("INVITE"));
    harness.respond(answered, 200);
    const refused = harness.offer(requestText("INVITE"));
    harness.respond(refused, 486);
    lose(harness);
    expect(harness.unreachable).toEqual(waiting);
    expect(harness.requests.map((request) => harness.isLive(request))).toEqual([false, false, true, true]);
    lose(harness);
    expect(harness.unreachable).toHaveLength(2);
    harness.pass(32_010);
    expectClean(harness);
  });

  test("what the user answers on the same connection while it is told ends once", () => {
    for (const status of [200, 486]) {
      const harness = overTcp();
      onlyWay(harness.channel);
      const [first, second] = [harness.offer(requestText("INVITE")), harness.offer(requestText("MESSAGE"))];
      const third = harness.offer(requestText("INVITE"));
      harness.unreachable.push = (slot) => {
        if (slot === first) {
          harness.respond(second!, status);
          harness.respond(third, status);
        }
        return Array.prototype.push.call(harness.unreachable, slot);
      };
      lose(harness);
      expect(harness.unreachable).toEqual([first]);
      harness.pass(32_010);
      expectClean(harness);
    }
  });

  test("the retransmission of a request whose transaction ended so is a new one", () => {
    const harness = overTcp();
    onlyWay(harness.channel);
    const text = requestText("INVITE");
    harness.offer(text);
    lose(harness);
    harness.offer(text);
    expect(harness.requests.map(({ merged }) => merged)).toEqual([false, false]);
    expect(harness.layer.counters.retransmissionsReceived).toBe(0);
  });
});

describe("dependants: who waits for something on the connection", () => {
  test("a final response of either side takes the transaction out", () => {
    const harness = overTcp();
    const { dependants } = harness.channel;
    const invite = harness.offer(requestText("INVITE"));
    const message = harness.offer(requestText("MESSAGE"));
    const bye = ask(harness, "BYE");
    expect(dependants!.size).toBe(3);
    harness.respond(invite, 180);
    bye.answer(100);
    expect(dependants!.size).toBe(3);
    harness.respond(invite, 200);
    harness.respond(message, 200);
    bye.answer(481);
    expect([...dependants!]).toEqual([]);
  });

  test("a response that the state does not allow leaves it in", () => {
    const harness = overTcp();
    const slot = harness.offer(requestText("MESSAGE"));
    expect(harness.respond(slot, 408)).toBe(false);
    expect([...harness.channel.dependants!]).toEqual([slot]);
  });

  test("over UDP there are none, and nothing is lost", () => {
    const harness = new LayerHarness();
    ask(harness, "MESSAGE");
    lose(harness);
    expect(harness.transportFailures).toEqual([]);
    expect(harness.live).toBe(1);
  });
});

describe("the connection is lost while something is sent on it", () => {
  test("a request of ours: it fails by itself, and nothing of it is left", () => {
    for (const method of ["MESSAGE", "INVITE"]) {
      const harness = overTcp();
      const before = ask(harness, method);
      loseOnSend(harness);
      const { slot } = ask(harness, method);
      expect(harness.transportFailures.map((failure) => failure.slot)).toEqual([before.slot, slot]);
      expectClean(harness);
      harness.pass(64_000);
      expect(harness.timeouts).toEqual([]);
    }
  });

  for (const status of [100, 180, 200, 486]) {
    test(`a ${status} over the only way to an INVITE's caller`, () => {
      const harness = overTcp();
      const slot = harness.offer(requestText("INVITE"));
      loseOnSend(harness, true);
      harness.respond(slot, status);
      // Whether the user is told of it or not, the next one to use the slot has nothing of it.
      harness.pass(32_010);
      expectClean(harness);
      const next = harness.offer(requestText("INVITE"));
      harness.pass(64_000);
      expect([next, harness.live]).toEqual([slot, 1]);
    });
  }

  for (const status of [100, 200]) {
    test(`a ${status} over the only way to the sender of a MESSAGE`, () => {
      const harness = overTcp();
      const slot = harness.offer(requestText("MESSAGE"));
      loseOnSend(harness, true);
      harness.respond(slot, status);
      harness.pass(32_010);
      expectClean(harness);
    });
  }
});

test("whatever is asked, answered and lost in whatever order: no timer, slot, key or dependant is left", () => {
  const step = fc.record({
    what: fc.constantFrom("ask", "answer", "offer", "respond", "lose", "wait"),
    method: fc.constantFrom("INVITE", "MESSAGE"),
    status: fc.constantFrom(100, 180, 200, 404, 486),
    which: fc.nat(5),
    ms: fc.constantFrom(10, 500, 33_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, isOnlyWay) => {
      const harness = overTcp(16);
      if (isOnlyWay) onlyWay(harness.channel);
      const asked: ReturnType<typeof ask>[] = [];
      for (const { what, method, status, which, ms } of steps) {
        if (what === "ask") asked.push(ask(harness, method));
        else if (what === "answer") asked.at(-1 - which)?.answer(status);
        else if (what === "offer") harness.receive(requestText(method));
        else if (what === "lose") lose(harness);
        else if (what === "wait") harness.pass(ms);
        else {
          const request = harness.requests.at(-1 - which);
          if (request !== undefined && harness.isLive(request)) harness.respond(request.slot, status);
        }
      }
      lose(harness);
      for (const request of harness.requests) if (harness.isLive(request)) harness.respond(request.slot, 486);
      harness.pass(33_000);
      expectClean(harness);
    }),
    { numRuns: 150 },
  );
});
