import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { MICRO, select, USAGE } from "../../bench/micro/select.ts";

const ALL = Object.keys(MICRO);
const MAIN = join(import.meta.dir, "../../bench/main.ts");

function run(...argv: string[]): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, ...argv]);
  return { code: exitCode, out: `${stdout}`, err: `${stderr}` };
}

describe("the command line of the benchmarks", () => {
  test("without a name all microbenchmarks are run, the whole server is not", () => {
    expect(select([])).toEqual({ what: "micro", names: ALL as never, quick: false, json: undefined });
    expect(ALL).not.toContain("calls");
  });

  test("only those named are run, in the order asked for and once", () => {
    expect(select(["wheel", "scan", "wheel"])).toMatchObject({ what: "micro", names: ["wheel", "scan"] });
  });

  test("options stand before and behind names", () => {
    const wanted = { what: "micro", names: ["keys"], quick: true, json: "out.json" } as const;
    expect(select(["--quick", "keys", "--json", "out.json"])).toEqual({ ...wanted, names: ["keys"] });
    expect(select(["--json=out.json", "keys", "--quick"])).toEqual({ ...wanted, names: ["keys"] });
  });

  test("calls and register get all arguments behind them, options too", () => {
    expect(select(["register", "--quick", "calls"])).toEqual({ what: "register", argv: ["--quick", "calls"] });
    expect(select(["calls", "--seconds", "3", "--help"])).toEqual({
      what: "calls",
      argv: ["--seconds", "3", "--help"],
    });
    expect(select(["calls"])).toEqual({ what: "calls", argv: [] });
  });

  test("calls or register among other names is refused: their arguments could not be told apart", () => {
    expect(select(["scan", "calls"])).toMatchObject({ what: "fault" });
    expect(select(["scan", "register"])).toMatchObject({ what: "fault" });
  });

  test("a name of nothing is refused, those of every object too", () => {
    for (const name of ["scna", "constructor", "__proto__", "toString"]) {
      const selection = select([name]);
      expect(selection.what).toBe("fault");
      if (selection.what === "fault") expect(selection.message).toContain(name);
    }
  });

  test("an unknown option and a missing value are refused in one line", () => {
    for (const argv of [["--fast"], ["--json"], ["scan", "--quick=1"]]) {
      const selection = select(argv);
      expect(selection.what).toBe("fault");
      if (selection.what === "fault") expect(selection.message).not.toContain("\n");
    }
  });

  test("help is asked for with and without names", () => {
    expect(select(["--help"])).toEqual({ what: "help" });
    expect(select(["scan", "-h"])).toEqual({ what: "help" });
    for (const name of [...ALL, "calls", "register", "--quick", "--json"]) expect(USAGE).toContain(name);
  });

  test("each name has a file that exports a benchmark", async () => {
    for (const name of ALL) {
      const { default: benchmark } = await import(`../../bench/${name}.ts`);
      expect(benchmark, name).toBeFunction();
    }
  });
});

describe("the command", () => {
  test("an unknown name ends with one line and exit code 2", () => {
    const { code, out, err } = run("nothing");
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toMatch(/^bench: no benchmark nothing; there are scan, .* calls and register\n$/);
  }, 20_000);

  test("help lists what there is", () => {
    const { code, out } = run("--help");
    expect(code).toBe(0);
    expect(out).toBe(`${USAGE}\n`);
  }, 20_000);

  test("calls reads its own arguments", () => {
    expect(run("calls", "--help").out).toContain("--concurrency");
    expect(run("calls", "--nothing").code).not.toBe(0);
  }, 20_000);

  test("register reads its own arguments", () => {
    expect(run("register", "--help").out).toContain("--contacts");
    expect(run("register", "--nothing").code).toBe(2);
  }, 20_000);
});
