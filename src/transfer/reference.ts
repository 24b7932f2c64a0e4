/**
 * What a REFER asks for (RFC 3515 s2.4.3): the URI to be called, what of its headers goes into the call (RFC 3261
 * s19.1.5), who referred (RFC 3892), and the dialog that it is about.
 */
import type { Dialog } from "../dialog/dialog.ts";
import type { Dialogs } from "../dialog/dialogs.ts";
import { referredByOf, referToOf } from "../message/refer-to.ts";
import { parseReplaces, type Replaces, targetDialogOf, writeReplaces } from "../message/replaces.ts";
import type { Uri } from "../message/uri.ts";
import { nextHopOf } from "../resolve/target.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";

/** A reference that is well formed. */
export interface Reference {
  /** What is to be called: the Refer-To without its headers and method. Of any scheme. */
  readonly uri: Uri;
  /** What is to be sent to it; INVITE unless the Refer-To says otherwise. */
  readonly method: string;
  /** Header fields that the Refer-To asks for and that are taken over, and Referred-By. */
  readonly headers: Readonly<Record<string, string>>;
  /** The dialog of the target's that is to be replaced: an attended transfer (RFC 3891). */
  readonly replaces: Replaces | null;
  /** The Referred-By, as it came. */
  readonly referredBy: string | null;
  /** The dialog that the REFER stands in, or proves to know of (RFC 4538); null when it is about none. */
  readonly dialog: Dialog | null;
}

/** Why a REFER is refused. */
export interface ReferFault {
  readonly status: number;
  readonly reason: string;
}

/** Headers of a Refer-To URI that are taken over unless said otherwise. */
export const TAKEN_OVER: readonly string[] = ["Replaces", "Require", "Target-Dialog", "Subject"];
/** What a call of ours may be made to require of the target: no more than this end can go through with. */
const REQUIRABLE = new Set(["replaces", "tdialog"]);

/** @param allowed names of headers in the Refer-To that are taken over; the others are left out */
export function referenceOf(
  request: IncomingRequest,
  dialogs: Dialogs,
  allowed: readonly string[],
): Reference | ReferFault {
  const { message } = request;
  const target = referToOf(message);
  if (target === null) return bad("Not One Refer-To");
  const referredBy = referredByOf(message);
  if (referredBy === "malformed") return bad("Bad Referred-By");
  const isSip = nextHopOf(target) !== null;
  const headers: Record<string, string> = {};
  let replaces: Replaces | null = null;
  for (const name of isSip ? allowed : []) {
    const values = [...target.headers].filter(([found]) => found === name.toLowerCase()).map(([, value]) => value);
    if (values.length === 0) continue;
    // What stands behind an escaped line end would be a header field of its own.
    if (values.some((value) => /[\r\n\0]/.test(value))) return bad(`Bad ${name} In Refer-To`);
    if (name.toLowerCase() === "require") {
      const tags = values.flatMap((value) => value.split(/[\s,]+/)).filter((tag) => REQUIRABLE.has(tag.toLowerCase()));
      if (tags.length > 0) headers[name] = tags.join(", ");
    } else if (name.toLowerCase() === "replaces") {
      replaces = values.length === 1 ? parseReplaces(values[0]!) : null;
      if (replaces === null) return bad("Bad Replaces In Refer-To");
      headers[name] = writeReplaces(replaces);
    } else headers[name] = values.join(", ");
  }
  if (referredBy !== null) headers["Referred-By"] = referredBy;
  return {
    uri: isSip ? target.with({ params: { method: null }, headers: null }) : target,
    method: target.method?.toUpperCase() || "INVITE",
    headers,
    replaces,
    referredBy,
    dialog: request.dialog ?? targetOf(request, dialogs),
  };
}

/** The dialog that a REFER outside of it names by Target-Dialog (RFC 4538 s4). */
function targetOf(request: IncomingRequest, dialogs: Dialogs): Dialog | null {
  const name = targetDialogOf(request.message);
  const dialog = name === null ? null : dialogs.named(name.callId, name.localTag, name.remoteTag);
  return dialog === null || dialog.isTerminated ? null : dialog;
}

function bad(reason: string): ReferFault {
  return { status: 400, reason };
}
