/** Settings from one place, before defaults: validation of what was given, and one layer over another. */

import { isAbsolute, join } from "node:path";
import type { z } from "zod";
import { type Setting, sections, settingAt, settings } from "./catalogue.ts";
import { ConfigError, show } from "./error.ts";
import { nearest } from "./near.ts";
import { type Parsed, schema } from "./schema.ts";

/** Some of the settings, as TOML would hold them. */
export type Layer = Record<string, unknown>;

/** Where a layer came from: `flag` when from the command line, else the path of its TOML file. */
export type Origin = { readonly flag: true } | { readonly file: string };

/** What a setting, such as `tls.certificate`, is called where it was given: by {@link nameIn}. */
export type NameOf = (setting: string) => string;

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
  if (setting !== undefined && isWithin(issue, setting)) throw within(setting, issue, origin);
  if (setting !== undefined) throw wrong(setting, valueAt(layer, issue.path), origin);
  throw notTable(String(issue.path[0]), valueAt(layer, issue.path), origin);
}

/**
 * The layer with each relative path in it led from `folder`.
 * @param layer checked before.
 */
export function anchored(layer: Layer, folder: string): Layer {
  const from = (path: string) => (isAbsolute(path) ? path : join(folder, path));
  const all = { ...layer };
  for (const setting of settings) {
    const value = setting.path ? valueIn(all, setting) : undefined;
    if (value === undefined) continue;
    putIn(all, setting, Array.isArray(value) ? value.map(from) : from(value as string));
  }
  return all;
}

/**
 * The settings that the layers give together.
 * @param layers each checked before; a later one overrides an earlier one, setting by setting.
 */
export function combine(layers: readonly Layer[]): Parsed {
  const all: Layer = {};
  for (const layer of layers) {
    for (const setting of settings) {
      const value = valueIn(layer, setting);
      if (value !== undefined) putIn(all, setting, value);
    }
  }
  return schema.parse(all);
}

/** The value of a setting in a layer that is right, `undefined` when it is not there. */
export function valueIn(layer: Layer, { section, key }: Setting): unknown {
  return section === "" ? layer[key] : (layer[section] as Layer | undefined)?.[key];
}

/** Puts a setting's value into a layer; tables that the layer shares with others stay as they are. */
export function putIn(layer: Layer, { section, key }: Setting, value: unknown): void {
  if (section === "") layer[key] = value;
  else layer[section] = { ...(layer[section] as Layer | undefined), [key]: value };
}

/** What a setting is called where it was given: `--t1`, or `viaduct.toml: timers.t1`. */
export function nameIn(origin: Origin, setting: Setting): string {
  return "flag" in origin ? `--${setting.key}` : `${origin.file}: ${setting.name}`;
}

function wrong(setting: Setting, value: unknown, origin: Origin): ConfigError {
  const not = setting.isSecret ? "" : `, not ${show(value)}`;
  return new ConfigError(`${nameIn(origin, setting)}: must be ${setting.right}${not}`);
}

/** Whether the fault is of an entry of a table, which the schema has put in words. */
function isWithin({ code, path }: z.core.$ZodIssue, setting: Setting): boolean {
  return setting.kind === "table" && code === "custom" && path.length > (setting.section === "" ? 1 : 2);
}

function within(setting: Setting, { path, message }: z.core.$ZodIssue, origin: Origin): ConfigError {
  const entry = path.slice(setting.section === "" ? 1 : 2).map((key) => `.${shownKey(String(key))}`);
  return new ConfigError(`${nameIn(origin, setting)}${entry.join("")}: ${message}`);
}

/** A key as TOML writes it. */
function shownKey(key: string): string {
  return /^[\w-]{1,60}$/.test(key) ? key : show(key);
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
