/**
 * Bodies of several parts (RFC 2046 s5.1, RFC 5621): split when a handler asks. Octets of a part are views on the message.
 *
 *     preamble                       passed over
 *     --boundary                     a delimiter begins a line; white space may follow it
 *     Content-Type: application/sdp  header fields of the part; none is fine
 *                                    blank line
 *     v=0 ...                        the line end before the next delimiter belongs to that
 *     --boundary--                   the last one
 *     epilogue                       passed over
 */
import { ascii, CR, DASH, indexOfLf, LF, trimEnd, utf8 } from "./bytes.ts";
import { Header } from "./header.ts";
import { type MediaType, parseMediaType } from "./media-type.ts";
import type { Message } from "./message.ts";

/** Parts in one body; with more it is taken for malformed. */
const MOST_PARTS = 64;
/** Multiparts in multiparts that {@link findPart} goes into. */
const MOST_DEPTH = 8;
/** RFC 2046 s5.1.1: what a boundary is made of; the last is no space. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

/** One part of a body, or a body that is not a multipart. */
export class BodyPart {
  /** Names as they stand and values, in order; folds are one space. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Null when Content-Type is malformed. */
  readonly mediaType: MediaType | null;
  /** A view on the message. A Content-Transfer-Encoding is not undone: SIP needs none (RFC 5621 s3.2). */
  readonly body: Uint8Array;

  constructor(headers: BodyPart["headers"], mediaType: MediaType | null, body: Uint8Array) {
    this.headers = headers;
    this.mediaType = mediaType;
    this.body = body;
  }

  /** `application/sdp`: in lower case, without parameters. `application/octet-stream` when Content-Type is malformed. */
  get type(): string {
    const { mediaType } = this;
    return mediaType === null ? "application/octet-stream" : `${mediaType.type}/${mediaType.subtype}`;
  }

  /** The value of the first header field of this name, in any case. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.headers.find(([one]) => one.toLowerCase() === wanted)?.[1];
  }

  /** What it is for, in lower case: `session` for SDP and `render` for anything else, unless it says (RFC 3261 s20.11). */
  get disposition(): string {
    const said = /^[^;\s]+/.exec(this.header("Content-Disposition") ?? "")?.[0].toLowerCase();
    return said ?? (this.type === "application/sdp" ? "session" : "render");
  }

  /** Whether it may be passed over by who does not understand it: `handling=optional` (RFC 3204 s2). */
  get isOptional(): boolean {
    return /;\s*handling\s*=\s*"?optional\b/i.test(this.header("Content-Disposition") ?? "");
  }

  get isMultipart(): boolean {
    return this.mediaType?.type === "multipart";
  }

  /** Its own parts; empty when it is no multipart, null when it is a malformed one. */
  get parts(): BodyPart[] | null {
    return this.isMultipart ? splitParts(this.body, this.mediaType!) : [];
  }
}

/**
 * The parts of a message's body. One that is no multipart is its only part; where there is no body there is none.
 * @returns null when the body is a malformed multipart: without a boundary, without its last delimiter, or with more than
 *   64 parts
 */
export function partsOf(message: Message): BodyPart[] | null {
  if (message.bodyStart === message.bodyEnd) return [];
  const whole = wholeBody(message);
  return whole.isMultipart ? whole.parts : [whole];
}

/** The body as it stands, with the header fields that speak of it. */
function wholeBody(message: Message): BodyPart {
  const type = message.first(Header.ContentType);
  const mediaType = type === 0 ? null : parseMediaType(message.bytes, message.valueStart(type), message.valueEnd(type));
  const headers = [...message.fields()].filter(([name]) => /^(content-(?!length)|mime-version$|[ce]$)/i.test(name));
  return new BodyPart(headers.map(withLongName), mediaType, message.body);
}

function withLongName([name, value]: [string, string]): [string, string] {
  const long = { c: "Content-Type", e: "Content-Encoding" }[name.toLowerCase()];
  return [long ?? name, value];
}

/**
 * The part of this type among parts and theirs: in a multipart/alternative the last, which says most (RFC 2046 s5.1.4),
 * else the first.
 * @param type `application/sdp`
 */
export function findPart(parts: readonly BodyPart[], type: string, depth = 0): BodyPart | null {
  for (const part of parts) {
    if (part.type === type) return part;
    if (!part.isMultipart || depth === MOST_DEPTH) continue;
    const inner = part.parts ?? [];
    const found = findPart(part.mediaType!.subtype === "alternative" ? inner.reverse() : inner, type, depth + 1);
    if (found !== null) return found;
  }
  return null;
}

/** See {@link findPart}: the body of a message, or a part of it; null also where a multipart around it is malformed. */
export function findBody(message: Message, type: string): BodyPart | null {
  return message.bodyStart === message.bodyEnd ? null : findPart([wholeBody(message)], type);
}

/** @returns null when the boundary is missing or no boundary, or the delimiters do not fit */
export function splitParts(body: Uint8Array, { params }: MediaType): BodyPart[] | null {
  const boundary = params.get("boundary");
  if (boundary === undefined || !BOUNDARY.test(boundary)) return null;
  const mark = ascii(`--${boundary}`);
  const parts: BodyPart[] = [];
  let start = -1;
  for (let line = 0; line < body.length; ) {
    const next = Math.min(indexOfLf(body, line, body.length) + 1, body.length);
    const kind = delimiterOf(body, line, next, mark);
    if (kind !== Delimiter.None) {
      if (start >= 0) {
        if (parts.length === MOST_PARTS) return null;
        parts.push(partOf(body.subarray(start, Math.max(start, withoutLineEnd(body, line)))));
      }
      if (kind === Delimiter.Last) return start < 0 ? null : parts;
      start = next;
    }
    line = next;
  }
  return null;
}

const Delimiter = { None: 0, Between: 1, Last: 2 } as const;

/** Whether the line is the mark, with two dashes for the last one; white space may follow. */
function delimiterOf(body: Uint8Array, line: number, next: number, mark: Uint8Array): number {
  if (body[line] !== DASH || next - line < mark.length) return Delimiter.None;
  for (let i = 0; i < mark.length; i++) if (body[line + i] !== mark[i]) return Delimiter.None;
  const after = line + mark.length;
  const isLast = after + 1 < next && body[after] === DASH && body[after + 1] === DASH;
  const from = isLast ? after + 2 : after;
  return trimEnd(body, from, next) > from ? Delimiter.None : isLast ? Delimiter.Last : Delimiter.Between;
}

/** Where the line before this one ends, without its CRLF or LF. */
function withoutLineEnd(body: Uint8Array, line: number): number {
  const end = line > 0 && body[line - 1] === LF ? line - 1 : line;
  return end > 0 && end < line && body[end - 1] === CR ? end - 1 : end;
}

function partOf(octets: Uint8Array): BodyPart {
  const bodyStart = headEnd(octets);
  const headers: [string, string][] = [];
  const lines = utf8(octets, 0, bodyStart)
    .replace(/\r?\n[ \t]+/g, " ")
    .split("\n");
  for (const line of lines) {
    // What is no header field is passed over.
    const name = /^([!%'*+\-.0-9A-Z_`a-z~]+)[ \t]*:/.exec(line);
    if (name !== null) headers.push([name[1]!, line.slice(name[0].length).trim()]);
  }
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  // RFC 2046 s5.1: a part that does not say is text.
  const bytes = ascii(type ?? "text/plain");
  return new BodyPart(headers, parseMediaType(bytes, 0, bytes.length), octets.subarray(bodyStart));
}

/** Behind the blank line; the end where there is none: such a part has no body. */
function headEnd(octets: Uint8Array): number {
  for (let line = 0; line < octets.length; ) {
    const lf = indexOfLf(octets, line, octets.length);
    const next = Math.min(lf + 1, octets.length);
    if (lf < octets.length && (lf === line || (lf === line + 1 && octets[line] === CR))) return next;
    line = next;
  }
  return octets.length;
}
