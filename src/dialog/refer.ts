/** What asking a peer to call somebody (REFER, RFC 3515) takes and gives; the transfers plugin does it. */
import type { HeaderFields } from "../message/header-lines.ts";
import type { Uri } from "../message/uri.ts";
import type { Dialog } from "./dialog.ts";

export interface ReferOptions {
  /** The dialog of ours with the target that the peer's call takes the place of: an attended transfer (RFC 3891). */
  replaces?: Dialog;
  /** Who refers, a URI or `"Name" <URI>` (RFC 3892). Default: this end as it is named in the dialog; null leaves it out. */
  referredBy?: string | null;
  /** Asks that nothing be told of what becomes of it (RFC 4488). */
  noSubscription?: boolean;
  headers?: HeaderFields;
  /** Called with each status that the peer tells, the final one too. @param body of the NOTIFY, a sipfrag */
  progress?: (status: number, reason: string, body: Uint8Array) => void;
}

/** A REFER of ours on its way. */
export interface Referred {
  /** Resolves when the peer has accepted the REFER. */
  readonly accepted: Promise<void>;
  /**
   * Resolves with the final status of what the peer did, 200 to 699; with that of the REFER's own answer where there is
   * no subscription.
   */
  readonly done: Promise<number>;
}

/** Sends REFERs for dialogs. */
export type Referrer = (dialog: Dialog, target: string | Uri, options?: ReferOptions) => Referred;
