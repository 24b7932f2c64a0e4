/**
 * Makes one program of the command, Bun and all: `bun run compile`, into dist/viaduct or the file that is given.
 */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** What is started by its name rather than imported: the command itself, and the thread that writes for the SQLite store. */
const ENTRIES = ["cli.ts", "location/sqlite-writer.ts"].map((name) => join(import.meta.dir, name));
const OUTFILE = join(import.meta.dir, "../dist/viaduct");

/** @param outfile where the program goes. One that is there is replaced, and goes on if it runs */
export async function compile(outfile: string): Promise<void> {
  const folder = dirname(outfile);
  mkdirSync(folder, { recursive: true });
  // Source maps lie in the program, so that stacks name lines of src/; what Bun writes beside it is not needed.
  const work = mkdtempSync(join(folder, ".compile-"));
  try {
    const made = join(work, basename(outfile));
    await Bun.build({
      entrypoints: ENTRIES,
      // Side by side, for `new URL("./sqlite-writer.ts", import.meta.url)` is then asked of the bundle.
      naming: { entry: "[name].[ext]" },
      sourcemap: "inline",
      // An operator's settings are flags and the TOML file, whatever else lies in the working directory.
      compile: { outfile: made, autoloadDotenv: false, autoloadBunfig: false },
    });
    renameSync(made, outfile);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const outfile = resolve(process.argv[2] ?? OUTFILE);
  await compile(outfile);
  console.log(outfile);
}
