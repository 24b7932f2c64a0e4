/** From the command line to settings: flags over the TOML file over the defaults. */

import { readCommandLine } from "./flags.ts";
import { check, combine } from "./layer.ts";
import type { Settings } from "./schema.ts";
import { readToml } from "./toml.ts";

/** What the command was asked to do. */
export type Loaded =
  | { readonly kind: "run"; readonly settings: Settings; readonly config: string | undefined }
  | { readonly kind: "print"; readonly text: string };

/**
 * Reads flags, and the file that `--config` names.
 * @param args the command line without the program's own name.
 * @param version what `--version` prints.
 * @param columns the width that `--help` is laid out for.
 * @throws ConfigError on the first thing that is wrong.
 */
export async function load(args: readonly string[], version: string, columns?: number): Promise<Loaded> {
  const line = readCommandLine(args, version, columns);
  if (line.kind === "print") return line;
  check(line.layer, { flag: true });
  if (line.config === undefined) return { kind: "run", settings: combine([line.layer]), config: undefined };
  const file = await readToml(line.config);
  check(file, { file: line.config });
  return { kind: "run", settings: combine([file, line.layer]), config: line.config };
}
