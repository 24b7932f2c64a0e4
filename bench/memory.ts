/**
 * Memory of transactions that wait for their last timer, as the operating system sees it: resident memory of the process
 * over their number, the response kept for a retransmission included. Each is measured in a process of its own.
 * Run: `bun run bench memory`.
 */
import { latin1 } from "../src/message/bytes.ts";
import { memoryOf } from "./load/process.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { BATCH, CallBatches } from "./micro/calls.ts";
import { CallTemplate } from "./micro/messages.ts";
import { bareServer, fullServer, type Subject } from "./micro/server.ts";

const COUNT = 200_000;
const QUICK_COUNT = 50_000;
/** Transactions that ran and ended before the measuring; as many are started above the count, to use their room again. */
const WARM = 20_000;
const BUDGET_BYTES = 800;
/** Past every timer of a transaction. */
const LONG_MS = 40_000;
/** How long the allocator may take to give pages back. */
const SETTLE_MS = 700;
/** Datagrams between two ticks and emptyings of the channel. */
const TURN = 32;

/** What is kept; `perItem` is how many transactions one of them is. */
const KINDS = {
  layer: { name: "completed transaction, transaction layer", perItem: 1, budget: BUDGET_BYTES },
  core: { name: "completed transaction, full UAS", perItem: 1, budget: BUDGET_BYTES },
  call: { name: "ended call, full UAS", perItem: 2, budget: undefined },
} as const;
type KindName = keyof typeof KINDS;

export default async function memory({ quick, figure }: Bench): Promise<void> {
  const count = quick ? QUICK_COUNT : COUNT;
  for (const [kind, { name, budget, perItem }] of Object.entries(KINDS)) {
    const child = Bun.spawn([process.execPath, import.meta.path, kind, String(count)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const text = await child.stdout.text();
    if ((await child.exited) !== 0) throw new Error(`${name}: the measuring process failed`);
    const { bytes, response } = JSON.parse(text) as Measured;
    const kept = perItem === 1 ? `, a response of ${Math.round(response)} bytes kept` : ", two transactions each";
    figure({ name, unit: "bytes", p50: bytes, budget, note: `${count.toLocaleString("en-US")} of them${kept}` });
  }
}

interface Measured {
  /** Resident memory an item. */
  readonly bytes: number;
  /** Mean length of the last response. */
  readonly response: number;
}

/** Measures in this process, which must have done nothing else. */
async function measure(kind: KindName, count: number): Promise<Measured> {
  const subject = kind === "layer" ? bareServer() : fullServer();
  const { perItem } = KINDS[kind];
  const run = kind === "call" ? calls(subject) : options(subject);
  run(WARM);
  subject.pass(LONG_MS);
  if (subject.live !== 0) throw new Error(`${subject.live} transactions did not end`);

  const before = await resident();
  const response = run(count + WARM);
  if (subject.live < (count + WARM) * perItem) throw new Error(`only ${subject.live} transactions are live`);
  const after = await resident();
  // Read once more, so that nothing of it could be collected before.
  if (subject.live < count) throw new Error("transactions ended too early");
  return { bytes: (after - before) / count, response };
}

/** Runs so many OPTIONS transactions to Completed. */
function options(subject: Subject): (count: number) => number {
  const templates = Array.from({ length: BATCH }, (_, i) => new CallTemplate(i));
  const address = new TextEncoder().encode("203.0.113.20");
  let number = 1;
  return (count) => {
    let octets = 0;
    for (let i = 0; i < count; i++, number++) {
      // The address is a string of its own, as it is in every datagram that Bun hands over.
      subject.datagram(templates[i % BATCH]!.options(number), latin1(address, 0, address.length), 5060);
      octets += subject.channel.message(subject.channel.sent - 1).length;
      if (i % TURN === 0) {
        subject.channel.empty();
        subject.pass(1);
      }
    }
    subject.channel.empty();
    return octets / count;
  };
}

/** Runs so many calls to their end; in a time that is shorter than their transactions' life. */
function calls(subject: Subject): (count: number) => number {
  const batches = new CallBatches(subject);
  return (count) => {
    for (let i = 0; i < count; i += BATCH) batches.run(1);
    return 0;
  };
}

async function resident(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    Bun.gc(true);
    await Bun.sleep(SETTLE_MS);
  }
  return memoryOf(process.pid)?.resident ?? process.memoryUsage().rss;
}

if (import.meta.main) {
  const [kind, count] = Bun.argv.slice(2);
  if (kind === undefined) await runOne("memory", memory);
  else console.log(JSON.stringify(await measure(kind as KindName, Number(count))));
}
