/**
 * `viaduct hash-password`: turns a password into H(A1), which may stand in its place among the users and tells nobody what
 * the password is (RFC 7616 s5.2).
 */

import { Option } from "commander";
import { ALGORITHMS } from "../auth/algorithm.ts";
import { hashPassword, htdigestLines } from "../auth/hash-password.ts";
import { settings } from "../config/catalogue.ts";
import { ConfigError } from "../config/error.ts";
import { configOption, makeOption } from "../config/flags.ts";
import { loadSettings } from "../config/load.ts";
import { readPassword } from "./password.ts";
import { givenIn, program, runProgram } from "./program.ts";

/** How each format writes a user. */
const FORMATS = { toml: tomlLine, json: jsonText, htdigest: htdigestText } as const;

/** @returns its exit code @throws ConfigError for wrong use */
export async function hashPasswordCommand(args: readonly string[]): Promise<number> {
  const command = program("hash-password", "Turns a password into what may stand in its place among the users.")
    .argument("<user>", "the name that the user logs in with")
    .addOption(makeOption(settings.find(({ name }) => name === "auth.realm")!))
    .addOption(configOption())
    .option("--password-stdin", "Read the password from standard input, not from the terminal")
    .addOption(
      new Option("--format <format>", "How it is written: for [auth.users], or for a users-file")
        .choices(Object.keys(FORMATS))
        .default("toml"),
    )
    .action(async (user: string, options: Record<string, unknown>) => {
      const { flags, config } = givenIn(options);
      const { auth } = await loadSettings(flags, config);
      if (auth.realm === undefined) throw new ConfigError("--realm: must be given, or be in the file of --config");
      checkUser(user);
      const password = await readPassword(options.passwordStdin === true);
      process.stdout.write(FORMATS[options.format as keyof typeof FORMATS](user, auth.realm, password));
    });
  await runProgram(command, args);
  return 0;
}

function checkUser(user: string): void {
  if (user !== "" && !/[\p{Cc}]/u.test(user)) return;
  throw new ConfigError("USER: must be a name without control characters");
}

function tomlLine(user: string, realm: string, password: string): string {
  const ha1 = hashPassword(user, realm, password);
  const key = /^[\w-]+$/.test(user) ? user : JSON.stringify(user);
  const hashes = ALGORITHMS.map((algorithm) => `ha1-${algorithm.toLowerCase()} = "${ha1[algorithm]}"`);
  return `${key} = { ${hashes.join(", ")} }\n`;
}

function jsonText(user: string, realm: string, password: string): string {
  return `${JSON.stringify({ [user]: { realm, ha1: hashPassword(user, realm, password) } }, null, 2)}\n`;
}

/** @throws ConfigError for a user or a realm that cannot stand in a line of htdigest */
function htdigestText(user: string, realm: string, password: string): string {
  try {
    return htdigestLines(user, realm, password)
      .map((line) => `${line}\n`)
      .join("");
  } catch (error) {
    throw new ConfigError(`--format htdigest: ${(error as Error).message}`);
  }
}
