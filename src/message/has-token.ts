/** Whether a header that is a list of tokens names one, without a string made. */
import { CLASS, COMMA, equalsLower, skipWhite, trimEnd, WHITE } from "./bytes.ts";
import type { Header } from "./header.ts";
import type { Message } from "./message.ts";

/**
 * Looks through all fields with this number: Supported, Require, Allow and their like.
 * @param lower the token in lower case; ASCII case is not regarded (RFC 3261 s7.3.1)
 */
export function hasToken(message: Message, id: Header, lower: Uint8Array): boolean {
  const { bytes } = message;
  for (let record = message.first(id); record !== 0; record = message.next(record)) {
    const end = message.valueEnd(record);
    let at = message.valueStart(record);
    while (at < end) {
      const start = CLASS[bytes[at]!]! & WHITE ? skipWhite(bytes, at, end) : at;
      at = start;
      while (at < end && bytes[at] !== COMMA) at++;
      if (equalsLower(bytes, start, trimEnd(bytes, start, at), lower)) return true;
      at++;
    }
  }
  return false;
}
