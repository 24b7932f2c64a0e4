import { expect, test } from "bun:test";
import { DEFAULT_TIMERS, timersFrom } from "../../src/transaction/timers.ts";

test("the defaults are RFC 3261's: T1 500 ms, T2 4 s, T4 5 s", () => {
  expect(DEFAULT_TIMERS).toEqual({ t1: 500, t2: 4000, t4: 5000 });
  expect(timersFrom()).toEqual({ t1: 500, t2: 4000, t4: 5000, transaction: 32_000, d: 32_000, lateTrying: 3500 });
});

test("what follows from T1 and T2 follows the settings", () => {
  expect(timersFrom({ t1: 1000 })).toMatchObject({
    t1: 1000,
    t2: 4000,
    transaction: 64_000,
    d: 64_000,
    lateTrying: 3000,
  });
  // D is 32 s at least, however short T1 is (s17.1.1.2).
  expect(timersFrom({ t1: 10 })).toMatchObject({ transaction: 640, d: 32_000 });
  expect(timersFrom({ t2: 8000 })).toMatchObject({ lateTrying: 7500 });
});

test("T2 not above T1: the late 100 comes after one T1", () => {
  expect(timersFrom({ t1: 500, t2: 500 }).lateTrying).toBe(500);
  expect(timersFrom({ t1: 500, t2: 100 }).lateTrying).toBe(500);
});

test("a setting that is given as undefined is the default", () => {
  expect(timersFrom({ t1: undefined, t2: undefined, t4: undefined })).toEqual(timersFrom());
});

test("a setting that is no time is refused, not waited on for ever", async () => {
  for (const settings of ["{ t1: 0 }", "{ t1: -1 }", "{ t2: Number.NaN }"]) {
    const child = Bun.spawn({
      cmd: [
        process.execPath,
        "-e",
        `import { timersFrom } from ${JSON.stringify(Bun.fileURLToPath(new URL("../../src/transaction/timers.ts", import.meta.url)))};
         try { timersFrom(${settings}); console.log("taken"); } catch (error) { console.log(error.name); }`,
      ],
      stdout: "pipe",
      timeout: 5000,
    });
    expect([settings, await new Response(child.stdout).text()]).toEqual([settings, "RangeError\n"]);
  }
}, 20_000);
