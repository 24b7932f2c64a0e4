/** Settings read as the command reads them, their TOML file in a folder of its own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../src/config/error.ts";
import { load } from "../../src/config/load.ts";
import type { Settings } from "../../src/config/schema.ts";

const FACE = { version: "1.2.3", commands: [{ name: "bindings", summary: "Lists registrations" }] };

export function settingsFolder() {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-load-"));
  const file = join(folder, "settings.toml");

  /** The settings that flags give, over those of `toml` when it is given. */
  async function settingsOf(args: string[], toml?: string): Promise<Settings> {
    if (toml !== undefined) writeFileSync(file, toml);
    const loaded = await load(toml === undefined ? args : ["--config", file, ...args], FACE);
    if (loaded.kind !== "run") throw new Error(`printed ${loaded.text}`);
    return loaded.settings;
  }

  /** The message that ends the start, with the path of the file as FILE. */
  async function errorOf(args: string[], toml?: string): Promise<string> {
    try {
      await settingsOf(args, toml);
    } catch (error) {
      if (error instanceof ConfigError) return error.message.replaceAll(file, "FILE");
      throw error;
    }
    throw new Error("the settings were accepted");
  }

  return { folder, file, settingsOf, errorOf, remove: () => rmSync(folder, { recursive: true }) };
}
