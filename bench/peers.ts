/**
 * The npm parsers `drachtio-sip` and `sip` beside ours, by tinybench, on the same INVITEs and in the same process. All
 * begin with octets; the peers' string is made of them first, as their own sockets do. Run: `bun run bench peers`.
 */
import { createRequire } from "node:module";
import { do_not_optimize } from "mitata";
import { Bench as Comparison, type Task } from "tinybench";
import { Arena } from "../src/message/arena.ts";
import { ascii, latin1 } from "../src/message/bytes.ts";
import { readFields } from "../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../src/message/limits.ts";
import { writeResponse } from "../src/message/response.ts";
import { Scanner } from "../src/message/scanner.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { invites, SET } from "./micro/messages.ts";
import type { Effort } from "./micro/sample.ts";

// Neither has types.
const require = createRequire(import.meta.url);
const { SipMessage } = require("drachtio-sip") as { SipMessage: new (text: string) => { headers: object } };
const sip = require("sip") as {
  parse(text: string): { headers: object };
  makeResponse(request: object, status: number, reason: string): { headers: { to: { params: object } } };
  stringify(message: object): string;
};

const toTag = ascii("k3v9x2m4p7ab");

export default async function peers({ effort, figure }: Bench): Promise<void> {
  for (const length of [600, 1400]) {
    // What a peer refuses, or finds no Call-ID in, is measured with none.
    const messages = invites(length).filter(isReadByAll);
    const note = messages.length < SET ? `${messages.length} of ${SET} messages, which all can read` : undefined;
    const scanner = new Scanner();
    const [ours, words, drachtio, kirm] = await compare(effort, messages.length, {
      "scan and fields": () => {
        for (const octets of messages) do_not_optimize(readFields(scanner.scanDatagram(octets), DEFAULT_LIMITS));
      },
      "every field as text": () => {
        for (const octets of messages) {
          const message = scanner.scanDatagram(octets);
          readFields(message, DEFAULT_LIMITS);
          for (const field of message.fields()) do_not_optimize(field);
        }
      },
      "drachtio-sip": () => {
        for (const octets of messages) do_not_optimize(new SipMessage(textOf(octets)));
      },
      sip: () => {
        for (const octets of messages) do_not_optimize(sip.parse(textOf(octets)));
      },
    });
    const name = `INVITE of ${length.toLocaleString("en-US")} bytes`;
    for (const [peer, times] of [
      ["drachtio-sip", drachtio!],
      ["sip", kirm!],
    ] as const) {
      figure({ name: `${name}, fields`, unit: "ns", ...ours!, peer: { name: peer, p50: times.p50 }, note });
      figure({ name: `${name}, all text`, unit: "ns", ...words!, peer: { name: peer, p50: times.p50 }, note });
    }
  }
  await responses({ effort, figure });
}

/** A 200 without a body, from a request that has been parsed. drachtio-sip leaves this to its server. */
async function responses({ effort, figure }: Pick<Bench, "effort" | "figure">): Promise<void> {
  const messages = invites(600).filter(isReadByAll);
  const scanner = new Scanner();
  const requests = messages.map((octets) => {
    const message = scanner.scanDatagram(octets);
    readFields(message, DEFAULT_LIMITS);
    return message.keep();
  });
  const parsed = messages.map((octets) => sip.parse(textOf(octets)));
  const arena = new Arena();
  const [ours, peer] = await compare(effort, messages.length, {
    "200": () => {
      for (const request of requests) writeResponse(arena, request, { status: 200, toTag }, "203.0.113.77", 5060);
      arena.reset();
    },
    sip: () => {
      for (const request of parsed) {
        const response = sip.makeResponse(request, 200, "OK");
        response.headers.to = { ...response.headers.to, params: { tag: "k3v9x2m4p7ab" } };
        do_not_optimize(Buffer.from(sip.stringify(response), "latin1"));
      }
    },
  });
  figure({ name: "200 written", unit: "ns", ...ours!, peer: { name: "sip", p50: peer!.p50 } });
}

/** Times the tasks in turn. @returns nanoseconds an operation, in the order of the tasks */
async function compare(
  effort: Effort,
  operations: number,
  tasks: Record<string, () => void>,
): Promise<{ p50: number; p99: number }[]> {
  const comparison = new Comparison({ time: effort.time / 1e6, warmupTime: effort.warmup / 1e6, throws: true });
  for (const [name, task] of Object.entries(tasks)) comparison.add(name, task);
  await comparison.run();
  return comparison.tasks.map((task: Task) => {
    const { result } = task;
    if (result.state !== "completed") throw new Error(`${task.name}: ${result.state}`);
    // tinybench counts milliseconds a call.
    const { p50, p99 } = result.latency;
    return { p50: (p50 * 1e6) / operations, p99: (p99 * 1e6) / operations };
  });
}

function textOf(octets: Uint8Array): string {
  return latin1(octets, 0, octets.length);
}

function isReadByAll(octets: Uint8Array): boolean {
  try {
    const text = textOf(octets);
    const [one, other] = [new SipMessage(text), sip.parse(text)];
    return "call-id" in one.headers && other !== undefined && "call-id" in other.headers;
  } catch {
    return false;
  }
}

if (import.meta.main) await runOne("peers", peers);
