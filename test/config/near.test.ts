import { describe, expect, test } from "bun:test";
import { nearest } from "../../src/config/near.ts";

const NAMES = ["ring-time", "final-status", "t1", "listen", "grace", "log-level"];

describe("the name that was probably meant", () => {
  test.each([
    ["rng-time", "ring-time"],
    ["ringTime", "ring-time"],
    ["RING_TIME", "ring-time"],
    ["listne", "listen"],
    ["loglevel", "log-level"],
    ["final-staus", "final-status"],
    ["T1", "t1"],
  ])("%s is near %s", (name, expected) => {
    expect(nearest(name, NAMES)).toBe(expected);
  });

  test.each(["", "x", "t3", "port", "verbose", "l".repeat(1000)])("%s is near none", (name) => {
    expect(nearest(name, NAMES)).toBeUndefined();
  });
});
