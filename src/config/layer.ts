/** Settings from one place, before defaults: validation of what was given, and one layer over another. */

import { type Setting, sections, settingAt, settings } from "./catalogue.ts";
import { ConfigError, show } from "./error.ts";
import { nearest } from "./near.ts";
import { type Settings, schema } from "./schema.ts";

/** Some of the settings, as TOML would hold them. */
export type Layer = Record<string, unknown>;

/** Where a layer came from: `flag` when from the command line, else the path of its TOML file. */
export type Origin = { readonly flag: true } | { readonly file: string };

/**
 * Checks one layer by itself, so that a wrong value is reported where it stands even when another layer overrides it.
 * @throws ConfigError that names the first wrong setting and what would be right.
 */
export function check(layer: Layer, origin: Origin): void {
  const result = schema.safeParse(layer);
  if (result.success) return;
  const issue = result.error.issues[0]!;
  if (issue.code === "unrecognized_keys") throw unknown(issue.path, issue.keys[0]!, origin);
  const setting = settingAt(issue.path);
  if (setting !== undefined) throw wrong(setting, valueAt(layer, issue.path), origin);
  throw notTable(String(issue.path[0]), valueAt(layer, issue.path), origin);
}

/**
 * The settings that the layers give together.
 * @param layers each checked before; a later one overrides an earlier one, setting by setting.
 */
export function combine(layers: readonly Layer[]): Settings {
  const all: Layer = {};
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer)) {
      const isSection = sections.some((section) => section.name === key);
      all[key] = isSection ? { ...(all[key] as Layer | undefined), ...(value as Layer) } : value;
    }
  }
  return schema.parse(all);
}

function wrong(setting: Setting, value: unknown, origin: Origin): ConfigError {
  const name = "flag" in origin ? `--${setting.key}` : `${origin.file}: ${setting.name}`;
  return new ConfigError(`${name}: must be ${setting.right}, not ${show(value)}`);
}

function notTable(section: string, value: unknown, origin: Origin): ConfigError {
  const keys = settings.filter((s) => s.section === section).map((s) => s.key);
  const where = "flag" in origin ? "" : `${origin.file}: `;
  return new ConfigError(`${where}${section}: must be a table [${section}] of ${keys.join(", ")}, not ${show(value)}`);
}

function unknown(path: readonly PropertyKey[], key: string, origin: Origin): ConfigError {
  const name = [...path, key].join(".");
  const where = "flag" in origin ? "" : `${origin.file}: `;
  const shown = /^[\w.-]{1,60}$/.test(name) ? name : show(name);
  const near = nearSetting(name, key);
  return new ConfigError(
    `${where}unknown setting ${shown}: ${near ?? "see viaduct --help for the settings there are"}`,
  );
}

/** A setting of that key in another section, or a name that looks like it. */
function nearSetting(name: string, key: string): string | undefined {
  const tables = sections.map((section) => section.name).filter((section) => section !== "");
  const byName = nearest(name, settings.map((s) => s.name).concat(name.includes(".") ? [] : tables));
  const nearKey = nearest(
    key,
    settings.map((s) => s.key),
  );
  const found = byName ?? settings.find((s) => s.key === nearKey)?.name;
  if (found === undefined) return undefined;
  return `did you mean ${tables.includes(found) ? `[${found}]` : found}?`;
}

function valueAt(layer: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], layer);
}
