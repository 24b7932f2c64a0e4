/**
 * The rows of the load report. The first nine are over UDP and have figures to compare with: the load test that the
 * siphon-rs project published of its own server, in the same mode, with the same call and the same SIPp command. The
 * others are over TCP, and over UDP and TCP at once.
 */

/** SIPp's transport modes (`-t`) and what they are called in the report. */
export const LOADS = { u1: "UDP", t1: "TCP, one connection", tn: "TCP, one for each call" } as const;
export type Load = keyof typeof LOADS;

export interface Row {
  readonly id: number;
  /** Calls of each SIPp. */
  readonly calls: number;
  /** New calls a second of each SIPp. */
  readonly rate: number;
  /** One SIPp each, all at once. */
  readonly loads: readonly Load[];
  readonly reference?: Reference;
}

/** What the other report says of the row. `undefined` where it says nothing. */
export interface Reference {
  readonly seconds: number;
  readonly successPercent: number;
  readonly peakCalls: number;
  readonly messagesPerSecond: number | undefined;
}

function row(
  id: number,
  calls: number,
  rate: number,
  seconds: number,
  successPercent: number,
  peakCalls: number,
  messagesPerSecond?: number,
): Row {
  return { id, calls, rate, loads: ["u1"], reference: { seconds, successPercent, peakCalls, messagesPerSecond } };
}

export const ROWS: readonly Row[] = [
  row(1, 100, 10, 10.5, 100, 6, 67),
  row(2, 1_000, 20, 50.5, 100, 11, 139),
  row(3, 5_000, 50, 100.5, 100, 26, 348),
  row(4, 10_000, 100, 100.5, 100, 52, 696),
  row(5, 10_000, 200, 50.5, 100, 104, 1_386),
  row(6, 10_000, 500, 20.5, 100, 256, 3_415),
  row(7, 10_000, 1_000, 10.5, 100, 509, 6_667),
  row(8, 100_000, 1_000, 100.5, 100, 538, 6_965),
  row(9, 10_000, 5_000, 2.0, 0, 20),
  { id: 10, calls: 10_000, rate: 1_000, loads: ["t1"] },
  { id: 11, calls: 10_000, rate: 1_000, loads: ["tn"] },
  { id: 12, calls: 10_000, rate: 1_000, loads: ["u1", "t1"] },
];

/** Rows by a word: those over UDP alone, and the others. */
const BY_WORD = new Map<string, (row: Row) => boolean>([
  ["udp", isUdp],
  ["tcp", (row) => !isUdp(row)],
]);

/** Whether a row is over UDP alone: those that have a reference. */
export function isUdp(row: Row): boolean {
  return row.reference !== undefined;
}

/**
 * The rows that `text` names: numbers, ranges, `udp` and `tcp` between commas, such as `1-9`, `8`, `7,9`, `9,tcp`, in the
 * order of the table.
 * Throws an `Error` with the fault for anything else.
 */
export function selectRows(text: string): Row[] {
  const chosen = new Set<number>();
  for (const part of text.split(",")) {
    const byWord = BY_WORD.get(part.trim());
    if (byWord) {
      for (const { id } of ROWS.filter(byWord)) chosen.add(id);
      continue;
    }
    const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? [];
    const from = Number(first);
    const to = Number(last ?? first);
    if (!(from >= 1 && to <= ROWS.length && from <= to)) {
      throw new Error(`"${part}" names no row: rows are 1 to ${ROWS.length}, udp and tcp, as in 1-9, 8 or 7,tcp`);
    }
    for (let id = from; id <= to; id++) chosen.add(id);
  }
  return ROWS.filter(({ id }) => chosen.has(id));
}
