/** What a request of ours that got no response was rejected with. */
import { RequestFailed } from "../../src/index.ts";

/** @throws Error when there was a response, or when it was rejected with anything else */
export async function failureOf(request: Promise<{ status: number }>): Promise<RequestFailed> {
  const outcome = await request.catch((error: unknown) => error);
  if (outcome instanceof RequestFailed) return outcome;
  throw outcome instanceof Error ? outcome : new Error(`Answered: ${(outcome as { status: number }).status}`);
}
