/**
 * The little of XML that event bodies need: text written safely, and a document's outermost elements told apart so that
 * several documents can be made one. Nothing is expanded and no declaration is read: a document type is a fault.
 */

/** An element at one of the two outer levels. */
export interface XmlElement {
  /** With its prefix, as written. */
  readonly name: string;
  /** Names with prefixes, and values as written, escapes and all. */
  readonly attributes: ReadonlyMap<string, string>;
  /** What lies between its tags, as written. */
  readonly inner: string;
}

export interface XmlDocument {
  readonly root: XmlElement;
  readonly children: readonly XmlElement[];
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Text as it may stand in content and in attributes. What XML 1.0 cannot hold at all is left out. */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
    .replace(/[&<>"']/g, (c) => ESCAPES[c]!);
}

/** `name="value"` with a space before it; nothing where there is no value. */
export function attribute(name: string, value: string | number | undefined): string {
  return value === undefined ? "" : ` ${name}="${escapeXml(String(value))}"`;
}

/** Comments, processing instructions, and CDATA, which is text. */
const SKIPPED = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!\[CDATA\[[\s\S]*?\]\]>/y;
const NAME = "[^\\s<>/=\"'&!?]+";
const START = new RegExp(`<(${NAME})((?:\\s+${NAME}\\s*=\\s*(?:"[^"<]*"|'[^'<]*'))*)\\s*(/?)>`, "y");
const END = new RegExp(`</(${NAME})\\s*>`, "y");
const ATTRIBUTE = new RegExp(`(${NAME})\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "g");
/** Levels of elements that are gone into. */
const MAX_DEPTH = 64;

/** An element that has not ended yet. */
interface Open {
  name: string;
  attributes: ReadonlyMap<string, string>;
  innerStart: number;
}

/**
 * Reads a document to its outer two levels.
 * @returns null when it is not well formed, or has a document type, or goes deeper than 64 levels
 */
export function readXml(text: string): XmlDocument | null {
  const open: Open[] = [];
  const children: XmlElement[] = [];
  let root: XmlElement | null = null;
  for (let at = text.charCodeAt(0) === 0xfeff ? 1 : 0; ; ) {
    const tag = text.indexOf("<", at);
    const outside = text.slice(at, tag < 0 ? text.length : tag);
    if (open.length === 0 && outside.trim() !== "") return null;
    if (tag < 0) break;
    SKIPPED.lastIndex = START.lastIndex = END.lastIndex = tag;
    if (SKIPPED.test(text)) {
      if (open.length === 0 && text.startsWith("<![CDATA[", tag)) return null;
      at = SKIPPED.lastIndex;
      continue;
    }
    const end = END.exec(text);
    if (end !== null) {
      const element = open.pop();
      if (element === undefined || element.name !== end[1]) return null;
      const { name, attributes, innerStart } = element;
      if (open.length === 1) children.push({ name, attributes, inner: text.slice(innerStart, tag) });
      if (open.length === 0) root = { name, attributes, inner: text.slice(innerStart, tag) };
      at = END.lastIndex;
      continue;
    }
    const start = START.exec(text);
    if (start === null || root !== null || open.length === MAX_DEPTH) return null;
    const attributes = attributesOf(start[2]!);
    if (attributes === null) return null;
    at = START.lastIndex;
    const name = start[1]!;
    if (start[3] === "") open.push({ name, attributes, innerStart: at });
    else if (open.length === 1) children.push({ name, attributes, inner: "" });
    else if (open.length === 0) root = { name, attributes, inner: "" };
  }
  return root === null || open.length > 0 ? null : { root, children };
}

/** The name without its prefix. */
export function localName({ name }: XmlElement): string {
  return name.slice(name.indexOf(":") + 1);
}

/** An element as text. */
export function writeXml({ name, attributes, inner }: XmlElement): string {
  let text = `<${name}`;
  // What was within one kind of quotes may hold the other.
  for (const [key, value] of attributes) text += ` ${key}="${value.replaceAll('"', "&quot;")}"`;
  return inner === "" ? `${text}/>` : `${text}>${inner}</${name}>`;
}

/** @returns null when one comes twice */
function attributesOf(text: string): ReadonlyMap<string, string> | null {
  const attributes = new Map<string, string>();
  for (const [, name, double, single] of text.matchAll(ATTRIBUTE)) {
    if (attributes.has(name!)) return null;
    attributes.set(name!, double ?? single!);
  }
  return attributes;
}
