/** What a call of ours that was not answered was rejected with. */
import { CallFailed, type OutgoingCall } from "../../src/index.ts";

/** @throws Error when it was answered, when it was rejected with anything else, or when 10 s pass without either */
export async function callFailure(call: OutgoingCall): Promise<CallFailed> {
  const late = Bun.sleep(10_000).then(() => new Error("The call neither failed nor was answered in 10 s"));
  const outcome = await Promise.race([call.answered.catch((error: unknown) => error), late]);
  if (outcome instanceof CallFailed) return outcome;
  throw outcome instanceof Error ? outcome : new Error("The call was answered");
}
