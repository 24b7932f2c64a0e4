import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { orderSrv, saysUnavailable, serviceName } from "../../src/resolve/srv.ts";
import { seededRandom } from "../support/lossy-relay.ts";

function srv(name: string, priority: number, weight: number, port = 5060) {
  return { name, priority, weight, port };
}

/** How often each record comes first in `rounds` orders. */
function firsts(records: ReturnType<typeof srv>[], rounds: number): Record<string, number> {
  const random = seededRandom(2782);
  const counts: Record<string, number> = {};
  for (let round = 0; round < rounds; round++) {
    const { name } = orderSrv(records, random)[0]!;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe("the order of SRV records (RFC 2782)", () => {
  test("is by priority, whatever the weights", () => {
    const records = [srv("c", 30, 0), srv("a", 10, 1), srv("b", 20, 65_535)];
    const random = seededRandom(1);
    for (let round = 0; round < 50; round++) {
      expect(orderSrv(records, random).map(({ name }) => name)).toEqual(["a", "b", "c"]);
    }
  });

  test("lets each come first in proportion to its weight", () => {
    const counts = firsts([srv("a", 0, 10), srv("b", 0, 30), srv("c", 0, 60)], 20_000);
    expect(counts.a! / 20_000).toBeCloseTo(0.1, 1.5);
    expect(counts.b! / 20_000).toBeCloseTo(0.3, 1.5);
    expect(counts.c! / 20_000).toBeCloseTo(0.6, 1.5);
  });

  test("gives those of weight 0 a small chance beside others", () => {
    const { zero = 0, ...rest } = firsts([srv("heavy", 0, 99), srv("zero", 0, 0)], 20_000);
    expect(zero).toBeGreaterThan(50);
    expect(zero).toBeLessThan(600);
    expect(rest.heavy).toBe(20_000 - zero);
  });

  test("has those of weight 0 before the others for the lowest draw, wherever they stand", () => {
    const records = [srv("heavy", 0, 99), srv("zero", 0, 0)];
    expect(orderSrv(records, () => 0).map(({ name }) => name)).toEqual(["zero", "heavy"]);
    expect(orderSrv(records, () => 0.01).map(({ name }) => name)).toEqual(["heavy", "zero"]);
  });

  test("draws the second place anew among those that are left", () => {
    const random = seededRandom(3);
    let second = 0;
    const records = [srv("first", 0, 65_535), srv("a", 0, 20), srv("b", 0, 20)];
    for (let round = 0; round < 4000; round++) if (orderSrv(records, random)[1]!.name === "a") second++;
    expect(second / 4000).toBeCloseTo(0.5, 1);
  });

  test("leaves out what leads nowhere, and the records as they were", () => {
    const records = [srv("b", 1, 0), srv("", 0, 0), srv(".", 0, 0), srv("x", 0, 0, 0), srv("a", 0, 0)];
    const before = structuredClone(records);
    expect(orderSrv(records, () => 0).map(({ name }) => name)).toEqual(["a", "b"]);
    expect(records).toEqual(before);
  });

  test("has every record once, priorities rising, for any weights and any draw, 1 included", () => {
    const record = fc.tuple(fc.nat(3), fc.nat(65_535)).map(([priority, weight]) => ({ priority, weight }));
    fc.assert(
      fc.property(fc.array(record, { maxLength: 12 }), fc.double({ min: 0, max: 1, noNaN: true }), (list, drawn) => {
        const records = list.map(({ priority, weight }, at) => srv(`h${at}`, priority, weight));
        const ordered = orderSrv(records, () => drawn);
        expect(ordered.map(({ name }) => name).sort()).toEqual(records.map(({ name }) => name).sort());
        expect(ordered.map(({ priority }) => priority)).toEqual(records.map((one) => one.priority).sort());
      }),
    );
  });
});

test("the root as the only target says that there is no such service", () => {
  expect(saysUnavailable([srv("", 0, 0, 0)])).toBe(true);
  expect(saysUnavailable([srv(".", 0, 0, 0)])).toBe(true);
  expect(saysUnavailable([srv(".", 0, 0, 0), srv("a", 0, 0)])).toBe(false);
  expect(saysUnavailable([])).toBe(false);
});

test("each transport has its service, but for WebSocket", () => {
  expect(serviceName("udp", "example.com")).toBe("_sip._udp.example.com");
  expect(serviceName("tcp", "example.com")).toBe("_sip._tcp.example.com");
  expect(serviceName("tls", "example.com")).toBe("_sips._tcp.example.com");
  expect(serviceName("ws", "example.com")).toBeUndefined();
  expect(serviceName("wss", "example.com")).toBeUndefined();
});
