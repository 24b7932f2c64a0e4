/**
 * What an event package is to the notifier (RFC 6665 s5): its name, its bodies, its intervals, and the state of a
 * resource. `presence.ts` and the others beside it are such packages; a user of the library may bring more.
 */
import type { Host } from "../server/plugin.ts";

/** A body with its media type. */
export interface Body {
  /** Such as `application/pidf+xml`. */
  readonly type: string;
  readonly content: string | Uint8Array;
}

/** What was published for a resource: a body, by PUBLISH or by the program. */
export interface Published {
  /** The entity-tag; empty for what the program published. */
  readonly etag: string;
  readonly type: string;
  readonly content: Uint8Array;
}

/** What one NOTIFY is to tell. */
export interface StateRequest {
  /** The canonical address-of-record. */
  readonly resource: string;
  /** The media type, of the package's own, that the subscriber takes. */
  readonly type: string;
  /** How many NOTIFYs of this subscription went before. */
  readonly version: number;
  /** The revision that the subscriber was told last; -1 when it is to be told the whole state. */
  readonly since: number;
  /** Whether the subscriber is not yet allowed to see the state: the neutral one is told (RFC 6665 s5.4.7). */
  readonly isPending: boolean;
}

/** The state of a resource. */
export interface State extends Body {
  /** The package's own count of changes, given back as `since`. Default 0. */
  readonly revision?: number;
}

/** What a package is given when the server starts. */
export interface PackageContext {
  readonly host: Host;
  /** Tells every subscriber of a resource its state anew; soon, and once for many changes. */
  changed(resource: string): void;
  /** How many subscribe to a resource. */
  watchers(resource: string): number;
  /** How many subscribe to anything, of any package. */
  subscriptions(): number;
  /** What is published for a resource, the oldest first. */
  published(resource: string): readonly Published[];
}

export interface EventPackage {
  /** As in Event. */
  readonly name: string;
  /** Media types of the bodies of its NOTIFYs, the preferred one first; it is what a SUBSCRIBE without Accept gets. */
  readonly types: readonly string[];
  /** Seconds of a subscription that does not say. Default: the events plugin's own. */
  readonly defaultExpires?: number;
  /** The least milliseconds between two NOTIFYs of a subscription, but for those that a SUBSCRIBE asks for. Default 0. */
  readonly minInterval?: number;
  /** Whether one SUBSCRIBE of ours may make several subscriptions by forking (RFC 6665 s4.4.1). Default false. */
  readonly forks?: boolean;
  /** Whether only something else than SUBSCRIBE makes subscriptions, as REFER does: SUBSCRIBE gets 403 then. */
  readonly isImplicit?: boolean;
  /** Whether each subscriber is told something of its own: the state is asked for anew for each. Default false. */
  readonly isPerSubscriber?: boolean;
  /** Whether there is such a resource; if not, SUBSCRIBE and PUBLISH get 404. Default: there is. */
  has?(resource: string): boolean;
  /** The state of a resource; null when there is nothing to tell: the NOTIFY goes without a body. */
  state(request: StateRequest): State | null;
  /** Whether a body published is one; PUBLISH gets 400 if not. Without this member PUBLISH gets 489. */
  accepts?(body: Body): boolean;
  /** Called once, before the server listens. */
  attach?(context: PackageContext): void;
}

/** Why a notifier ends a subscription (RFC 6665 s4.1.3). */
export type TerminationReason =
  /** Ask again at once, anew. */
  | "deactivated"
  /** Ask again later. */
  | "probation"
  /** Not allowed; do not ask again. */
  | "rejected"
  /** It has expired. */
  | "timeout"
  /** Authorization could not be had in time; ask again later. */
  | "giveup"
  /** There is no such resource any more. */
  | "noresource"
  /** The state never changes again. */
  | "invariant";
