/** The messages under `test/fixtures`, as octets. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dir, "..", "fixtures");

/** A message of a fixture folder. */
export interface Fixture {
  /** The file's name without its extension. */
  name: string;
  bytes: Uint8Array;
}

/** What the torture lists say of one message; see `test/fixtures/torture/README.md`. */
export interface TortureCase extends Fixture {
  rfc: "rfc4475" | "rfc5118";
  section: string;
  /** `req METHOD` or `resp CODE`. */
  kind: string;
  valid: string;
  parser: "accept" | "reject" | "either";
  /** Left out by the list of RFC 5118. */
  acceptCodes: "normal" | null | readonly (number | string | null)[] | undefined;
}

function load(folder: string, extension: string): Fixture[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(extension))
    .sort()
    .map((file) => ({
      name: file.slice(0, -extension.length),
      // A buffer of its own, as a socket gives it.
      bytes: new Uint8Array(readFileSync(join(folder, file))),
    }));
}

/** The example messages of SIP RFCs. */
export function corpus(): Fixture[] {
  return load(join(ROOT, "corpus", "rfc-examples"), ".sip");
}

/** The messages of RFC 4475 and RFC 5118 with their verdicts. */
export function torture(): TortureCase[] {
  return (["rfc4475", "rfc5118"] as const).flatMap((rfc) => {
    const folder = join(ROOT, "torture");
    const listed = JSON.parse(readFileSync(join(folder, `${rfc}-expected.json`), "utf8")) as (Omit<
      TortureCase,
      "bytes" | "rfc" | "acceptCodes"
    > & { accept_codes?: TortureCase["acceptCodes"] })[];
    const files = new Map(load(join(folder, rfc), ".dat").map(({ name, bytes }) => [name, bytes]));
    if (files.size !== listed.length) throw new Error(`${rfc}: ${files.size} messages, ${listed.length} verdicts`);
    return listed.map(({ name, section, kind, valid, parser, accept_codes }) => {
      const bytes = files.get(name);
      if (bytes === undefined) throw new Error(`${rfc}: no message ${name}`);
      return { rfc, name, bytes, section, kind, valid, parser, acceptCodes: accept_codes };
    });
  });
}
