/** What a request of ours belongs to, as far as it matters on its way. */
import type { ChallengeScope } from "./challenge-scope.ts";
import type { Flow } from "./outgoing-request.ts";

/** A dialog, or what may come to one. */
export interface RequestContext {
  /** Where others of its dialog went: their UDP socket is used, since it is what the peer knows. Null outside dialogs. */
  readonly near: Flow | null;
  /** How challenges are answered; null where nobody has said how, and none has been answered. */
  challenges: ChallengeScope | null;
  /** Whether its requests are still of use. */
  readonly isAlive: boolean;
  /** The CSeq number of the next request. @param last that of the one that is sent again */
  nextCSeq(last: number): number;
}
