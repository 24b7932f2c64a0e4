/** A command beside the server as commander runs it: its words are ours, and what is wrong ends with exit code 2. */

import { Command, CommanderError } from "commander";
import { ConfigError } from "../config/error.ts";
import { oneOf } from "../config/field.ts";
import { layerOf } from "../config/flags.ts";
import type { Layer } from "../config/layer.ts";

/** A command named `viaduct NAME`, to be given its arguments, flags and action. */
export function program(name: string, description: string): Command {
  return new Command(`viaduct ${name}`)
    .description(description)
    .helpOption("-h, --help", "Print this and exit")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, getOutHelpWidth: () => process.stdout.columns || 80 });
}

/**
 * Runs it.
 * @param args what stands behind the command's name.
 * @throws ConfigError for wrong use.
 */
export async function runProgram(command: Command, args: readonly string[]): Promise<void> {
  try {
    await command.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw new ConfigError(`${faultOf(command, error)}; see ${command.name()} --help`);
  }
}

function faultOf(command: Command, { code, message }: CommanderError): string {
  if (code === "commander.help") {
    return `${command.name()} must be followed by ${oneOf(command.commands.map((each) => each.name()))}`;
  }
  return message
    .replace(/^error: /, "")
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(/\.$/, "");
}

/** The settings and the file of settings that flags gave. */
export function givenIn(options: Record<string, unknown>): { flags: Layer; config: string | undefined } {
  return { flags: layerOf(options), config: options.config as string | undefined };
}
