/**
 * `viaduct bindings`: lists, shows and removes the registrations of a store, while servers run on it too.
 *
 * Exit codes: 0, 1 when there is nothing of what was asked for, 2 for wrong use and for a store that cannot be opened.
 */

import type { Command } from "commander";
import { settings } from "../config/catalogue.ts";
import { ConfigError, show } from "../config/error.ts";
import { configOption, makeOption } from "../config/flags.ts";
import { loadSettings } from "../config/load.ts";
import type { BindingRow } from "../location/row.ts";
import type { StoreTool } from "../location/store.ts";
import { aorOf } from "../message/aor.ts";
import { Uri } from "../message/uri.ts";
import { equalUris } from "../message/uri-compare.ts";
import { printable } from "../observe/printable.ts";
import { bindingText, jsonLine, octetsOf, tableText, wordsOf } from "./bindings-text.ts";
import { print } from "./print.ts";
import { givenIn, program, runProgram } from "./program.ts";
import { openStoreTool, storeFault } from "./store.ts";

const EXIT_NOTHING = 1;
/** The settings that say which store it is. */
const STORE_FLAGS = new Set(["store.store", "store.store-file", "store.redis-url", "store.redis-prefix"]);

/** Lines are gathered up to this many, and sorted among these: a store may hold millions. */
const BLOCK = 20_000;

/** What each of the commands does. @returns how many bindings it was about */
type Work = (tool: StoreTool, isJson: boolean) => Promise<number>;

/** @returns its exit code @throws ConfigError for wrong use, or a store that cannot be opened */
export async function bindings(args: readonly string[]): Promise<number> {
  let code = 0;
  const command = program("bindings", "Lists, shows and removes registrations, beside a server that runs too.");
  const add = (usage: string, about: string, work: (...given: string[]) => Work): void => {
    const one = command.command(usage).description(about);
    addFlags(one).action(async (...given: unknown[]) => {
      const texts = given.filter((each) => typeof each === "string");
      if ((await onStore(one.opts(), work(...texts))) === 0) code = EXIT_NOTHING;
    });
  };
  add("list", "Prints every registration, a line each", () => list);
  add("show <aor>", "Prints what there is to know of the registrations of one address", (aor) => {
    const name = readAor(aor!);
    return (tool, isJson) => showOne(tool, isJson, name);
  });
  add("remove <aor> [contact]", "Ends the registrations of one address, or that of one contact", (aor, contact) => {
    const name = readAor(aor!);
    return (tool, isJson) => remove(tool, isJson, name, contact);
  });
  await runProgram(command, args);
  return code;
}

function addFlags(command: Command): Command {
  command.option("--json", "Print a JSON object a line, for programs").addOption(configOption());
  for (const setting of settings) if (STORE_FLAGS.has(setting.name)) command.addOption(makeOption(setting));
  return command.helpOption("-h, --help", "Print this and exit");
}

async function onStore(options: Record<string, unknown>, work: Work): Promise<number> {
  const { flags, config } = givenIn(options);
  const found = await loadSettings(flags, config);
  try {
    const tool = await openStoreTool(found);
    try {
      return await work(tool, options.json === true);
    } finally {
      await tool.close();
    }
  } catch (error) {
    throw storeFault(error, found);
  }
}

/** The canonical address-of-record that somebody typed: `bob@example.com` will do. */
function readAor(text: string): string {
  const aor = aorOf(/^(sips?|tel):/i.test(text) ? text : `sip:${text}`);
  if (aor === null) throw new ConfigError(`AOR: must be an address such as sip:bob@example.com, not ${show(text)}`);
  return aor;
}

async function list(tool: StoreTool, isJson: boolean): Promise<number> {
  let rows: BindingRow[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    await print(
      isJson ? rows.map((row) => jsonLine(row)).join("\n") : tableText(rows, { isFirst: count === rows.length }),
    );
    rows = [];
  };
  for await (const row of tool.rows()) {
    count++;
    if (rows.push(row) === BLOCK) await flush();
  }
  if (count === 0) return nothing("there are no registrations");
  if (rows.length > 0) await flush();
  return count;
}

async function showOne(tool: StoreTool, isJson: boolean, aor: string): Promise<number> {
  const rows = await rowsOf(tool, aor);
  if (rows.length === 0) return nothing(`nothing is registered for ${aor}`);
  await print(isJson ? rows.map((row) => jsonLine(row)).join("\n") : bindingText(aor, rows));
  return rows.length;
}

async function remove(tool: StoreTool, isJson: boolean, aor: string, contact: string | undefined): Promise<number> {
  const rows = (await rowsOf(tool, aor)).filter((row) => contact === undefined || isContact(row, contact));
  let count = 0;
  for (const row of rows) {
    if (!(await tool.remove(row))) continue;
    count++;
    await print(isJson ? jsonLine(row) : `removed ${wordsOf(row.contact)} of ${wordsOf(aor)}`);
  }
  if (count > 0) return count;
  return nothing(`nothing is registered for ${aor}${contact === undefined ? "" : ` at ${contact}`}`);
}

async function rowsOf(tool: StoreTool, aor: string): Promise<BindingRow[]> {
  const rows: BindingRow[] = [];
  for await (const row of tool.rows(aor)) rows.push(row);
  return rows.sort((a, b) => b.q - a.q || b.updated - a.updated);
}

function isContact({ contact }: BindingRow, wanted: string): boolean {
  const octets = octetsOf(wanted);
  if (contact === octets) return true;
  const [ours, theirs] = [Uri.parse(contact), Uri.parse(octets)];
  return ours !== null && theirs !== null && equalUris(ours, theirs);
}

/** Says on stderr that there is nothing. */
function nothing(what: string): number {
  process.stderr.write(`viaduct: ${printable(what)}\n`);
  return 0;
}
