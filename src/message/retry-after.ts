/** Retry-After (RFC 3261 s20.33). */
import { Header } from "./header.ts";
import type { Message } from "./message.ts";

/** What it says, in milliseconds; undefined where there is none, or one that cannot be read. */
export function retryAfterOf(message: Message): number | undefined {
  const record = message.first(Header.RetryAfter);
  if (record === 0) return undefined;
  const seconds = /^\d{1,6}/.exec(message.valueText(record));
  return seconds === null ? undefined : Number(seconds[0]) * 1000;
}
