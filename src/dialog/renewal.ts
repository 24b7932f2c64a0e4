/** What it takes to renew a session from this side, by INVITE or UPDATE. */
import type { TokenSource } from "../message/token-source.ts";
import type { HeaderWriter } from "../outgoing/outgoing-request.ts";
import type { Sender } from "../outgoing/sender.ts";
import type { Alarms } from "../time/alarms.ts";
import type { Dialog } from "./dialog.ts";
import type { SessionTimers } from "./session-timers.ts";

export interface RenewalParts {
  readonly sender: Sender;
  readonly alarms: Alarms;
  readonly tokens: TokenSource;
  /** Writes the Contact by which the peer of a dialog reaches this end. */
  readonly contact: (dialog: Dialog) => HeaderWriter;
  /** Ends a dialog that the peer knows no more. */
  readonly gone: (dialog: Dialog) => void;
  readonly sessionTimers: SessionTimers | null;
}
