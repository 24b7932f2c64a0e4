/** How glare is waited out: two requests of the two sides that met, both refused with 491. */
import type { TokenSource } from "../message/token-source.ts";
import { RequestFailed } from "../outgoing/request-failed.ts";
import type { Alarms } from "../time/alarms.ts";
import type { Dialog } from "./dialog.ts";

export const REQUEST_PENDING = 491;
/** How often a request that meets the peer's is sent. */
export const TRIES = 4;

/**
 * Milliseconds until the next attempt: 2,100 to 4,000 where this side made the Call-ID, else up to 2,000, so that the two
 * do not meet again (RFC 3261 s14.1, RFC 3311 s5.3).
 */
function glareDelay(dialog: Dialog, tokens: Pick<TokenSource, "word">): number {
  const word = tokens.word() >>> 0;
  return dialog.isCaller ? 2100 + (word % 191) * 10 : (word % 201) * 10;
}

/**
 * Waits that long.
 * @param then called when the time is over
 * @param over called instead when the dialog ends before
 */
export function waitOut(
  dialog: Dialog,
  alarms: Alarms,
  tokens: TokenSource,
  then: () => void,
  over: (failure: RequestFailed) => void,
): void {
  let isWaiting = true;
  const alarm = alarms.set(glareDelay(dialog, tokens), () => {
    isWaiting = false;
    then();
  });
  void dialog.ended.then(() => {
    if (!isWaiting) return;
    alarms.clear(alarm);
    over(new RequestFailed("over", "The dialog is over"));
  });
}
