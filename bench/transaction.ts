/**
 * Server transactions without a socket, 100,000 of them live: INVITE with 100, 180 and 200, ACK, BYE with 200, and the
 * end of the transactions by their timers. Run: `bun run bench transaction`.
 */
import { type Bench, runOne } from "./micro/bench.ts";
import { BATCH, CallBatches } from "./micro/calls.ts";
import { selfTimed } from "./micro/sample.ts";
import { bareServer, fullServer } from "./micro/server.ts";

/** Two transactions a call, each of 32 s: so often comes a batch that 102,400 are live. */
const PASSING_MS = 10;
const LIFE_MS = 32_000;

export default async function transaction({ effort, figure }: Bench): Promise<void> {
  for (const [name, subject] of [
    ["call through the transaction layer", bareServer()],
    ["call through the full UAS", fullServer()],
  ] as const) {
    const batches = new CallBatches(subject);
    for (let time = 0; time < LIFE_MS + 2000; time += PASSING_MS) batches.run(PASSING_MS);
    const times = await selfTimed(BATCH, () => batches.run(PASSING_MS), effort);
    const live = subject.live.toLocaleString("en-US");
    figure({ name, unit: "ns", ...times, note: `7 messages; ${live} transactions live` });
  }
}

if (import.meta.main) await runOne("transaction", transaction);
