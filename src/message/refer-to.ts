/** What a REFER says: Refer-To (RFC 3515 s2.1), Referred-By (RFC 3892 s3) and Refer-Sub (RFC 4488 s4). */
import { Header } from "./header.ts";
import type { Message } from "./message.ts";
import { addressesOf } from "./name-addr.ts";
import type { Uri } from "./uri.ts";

/** The one Refer-To of a request as a URI; null when there is none or more than one, or it is malformed: that is a 400. */
export function referToOf(message: Message): Uri | null {
  const values = addressesOf(message, Header.ReferTo);
  return values?.length === 1 ? values[0]!.uri : null;
}

/**
 * The Referred-By of a request, as it is to be copied into what it refers to (RFC 3892 s2.2), folds undone.
 * @returns null when it has none, `"malformed"` for one that cannot be read and for several (s2.1)
 */
export function referredByOf(message: Message): string | "malformed" | null {
  const record = message.first(Header.ReferredBy);
  if (record === 0) return null;
  const values = addressesOf(message, Header.ReferredBy);
  if (values?.length !== 1 || values[0]!.uri === null) return "malformed";
  return unfolded(message.valueText(record));
}

/** Whether a REFER or its 2xx says that there is no subscription. */
export function isWithoutSubscription(message: Pick<Message, "header">): boolean {
  return /^false\s*(;|$)/i.test(message.header("Refer-Sub") ?? "");
}

/** A header value on one line (RFC 3261 s7.3.1). */
export function unfolded(value: string): string {
  return value.replace(/[\r\n]+[ \t]*/g, " ").trim();
}
