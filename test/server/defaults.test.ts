import { expect, test } from "bun:test";
import { withDefaults } from "../../src/server/defaults.ts";
import { DEFAULT_UDP } from "../../src/transport/udp.ts";

test("a setting that is given stands, one that is not is the default", () => {
  expect(withDefaults(DEFAULT_UDP, { floodBudget: 9, native: false })).toEqual({
    ...DEFAULT_UDP,
    floodBudget: 9,
    native: false,
  });
  expect(withDefaults(DEFAULT_UDP)).toEqual(DEFAULT_UDP);
});

test("a setting that is given as undefined is the default", () => {
  expect(withDefaults(DEFAULT_UDP, { native: undefined, sendQueue: undefined })).toEqual(DEFAULT_UDP);
});

test("what is no setting is left out, and the defaults stay as they are", () => {
  const before = { ...DEFAULT_UDP };
  const given = { sendQueue: 1, other: 2 };
  expect(withDefaults(DEFAULT_UDP, given)).toEqual({ ...before, sendQueue: 1 });
  expect(DEFAULT_UDP).toEqual(before);
});
