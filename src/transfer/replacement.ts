/**
 * INVITEs that are to take the place of a dialog (RFC 3891 s3). What does not fit is refused here; what fits goes on to the
 * handler with the dialog, which is hung up once the call is answered. Whether the caller may is for the handler to say.
 */
import { type Dialog, DialogState } from "../dialog/dialog.ts";
import type { Dialogs } from "../dialog/dialogs.ts";
import type { DialogWatcher } from "../dialog/watcher.ts";
import { CSEQ_METHOD_END, CSEQ_METHOD_START } from "../message/layout.ts";
import { Method, methodId } from "../message/method.ts";
import { type Replaces, replacesOf } from "../message/replaces.ts";
import type { Call } from "../server/call.ts";

/** How many dialogs that are over are remembered, so that whoever comes too late is declined, not told of no dialog. */
const REMEMBERED = 256;

export class Replacement implements DialogWatcher {
  readonly #dialogs: Dialogs;
  readonly #over: Dialog[] = [];
  #at = 0;

  constructor(dialogs: Dialogs) {
    this.#dialogs = dialogs;
    dialogs.watchers.push(this);
  }

  changed(): void {}

  ended(dialog: Dialog): void {
    this.#over[this.#at] = dialog;
    this.#at = (this.#at + 1) % REMEMBERED;
  }

  /** An INVITE has come. @returns whether it was refused */
  screen(call: Call): boolean {
    const replaces = replacesOf(call.message);
    if (replaces === null) return false;
    // Join (RFC 3911) says the contrary of the same dialog.
    if (replaces === "malformed" || call.header("Join") !== undefined) {
      call.reject(400, { reason: "Bad Replaces" });
      return true;
    }
    const dialog = this.#find(replaces);
    const status = dialog === null ? 481 : refusalOf(dialog, replaces);
    if (status === 0) call.replaces = dialog;
    else call.reject(status);
    return status !== 0;
  }

  #find({ callId, localTag, remoteTag }: Replaces): Dialog | null {
    for (const remote of remoteTag === "0" ? ["0", ""] : [remoteTag]) {
      const dialog = this.#dialogs.named(callId, localTag, remote);
      if (dialog !== null) return dialog;
      const ended = this.#over.find(
        (one) => one.remoteTag === remote && one.localTagText === localTag && one.callId === callId,
      );
      if (ended !== undefined) return ended;
    }
    return null;
  }
}

/** 0 when the dialog can be replaced. */
function refusalOf(dialog: Dialog, { earlyOnly }: Replaces): number {
  const { bytes, table } = dialog.origin;
  if (methodId(bytes, table[CSEQ_METHOD_START]!, table[CSEQ_METHOD_END]!) !== Method.INVITE) return 481;
  if (dialog.isTerminated) return 603;
  if (dialog.state === DialogState.Early) return dialog.isCaller ? 0 : 481;
  return earlyOnly ? 486 : 0;
}
