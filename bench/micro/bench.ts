/** What a benchmark file exports, and how it is run. */
import { type Figure, figureLine } from "./figure.ts";
import { EFFORT, type Effort, QUICK_EFFORT } from "./sample.ts";

/** What a benchmark is given. */
export interface Bench {
  readonly effort: Effort;
  readonly quick: boolean;
  /** Takes a figure the moment it is measured. */
  figure(figure: Omit<Figure, "benchmark">): void;
}

/** The default export of a file that is a microbenchmark. */
export type Microbenchmark = (bench: Bench) => Promise<void>;

/** Runs one benchmark in this process, printing its figures. */
export async function runOne(
  name: string,
  benchmark: Microbenchmark,
  quick = false,
  onFigure: (figure: Figure) => void = () => {},
): Promise<void> {
  console.log(name);
  await benchmark({
    effort: quick ? QUICK_EFFORT : EFFORT,
    quick,
    figure(measured) {
      const figure = { benchmark: name, ...measured };
      console.log(figureLine(figure));
      onFigure(figure);
    },
  });
}
