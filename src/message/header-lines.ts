/** Header fields given by a user of the library, checked and written out. */
import { ascii, CLASS, TOKEN } from "./bytes.ts";

/** Names and values of header fields; several values make several lines. */
export type HeaderFields = Readonly<Record<string, string | readonly string[]>>;

/**
 * The fields as lines, each with its CRLF.
 * @throws TypeError when a name is not a token, or a value holds a line end or a NUL: such a value would be read as
 *   something else than a value
 */
export function headerLines(fields: HeaderFields): Uint8Array {
  let text = "";
  for (const [name, values] of Object.entries(fields)) {
    checkName(name);
    for (const value of typeof values === "string" ? [values] : values) {
      if (/[\r\n\0]/.test(value)) throw new TypeError(`The value of ${name} holds a line end`);
      text += `${name}: ${value}\r\n`;
    }
  }
  return ascii(text);
}

function checkName(name: string): void {
  for (let i = 0; i < name.length; i++) {
    if (!(CLASS[name.charCodeAt(i) & 0xff]! & TOKEN) || name.charCodeAt(i) > 0x7f) {
      throw new TypeError(`Not a header field name: ${JSON.stringify(name)}`);
    }
  }
  if (name === "") throw new TypeError("Not a header field name: the empty string");
}

/** Lines with others behind them. */
export function joinedLines(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** A reason phrase that can stand in a status line. @throws TypeError when it holds a line end */
export function checkedReason(reason: string): string {
  if (/[\r\n\0]/.test(reason)) throw new TypeError("A reason phrase holds a line end");
  return reason;
}
