/** Reason (RFC 3326): why a request is sent, such as a BYE or a CANCEL, in the words of SIP or of another protocol. */
import { ascii, COMMA, DQUOTE, latin1, skipToken, skipWhite, utf8 } from "./bytes.ts";
import { Header } from "./header.ts";
import type { Message } from "./message.ts";
import { nextParam, ParamStep, paramCursor } from "./params.ts";

/** One value of Reason. */
export interface Reason {
  /** `SIP`, `Q.850` or another protocol's name, as written. */
  readonly protocol: string;
  /** A status code for SIP, a cause value for Q.850. */
  readonly cause?: number | undefined;
  /** In words. */
  readonly text?: string | undefined;
  /** All other parameters: lower-case names to values, `""` for a name alone. */
  readonly params?: ReadonlyMap<string, string>;
}

const MOST_CAUSE = 0x7fffffff;
const cursor = paramCursor();

/**
 * Every value of every Reason field, in order; the same protocol should not come twice (s2). A value that is malformed is
 * left out, with what follows it on its line: nothing depends on this header (s2).
 */
export function reasonsOf(message: Message): Reason[] {
  const reasons: Reason[] = [];
  for (let record = message.first(Header.Reason); record !== 0; record = message.next(record)) {
    readLine(message.bytes, message.valueStart(record), message.valueEnd(record), reasons);
  }
  return reasons;
}

/** The first value of a protocol, in any case; undefined when there is none. */
export function reasonOfProtocol(message: Message, protocol: string): Reason | undefined {
  return reasonsOf(message).find((reason) => reason.protocol.toLowerCase() === protocol.toLowerCase());
}

function readLine(bytes: Uint8Array, start: number, end: number, reasons: Reason[]): void {
  for (let at = start; at < end; ) {
    at = skipWhite(bytes, at, end);
    const protocolEnd = skipToken(bytes, at, end);
    if (protocolEnd === at) return;
    const protocol = latin1(bytes, at, protocolEnd);
    const params = new Map<string, string>();
    cursor.at = protocolEnd;
    let step = nextParam(bytes, end, cursor);
    for (; step === ParamStep.Found; step = nextParam(bytes, end, cursor)) {
      const name = latin1(bytes, cursor.nameStart, cursor.nameEnd).toLowerCase();
      if (!params.has(name)) params.set(name, unquoted(bytes, cursor.valueStart, cursor.valueEnd));
    }
    if (step === ParamStep.Malformed || (cursor.at < end && bytes[cursor.at] !== COMMA)) return;
    at = cursor.at + 1;
    reasons.push(reasonFrom(protocol, params));
  }
}

function reasonFrom(protocol: string, params: Map<string, string>): Reason {
  const digits = params.get("cause");
  const text = params.get("text");
  const cause = digits !== undefined && /^\d{1,10}$/.test(digits) ? Number(digits) : undefined;
  params.delete("cause");
  params.delete("text");
  return { protocol, cause: cause !== undefined && cause <= MOST_CAUSE ? cause : undefined, text, params };
}

function unquoted(bytes: Uint8Array, start: number, end: number): string {
  if (start < 0) return "";
  if (bytes[start] !== DQUOTE) return utf8(bytes, start, end);
  return utf8(bytes, start + 1, end - 1)
    .replace(/\r?\n[ \t]+/g, " ")
    .replace(/\\(.)/gs, "$1");
}

/**
 * The value of a Reason field, for the headers of a request.
 *
 *     dialog.bye({ headers: { Reason: writeReason({ protocol: "Q.850", cause: 16, text: "Terminated" }) } });
 *
 * @throws TypeError when the protocol or a parameter's name is no token, the cause is no number that can stand there, or a
 *   text holds a line end
 */
export function writeReason({ protocol, cause, text, params }: Reason): string {
  let value = checkedToken(protocol);
  if (cause !== undefined) {
    if (!Number.isInteger(cause) || cause < 0 || cause > MOST_CAUSE) throw new TypeError(`Not a cause: ${cause}`);
    value += `;cause=${cause}`;
  }
  if (text !== undefined) value += `;text=${quoted(text)}`;
  for (const [name, said] of params ?? []) {
    value += `;${checkedToken(name)}`;
    if (said !== "") value += `=${isToken(said) ? said : quoted(said)}`;
  }
  return value;
}

function checkedToken(text: string): string {
  if (!isToken(text)) throw new TypeError(`Not a token: ${JSON.stringify(text)}`);
  return text;
}

function isToken(text: string): boolean {
  const bytes = ascii(text);
  return bytes.length > 0 && skipToken(bytes, 0, bytes.length) === bytes.length;
}

function quoted(text: string): string {
  if (/[\r\n\0]/.test(text)) throw new TypeError("The text of a reason holds a line end");
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
