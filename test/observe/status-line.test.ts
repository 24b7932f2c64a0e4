import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Snapshot, startStatusLine, statusText } from "../../src/observe/status-line.ts";

function snapshot(at: number, stats: Record<string, number>, memory = 0): Snapshot {
  return { at, stats, memory };
}

const before = snapshot(1000, {
  callsStarted: 10,
  messagesReceived: 1000,
  messagesSent: 500,
  dialogs: 99,
  transactions: 99,
  retransmissionsSent: 4,
  retransmissionsReceived: 3,
  rejected: 1,
});
const after = snapshot(
  3000,
  {
    callsStarted: 80_010,
    messagesReceived: 321_000,
    messagesSent: 240_500,
    dialogs: 1234,
    transactions: 80_112,
    retransmissionsSent: 8,
    retransmissionsReceived: 4,
    rejected: 7,
  },
  212 * 1_048_576,
);

describe("the status line", () => {
  test("rates are over the time between the snapshots; the rest is as of now", () => {
    expect(statusText(before, after, 200)).toBe(
      "calls/s 40,000  messages/s 280,000  dialogs 1,234  transactions 80,112  retransmissions 12  rejects 7  memory 212 MB",
    );
  });

  test("a narrow terminal gets short names", () => {
    expect(statusText(before, after, 80)).toBe("call/s 40.0k msg/s 280k dlg 1234 trans 80.1k retr 12 rej 7 212 MB");
  });

  test("of a registrar tells of REGISTERs and bindings", () => {
    const registering = (snap: Snapshot, registers: number, bindings: number) =>
      snapshot(snap.at, { ...snap.stats, registers, bindings }, snap.memory);
    const text = (columns: number) =>
      statusText(registering(before, 100, 5), registering(after, 24_100, 91_000), columns);
    expect(text(200)).toBe(
      "registers/s 12,000  messages/s 280,000  bindings 91,000  transactions 80,112  retransmissions 12  rejects 7  memory 212 MB",
    );
    expect(text(80)).toBe("reg/s 12.0k msg/s 280k bind 91.0k trans 80.1k retr 12 rej 7 212 MB");
  });

  test("no time between the snapshots and no counters is no trouble", () => {
    expect(statusText(snapshot(5, {}), snapshot(5, {}), 200)).toStartWith("calls/s 0  messages/s 0  dialogs 0");
  });

  test("it never fills the line, whatever the numbers", () => {
    const number = fc.integer({ min: 0, max: 2 ** 45 });
    const stats = fc.record({ callsStarted: number, messagesSent: number, transactions: number, rejected: number });
    fc.assert(
      fc.property(stats, number, fc.integer({ min: 0, max: 200 }), (values, memory, columns) => {
        const text = statusText(snapshot(0, {}), snapshot(1000, values, memory), columns);
        expect(text.length).toBeLessThan(Math.max(columns, 1));
        expect(text).not.toMatch(/NaN|undefined|Infinity/);
      }),
    );
  });

  test("numbers keep to the width that they are given", () => {
    const text = (transactions: number) => statusText(before, snapshot(2000, { transactions }), 60);
    expect(text(9999)).toContain(" trans 9999 ");
    expect(text(99_940)).toContain(" trans 99.9k ");
    expect(text(99_960)).toContain(" trans 100k ");
    expect(text(999_499)).toContain(" trans 999k ");
    expect(text(999_500)).toContain(" trans 1.0M ");
  });

  test("it is drawn at once and each second, each time for the time since the one before", () => {
    const drawn: string[] = [];
    let at = 0;
    let calls = 0;
    let tick = () => {};
    let ended = false;
    const line = startStatusLine({
      snapshot: () => snapshot(at, { callsStarted: calls }),
      columns: () => 200,
      draw: (text) => drawn.push(text.split("  ")[0]!),
      every(ms, work) {
        expect(ms).toBe(1000);
        tick = work;
        return () => {
          ended = true;
        };
      },
    });
    at = 1000;
    calls = 500;
    tick();
    at = 3000;
    calls = 900;
    tick();
    line.stop();
    expect(drawn).toEqual(["calls/s 0", "calls/s 500", "calls/s 200", ""]);
    expect(ended).toBe(true);
  });
});
