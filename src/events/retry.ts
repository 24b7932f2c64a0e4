/** When a subscription that ended is begun anew (RFC 6665 s4.1.3). */
import type { SubscriptionEnd } from "./subscription.ts";

/** The notifier does not want to be asked again. */
const FINAL: ReadonlySet<string> = new Set(["rejected", "noresource", "invariant", "closed", "unsubscribed"]);
const PROBATION_S = 30;
const GIVEUP_S = 60;
/** The longest wait between tries that this side chooses. */
const MAX_BACKOFF_S = 300;
/** The longest wait that a notifier may ask for. */
const MAX_WAIT_S = 24 * 3600;

/**
 * @param hasStood whether a notifier has taken it before
 * @param tries how often it was begun anew without standing for a while
 * @returns seconds to wait; null when it is not begun anew
 */
export function retryDelay({ reason, retryAfter }: SubscriptionEnd, hasStood: boolean, tries: number): number | null {
  if (FINAL.has(reason)) return null;
  const backoff = tries === 0 ? 0 : Math.min(MAX_BACKOFF_S, 2 ** (tries - 1));
  if (retryAfter !== undefined) return Math.min(MAX_WAIT_S, Math.max(retryAfter, backoff));
  switch (reason) {
    case "probation":
      return Math.max(PROBATION_S, backoff);
    case "giveup":
      return Math.max(GIVEUP_S, backoff);
    case "refused":
    case "unreachable":
    case "no-notify":
      // What never worked is its user's business.
      return hasStood ? Math.max(1, backoff) : null;
    default:
      return backoff;
  }
}
