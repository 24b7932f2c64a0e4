/** Told what becomes of dialogs, beside their user: who shows them to others. */
import type { Dialog, DialogEnd } from "./dialog.ts";

export interface DialogWatcher {
  /** A dialog with a session was made or confirmed. */
  changed(dialog: Dialog): void;
  /** A dialog's session is over. */
  ended(dialog: Dialog, end: DialogEnd): void;
}
