/**
 * SIPp's list of messages (`-trace_shortmsg`): how many there were, and how long each INVITE waited for 100, 180 and 200.
 *
 * A line is tab-separated: date, time, seconds since 1970 with microseconds, `S` or `R`, Call-ID, CSeq, start line.
 * SIPp writes the line right after the system call, so the time includes the server, both directions of loopback and
 * what SIPp did before it came to read. A repeated response does not count again.
 */
import { build, type Histogram } from "hdr-histogram-js";
import { type Percentiles, percentiles } from "../../bench/load/run-result.ts";

/** The responses that are timed, by status. */
export const TIMED = [100, 180, 200] as const;
export type Timed = (typeof TIMED)[number];

export interface Messages {
  readonly sent: number;
  readonly received: number;
  /** Microseconds from INVITE; `undefined` when no such response came. */
  readonly latency: Record<Timed, Percentiles | undefined>;
}

/** Bits of the responses seen by one call. */
const SEEN: Record<Timed, number> = { 100: 1, 180: 2, 200: 4 };

interface Call {
  readonly sentAt: number;
  seen: number;
}

/** Reads the lines of one run. Feed it with {@link MessageCount.line}. */
export class MessageCount {
  #sent = 0;
  #received = 0;
  /** Calls that still wait for their 200. */
  readonly #calls = new Map<string, Call>();
  readonly #histograms = new Map<Timed, Histogram>();

  line(text: string): void {
    const [, , time = "", direction, callId = "", cseq = "", start = ""] = text.split("\t");
    if (direction === "S") this.#sent++;
    else if (direction === "R") this.#received++;
    else return;
    if (!cseq.endsWith("INVITE")) return;
    const at = microsOf(time);
    if (direction === "S") {
      if (!this.#calls.has(callId)) this.#calls.set(callId, { sentAt: at, seen: 0 });
      return;
    }
    const status = TIMED.find((one) => start.startsWith(`SIP/2.0 ${one} `));
    const call = this.#calls.get(callId);
    if (!status || !call || call.seen & SEEN[status]) return;
    call.seen |= SEEN[status];
    this.#histogram(status).recordValue(Math.max(1, at - call.sentAt));
    if (status === 200) this.#calls.delete(callId);
  }

  #histogram(status: Timed): Histogram {
    let histogram = this.#histograms.get(status);
    if (!histogram) {
      histogram = build({ highestTrackableValue: 200_000_000, numberOfSignificantValueDigits: 3 });
      this.#histograms.set(status, histogram);
    }
    return histogram;
  }

  result(): Messages {
    const of = (status: Timed): Percentiles | undefined => {
      const histogram = this.#histograms.get(status);
      return histogram && percentiles(histogram);
    };
    return { sent: this.#sent, received: this.#received, latency: { 100: of(100), 180: of(180), 200: of(200) } };
  }
}

/** `1795369172.128012` in microseconds. Split by hand: the whole does not fit a double to the microsecond for ever. */
function microsOf(time: string): number {
  const point = time.indexOf(".");
  return Number(time.slice(0, point)) * 1e6 + Number(time.slice(point + 1));
}

/** Reads the whole file, in pieces. A file that is not there has no messages. */
export async function readMessages(path: string): Promise<Messages> {
  const count = new MessageCount();
  const file = Bun.file(path);
  if (!(await file.exists())) return count.result();
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of file.stream()) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) count.line(line);
  }
  count.line(rest);
  return count.result();
}
