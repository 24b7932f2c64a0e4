/** The command line: flags made from the catalogue, read into the shape that TOML gives. */

import { Command, CommanderError, Option } from "commander";
import { defaultText, type Setting, sections, settings } from "./catalogue.ts";
import { ConfigError, show } from "./error.ts";
import { type Layer, putIn } from "./layer.ts";
import { nearest } from "./near.ts";

/** What the command line asks for. */
export type CommandLine =
  | { readonly kind: "run"; readonly layer: Layer; readonly config: string | undefined }
  /** `--help` or `--version`: the text to print. */
  | { readonly kind: "print"; readonly text: string };

/**
 * Reads the command line.
 * @param args without the program's own name.
 * @param version what `--version` prints.
 * @param columns the width that `--help` is laid out for.
 * @throws ConfigError for an unknown flag, a flag without its value, or an argument that is no flag.
 */
export function readCommandLine(args: readonly string[], version: string, columns = 80): CommandLine {
  let printed = "";
  const command = makeCommand(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        printed += text;
      },
      writeErr: () => {},
      getOutHelpWidth: () => columns,
    });
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "print", text: printed };
    throw missingValue(error);
  }
  const stray = command.args[0];
  if (stray !== undefined) throw strayArgument(stray);
  const values = command.opts() as Record<string, unknown>;
  const layer: Layer = {};
  for (const setting of settings) {
    const given = values[setting.key];
    if (given !== undefined) putIn(layer, setting, fromText(setting, given));
  }
  return { kind: "run", layer, config: values.config as string | undefined };
}

function makeCommand(version: string): Command {
  // Unknown flags and stray arguments are let through, so that the messages about them are this file's.
  const command = new Command("viaduct")
    .description("A high-throughput SIP server.")
    .usage("[flags]")
    .allowUnknownOption()
    .allowExcessArguments();
  for (const section of sections) {
    command.optionsGroup(
      section.name === "" ? `${section.heading}:` : `${section.heading} ([${section.name}] in TOML):`,
    );
    for (const setting of section.settings) command.addOption(makeOption(setting));
    if (section.name !== "") continue;
    command.addOption(new Option("--config <file>", "A TOML file of settings; flags override it"));
  }
  return command
    .optionsGroup("Other:")
    .helpOption("-h, --help", "Print this and exit")
    .version(version, "-V, --version", "Print the version and exit");
}

function makeOption(setting: Setting): Option {
  const text = `${setting.about} (${setting.right}; default ${defaultText(setting)})`;
  const option = new Option(`--${setting.key} <${setting.placeholder}>`, text);
  // Keys stay as they are in TOML, where commander would make them camel case.
  option.attributeName = () => setting.key;
  if (setting.repeatable) option.argParser((value: string, before?: string[]) => [...(before ?? []), value]);
  return option;
}

/** A number, `true` or `false` where the setting is one and the text looks like one; the schema refuses what is left. */
function fromText(setting: Setting, given: unknown): unknown {
  if (setting.kind === "number" && typeof given === "string" && /^-?\d+(\.\d+)?$/.test(given)) return Number(given);
  if (setting.kind === "boolean" && (given === "true" || given === "false")) return given === "true";
  return given;
}

function missingValue(error: CommanderError): ConfigError {
  const flag = /--([a-z0-9-]+)/.exec(error.message)?.[1];
  const setting = settings.find((s) => s.key === flag);
  if (flag === "config") return new ConfigError("--config: must be followed by the path of a TOML file");
  if (setting === undefined) return new ConfigError(error.message.replace(/^error: /, ""));
  return new ConfigError(`--${flag}: must be followed by its value, ${setting.right}`);
}

function strayArgument(stray: string): ConfigError {
  if (!stray.startsWith("-")) {
    return new ConfigError(`unknown argument ${show(stray)}: only flags are understood; see viaduct --help`);
  }
  const flag = stray.split("=", 1)[0]!;
  const names = [...settings.map((s) => s.key), "config", "help", "version"];
  const near = nearest(flag.replace(/^-+/, ""), names);
  const hint = near === undefined ? "see viaduct --help" : `did you mean --${near}?`;
  return new ConfigError(`unknown flag ${/^[\w-]{1,60}$/.test(flag) ? flag : show(flag)}: ${hint}`);
}
