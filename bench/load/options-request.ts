/** An OPTIONS outside of a call, and a lane that is opened to ask it. */
import type { TransportName } from "../../src/transport/kinds.ts";
import { type Lane, type LaneTarget, reasonOf } from "./lane.ts";
import { openLane } from "./open-lane.ts";

/** Milliseconds to open a lane and to be answered. */
const PATIENCE = 10_000;
const DIGITS = 9;
const encoder = new TextEncoder();

/** Where the request goes and where it says it comes from, `HOST:PORT` both. */
export interface Ends {
  readonly transport: TransportName;
  readonly server: string;
  readonly local: string;
}

/** `number` makes branch, tag and Call-ID unlike those of another request; it takes nine digits whatever it is. */
export function optionsRequest({ transport, server, local }: Ends, number: number): Uint8Array {
  const id = String(number).padStart(DIGITS, "0");
  return encoder.encode(
    [
      `OPTIONS sip:service@${server} SIP/2.0`,
      `Via: SIP/2.0/${transport.toUpperCase()} ${local};branch=z9hG4bK-vo-${id}`,
      "Max-Forwards: 70",
      `From: <sip:load@${local}>;tag=${id}`,
      `To: <sip:service@${server}>`,
      `Call-ID: ${id}@${local}`,
      "CSeq: 1 OPTIONS",
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n"),
  );
}

/** The same request over and over, each time with another number, in one array that is patched. */
export class OptionsTemplate {
  readonly bytes: Uint8Array;
  readonly #places: number[];

  constructor(ends: Ends) {
    this.bytes = optionsRequest(ends, 0);
    const text = new TextDecoder("latin1").decode(this.bytes);
    this.#places = [...text.matchAll(/0{9}/g)].map(({ index }) => index);
  }

  next(number: number): void {
    for (const place of this.#places) {
      for (let i = place + DIGITS - 1, rest = number; i >= place; i--) {
        const tenth = Math.floor(rest / 10);
        this.bytes[i] = 0x30 + rest - tenth * 10;
        rest = tenth;
      }
    }
  }
}

/**
 * Opens a lane and has one OPTIONS answered over it.
 * @param lost told when the lane ends by itself later on
 * @returns the open lane. Rejects with an Error whose message is why, in a word: a status other than 200 is one.
 */
export async function openAndAsk(target: LaneTarget, number: number, lost?: (why: string) => void): Promise<Lane> {
  const answered = Promise.withResolvers<void>();
  const lane = openLane(target, {
    received(message) {
      const status = String.fromCharCode(message[8]!, message[9]!, message[10]!);
      if (status === "200") answered.resolve();
      else if (status >= "200") answered.reject(new Error(`${status} OPTIONS`));
    },
    lost(why) {
      answered.reject(new Error(why));
      lost?.(why);
    },
  });
  const late = setTimeout(() => answered.reject(new Error("timeout")), PATIENCE);
  try {
    await Promise.race([lane.ready, answered.promise]);
    const { transport, host, port } = target;
    lane.send(optionsRequest({ transport, server: `${host}:${port}`, local: lane.local }, number));
    await answered.promise;
    return lane;
  } catch (error) {
    lane.close();
    throw new Error(reasonOf(error));
  } finally {
    clearTimeout(late);
  }
}
