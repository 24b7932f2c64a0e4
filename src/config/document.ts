/** Writes docs/settings.md from the schema: `bun src/config/document.ts`. */

import { join } from "node:path";
import { defaultText, type Section, type Setting, sections } from "./catalogue.ts";

/** Where the documentation of the settings lives. */
export const DOCUMENT = join(import.meta.dir, "../../docs/settings.md");

/** The whole text of docs/settings.md. */
export function settingsDocument(): string {
  return [HEAD, ...sections.map(sectionText), exampleText()].join("\n\n").concat("\n");
}

const HEAD = `# Settings

<!-- Written by \`bun src/config/document.ts\` from src/config/schema.ts and sections/. Change those, not this file. -->

\`viaduct\` takes its settings from flags, from a TOML file that \`--config FILE\` names, and from the defaults below. A flag
overrides the file, and the file overrides the default, setting by setting. \`--help\` prints the flags and exits, and
\`--version\` prints the version and exits. What the commands beside the server do, \`viaduct bindings\` and \`viaduct
hash-password\`, is in [registrar.md](registrar.md).

A flag has the name of its setting: \`t1\` in \`[timers]\` is \`--t1\`. Times and sizes are plain numbers in the unit that the
table names; \`true\` and \`false\` are written out in flags too, as in \`--verify-servers false\`. A relative path in the
TOML file starts from the folder of that file, and one in a flag from the working directory. A setting that is wrong or
not known, a file that cannot be read or used and an address that cannot be listened on end the start with one line on
stderr and exit code 2.

SIGHUP reads the certificate, its key and the file of users again: new connections get the certificate, open ones stay as
they are, and files that cannot be used are logged and change nothing. SIGINT and SIGTERM stop the server in order, and a second one at once.`;

function sectionText(section: Section): string {
  const where = section.name === "" ? "At the top of the file." : `In the table \`[${section.name}]\`.`;
  const rows = section.settings.map(row);
  const table = ["| setting | flag | default | values | what it does |", "|---|---|---|---|---|", ...rows].join("\n");
  return `## ${section.heading}\n\n${where}\n\n${table}`;
}

function row(setting: Setting): string {
  const initial = setting.otherwise ?? `\`${defaultText(setting)}\``;
  const cells = [`\`${setting.name}\``, `\`--${setting.key}\``, initial, setting.right, setting.about];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function exampleText(): string {
  const tables = sections.map((section) => {
    const lines = section.settings
      .filter((s) => s.otherwise === undefined)
      .map((s) => `${s.key} = ${JSON.stringify(s.initial)}`);
    return [...(section.name === "" ? [] : [`[${section.name}]`]), ...lines].join("\n");
  });
  return `## A file with every constant default\n\n\`\`\`toml\n${tables.join("\n\n")}\n\`\`\``;
}

if (import.meta.main) await Bun.write(DOCUMENT, settingsDocument());
