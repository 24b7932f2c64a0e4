/** The `presence` event package (RFC 3856) with PIDF bodies (RFC 3863), told from what is published. */
import { utf8 } from "../message/bytes.ts";
import type { Body, EventPackage, PackageContext, Published, State, StateRequest } from "./event-package.ts";
import { attribute, escapeXml, localName, readXml, writeXml, type XmlElement } from "./xml.ts";

const PIDF = "application/pidf+xml";
const NAMESPACE = "urn:ietf:params:xml:ns:pidf";
const HEAD = `<?xml version="1.0" encoding="UTF-8"?>\n`;
/** RFC 3856 s6.10. */
const MIN_INTERVAL_MS = 5000;

export interface PresenceSettings {
  /** The least milliseconds between two NOTIFYs for changes. Default 5,000, as RFC 3856 s6.10 has it. */
  minInterval?: number;
  /** Whether there is such a presentity; if not, SUBSCRIBE and PUBLISH get 404. Default: there is. */
  has?: (resource: string) => boolean;
}

/** Whether somebody can be reached, by one way. */
export interface PresenceTuple {
  /** Unlike those beside it. Default its number. */
  id?: string;
  status: "open" | "closed";
  /** A URI. */
  contact?: string;
  /** Text for people. */
  note?: string;
}

/** A PIDF document. @param entity whose presence it is, a URI */
export function pidf(entity: string, tuples: readonly PresenceTuple[]): Body {
  const text = tuples.map(({ id, status, contact, note }, i) => {
    const inner =
      `<status><basic>${status}</basic></status>` +
      (contact === undefined ? "" : `<contact>${escapeXml(contact)}</contact>`) +
      (note === undefined ? "" : `<note>${escapeXml(note)}</note>`);
    return `<tuple${attribute("id", id ?? `t${i}`)}>${inner}</tuple>`;
  });
  return { type: PIDF, content: `${presenceStart(entity)}${text.join("")}</presence>\n` };
}

/** The package. Where nothing is published, somebody is closed; several publications are one document (RFC 3903 s4.1). */
export function presence({ minInterval = MIN_INTERVAL_MS, has }: PresenceSettings = {}): EventPackage {
  let context: PackageContext | null = null;
  return {
    name: "presence",
    types: [PIDF],
    minInterval,
    ...(has === undefined ? {} : { has }),
    attach(given) {
      context = given;
    },
    accepts: ({ content }) => documentOf(content) !== null,
    state({ resource, isPending }: StateRequest): State {
      const published = isPending ? [] : context!.published(resource);
      if (published.length === 0) return pidf(resource, [{ id: "none", status: "closed" }]);
      return published.length === 1 ? published[0]! : { type: PIDF, content: merged(resource, published) };
    },
  };
}

function presenceStart(entity: string): string {
  return `${HEAD}<presence xmlns="${NAMESPACE}"${attribute("entity", entity)}>`;
}

/** The document in a body; null when its root is no `presence`. */
function documentOf(content: string | Uint8Array): { root: XmlElement; children: readonly XmlElement[] } | null {
  const document = readXml(typeof content === "string" ? content : utf8(content, 0, content.length));
  return document !== null && localName(document.root) === "presence" ? document : null;
}

/** One document of several: the tuples of all, then their notes, then whatever else they have (RFC 3863 s4.1.1). */
function merged(resource: string, published: readonly Published[]): string {
  const parts: string[][] = [[], [], []];
  const ids = new Map<string, number>();
  for (const { content } of published) {
    const document = documentOf(content);
    if (document === null) continue;
    const inherited = [...document.root.attributes].filter(([name]) => /^xmlns(:|$)/.test(name));
    for (const child of document.children) {
      const attributes = new Map([...inherited, ...child.attributes]);
      const id = attributes.get("id");
      if (id !== undefined) attributes.set("id", uniqueAmong(ids, id));
      const name = localName(child);
      parts[name === "tuple" ? 0 : name === "note" ? 1 : 2]!.push(writeXml({ ...child, attributes }));
    }
  }
  return `${presenceStart(resource)}${parts.flat().join("")}</presence>\n`;
}

/** An id that no other element has: two phones may well call their tuples the same. */
function uniqueAmong(ids: Map<string, number>, id: string): string {
  const before = ids.get(id) ?? 0;
  ids.set(id, before + 1);
  return before === 0 ? id : uniqueAmong(ids, `${id}-${before + 1}`);
}
