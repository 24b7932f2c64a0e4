/** What a framer makes of a stream that comes in slices, written down for tests. */
import { Fault } from "../../src/message/fault.ts";
import { readFields } from "../../src/message/fields.ts";
import { Framer, ScannerPool } from "../../src/message/framer.ts";
import { BODY_END, BODY_START, FAULT, USED } from "../../src/message/layout.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { textOf } from "./sip-text.ts";

/** A framed message: its octets, and the table a scan has to fill. */
export interface FramedMessage {
  text: string;
  body: string;
  fault: string;
  table: number[];
}

export type Framed =
  | ({ kind: "message" } & FramedMessage)
  | { kind: "ping" }
  /** `answer` is what the sender would be told, Via and all; null when nothing can be. */
  | { kind: "broken"; fault: string; answer: string[] | null };

const FAULT_NAMES = Object.fromEntries(Object.entries(Fault).map(([name, number]) => [number, name]));

/** The name of a message's fault, `None` when there is none. */
function faultOf(message: Message): string {
  return FAULT_NAMES[message.table[FAULT]!]!;
}

function written(message: Message): FramedMessage {
  const { bytes, table } = message;
  return {
    text: textOf(bytes),
    body: textOf(bytes.subarray(table[BODY_START]!, table[BODY_END]!)),
    fault: faultOf(message),
    table: [...table.subarray(0, table[USED])],
  };
}

/** What a scan of the message as a datagram gives. */
export function asDatagram(bytes: Uint8Array, limits: Partial<Limits> = {}): FramedMessage {
  return written(new Scanner({ ...DEFAULT_LIMITS, ...limits }).scanDatagram(bytes));
}

/**
 * Frames a stream. Each slice is a buffer of its own.
 * @param stopAfter stops the framer from within its call for the message of this number
 */
export function framesOf(
  slices: readonly Uint8Array[],
  limits: Partial<Limits> = {},
  stopAfter = Number.POSITIVE_INFINITY,
): { events: Framed[]; messages: Message[]; isPartial: boolean } {
  const all = { ...DEFAULT_LIMITS, ...limits };
  const events: Framed[] = [];
  const messages: Message[] = [];
  const framer = new Framer(new ScannerPool(all), {
    framed(message) {
      events.push({ kind: "message", ...written(message) });
      messages.push(message.keep());
      if (messages.length === stopAfter) framer.stop();
    },
    broken(message) {
      const fault = faultOf(message);
      const isTold = readFields(message, all) && message.isRequest;
      const answer = isTold ? [...message.headers("via"), ...message.headers("from"), ...message.headers("to")] : null;
      events.push({ kind: "broken", fault, answer });
    },
    ping() {
      events.push({ kind: "ping" });
    },
  });
  for (const slice of slices) framer.push(slice.slice());
  return { events, messages, isPartial: framer.isPartial };
}

/** Cuts octets at these places, taken by their remainder; empty slices are left out. */
export function slicesAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  let start = 0;
  return ends.flatMap((end) => {
    const slice = bytes.subarray(start, end);
    start = end;
    return slice.length === 0 ? [] : [slice];
  });
}

/** A slice for each octet. */
export function octetsOf(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
}
