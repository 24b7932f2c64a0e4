/** Reads a TOML file of settings. */

import { readFile } from "node:fs/promises";
import { ConfigError, show } from "./error.ts";
import { fileFault } from "./file-fault.ts";
import type { Layer } from "./layer.ts";

/** A file of settings is a page long; what is longer is some other file given by mistake. */
const MAX_BYTES = 1_048_576;

/**
 * Reads and parses `file`; the settings in it are not checked here.
 * @throws ConfigError when the file cannot be read, is not UTF-8 or is not TOML; the line is named where it is known.
 */
export async function readToml(file: string): Promise<Layer> {
  const text = decode(file, await read(file));
  try {
    return Bun.TOML.parse(text) as Layer;
  } catch (error) {
    const { line, message } = (await explain(text)) ?? { line: undefined, message: String((error as Error).message) };
    const where = line === undefined ? file : `${file}:${line}`;
    throw new ConfigError(`--config ${where}: is not TOML: ${message.replace(/^TOML Parse error: /, "")}`);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ConfigError(
      `--config ${file === "" ? show(file) : file}: must be a file that can be read: ${fileFault(error)}`,
    );
  }
}

function decode(file: string, bytes: Uint8Array): string {
  if (bytes.length > MAX_BYTES) {
    throw new ConfigError(`--config ${file}: must be at most ${MAX_BYTES} bytes long, not ${bytes.length}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(`--config ${file}: must be a TOML file in UTF-8`);
  }
}

/**
 * Where text stops being TOML. `Bun.TOML.parse` does not tell the line, but Bun's module loader for TOML does.
 * @returns `undefined` when the loader finds nothing to say.
 */
async function explain(text: string): Promise<{ line: number | undefined; message: string } | undefined> {
  const address = `data:application/toml;base64,${Buffer.from(text).toString("base64")}`;
  try {
    await import(address, { with: { type: "toml" } });
    return undefined;
  } catch (error) {
    const found = error instanceof AggregateError ? error.errors[0] : error;
    const { message, position } = found as { message: string; position?: { line?: number } | null };
    return position?.line === undefined ? undefined : { line: position.line, message };
  }
}
