/**
 * Runs one microbenchmark in this process: `bun bench/micro/one.ts NAME [--quick]`. Started by `bench/main.ts`, which
 * gets the figures by IPC; what one benchmark leaves on the heap or in the compiler's profiles is not the next one's.
 */
import { type Microbenchmark, runOne } from "./bench.ts";
import { END, MICRO } from "./select.ts";

const [name = "", option] = Bun.argv.slice(2);
if (!Object.hasOwn(MICRO, name)) {
  console.error(`no benchmark ${name}`);
  process.exit(2);
}
const { default: benchmark } = (await import(`../${name}.ts`)) as { default: Microbenchmark };
await runOne(name, benchmark, option === "--quick", (figure) => process.send?.(figure));
// Some peers leave a timer or a socket behind, so the process has to be ended: once all figures have arrived.
if (process.send === undefined) process.exit();
process.on("message", () => process.exit());
process.send(END);
