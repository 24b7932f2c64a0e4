/** The transaction layer with a fake clock, a recorded channel and a user that writes down what it is told. */
import { ascii } from "../../src/message/bytes.ts";
import { readFields } from "../../src/message/fields.ts";
import { DEFAULT_LIMITS } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { TICK_MS, TimerWheel } from "../../src/time/wheel.ts";
import { TransactionLayer } from "../../src/transaction/layer.ts";
import { type TimerSettings, timersFrom } from "../../src/transaction/timers.ts";
import { FakeClock } from "./fake-clock.ts";
import { RecordingChannel } from "./recording-channel.ts";
import { parseSip, responseText, type SipMessage } from "./sip-messages.ts";

/** The octets of a message as the layer is given it. */
export function scanned(text: string): Message {
  const limits = { ...DEFAULT_LIMITS, messageSize: 1 << 20, headerLength: 1 << 20 };
  const message = new Scanner(limits).scanDatagram(ascii(text));
  readFields(message, limits);
  if (message.fault !== 0) throw new Error(`${message.faultText}: ${text.slice(0, 1000)}`);
  return message;
}

export interface HarnessOptions {
  timers?: Partial<TimerSettings>;
  reliable?: boolean;
  ceiling?: number;
  /** The clock's first reading. */
  start?: number;
}

/** A request that the user was given. */
export interface OfferedRequest {
  slot: number;
  /** The slot's generation at that time. */
  generation: number;
  message: SipMessage;
  merged: boolean;
}

export class LayerHarness {
  readonly clock: FakeClock;
  readonly channel: RecordingChannel;
  readonly layer: TransactionLayer;
  readonly wheel: TimerWheel;
  // What the user was told, in order.
  readonly requests: OfferedRequest[] = [];
  readonly acks: SipMessage[] = [];
  readonly responses: { slot: number; status: number }[] = [];
  readonly timeouts: { slot: number; at: number }[] = [];
  readonly transportFailures: { slot: number; cause: string }[] = [];
  readonly unreachable: number[] = [];
  readonly overloads: SipMessage[] = [];
  readonly strayResponses: number[] = [];
  /** What the user does with a request at once; nothing by default. */
  onRequest: (slot: number, message: SipMessage) => void = () => {};
  readonly #start: number;

  constructor({ timers, reliable = false, ceiling = 64, start = 5_000 }: HarnessOptions = {}) {
    this.#start = start;
    this.clock = new FakeClock(start);
    this.wheel = new TimerWheel(start, 64);
    this.channel = new RecordingChannel(this.clock, reliable);
    this.layer = new TransactionLayer({
      wheel: this.wheel,
      timers: timersFrom(timers),
      ceiling,
      seed: [1, 2],
      sendTrying: (slot) => {
        this.respond(slot, 100);
      },
      user: {
        request: (slot, message, _address, _port, merged) => {
          const text = parseSip(message.toString());
          this.requests.push({ slot, generation: this.layer.pool.generation(slot), message: text, merged });
          this.onRequest(slot, text);
        },
        ack: (message) => {
          this.acks.push(parseSip(message.toString()));
        },
        overloaded: (message) => {
          this.overloads.push(parseSip(message.toString()));
        },
        response: (slot, message) => {
          this.responses.push({ slot, status: message.status });
        },
        strayResponse: (message) => {
          this.strayResponses.push(message.status);
        },
        transportFailed: (slot, cause) => {
          this.transportFailures.push({ slot, cause });
        },
        unreachable: (slot) => {
          this.unreachable.push(slot);
        },
        timeout: (slot) => {
          this.timeouts.push({ slot, at: this.now });
        },
      },
    });
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.clock.now() - this.#start;
  }

  /** Transactions that are not terminated. */
  get live(): number {
    return this.layer.pool.live;
  }

  /** Whether a request's transaction is not terminated. */
  isLive({ slot, generation }: OfferedRequest): boolean {
    return this.layer.pool.isLive(slot, generation);
  }

  /** A message comes in. */
  receive(text: string, address = "192.0.2.10", port = 5060): void {
    this.layer.receive(scanned(text), this.channel, address, port);
  }

  /** A request comes in. @returns the slot it was given to the user with; throws when the user never saw it */
  offer(text: string): number {
    const before = this.requests.length;
    this.receive(text);
    if (this.requests.length !== before + 1) throw new Error(`The user was not given the request: ${text}`);
    return this.requests[before]!.slot;
  }

  /** The user answers the request of a slot. */
  respond(slot: number, status: number, toTag = "ours"): boolean {
    const { message } = this.requests.findLast((request) => request.slot === slot)!;
    return this.layer.respond(slot, status, this.write(responseText(message, status, { toTag })));
  }

  /** The user sends a request. @returns its slot */
  request(text: string): number {
    const { branch, method } = parseSip(text);
    return this.layer.request(this.channel, "192.0.2.20", 5070, this.write(text), ascii(branch!), method, { text });
  }

  /** Puts a message into the arena. @returns where it begins */
  write(text: string): number {
    const octets = ascii(text);
    const start = this.channel.arena.open(octets.length);
    this.channel.arena.put(octets);
    return start;
  }

  /** Time goes by, tick by tick. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.clock.skip(Math.min(left, TICK_MS));
      this.wheel.advance(this.clock.now());
    }
  }

  /** What was sent since the last look, as `[ms since the start, status or method]`. */
  takeSent(): [at: number, what: number | string][] {
    return this.channel.take().map(({ at, message }) => [at - this.#start, message.status || message.method]);
  }
}
