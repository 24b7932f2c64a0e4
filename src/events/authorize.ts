/** Who may subscribe and publish. */
import type { IncomingRequest } from "../server/incoming-request.ts";

/** A SUBSCRIBE for a new subscription, or a PUBLISH. */
export interface Question {
  readonly method: "SUBSCRIBE" | "PUBLISH";
  readonly event: string;
  /** The canonical address-of-record. */
  readonly resource: string;
  /** For what else there is to know: From, source address, credentials. */
  readonly request: IncomingRequest;
}

/**
 * Says whether it is allowed; if not it gets 403. A subscription is pending while a promise is, and is ended with
 * `rejected` or, when the promise is rejected, `giveup`; a fetch and a PUBLISH are answered once it is known.
 */
export type Authorize = (question: Question) => boolean | Promise<boolean>;
