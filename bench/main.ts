/** `bun run bench`: the microbenchmarks in turn, each in a process of its own, and all their figures in one table. */
import { join } from "node:path";
import { main as calls } from "./calls.ts";
import { machine, versions } from "./load/machine.ts";
import { type Figure, isFigure, summaryTable } from "./micro/figure.ts";
import { END, type MicroName, select, USAGE } from "./micro/select.ts";
import { main as register } from "./register.ts";

const ONE = join(import.meta.dir, "micro/one.ts");

/** Runs what the arguments ask for. @returns the exit code: 1 when a benchmark failed, 2 for wrong arguments */
export async function main(argv: string[]): Promise<number> {
  const selection = select(argv);
  switch (selection.what) {
    case "help":
      console.log(USAGE);
      return 0;
    case "fault":
      console.error(`bench: ${selection.message}`);
      return 2;
    case "calls":
      await calls(selection.argv);
      return Number(process.exitCode ?? 0);
    case "register":
      await register(selection.argv);
      return Number(process.exitCode ?? 0);
    case "micro":
      return await micro(selection.names, selection.quick, selection.json);
  }
}

async function micro(names: readonly MicroName[], quick: boolean, json: string | undefined): Promise<number> {
  const what = machine();
  const which = versions();
  console.log(`${what.cpu}, ${what.cores} cores, ${what.kernel}; Bun ${which.bun}, viaduct ${which.viaduct}`);
  if (quick) console.log("short sampling: figures for a look, not for a record");
  const figures: Figure[] = [];
  const failed: string[] = [];
  for (const name of names) {
    console.log();
    if (!(await inChild(name, quick, figures))) failed.push(name);
  }
  if (figures.length > 0) console.log(`\n${summaryTable(figures)}`);
  if (json !== undefined) {
    const report = { machine: what, versions: which, quick, figures };
    await Bun.write(json, `${JSON.stringify(report, undefined, 2)}\n`);
  }
  for (const name of failed) console.error(`bench: ${name} failed`);
  return failed.length === 0 ? 0 : 1;
}

/** @returns whether the benchmark ended well; its figures are added to `into` */
function inChild(name: MicroName, quick: boolean, into: Figure[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let isComplete = false;
  Bun.spawn([process.execPath, ONE, name, ...(quick ? ["--quick"] : [])], {
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "json",
    ipc(message, child) {
      if (isFigure(message)) into.push(message);
      else if (message === END) {
        isComplete = true;
        child.send(END);
      }
    },
    onExit: (_, code) => resolve(isComplete && code === 0),
  });
  return promise;
}

if (import.meta.main) process.exitCode = await main(Bun.argv.slice(2));
