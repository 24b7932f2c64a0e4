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

/** What the command shows of itself. */
export interface Face {
  /** What `--version` prints. */
  readonly version: string;
  /** The width that `--help` is laid out for. Default 80. */
  readonly columns?: number;
  /** The commands beside the server, for `--help`. */
  readonly commands?: readonly { readonly name: string; readonly summary: string }[];
}

/**
 * Reads the command line.
 * @param args without the program's own name.
 * @throws ConfigError for an unknown flag, a flag without its value, or an argument that is no flag.
 */
export function readCommandLine(args: readonly string[], face: Face): CommandLine {
  let printed = "";
  const command = makeCommand(face)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        printed += text;
      },
      writeErr: () => {},
      getOutHelpWidth: () => face.columns ?? 80,
    });
  try {
    command.parse(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "print", text: printed };
    throw missingValue(error);
  }
  const stray = command.args[0];
  if (stray !== undefined) throw strayArgument(stray, face.commands?.map(({ name }) => name) ?? []);
  const values = command.opts() as Record<string, unknown>;
  return { kind: "run", layer: layerOf(values), config: values.config as string | undefined };
}

/** The settings among the values of flags. @param values by the settings' keys */
export function layerOf(values: Readonly<Record<string, unknown>>): Layer {
  const layer: Layer = {};
  for (const setting of settings) {
    const given = values[setting.key];
    if (given !== undefined) putIn(layer, setting, fromText(setting, given));
  }
  return layer;
}

function makeCommand({ version, commands = [] }: Face): Command {
  // Unknown flags and stray arguments are let through, so that the messages about them are this file's.
  const command = new Command("viaduct")
    .description("A high-throughput SIP server.")
    .usage("[flags]\n       viaduct COMMAND ...")
    .allowUnknownOption()
    .allowExcessArguments();
  for (const section of sections) {
    command.optionsGroup(
      section.name === "" ? `${section.heading}:` : `${section.heading} ([${section.name}] in TOML):`,
    );
    for (const setting of section.settings) command.addOption(makeOption(setting));
    if (section.name === "") command.addOption(configOption());
  }
  command.addHelpText("after", commandsText(commands));
  return command
    .optionsGroup("Other:")
    .helpOption("-h, --help", "Print this and exit")
    .version(version, "-V, --version", "Print the version and exit");
}

/** `--config`, which is no setting. */
export function configOption(): Option {
  return new Option("--config <file>", "A TOML file of settings; flags override it");
}

function commandsText(commands: NonNullable<Face["commands"]>): string {
  if (commands.length === 0) return "";
  const longest = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(longest)}  ${summary}`);
  return `\nCommands, which begin with viaduct COMMAND and have a --help of their own:\n${lines.join("\n")}`;
}

/** The flag of a setting. */
export function makeOption(setting: Setting): Option {
  const text = `${setting.about} (${setting.right}; default ${defaultText(setting)})`;
  const option = new Option(`--${setting.key} <${setting.placeholder}>`, text);
  // Keys stay as they are in TOML, where commander would make them camel case.
  option.attributeName = () => setting.key;
  if (setting.repeatable) option.argParser((value: string, before?: string[]) => [...(before ?? []), value]);
  return option;
}

/** A number, `true` or `false` where the setting is one and the text looks like one; the schema refuses what is left. */
function fromText(setting: Setting, given: unknown): unknown {
  if (setting.kind === "table") return toTable(given as string[]);
  if (setting.kind === "number" && typeof given === "string" && /^-?\d+(\.\d+)?$/.test(given)) return Number(given);
  if (setting.kind === "boolean" && (given === "true" || given === "false")) return given === "true";
  return given;
}

/** A table from lines of `NAME=VALUE`; the lines themselves when one is none. */
function toTable(lines: readonly string[]): unknown {
  if (!lines.every((line) => line.includes("="))) return lines;
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** What commander says of a flag without its value, in our words. */
export function missingValue(error: CommanderError): ConfigError {
  const flag = /--([a-z0-9-]+)/.exec(error.message)?.[1];
  const setting = settings.find((s) => s.key === flag);
  if (flag === "config") return new ConfigError("--config: must be followed by the path of a TOML file");
  if (setting === undefined) return new ConfigError(error.message.replace(/^error: /, ""));
  return new ConfigError(`--${flag}: must be followed by its value, ${setting.right}`);
}

/** What is said of an argument that is no flag, or none of ours. @param commands what there is beside the server */
function strayArgument(stray: string, commands: readonly string[]): ConfigError {
  if (!stray.startsWith("-")) {
    const near = nearest(stray, commands);
    const hint = near === undefined ? "see viaduct --help" : `did you mean viaduct ${near}?`;
    if (stray !== near) return new ConfigError(`unknown command ${show(stray)}: ${hint}`);
    return new ConfigError(`${stray}: a command comes before its flags: viaduct ${stray} ...`);
  }
  const flag = stray.split("=", 1)[0]!;
  const names = [...settings.map((s) => s.key), "config", "help", "version"];
  const near = nearest(flag.replace(/^-+/, ""), names);
  const hint = near === undefined ? "see viaduct --help" : `did you mean --${near}?`;
  return new ConfigError(`unknown flag ${/^[\w-]{1,60}$/.test(flag) ? flag : show(flag)}: ${hint}`);
}
