/** How the challenges to the requests of one call, subscription or dialog are answered, and the sessions they have made. */
import { CredentialSource, type CredentialsOption } from "../auth/client-credentials.ts";
import type { ClientSession } from "../auth/client-session.ts";
import type { IncomingResponse } from "./incoming-response.ts";

/** Makes the header fields that answer a challenge, or null to give up. */
export type AnswerChallenge = (challenge: IncomingResponse) => Record<string, string> | null;

/** What may be said of how challenges are answered. */
export interface ChallengeOptions {
  /** Asked first; what it gives, or null, is the answer then. */
  auth?: AnswerChallenge | undefined;
  /** Those of the server come after these. */
  credentials?: CredentialsOption | undefined;
}

export class ChallengeScope {
  readonly auth: AnswerChallenge | undefined;
  /** Null where there are only the server's. */
  readonly source: CredentialSource | null;
  #sessions: ClientSession[] = [];

  /** @throws TypeError for credentials that cannot be used */
  constructor({ auth, credentials }: ChallengeOptions = {}) {
    this.auth = auth;
    this.source = credentials === undefined ? null : new CredentialSource(credentials);
  }

  /** The sessions whose credentials every request in the dialog carries (RFC 3261 s22.3). */
  get sessions(): readonly ClientSession[] {
    return this.#sessions;
  }

  /** A request was sent again with the credentials of a session. It takes the place of one of the same realm. */
  add(session: ClientSession): void {
    const others = this.#sessions.filter(
      ({ isProxy, realm }) => isProxy !== session.isProxy || realm !== session.realm,
    );
    this.#sessions = [...others, session];
  }
}

/** The scope of what these options say; null where they say nothing. @throws TypeError for credentials that cannot be used */
export function scopeOf(options: ChallengeOptions): ChallengeScope | null {
  return options.auth === undefined && options.credentials === undefined ? null : new ChallengeScope(options);
}
