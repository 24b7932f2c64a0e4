/**
 * The notifier without a socket: SUBSCRIBE with its first NOTIFY, a change told to all who subscribe to a resource, and
 * resident memory of a subscription, measured in a process of its own. Run: `bun run bench notify`.
 */
import { type Events, events } from "../src/events/events.ts";
import { pidf, presence } from "../src/events/presence.ts";
import { ascii, latin1 } from "../src/message/bytes.ts";
import { DEFAULT_LIMITS } from "../src/message/limits.ts";
import { Scanner } from "../src/message/scanner.ts";
import { TokenSource } from "../src/message/token-source.ts";
import { Composer } from "../src/outgoing/composer.ts";
import { DEFAULT_RESOLVE, Locator } from "../src/resolve/locator.ts";
import { Client } from "../src/server/client.ts";
import { UasCore } from "../src/server/core.ts";
import { Endpoint } from "../src/server/endpoint.ts";
import type { Log } from "../src/server/options.ts";
import { TimerWheel } from "../src/time/wheel.ts";
import { timersFrom } from "../src/transaction/timers.ts";
import { memoryOf } from "./load/process.ts";
import { type Bench, runOne } from "./micro/bench.ts";
import { RecordingChannel } from "./micro/channel.ts";
import { clock, selfTimed } from "./micro/sample.ts";

const CEILING = 1_000_000;
/** Subscriptions that stand while changes are measured, and how many are to one resource. */
const STANDING = 50_000;
const WATCHERS = 50;
/** Subscriptions that begin in one sample. */
const BATCH = 32;
/** Subscriptions whose memory is measured, and how many begin before time goes by. */
const COUNT = 100_000;
const QUICK_COUNT = 30_000;
const WARM = 2000;
/** Past every timer of a transaction. */
const LONG_MS = 40_000;
const SETTLE_MS = 700;
const ADDRESS = ascii("203.0.113.20");
const GIGABYTE = 2 ** 30;

const silent: Log = { debug() {}, info() {}, warn() {}, error: (fields, message) => console.error(message, fields) };

/** A server with presence, and the peers that subscribe at it. */
class Subject {
  readonly channel = new RecordingChannel();
  readonly events: Events;
  readonly #endpoint: Endpoint;
  readonly #wheel: TimerWheel;
  readonly #scanner = new Scanner();
  #time = 0;
  #number = 0;

  constructor() {
    const { channel } = this;
    const now = { now: () => this.#time };
    const wheel = new TimerWheel(0, CEILING);
    const tokens = new TokenSource();
    const settings = { settings: DEFAULT_RESOLVE, clock: now, random: Math.random, supported: () => true };
    const limits = { maxSubscriptionsPerResource: CEILING, notifyBurst: CEILING };
    this.#wheel = wheel;
    this.events = events({ packages: [presence({ minInterval: 0 })], ...limits });
    const core = new UasCore({
      handlers: this.events.handlers,
      plugins: [this.events],
      wheel,
      timers: timersFrom(),
      tokens,
      log: silent,
      locator: new Locator(settings),
      channelTo: () => channel,
      transactions: CEILING,
      dialogs: CEILING,
      software: undefined,
    });
    this.#endpoint = new Endpoint(core, DEFAULT_LIMITS, now, wheel, silent);
    const composer = new Composer(tokens, () => "192.0.2.1");
    const { dialogs, sender, alarms } = core;
    const client = new Client(core, composer);
    this.events.attach({ client, dialogs, sender, composer, alarms, wheel, tokens, log: silent, now: () => wheel.now });
  }

  /** Datagrams of so many SUBSCRIBEs, each of another peer. */
  subscribes(count: number): Uint8Array[] {
    return Array.from({ length: count }, () => {
      const n = this.#number++;
      const host = `10.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
      return ascii(
        [
          `SUBSCRIBE ${resource(Math.floor(n / WATCHERS))} SIP/2.0`,
          `Via: SIP/2.0/UDP ${host}:5060;branch=z9hG4bK-524287-1---${n};rport`,
          "Max-Forwards: 70",
          `Contact: <sip:watcher${n}@${host}:5060>`,
          `To: <${resource(Math.floor(n / WATCHERS))}>`,
          `From: "Watcher ${n}" <sip:watcher${n}@example.com>;tag=f${n}`,
          `Call-ID: 9c0a41d2b3e84f76-${n}@${host}`,
          "CSeq: 1 SUBSCRIBE",
          "Expires: 3600",
          "Accept: application/pidf+xml",
          "Allow: NOTIFY, OPTIONS",
          "User-Agent: a phone",
          "Event: presence",
          "Content-Length: 0",
          "",
          "",
        ].join("\r\n"),
      );
    });
  }

  /** @returns nanoseconds that the server took */
  receive(datagrams: readonly Uint8Array[]): number {
    // As a socket would give them: each a string of its own.
    const addresses = datagrams.map(() => latin1(ADDRESS, 0, ADDRESS.length));
    const began = clock();
    for (let i = 0; i < datagrams.length; i++)
      this.#endpoint.datagram(datagrams[i]!, this.channel, addresses[i]!, 5060);
    return clock() - began;
  }

  /** The 200s to the NOTIFYs that were sent; the channel is emptied. */
  answers(): Uint8Array[] {
    const { channel } = this;
    const answers: Uint8Array[] = [];
    for (let i = 0; i < channel.sent; i++) {
      const message = this.#scanner.scanDatagram(channel.message(i));
      if (!message.isRequest) continue;
      const lines = ["Via", "From", "To", "Call-ID", "CSeq"].map((name) => `${name}: ${message.header(name)}\r\n`);
      answers.push(ascii(`SIP/2.0 200 OK\r\n${lines.join("")}Content-Length: 0\r\n\r\n`));
    }
    channel.empty();
    return answers;
  }

  /** So many subscriptions begin and are told. @returns nanoseconds that the server took */
  subscribe(count: number): number {
    const subscribes = this.subscribes(count);
    const taken = this.receive(subscribes);
    const answers = this.answers();
    if (answers.length !== count) throw new Error(`${answers.length} NOTIFYs for ${count} SUBSCRIBEs`);
    return taken + this.receive(answers);
  }

  /** Time goes by. @returns nanoseconds that the server took */
  pass(milliseconds: number): number {
    this.#time += milliseconds;
    const began = clock();
    this.#endpoint.tick();
    return clock() - began;
  }

  get timers(): number {
    return this.#wheel.size;
  }
}

function resource(number: number): string {
  return `sip:user${number}@example.com`;
}

export default async function notify({ effort, quick, figure }: Bench): Promise<void> {
  const began = new Subject();
  const subscribed = await selfTimed(BATCH, () => began.subscribe(BATCH) + began.pass(1), effort);
  figure({ name: "SUBSCRIBE and its first NOTIFY", unit: "ns", ...subscribed, note: "4 messages" });

  const subject = new Subject();
  for (let i = 0; i < STANDING; i += BATCH) {
    subject.subscribe(BATCH);
    subject.pass(1);
  }
  let changes = 0;
  const told = await selfTimed(
    WATCHERS,
    () => {
      const who = resource(changes++ % (STANDING / WATCHERS));
      const body = pidf(who, [{ status: changes & 1 ? "open" : "closed", note: `change ${changes}` }]);
      const start = clock();
      subject.events.publish("presence", who, body);
      let taken = clock() - start;
      const answers = subject.answers();
      if (answers.length !== WATCHERS) throw new Error(`${answers.length} NOTIFYs, not ${WATCHERS}`);
      taken += subject.receive(answers);
      return taken + subject.pass(1);
    },
    effort,
  );
  const rate = Math.round(1e9 / told.p50).toLocaleString("en-US");
  const live = subject.events.stats.subscriptions.toLocaleString("en-US");
  const name = "NOTIFY for a change and its 200";
  figure({ name, unit: "ns", ...told, note: `${rate} NOTIFY/s; ${WATCHERS} told of a change, ${live} subscriptions` });

  const count = quick ? QUICK_COUNT : COUNT;
  const child = Bun.spawn([process.execPath, import.meta.path, "memory", String(count)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const text = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error("the process that measures memory failed");
  const bytes = Number(text);
  const perGigabyte = Math.floor(GIGABYTE / bytes).toLocaleString("en-US");
  const many = count.toLocaleString("en-US");
  figure({
    name: "memory of a subscription",
    unit: "bytes",
    p50: bytes,
    note: `${perGigabyte} in 1 GiB; ${many} of them`,
  });
}

/** Resident memory a subscription in this process, which must have done nothing else. */
async function measureMemory(count: number): Promise<number> {
  const subject = new Subject();
  // A few at a time, and then their transactions end: those are not what is measured.
  const run = (number: number) => {
    for (let i = 0; i < number; i += BATCH) {
      subject.subscribe(BATCH);
      if (i % WARM < BATCH) subject.pass(LONG_MS);
    }
    subject.pass(LONG_MS);
  };
  run(2 * WARM);
  const before = await resident();
  const first = subject.events.stats.subscriptions;
  run(count);
  const after = await resident();
  const more = subject.events.stats.subscriptions - first;
  if (more < count) throw new Error(`only ${more} subscriptions stand`);
  return (after - before) / more;
}

async function resident(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    Bun.gc(true);
    await Bun.sleep(SETTLE_MS);
  }
  return memoryOf(process.pid)?.resident ?? process.memoryUsage().rss;
}

if (import.meta.main) {
  const [what, count] = Bun.argv.slice(2);
  if (what === undefined) await runOne("notify", notify);
  else console.log(await measureMemory(Number(count)));
}
