/**
 * What a transaction needs of a message: the scan, then top Via, From and To tags, Call-ID, CSeq, Max-Forwards and
 * Request-URI. The budget is the design's. Run: `bun run bench fields`.
 */
import { do_not_optimize } from "mitata";
import { readFields } from "../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../src/message/limits.ts";
import { Scanner } from "../src/message/scanner.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { SET } from "./micro/messages.ts";
import { timeOf } from "./micro/sample.ts";
import { SETS } from "./scan.ts";

const BUDGET_NS = 500;

export default async function fields({ effort, figure }: Bench): Promise<void> {
  const scanner = new Scanner();
  for (const [name, messages] of SETS) {
    for (const octets of messages) {
      const message = scanner.scanDatagram(octets);
      if (!readFields(message, DEFAULT_LIMITS) || message.fault !== 0) throw new Error(`${name}: ${message.faultText}`);
    }
    const times = await timeOf(
      SET,
      () => {
        for (let i = 0; i < SET; i++) {
          do_not_optimize(readFields(scanner.scanDatagram(messages[i]!), DEFAULT_LIMITS));
        }
      },
      effort,
    );
    figure({
      name: `scan and fields, ${name}`,
      unit: "ns",
      ...times,
      budget: messages === SETS[0]![1] ? BUDGET_NS : undefined,
    });
  }
  // What is measured with one message alone, as published figures are: every branch foreseen by the processor.
  const one = SETS[0]![1][0]!;
  const same = await timeOf(
    SET,
    () => {
      for (let i = 0; i < SET; i++) do_not_optimize(readFields(scanner.scanDatagram(one), DEFAULT_LIMITS));
    },
    effort,
  );
  figure({ name: "scan and fields, the same INVITE over and over", unit: "ns", ...same, note: `${one.length} bytes` });
  const kept = SETS[0]![1].map((octets) => scanner.scanDatagram(octets).keep());
  const alone = await timeOf(
    SET,
    () => {
      for (let i = 0; i < SET; i++) do_not_optimize(readFields(kept[i]!, DEFAULT_LIMITS));
    },
    effort,
  );
  figure({ name: `fields alone, ${SETS[0]![0]}`, unit: "ns", ...alone });
}

if (import.meta.main) await runOne("fields", fields);
