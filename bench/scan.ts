/** The scanner on whole datagrams: start line, every header field's number and range, body. Run: `bun run bench scan`. */
import { do_not_optimize } from "mitata";
import { Scanner } from "../src/message/scanner.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { invites, meanLength, SET, successes } from "./micro/messages.ts";
import { timeOf } from "./micro/sample.ts";

/** The three sets that the scanner and the field parsers are measured on. */
export const SETS: readonly [name: string, messages: Uint8Array[]][] = [
  ["INVITE of 600 bytes", invites(600)],
  ["INVITE of 1,400 bytes", invites(1400)],
  ["200 of 600 bytes", successes(600)],
];

export default async function scan({ effort, figure }: Bench): Promise<void> {
  const scanner = new Scanner();
  for (const [name, messages] of SETS) {
    const times = await timeOf(
      SET,
      () => {
        for (let i = 0; i < SET; i++) do_not_optimize(scanner.scanDatagram(messages[i]!).fault);
      },
      effort,
    );
    figure({ name, unit: "ns", ...times, note: `${Math.round(meanLength(messages))} bytes on average` });
  }
}

if (import.meta.main) await runOne("scan", scan);
