/** What the fields of the schema are made of: the words that each setting carries, and makers of the usual kinds. */

import { z } from "zod";

/** What people are told of a setting, beside what its schema says. */
export interface About {
  /** What it does, in one sentence without a full stop. */
  readonly about: string;
  /** What a right value is, to stand after "must be". */
  readonly right: string;
  /** What stands for the value in `--help`. */
  readonly placeholder: string;
  /** The default in words, for a setting whose default is not a constant. */
  readonly otherwise?: string;
  /** Whether it names a file: a relative path in TOML starts from the folder of the TOML file. */
  readonly path?: boolean;
  /** Whether it must not be shown, in a message neither. */
  readonly isSecret?: boolean;
}

/** The words of each setting. */
export const abouts = z.registry<About>();
/** The heading of each section of settings. */
export const headings = z.registry<{ heading: string }>();

/** What is said of a whole number. */
export interface Whole {
  from: number;
  to: number;
  unit: string;
  placeholder: string;
  about: string;
}

/** A whole number of some unit between two bounds, both allowed. */
export function number(n: Whole & { default: number }) {
  return z
    .int()
    .min(n.from)
    .max(n.to)
    .default(n.default)
    .register(abouts, { about: n.about, right: `${n.unit} from ${n.from} to ${n.to}`, placeholder: n.placeholder });
}

/** As {@link number}, with a default that is found when the server starts. */
export function optionalNumber(n: Whole & { otherwise: string }) {
  const right = `${n.unit} from ${n.from} to ${n.to}`;
  return z
    .int()
    .min(n.from)
    .max(n.to)
    .optional()
    .register(abouts, { about: n.about, right, placeholder: n.placeholder, otherwise: n.otherwise });
}

/** One of some words. */
export function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  initial: T[number],
  placeholder: string,
  about: string,
) {
  return z
    .enum(values)
    .default(initial)
    .register(abouts, { about, right: oneOf(values), placeholder });
}

/** As {@link choice}, with a default that follows from other settings. */
export function optionalChoice<const T extends readonly [string, ...string[]]>(
  values: T,
  otherwise: string,
  placeholder: string,
  about: string,
) {
  return z
    .enum(values)
    .optional()
    .register(abouts, { about, right: oneOf(values), placeholder, otherwise });
}

/** Words as people read them: `a, b or c`. */
export function oneOf(values: readonly string[]): string {
  return values.length < 2 ? values.join() : `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
}

/** Seconds. */
export const DAY = 86_400;

export const milliseconds = { unit: "a whole number of milliseconds", placeholder: "ms" };
export const seconds = { unit: "a whole number of seconds", placeholder: "seconds" };
export const bytes = { unit: "a whole number of bytes", placeholder: "bytes" };
export const count = { unit: "a whole number", placeholder: "count" };

/** One value or an array of them; read as an array, each item made into what `parse` gives. None by default. */
export function list<T extends string>(parse: (text: string) => T | undefined, about: About & { otherwise: string }) {
  const item = z.string().refine((text) => parse(text) !== undefined);
  return z
    .union([item, z.array(item).min(1)])
    .transform((value) => (typeof value === "string" ? [value] : value).map((text) => parse(text)!))
    .optional()
    .register(abouts, about);
}

/** What a path may be, and nothing of whether a file is there. */
export function parsePath(text: string): string | undefined {
  return text === "" || text.includes("\0") ? undefined : text;
}

/** The path of a file, none by default. */
export function path(about: string, right: string, otherwise: string) {
  return z
    .string()
    .refine((text) => parsePath(text) !== undefined)
    .optional()
    .register(abouts, { about, right, placeholder: "file", otherwise, path: true });
}

/** A text that `isRight` finds right; none by default. */
export function text(isRight: (text: string) => boolean, about: About & { otherwise: string }) {
  return z.string().refine(isRight).optional().register(abouts, about);
}

const YES_OR_NO = { right: "true or false", placeholder: "true|false" };

/** Yes or no. */
export function flag(about: string, initial: boolean) {
  return z
    .boolean()
    .default(initial)
    .register(abouts, { about, ...YES_OR_NO });
}

/** As {@link flag}, with a default that follows from other settings. */
export function optionalFlag(about: string, otherwise: string) {
  return z
    .boolean()
    .optional()
    .register(abouts, { about, ...YES_OR_NO, otherwise });
}
