/** The schema read as a list: what flags, `--help`, messages and the documentation are made from. */

import type { z } from "zod";
import { type About, abouts, headings } from "./field.ts";
import { schema } from "./schema.ts";

/** One setting. */
export interface Setting extends About {
  /** Its key in TOML; its flag is `--key`. */
  readonly key: string;
  /** The TOML table that it is in, or "" for the top. */
  readonly section: string;
  /** The key with its section: `timers.t1`. */
  readonly name: string;
  /** What a flag's text is to be read as: of a table it is one line, `NAME=VALUE`. */
  readonly kind: "number" | "boolean" | "text" | "table";
  /** Whether the flag may be given more than once. */
  readonly repeatable: boolean;
  /** The default; `undefined` when {@link About.otherwise} says it in words. */
  readonly initial: unknown;
}

/** One TOML table of settings. */
export interface Section {
  /** Its name in TOML, or "" for the top. */
  readonly name: string;
  /** What people call it. */
  readonly heading: string;
  readonly settings: readonly Setting[];
}

type Shape = Record<string, z.core.$ZodType>;

/** The sections in the order of the schema, the top first. */
export const sections: readonly Section[] = readSections();
/** Every setting, in the order of the schema. */
export const settings: readonly Setting[] = sections.flatMap((section) => section.settings);

/**
 * The setting that a path of the schema leads to or through.
 * @param path as in a zod issue; an index into a setting's value may follow.
 */
export function settingAt(path: readonly PropertyKey[]): Setting | undefined {
  return settings.find((s) => (s.section === "" ? path[0] === s.key : path[0] === s.section && path[1] === s.key));
}

/** The default as people read it. */
export function defaultText(setting: Setting): string {
  if (setting.otherwise !== undefined) return setting.otherwise;
  return String(setting.initial);
}

function readSections(): Section[] {
  const top: Setting[] = [];
  const found: Section[] = [{ name: "", heading: headings.get(schema)!.heading, settings: top }];
  for (const [key, field] of Object.entries(schema.shape as Shape)) {
    const inner = unwrap(field);
    if (inner._zod.def.type !== "object") {
      top.push(readSetting("", key, field));
      continue;
    }
    const shape = (inner as z.ZodObject).shape as Shape;
    const heading = headings.get(inner)!.heading;
    found.push({ name: key, heading, settings: Object.entries(shape).map(([k, f]) => readSetting(key, k, f)) });
  }
  return found;
}

function readSetting(section: string, key: string, field: z.core.$ZodType): Setting {
  const about = abouts.get(field)!;
  const kind = kindOf(field);
  const initial = field._zod.def.type === "default" ? (field as z.ZodDefault).def.defaultValue : undefined;
  const name = section === "" ? key : `${section}.${key}`;
  return { ...about, key, section, name, kind, repeatable: kind === "table" || takesArray(field), initial };
}

function kindOf(field: z.core.$ZodType): Setting["kind"] {
  const def = unwrap(field)._zod.def as { type: string; in?: z.core.$ZodType };
  if (def.in !== undefined) return kindOf(def.in);
  if (def.type === "record") return "table";
  return def.type === "number" || def.type === "boolean" ? def.type : "text";
}

function takesArray(field: z.core.$ZodType): boolean {
  const def = unwrap(field)._zod.def as { type: string; in?: z.core.$ZodType; options?: z.core.$ZodType[] };
  if (def.in !== undefined) return takesArray(def.in);
  return def.type === "array" || (def.options?.some(takesArray) ?? false);
}

/** The schema inside of what gives defaults. */
function unwrap(field: z.core.$ZodType): z.core.$ZodType {
  const def = field._zod.def as { innerType?: z.core.$ZodType };
  return def.innerType === undefined ? field : unwrap(def.innerType);
}
