/** RFC 3261 figure 6, row by row. Times are milliseconds since the request was sent. */
import { describe, expect, test } from "bun:test";
import { LayerHarness } from "../support/layer-harness.ts";
import { parseSip, requestText, responseText } from "../support/sip-messages.ts";

const BYE = requestText("BYE", { sentBy: "192.0.2.1:5060", branch: "z9hG4bKclientnoninvite" });
const REQUEST = parseSip(BYE);

function response(status: number): string {
  return responseText(REQUEST, status, { toTag: "theirs" });
}

function asked(options: ConstructorParameters<typeof LayerHarness>[0] = {}) {
  const harness = new LayerHarness(options);
  const slot = harness.request(BYE);
  return { harness, slot };
}

describe("client non-INVITE transaction: Trying", () => {
  test("timer E: sent at 0, T1, doubling to T2; timer F: the end at 64*T1", () => {
    const { harness, slot } = asked();
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual(
      [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500].map((at) => [at, "BYE"]),
    );
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
    expect(harness.live).toBe(0);
    harness.pass(60_000);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.wheel.size).toBe(0);
  });

  test("E and F follow T1 and T2", () => {
    const { harness } = asked({ timers: { t1: 100, t2: 300 } });
    harness.pass(6400);
    const times = harness.takeSent().map(([at]) => at);
    expect(times.slice(0, 6)).toEqual([0, 100, 300, 600, 900, 1200]);
    expect(times.at(-1)).toBe(6300);
    expect(harness.timeouts.map(({ at }) => at)).toEqual([6400]);
  });

  test("what is sent again has the same octets", () => {
    const { harness } = asked();
    harness.pass(4000);
    expect(harness.channel.take().map(({ message }) => message.text)).toEqual([BYE, BYE, BYE, BYE]);
  });

  test("over a reliable transport it is sent once, and F still runs", () => {
    const { harness, slot } = asked({ reliable: true });
    harness.pass(31_990);
    expect(harness.takeSent()).toEqual([[0, "BYE"]]);
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
  });
});

describe("client non-INVITE transaction: Proceeding", () => {
  test("after a provisional response E goes on, at T2, and F still ends it", () => {
    const { harness, slot } = asked();
    harness.pass(600);
    harness.receive(response(100));
    harness.pass(31_390);
    // The E under way when the 100 came fires at its time; from there on it is T2.
    expect(harness.takeSent().map(([at]) => at)).toEqual([
      0, 500, 1500, 5500, 9500, 13_500, 17_500, 21_500, 25_500, 29_500,
    ]);
    expect(harness.responses).toEqual([{ slot, status: 100 }]);
    harness.pass(10);
    expect(harness.timeouts).toEqual([{ slot, at: 32_000 }]);
  });

  test("a final response ends it", () => {
    const { harness, slot } = asked();
    harness.receive(response(100));
    harness.receive(response(200));
    harness.takeSent();
    harness.pass(40_000);
    expect(harness.takeSent()).toEqual([]);
    expect(harness.timeouts).toEqual([]);
    expect(harness.responses).toEqual([100, 200].map((status) => ({ slot, status })));
  });
});

describe("client non-INVITE transaction: Completed", () => {
  test("responses that come again are absorbed until timer K, T4 later", () => {
    for (const status of [200, 302, 481, 503, 603]) {
      const { harness } = asked();
      harness.pass(700);
      harness.receive(response(status));
      harness.takeSent();
      harness.pass(4990);
      harness.receive(response(status));
      harness.receive(response(100));
      expect(harness.responses).toHaveLength(1);
      expect(harness.strayResponses).toEqual([]);
      expect(harness.live).toBe(1);
      harness.pass(10);
      expect(harness.live).toBe(0);
      expect(harness.takeSent()).toEqual([]);
      expect(harness.timeouts).toEqual([]);
      expect(harness.wheel.size).toBe(0);
      harness.receive(response(status));
      expect(harness.strayResponses).toEqual([status]);
    }
  });

  test("K follows T4", () => {
    const { harness } = asked({ timers: { t4: 1000 } });
    harness.receive(response(200));
    harness.pass(990);
    expect(harness.live).toBe(1);
    harness.pass(10);
    expect(harness.live).toBe(0);
  });

  test("over a reliable transport K is zero", () => {
    const { harness } = asked({ reliable: true });
    harness.receive(response(200));
    harness.pass(10);
    expect(harness.live).toBe(0);
  });
});
