/**
 * A UDP flood: a process that sends to one port of 127.0.0.1 as fast as one core can, for a given time and no more.
 *
 * The file is both ends: imported, it starts the process; run, it is the process.
 */
import { freePort } from "../../bench/load/process.ts";
import { requestText } from "./sip-messages.ts";

/** OPTIONS, each with a branch of its own; or long messages without a Via, which are read to their end and not answered. */
export type FloodKind = "options" | "garbage";

/** Datagrams in one `sendMany`. */
const BATCH = 64;
/** Digits of the number in each branch and Call-ID. */
const DIGITS = 9;
const ZEROS = "0".repeat(DIGITS);

export interface FloodOptions {
  kind: FloodKind;
  port: number;
  /** Milliseconds. */
  duration: number;
  /** Datagrams altogether. Default 1,500,000. */
  atMost?: number;
}

/** Floods until the time is over. @returns how many datagrams the kernel took */
export async function flood({ kind, port, duration, atMost = 1_500_000 }: FloodOptions): Promise<number> {
  // Answers go to a socket that nobody reads.
  const sink = await freePort();
  const child = Bun.spawn(
    [process.execPath, import.meta.path, kind, `${port}`, `${duration}`, `${atMost}`, `${sink}`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const [text, code] = await Promise.all([child.stdout.text(), child.exited]);
  if (code !== 0) throw new Error(`the flood ended with ${code}`);
  return Number(text);
}

async function main([kind, ...numbers]: string[]): Promise<void> {
  const [port, duration, atMost, sink] = numbers.map(Number) as [number, number, number, number];
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: sink, socket: { error() {} } });
  const text = requestText("OPTIONS", {
    sentBy: `127.0.0.1:${sink}`,
    branch: `z9hG4bK${ZEROS}`,
    callId: `flood-${ZEROS}`,
  });
  const octets = Buffer.from(kind === "options" ? text : garbage(text), "latin1");
  const places = [...octets.toString("latin1").matchAll(new RegExp(ZEROS, "g"))].map(({ index }) => index);
  const batch = Array.from({ length: BATCH }, () => Buffer.from(octets));
  const packets = batch.flatMap((bytes): (Uint8Array | number | string)[] => [bytes, port, "127.0.0.1"]);
  let sent = 0;
  for (const end = performance.now() + duration; performance.now() < end && sent < atMost; ) {
    for (const [n, bytes] of batch.entries()) {
      const number = String(sent + n).padStart(DIGITS, "0");
      for (const place of places) bytes.write(number, place, "latin1");
    }
    try {
      sent += socket.sendMany(packets);
    } catch {
      // An ICMP error of a server that has gone: the test sees that for itself.
    }
  }
  socket.close();
  await Bun.write(Bun.stdout, `${sent}`);
  process.exit(0);
}

function garbage(options: string): string {
  const lines = options.split("\r\n").filter((line) => !line.startsWith("Via:"));
  const filler = Array.from({ length: 60 }, (_, n) => `X-Filler-${n}: of no use to anybody, ${"x".repeat(40)}`);
  return [lines[0], ...filler, ...lines.slice(1)].join("\r\n");
}

if (import.meta.main) await main(process.argv.slice(2));
