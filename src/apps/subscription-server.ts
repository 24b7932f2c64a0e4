/**
 * `subscription-server`: keeps presence and mailboxes. It takes SUBSCRIBE and PUBLISH, tells whoever subscribes, and
 * answers OPTIONS; everything else gets 405.
 */
import { type Events, type EventsOptions, events } from "../events/events.ts";
import { messageSummary } from "../events/message-summary.ts";
import { presence } from "../events/presence.ts";

export type SubscriptionServerSettings = Omit<EventsOptions, "packages" | "publications" | "subscriber">;

/** The options of the mode for `serve()`; `plugins[0]` publishes without PUBLISH. */
export function subscriptionServer(settings: SubscriptionServerSettings = {}): { plugins: [Events] } {
  return { plugins: [events({ ...settings, packages: [presence(), messageSummary()], subscriber: false })] };
}
