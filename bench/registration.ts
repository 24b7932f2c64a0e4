/**
 * A REGISTER that refreshes a binding, without a socket: scan, transaction, registrar, the 200 written and kept. Beside it
 * the same answered with 200 by a handler that does nothing, so that the difference is what registering costs. Run:
 * `bun run bench registration`.
 */
import { registrar } from "../src/registrar/registrar.ts";
import type { ServeOptions } from "../src/server/options.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { clock, selfTimed } from "./micro/sample.ts";
import { openServer, type Subject } from "./micro/server.ts";

/** REGISTERs in a batch. */
const BATCH = 16;
const BINDINGS = 100_000;
/** With a transaction of 32 s each: so often comes a batch that some 51,000 are live. */
const PASSING_MS = 10;
const LIFE_MS = 32_000;
const encoder = new TextEncoder();

export default async function registration({ effort, figure }: Bench): Promise<void> {
  const subjects: [string, ServeOptions][] = [
    ["answered without a look", { register: (request) => request.reply(200) }],
    ["refresh, memory, no authentication", { plugins: [registrar({ domains: ["example.com"], maxExpires: 86_400 })] }],
  ];
  for (const [name, options] of subjects) {
    const subject = openServer(options);
    // What a plugin waits for is there after a turn.
    await Bun.sleep(0);
    const batches = new RegisterBatches(subject);
    while (!batches.isWarm) batches.run(PASSING_MS);
    const times = await selfTimed(BATCH, () => batches.run(PASSING_MS), effort);
    figure({ name, unit: "ns", ...times, note: `${subject.live.toLocaleString("en-US")} transactions live` });
  }
}

class RegisterBatches {
  readonly #subject: Subject;
  #number = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  /** Whether every binding is there and the transactions of a life have gone by. */
  get isWarm(): boolean {
    return this.#number > BINDINGS && this.#number * PASSING_MS > LIFE_MS * BATCH * 1.1;
  }

  /** @returns nanoseconds that the server took, timers included */
  run(passing: number): number {
    const subject = this.#subject;
    const requests = Array.from({ length: BATCH }, () => register(this.#number++));
    let began = clock();
    for (let i = 0; i < BATCH; i++) subject.datagram(requests[i]!, "203.0.113.20", 5060);
    let taken = clock() - began;
    if (subject.channel.sent !== BATCH || subject.channel.message(0)[8] !== 0x32) throw new Error("not a 200");
    subject.channel.empty();
    began = clock();
    subject.pass(passing);
    taken += clock() - began;
    return taken;
  }
}

function register(number: number): Uint8Array {
  const user = `user${number % BINDINGS}`;
  return encoder.encode(
    `REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.20:5060;branch=z9hG4bK${number}a7f3;rport\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:${user}@example.com>;tag=${number}\r\nTo: <sip:${user}@example.com>\r\n` +
      `Call-ID: ${user}-5c2d8b1@203.0.113.20\r\nCSeq: ${1 + Math.floor(number / BINDINGS)} REGISTER\r\n` +
      `Contact: <sip:${user}@203.0.113.20:5060>\r\nExpires: 3600\r\nUser-Agent: bench/1.0\r\nContent-Length: 0\r\n\r\n`,
  );
}

if (import.meta.main) await runOne("registration", registration);
