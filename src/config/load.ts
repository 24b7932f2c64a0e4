/** From the command line to settings: flags over the TOML file over the defaults. */

import { dirname } from "node:path";
import { settings } from "./catalogue.ts";
import { complete } from "./complete.ts";
import { type Face, readCommandLine } from "./flags.ts";
import { anchored, check, combine, type Layer, nameIn, type Origin, valueIn } from "./layer.ts";
import type { Settings } from "./schema.ts";
import { readToml } from "./toml.ts";

/** What the command was asked to do. */
export type Loaded =
  | { readonly kind: "run"; readonly settings: Settings; readonly config: string | undefined }
  | { readonly kind: "print"; readonly text: string };

interface Source {
  readonly layer: Layer;
  readonly origin: Origin;
}

const FLAGS: Origin = { flag: true };

/**
 * Reads flags, and the file that `--config` names.
 * @param args the command line without the program's own name.
 * @returns relative paths of the file lead from the file's own folder, those of flags from the working directory.
 * @throws ConfigError on the first thing that is wrong.
 */
export async function load(args: readonly string[], face: Face): Promise<Loaded> {
  const line = readCommandLine(args, face);
  if (line.kind === "print") return line;
  return { kind: "run", settings: await loadSettings(line.layer, line.config), config: line.config };
}

/**
 * The settings that flags give, over those of a file.
 * @param flags as {@link readCommandLine} gives them.
 * @throws ConfigError on the first thing that is wrong.
 */
export async function loadSettings(flags: Layer, config: string | undefined): Promise<Settings> {
  check(flags, FLAGS);
  const sources: Source[] = [{ layer: flags, origin: FLAGS }];
  if (config !== undefined) sources.unshift(await readSource(config));
  const parsed = combine(sources.map((source) => source.layer));
  return complete(parsed, (name) => nameWhereGiven(name, sources));
}

async function readSource(file: string): Promise<Source> {
  const origin = { file };
  const layer = await readToml(file);
  check(layer, origin);
  return { layer: anchored(layer, dirname(file)), origin };
}

/** The name of a setting in the source that its value is from, the setting's own name when it is from none. */
function nameWhereGiven(name: string, sources: readonly Source[]): string {
  const setting = settings.find((each) => each.name === name)!;
  const source = sources.findLast(({ layer }) => valueIn(layer, setting) !== undefined);
  return source === undefined ? name : nameIn(source.origin, setting);
}
