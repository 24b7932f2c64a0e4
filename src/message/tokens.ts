/** Headers that are comma-joined lists of tokens: Allow, Supported, Require, Proxy-Require, Allow-Events. */
import { CLASS, COMMA, skipWhite, utf8, WHITE } from "./bytes.ts";
import type { Header } from "./header.ts";
import type { Message } from "./message.ts";

/** The elements of all fields with this number, in order. Empty elements are left out (RFC 3261 s7.3.1 joins lines). */
export function tokensOf(message: Message, id: Header): string[] {
  const tokens: string[] = [];
  const { bytes } = message;
  for (let record = message.first(id); record !== 0; record = message.next(record)) {
    const end = message.valueEnd(record);
    let at = message.valueStart(record);
    while (at < end) {
      at = skipWhite(bytes, at, end);
      const start = at;
      while (at < end && bytes[at] !== COMMA && !(CLASS[bytes[at]!]! & WHITE)) at++;
      if (at > start) tokens.push(utf8(bytes, start, at));
      at = skipWhite(bytes, at, end);
      if (at < end && bytes[at] === COMMA) at++;
    }
  }
  return tokens;
}
