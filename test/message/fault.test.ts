import { expect, test } from "bun:test";
import { Fault, faultReason, faultStatus } from "../../src/message/fault.ts";

const FAULTS = Object.values(Fault).filter((fault) => fault !== Fault.None);

test("every fault has a status of refusal and a reason of its own that can stand in a status line", () => {
  for (const fault of FAULTS) {
    expect([400, 413, 414, 416, 505, 513]).toContain(faultStatus(fault));
    expect(faultReason(fault)).toMatch(/^[A-Z][-A-Za-z0-9 ]+$/);
  }
  expect(new Set(FAULTS.map(faultReason)).size).toBe(FAULTS.length);
});

test("the statuses are those RFC 3261 s21 has for what is wrong", () => {
  const others = Object.entries(Fault).filter(([, fault]) => fault !== Fault.None && faultStatus(fault) !== 400);
  expect(Object.fromEntries(others.map(([name, fault]) => [name, faultStatus(fault)]))).toEqual({
    Version: 505,
    UriTooLong: 414,
    MessageTooLarge: 513,
    BodyTooLarge: 413,
    Scheme: 416,
  });
});

test("a number that is none is a bad request", () => {
  for (const fault of [-1, 999, 1.5]) expect([faultStatus(fault), faultReason(fault)]).toEqual([400, "Bad Request"]);
});
