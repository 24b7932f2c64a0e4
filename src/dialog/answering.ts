/** Has the user answer an offer that came where the answer is due at once: in a reliable provisional response or a 2xx. */
import { ascii } from "../message/bytes.ts";

/** Makes the answer to an offer. It is waited for nowhere: the ACK or PRACK that carries it goes out at once. */
export type AnswerOffer = (offer: Uint8Array) => string | Uint8Array;

/** What came of it. */
export interface Answered {
  /** In octets of its own; null when there is none. */
  readonly answer: Uint8Array | null;
  /** What the user's function threw. */
  readonly error: Error | null;
}

export function answerTo(offer: Uint8Array, answer: AnswerOffer | undefined): Answered {
  if (answer === undefined) return { answer: null, error: null };
  try {
    const given = answer(offer);
    return { answer: typeof given === "string" ? ascii(given) : new Uint8Array(given), error: null };
  } catch (thrown) {
    return { answer: null, error: thrown instanceof Error ? thrown : new Error(String(thrown)) };
  }
}
