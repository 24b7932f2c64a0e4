/**
 * A reader of SIP messages for tests: slow, strict and written apart from the server's own, so that a mistake there is
 * not made here too. Text is one character an octet throughout.
 */

/** A message taken apart. */
export interface SipText {
  startLine: string;
  /** 0 for a request. */
  status: number;
  /** The reason phrase, or the empty string for a request. */
  reason: string;
  /** Long lower-case names with their values, in order; folds stay as they came. */
  fields: [name: string, value: string][];
  body: string;
}

const LONG: Readonly<Record<string, string>> = {
  v: "via",
  f: "from",
  t: "to",
  i: "call-id",
  m: "contact",
  l: "content-length",
  c: "content-type",
  k: "supported",
  s: "subject",
  e: "content-encoding",
  o: "event",
  u: "allow-events",
  r: "refer-to",
  b: "referred-by",
  x: "session-expires",
};

/** One character an octet. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** The octets of such a text. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/**
 * Takes a message apart.
 * @param lengthNeeded whether Content-Length must be there; default true
 * @throws Error for whatever a sender of messages must not do: a bare LF at a line's end, a line without a colon, a
 *   Content-Length that is absent, repeated or not the body's.
 */
export function readSip(bytes: Uint8Array, lengthNeeded = true): SipText {
  const text = textOf(bytes);
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) throw new Error(`No blank line: ${JSON.stringify(text)}`);
  const [startLine, ...lines] = text.slice(0, headEnd).split(/\r\n(?![ \t])/);
  const fields = lines.map((line): [string, string] => {
    const match = /^([A-Za-z0-9\-.!%*_+`'~]+)[ \t]*:([\s\S]*)$/.exec(line);
    if (match === null) throw new Error(`Not a header field: ${JSON.stringify(line)}`);
    const name = match[1]!.toLowerCase();
    return [LONG[name] ?? name, match[2]!.replace(/^\s+|\s+$/g, "")];
  });
  const body = text.slice(headEnd + 4);
  const lengths = fields.filter(([name]) => name === "content-length").map(([, value]) => value);
  const lengthFits = lengths.length === 1 && lengths[0] === String(body.length);
  if (!lengthFits && (lengthNeeded || lengths.length > 0)) {
    throw new Error(`Content-Length ${JSON.stringify(lengths)} with a body of ${body.length}`);
  }
  const status = /^SIP\/2\.0 ([1-6]\d\d) ([^\r\n]*)$/.exec(startLine!);
  if (status === null && !/^[^ \r\n]+ [^ \r\n]+ SIP\/2\.0$/.test(startLine!)) {
    throw new Error(`Not a start line: ${JSON.stringify(startLine)}`);
  }
  return { startLine: startLine!, status: Number(status?.[1] ?? 0), reason: status?.[2] ?? "", fields, body };
}

/** The values of a header field, one a line, in order. @param name long, lower case */
export function valuesOf(message: SipText, name: string): string[] {
  return message.fields.filter(([field]) => field === name).map(([, value]) => value);
}

/** The only value of a header field. @throws Error when it is not there just once */
export function onlyValueOf(message: SipText, name: string): string {
  const values = valuesOf(message, name);
  if (values.length !== 1) throw new Error(`${values.length} of ${name}`);
  return values[0]!;
}

/** The header field's elements, split at commas and trimmed: for lists of tokens. */
export function listOf(message: SipText, name: string): string[] {
  return valuesOf(message, name).flatMap((value) => value.split(",").map((item) => item.trim()));
}

/** A request's head as its sender wrote it: fields in order, nothing checked, for messages that are wrong on purpose. */
export function looseFields(bytes: Uint8Array): [name: string, value: string][] {
  const text = textOf(bytes).replace(/^[\r\n]+/, "");
  const headEnd = /\r?\n\r?\n/.exec(text)?.index ?? text.length;
  return text
    .slice(0, headEnd)
    .split(/\r?\n(?![ \t])/)
    .slice(1)
    .flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      if (colon < 0) return [];
      const name = line.slice(0, colon).trim().toLowerCase();
      return [[LONG[name] ?? name, line.slice(colon + 1).replace(/^\s+|\s+$/g, "")]];
    });
}

/** A Via value split into what stands before its parameters and those, without white space, sorted by name. */
export function viaParts(value: string): { sentBy: string; params: Map<string, string | true> } {
  const [sentBy, ...params] = value.split(";").map((part) => part.replace(/\s+/g, " ").trim());
  return {
    sentBy: sentBy!,
    params: new Map(
      params.map((param): [string, string | true] => {
        const equal = param.indexOf("=");
        return equal < 0 ? [param.toLowerCase(), true] : [param.slice(0, equal).trim(), param.slice(equal + 1).trim()];
      }),
    ),
  };
}
