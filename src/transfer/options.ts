/** What `transfers()` is given. */
import type { Dialog } from "../dialog/dialog.ts";
import type { IncomingRequest } from "../server/incoming-request.ts";
import type { CallOptions } from "../server/outgoing-call.ts";
import type { Verdict } from "./policy.ts";
import type { Reference } from "./reference.ts";

/** All are optional. A dialog is the one that the REFER is about, or null where it stands outside of any. */
export interface TransferOptions {
  /**
   * Whether a reference is followed; a status of 300 to 699 refuses with that one. One that takes longer than 5 s is
   * accepted meanwhile, and a refusal told by NOTIFY (RFC 3515 s2.4.7). Default {@link canBeCalled}.
   */
  allow?: (request: IncomingRequest, reference: Reference) => Verdict | Promise<Verdict>;
  /**
   * The offer to whom is called. Default: the description that this end has given last in the dialog, off hold; where
   * there is none the call goes out without an offer.
   */
  offer?: (dialog: Dialog | null, reference: Reference) => string | Uint8Array | undefined;
  /** How else the call is placed: its handlers, credentials, route. By default it has the handlers and `data` of the dialog. */
  call?: (dialog: Dialog | null, reference: Reference) => Omit<CallOptions, "sdp">;
  /** Told when a call is answered that was placed for a REFER. The dialog from before stands until its peer hangs up. */
  transferred?: (dialog: Dialog, before: Dialog | null, reference: Reference) => void;
  /** Headers of a Refer-To URI that are taken over. Default Replaces, Require (of what is supported), Target-Dialog, Subject. */
  headers?: readonly string[];
  /** How many references may be followed at once; those beyond get 503. Default 1,000. */
  ceiling?: number;
}
