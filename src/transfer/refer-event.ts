/** The event package `refer` in Event and Subscription-State (RFC 3515 s2.4.4, s2.4.6, RFC 6665 s8.2). */
import type { IncomingRequest } from "../server/incoming-request.ts";

/** The value of Event. @param id the CSeq number of the REFER, for all but the first one in a dialog; null for none */
export function referEvent(id: number | null): string {
  return id === null ? "refer" : `refer;id=${id}`;
}

/**
 * The `id` of a request whose Event is `refer`.
 * @returns null when it has none; undefined when its Event is another, or the id is no number
 */
export function referIdOf(request: IncomingRequest): number | null | undefined {
  const values = request.headers("Event");
  const match = /^\s*refer\s*(;.*)?$/is.exec(values.length === 1 ? values[0]! : "");
  if (match === null) return undefined;
  const id = /;\s*id\s*=\s*([^\s;]*)/i.exec(match[1] ?? "");
  if (id === null) return null;
  return /^\d{1,10}$/.test(id[1]!) ? Number(id[1]) : undefined;
}

/** A Subscription-State. */
export interface SubscriptionState {
  readonly isTerminated: boolean;
  /** In seconds; undefined when it does not say. */
  readonly expires: number | undefined;
}

/** The Subscription-State of a NOTIFY. One without it is taken for active: there are transferees that know no better. */
export function subscriptionStateOf(request: IncomingRequest): SubscriptionState {
  const value = request.header("Subscription-State") ?? "";
  const expires = /;\s*expires\s*=\s*(\d{1,9})/i.exec(value);
  return {
    isTerminated: /^\s*terminated\b/i.test(value),
    expires: expires === null ? undefined : Number(expires[1]),
  };
}
