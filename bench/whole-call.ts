/**
 * A call with a reliable 180, its PRACK and a session timer, beside a plain one: the full UAS without a socket, both
 * written the same way. Run: `bun run bench whole-call`.
 */
import { ascii } from "../src/message/bytes.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { clock, selfTimed } from "./micro/sample.ts";
import { fullServer, type Subject } from "./micro/server.ts";

const BATCH = 16;
/** So often comes a batch that 100,000 transactions are live. */
const PASSING_MS = 10;
const LIFE_MS = 32_000;
const PEER = "203.0.113.20";
const SDP =
  "v=0\r\no=a 1 1 IN IP4 203.0.113.20\r\ns=-\r\nc=IN IP4 203.0.113.20\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n";
const WANTS = ["Require: 100rel", "Supported: timer", "Session-Expires: 1800;refresher=uac"];

interface Shape {
  branch: string;
  toTag?: string;
  cseq: number;
  more?: readonly string[];
  body?: string;
}

function request(method: string, call: number, { branch, toTag, cseq, more = [], body = "" }: Shape): Uint8Array {
  const lines = [
    `${method} sip:bob@192.0.2.1 SIP/2.0`,
    `Via: SIP/2.0/UDP ${PEER}:5060;branch=z9hG4bK${branch}${call}`,
    "Max-Forwards: 70",
    `From: <sip:alice@example.com>;tag=a${call}`,
    `To: <sip:bob@example.com>${toTag === undefined ? "" : `;tag=${toTag}`}`,
    `Call-ID: ${call}@${PEER}`,
    `CSeq: ${cseq} ${method}`,
    `Contact: <sip:alice@${PEER}>`,
    ...more,
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${body.length}`,
  ];
  return ascii(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

/** The messages of one kind of call, put through a server a batch at a time. */
class Calls {
  readonly #subject: Subject;
  readonly #isWhole: boolean;
  #number = 1;

  constructor(subject: Subject, isWhole: boolean) {
    this.#subject = subject;
    this.#isWhole = isWhole;
  }

  /** @returns nanoseconds that the server took, timers included */
  run(passing: number): number {
    const first = this.#number;
    this.#number += BATCH;
    const numbers = Array.from({ length: BATCH }, (_, i) => first + i);
    const more = this.#isWhole ? WANTS : [];
    let taken = this.#put(numbers.map((n) => request("INVITE", n, { branch: "i", cseq: 1, more, body: SDP })));
    const said = this.#said();
    const tags = numbers.map((n) => tagOf(said, n));
    if (this.#isWhole) {
      const pracks = numbers.map((n, i) => {
        const rack = `RAck: ${rseqOf(said, n)} 1 INVITE`;
        return request("PRACK", n, { branch: "p", toTag: tags[i]!, cseq: 2, more: [rack] });
      });
      taken += this.#put(pracks);
      said.push(...this.#said());
    }
    const answered = said.filter((text) => text.startsWith("SIP/2.0 200") && text.includes("CSeq: 1 INVITE"));
    if (answered.length !== BATCH) throw new Error(`${answered.length} calls of ${BATCH} were answered`);
    const rest = numbers.flatMap((n, i) => [
      request("ACK", n, { branch: "a", toTag: tags[i]!, cseq: 1 }),
      request("BYE", n, { branch: "b", toTag: tags[i]!, cseq: 3 }),
    ]);
    taken += this.#put(rest);
    this.#said();
    const began = clock();
    this.#subject.pass(passing);
    return taken + clock() - began;
  }

  #put(messages: readonly Uint8Array[]): number {
    const began = clock();
    for (const message of messages) this.#subject.datagram(message, PEER, 5060);
    return clock() - began;
  }

  /** What was sent since the last look. */
  #said(): string[] {
    const { channel } = this.#subject;
    const texts = Array.from({ length: channel.sent }, (_, i) => Buffer.from(channel.message(i)).toString("latin1"));
    channel.empty();
    return texts;
  }
}

function responseOf(said: readonly string[], call: number, what: RegExp): string {
  const mark = `Call-ID: ${call}@`;
  const found = said.map((text) => (text.includes(mark) ? what.exec(text)?.[1] : undefined)).find((text) => text);
  if (found === undefined) throw new Error(`Nothing was said of call ${call}`);
  return found;
}

function tagOf(said: readonly string[], call: number): string {
  return responseOf(said, call, /^SIP\/2\.0 1[89]0[\s\S]*\r\nTo: [^\r]*;tag=([^\r;]+)/);
}

function rseqOf(said: readonly string[], call: number): string {
  return responseOf(said, call, /\r\nRSeq: (\d+)/);
}

export default async function wholeCall({ effort, figure }: Bench): Promise<void> {
  for (const [name, isWhole, messages] of [
    ["a plain call", false, 7],
    ["with PRACK and session timer", true, 9],
  ] as const) {
    const subject = fullServer();
    const calls = new Calls(subject, isWhole);
    for (let time = 0; time < LIFE_MS + 2000; time += PASSING_MS) calls.run(PASSING_MS);
    const times = await selfTimed(BATCH, () => calls.run(PASSING_MS), effort);
    figure({ name, unit: "ns", ...times, note: `${messages} messages; ${subject.live} transactions live` });
  }
}

if (import.meta.main) await runOne("whole-call", wholeCall);
