/** `message/sipfrag` as a REFER's progress is told in it: a status line alone (RFC 3420, RFC 3515 s2.4.5). */
import { latin1 } from "./bytes.ts";
import { reasonOf } from "./status.ts";

/** The type that goes with {@link writeSipfrag}. */
export const SIPFRAG = "message/sipfrag;version=2.0";

/** A status line as a fragment. @param reason the registered one when left out; line ends in it become spaces */
export function writeSipfrag(status: number, reason = reasonOf(status)): string {
  return `SIP/2.0 ${status} ${reason.replace(/[\r\n\0]+/g, " ")}\r\n`;
}

/** The status line that a fragment begins with; null when it begins with something else. */
export function readSipfrag(body: Uint8Array): { status: number; reason: string } | null {
  // A status line is not long; what follows it is not looked at.
  const match = /^SIP\/2\.0[ \t]+([1-6]\d\d)(?:[ \t]+([^\r\n]*))?(?:\r?\n|$)/i.exec(
    latin1(body, 0, Math.min(body.length, 512)),
  );
  return match === null ? null : { status: Number(match[1]), reason: (match[2] ?? "").trim() };
}
