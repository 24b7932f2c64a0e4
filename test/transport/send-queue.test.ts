import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { SendQueue } from "../../src/transport/send-queue.ts";
import { type Outcome, ScriptedSocket } from "../support/scripted-socket.ts";

const encoder = new TextEncoder();
const REFUSED = { code: "ECONNREFUSED" };
const TOO_LONG = { code: "EMSGSIZE" };

function queueOn(socket: ScriptedSocket, bound = 100) {
  const counters = { sent: 0, sendsDeferred: 0, sendsDropped: 0, errors: 0 };
  const queue = new SendQueue(socket, bound, counters);
  const add = (...texts: string[]) => {
    for (const text of texts) queue.add(encoder.encode(text), "127.0.0.1", 5060);
  };
  const sent = () => socket.sent.map(({ text }) => text);
  return { queue, counters, add, sent };
}

describe("a turn", () => {
  test("is one call of sendMany, with each datagram's own address and port", () => {
    const socket = new ScriptedSocket();
    const { queue, counters } = queueOn(socket);
    queue.add(encoder.encode("a"), "127.0.0.1", 5060);
    queue.add(encoder.encode("b"), "::1", 5070);
    expect({ gathered: queue.gathered, sent: socket.sent }).toEqual({ gathered: 2, sent: [] });
    queue.flush();
    expect(socket.calls).toBe(1);
    expect(socket.sent).toEqual([
      { text: "a", port: 5060, address: "127.0.0.1" },
      { text: "b", port: 5070, address: "::1" },
    ]);
    expect(counters).toEqual({ sent: 2, sendsDeferred: 0, sendsDropped: 0, errors: 0 });
    expect({ gathered: queue.gathered, waiting: queue.waiting }).toEqual({ gathered: 0, waiting: 0 });
  });

  test("without datagrams asks nothing of the kernel", () => {
    const socket = new ScriptedSocket();
    queueOn(socket).queue.flush();
    expect(socket.calls).toBe(0);
  });

  test("does not send again what an earlier turn has sent", () => {
    const socket = new ScriptedSocket();
    const { queue, add, sent } = queueOn(socket);
    add("a");
    queue.flush();
    add("b");
    queue.flush();
    expect(sent()).toEqual(["a", "b"]);
  });
});

describe("a kernel without room", () => {
  test("keeps the rest waiting until it drains, in order", () => {
    const socket = new ScriptedSocket(["taken", "full", "full"]);
    const { queue, counters, add, sent } = queueOn(socket);
    add("a", "b", "c");
    queue.flush();
    expect(sent()).toEqual(["a"]);
    expect(queue.waiting).toBe(2);
    expect(counters).toEqual({ sent: 1, sendsDeferred: 2, sendsDropped: 0, errors: 0 });
    queue.drain();
    expect(sent()).toEqual(["a", "b", "c"]);
    expect(queue.waiting).toBe(0);
    expect(counters).toEqual({ sent: 3, sendsDeferred: 2, sendsDropped: 0, errors: 0 });
  });

  test("lets nothing of a later turn overtake what waits", () => {
    const socket = new ScriptedSocket(["full", "full"]);
    const { queue, add, sent } = queueOn(socket);
    add("a");
    queue.flush();
    add("b");
    queue.flush();
    expect(sent()).toEqual([]);
    queue.drain();
    expect(sent()).toEqual(["a", "b"]);
  });

  test("that fills again while it drains keeps what is left", () => {
    const socket = new ScriptedSocket(["full", "full", "taken", "full"]);
    const { queue, add, sent } = queueOn(socket);
    add("a", "b", "c");
    queue.flush();
    queue.drain();
    expect(sent()).toEqual(["a"]);
    queue.drain();
    expect(sent()).toEqual(["a", "b", "c"]);
  });

  test("waits with octets of its own, since the arena is written anew", () => {
    const socket = new ScriptedSocket(["full", "full"]);
    const { queue, sent } = queueOn(socket);
    const arena = encoder.encode("before");
    queue.add(arena, "127.0.0.1", 5060);
    queue.flush();
    arena.set(encoder.encode("after!"));
    queue.drain();
    expect(sent()).toEqual(["before"]);
  });

  test("makes the datagrams above the bound be dropped and counted, the newest first", () => {
    const socket = new ScriptedSocket(["full", "full"]);
    const { queue, counters, add, sent } = queueOn(socket, 2);
    add("a", "b", "c", "d");
    queue.flush();
    add("e");
    queue.flush();
    expect(queue.waiting).toBe(2);
    expect(counters).toEqual({ sent: 0, sendsDeferred: 2, sendsDropped: 3, errors: 0 });
    queue.drain();
    expect(sent()).toEqual(["a", "b"]);
  });

  test("with no queue at all drops at once", () => {
    const socket = new ScriptedSocket(["full", "full"]);
    const { queue, counters, add } = queueOn(socket, 0);
    add("a");
    queue.flush();
    expect(counters).toEqual({ sent: 0, sendsDeferred: 0, sendsDropped: 1, errors: 0 });
  });
});

describe("an exception", () => {
  test("of an ICMP error left behind costs no datagram", () => {
    const socket = new ScriptedSocket([REFUSED, REFUSED, REFUSED]);
    const { queue, counters, add, sent } = queueOn(socket);
    add("a", "b");
    queue.flush();
    expect(sent()).toEqual(["a", "b"]);
    expect(counters).toEqual({ sent: 2, sendsDeferred: 0, sendsDropped: 0, errors: 3 });
  });

  test.each(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EPROTO", "ENOPROTOOPT"])(
    "of %s is one of those",
    (code) => {
      const socket = new ScriptedSocket([{ code }, { code }]);
      const { queue, counters, add, sent } = queueOn(socket);
      add("a");
      queue.flush();
      expect(sent()).toEqual(["a"]);
      expect(counters.sendsDropped).toBe(0);
    },
  );

  test("that does not end makes that datagram alone be given up", () => {
    const socket = new ScriptedSocket(Array<Outcome>(10).fill(REFUSED));
    const { queue, counters, add, sent } = queueOn(socket);
    add("a", "b");
    queue.flush();
    expect(sent()).toEqual(["b"]);
    expect(counters.sendsDropped).toBe(1);
  });

  test("of a datagram that cannot be sent drops it, tries it once more at most, and sends the others", () => {
    const socket = new ScriptedSocket(["taken", "full", TOO_LONG, "taken"]);
    const { queue, counters, add, sent } = queueOn(socket);
    add("a", "too long", "b");
    queue.flush();
    expect(sent()).toEqual(["a", "b"]);
    expect(queue.waiting).toBe(0);
    expect(counters).toEqual({ sent: 2, sendsDeferred: 0, sendsDropped: 1, errors: 1 });
  });

  test("while waiting datagrams drain drops that one and goes on", () => {
    const socket = new ScriptedSocket(["full", "full", "taken", TOO_LONG, "taken"]);
    const { queue, counters, add, sent } = queueOn(socket);
    add("a", "b", "c");
    queue.flush();
    queue.drain();
    expect(sent()).toEqual(["a", "c"]);
    expect(queue.waiting).toBe(0);
    expect(counters.sendsDropped).toBe(1);
  });
});

test("whatever the kernel does, each datagram leaves once and in order, waits, or is counted as dropped", () => {
  const outcome: fc.Arbitrary<Outcome> = fc.oneof(
    { weight: 6, arbitrary: fc.constant<Outcome>("taken") },
    { weight: 2, arbitrary: fc.constant<Outcome>("full") },
    { weight: 1, arbitrary: fc.constant<Outcome>(REFUSED) },
    { weight: 1, arbitrary: fc.constant<Outcome>(TOO_LONG) },
  );
  const step = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constantFrom("flush", "drain"));
  fc.assert(
    fc.property(
      fc.array(outcome, { maxLength: 60 }),
      fc.array(step, { maxLength: 40 }),
      fc.nat(12),
      (script, steps, bound) => {
        const socket = new ScriptedSocket([...script]);
        const { queue, counters, add, sent } = queueOn(socket, bound);
        let added = 0;
        for (const what of steps) {
          if (what === "flush") queue.flush();
          else if (what === "drain") queue.drain();
          else for (let n = 0; n < what; n++) add(String(added++));
          expect(queue.waiting).toBeLessThanOrEqual(bound);
          expect(counters.sent).toBe(socket.sent.length);
          expect(counters.sent + counters.sendsDropped + queue.waiting + queue.gathered).toBe(added);
        }
        // All that is left leaves in the end: the script is over, or is made to be.
        socket.script = [];
        queue.drain();
        queue.flush();
        expect({ waiting: queue.waiting, gathered: queue.gathered }).toEqual({ waiting: 0, gathered: 0 });
        const numbers = sent().map(Number);
        expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        expect(numbers.length + counters.sendsDropped).toBe(added);
      },
    ),
    { numRuns: 500 },
  );
});

describe("a real socket whose peers may be gone", () => {
  test.each(["DLDLDL", "DDDDLLLL", "LLDLL", "LLLL", "DLLL"])(
    "%s: each live one gets its datagram once",
    async (pattern) => {
      const received: string[] = [];
      const live = await Bun.udpSocket({
        hostname: "127.0.0.1",
        socket: { data: (_, bytes) => void received.push(bytes.toString()) },
      });
      const gone = await Bun.udpSocket({ hostname: "127.0.0.1" });
      const dead = gone.port;
      gone.close();
      const socket = await Bun.udpSocket({ hostname: "127.0.0.1", socket: { error() {} } });
      try {
        const counters = { sent: 0, sendsDeferred: 0, sendsDropped: 0, errors: 0 };
        const queue = new SendQueue(socket, 100, counters);
        const wanted: string[] = [];
        for (let turn = 0; turn < 20; turn++) {
          for (const [n, who] of [...pattern].entries()) {
            const text = `${turn}-${n}`;
            if (who === "L") wanted.push(text);
            queue.add(encoder.encode(text), "127.0.0.1", who === "L" ? live.port : dead);
          }
          queue.flush();
        }
        expect(counters).toMatchObject({ sent: 20 * pattern.length, sendsDropped: 0, sendsDeferred: 0 });
        const deadline = performance.now() + 5000;
        while (received.length < wanted.length && performance.now() < deadline) await Bun.sleep(5);
        await Bun.sleep(20);
        expect(received).toEqual(wanted);
      } finally {
        socket.close();
        live.close();
      }
    },
  );
});
