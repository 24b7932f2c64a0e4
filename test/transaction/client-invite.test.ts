/** RFC 3261 figure 5 with RFC 6026 s7.2, row by row. Times are milliseconds since the INVITE was sent. */
import { describe, expect, test } from "bun:test";
import { LayerHarness } from "../support/layer-harness.ts";
import { parseSip, requestText, responseText } from "../support/sip-messages.ts";

const INVITE = requestText("INVITE", {
  uri: "sip:carol@chicago.example.com;transport=udp",
  sentBy: "192.0.2.1:5060",
  branch: "z9hG4bKclientinvite",
  headers: ["Route: <sip:p1.example.com;lr>", "Route: <sip:p2.example.com;lr>, <sip:p3.example.com;lr>", "Subject: x"],
});
const REQUEST = parseSip(INVITE);

function response(status: number, toTag = "theirs"): string {
  return responseText(REQUEST, status, { toTag });
}

function called(options: ConstructorParameters<typeof LayerHarness>[0] = {}) {
  const harness = new LayerHarness(options);
  const slot = harness.request(INVITE);
  return { harness, slot };
}

describe("client INVITE transaction: Calling", () => {
  test("timer A: sent at 0, T1, and doubling without a cap; timer B: the end at 64*T1", () => {
    const { harness, slot } = called();
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500].map((at) => [at, "INVITE"]));
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
    expect(harness.live).toBe(0);
    harness.pass(60_000);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.wheel.size).toBe(0);
  });

  test("A and B follow T1", () => {
    const { harness } = called({ timers: { t1: 100, t2: 200 } });
    harness.pass(6400);
    expect(harness.takeSent().map(([at]) => at)).toEqual([0, 100, 300, 700, 1500, 3100, 6300]);
    expect(harness.timeouts.map(({ at }) => at)).toEqual([6400]);
  });

  test("what is sent again has the same octets and goes to the same place", () => {
    const { harness } = called();
    harness.pass(4000);
    const sent = harness.channel.take();
    expect(sent).toHaveLength(4);
    for (const { message, address, port } of sent) {
      expect(message.text).toBe(INVITE);
      expect(`${address}:${port}`).toBe("192.0.2.20:5070");
    }
  });

  test("over a reliable transport it is sent once, and B still runs", () => {
    const { harness, slot } = called({ reliable: true });
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual([[0, "INVITE"]]);
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
  });
});

describe("client INVITE transaction: Proceeding", () => {
  test("a provisional response ends A and B; each goes to the user", () => {
    const { harness, slot } = called();
    harness.pass(600);
    harness.receive(response(100, ""));
    harness.takeSent();
    harness.pass(200_000);
    harness.receive(response(180));
    harness.receive(response(183));
    expect(harness.takeSent()).toEqual([]);
    expect(harness.timeouts).toEqual([]);
    expect(harness.responses).toEqual([100, 180, 183].map((status) => ({ slot, status })));
    expect(harness.live).toBe(1);
  });
});

describe("client INVITE transaction: Completed", () => {
  test("a final response that is not a 2xx is acknowledged and handed on", () => {
    for (const before of [[], [180]]) {
      const { harness, slot } = called();
      harness.channel.take();
      for (const status of before) harness.receive(response(status));
      harness.receive(response(486));
      expect(harness.takeSent()).toEqual([[0, "ACK"]]);
      expect(harness.responses.at(-1)).toEqual({ slot, status: 486 });
    }
  });

  test("the ACK is written by s17.1.1.3", () => {
    const { harness } = called();
    harness.channel.take();
    harness.receive(response(404, "not-found"));
    const { message: ack, address, port } = harness.channel.take()[0]!;
    expect(ack.startLine).toBe("ACK sip:carol@chicago.example.com;transport=udp SIP/2.0");
    expect(ack.headers("Via")).toEqual(REQUEST.headers("Via"));
    expect(ack.header("From")).toBe(REQUEST.header("From"));
    expect(ack.header("To")).toBe(`${REQUEST.header("To")};tag=not-found`);
    expect(ack.callId).toBe(REQUEST.callId);
    expect(ack.header("CSeq")).toBe("1 ACK");
    expect(ack.headers("Route")).toEqual(REQUEST.headers("Route"));
    expect(ack.header("Max-Forwards")).toBe("70");
    expect(ack.header("Contact")).toBeUndefined();
    expect(ack.body).toBe("");
    expect(`${address}:${port}`).toBe("192.0.2.20:5070");
  });

  test("each final response that comes again gets the same ACK, and the user does not hear of it", () => {
    const { harness } = called();
    harness.receive(response(486));
    const first = harness.channel.take().at(-1)!.message.text;
    for (let i = 0; i < 3; i++) {
      harness.pass(1000);
      harness.receive(response(486));
    }
    expect(harness.channel.take().map(({ message }) => message.text)).toEqual([first, first, first]);
    expect(harness.responses).toHaveLength(1);
    expect(harness.layer.counters.retransmissionsReceived).toBe(3);
  });

  test("provisional responses and a 2xx that come late are dropped", () => {
    const { harness } = called();
    harness.receive(response(486));
    harness.takeSent();
    harness.receive(response(180));
    harness.receive(response(200));
    expect(harness.takeSent()).toEqual([]);
    expect(harness.responses).toHaveLength(1);
  });

  test("timer D: 32 s at least, 64*T1 where that is more", () => {
    for (const [t1, d] of [
      [500, 32_000],
      [100, 32_000],
      [1000, 64_000],
    ] as const) {
      const { harness } = called({ timers: { t1 } });
      harness.receive(response(603));
      harness.pass(d - 10);
      expect(harness.live).toBe(1);
      harness.pass(10);
      expect(harness.live).toBe(0);
      expect(harness.timeouts).toEqual([]);
      expect(harness.wheel.size).toBe(0);
    }
  });

  test("over a reliable transport D is zero", () => {
    const { harness } = called({ reliable: true });
    harness.receive(response(603));
    expect(harness.takeSent().at(-1)).toEqual([0, "ACK"]);
    harness.pass(10);
    expect(harness.live).toBe(0);
    harness.receive(response(603));
    expect(harness.strayResponses).toEqual([603]);
  });
});

describe("client INVITE transaction: Accepted (RFC 6026)", () => {
  test("every 2xx goes to the user, also from other forks; no ACK is sent by the transaction", () => {
    const { harness, slot } = called();
    harness.takeSent();
    harness.receive(response(200, "fork1"));
    harness.receive(response(200, "fork2"));
    harness.pass(500);
    harness.receive(response(200, "fork1"));
    expect(harness.responses).toEqual([200, 200, 200].map((status) => ({ slot, status })));
    expect(harness.takeSent()).toEqual([]);
  });

  test("other responses are dropped", () => {
    const { harness } = called();
    harness.receive(response(200));
    harness.takeSent();
    harness.receive(response(180));
    harness.receive(response(486, "fork2"));
    expect(harness.responses).toHaveLength(1);
    expect(harness.takeSent()).toEqual([]);
  });

  test("timer M: 64*T1, whatever the transport; a later 2xx is a stranger", () => {
    for (const reliable of [false, true]) {
      const { harness } = called({ reliable });
      harness.pass(100);
      harness.receive(response(200));
      harness.pass(31_990);
      expect(harness.live).toBe(1);
      harness.pass(10);
      expect(harness.live).toBe(0);
      expect(harness.timeouts).toEqual([]);
      expect(harness.wheel.size).toBe(0);
      harness.receive(response(200));
      expect(harness.strayResponses).toEqual([200]);
      expect(harness.responses).toHaveLength(1);
    }
  });
});
