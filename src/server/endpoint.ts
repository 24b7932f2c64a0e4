/**
 * From a datagram to the transaction layer: scan, read the fields, refuse what has a fault. And the beat of the timers,
 * from the receive path as well as from an interval.
 */

import { readFields } from "../message/fields.ts";
import { BARE_LFS } from "../message/layout.ts";
import type { Limits } from "../message/limits.ts";
import type { Message } from "../message/message.ts";
import { Scanner } from "../message/scanner.ts";
import type { Clock } from "../time/clock.ts";
import type { TimerWheel } from "../time/wheel.ts";
import { hostPort } from "../transport/address.ts";
import type { Channel, Receiver } from "../transport/channel.ts";
import type { UasCore } from "./core.ts";
import type { Log } from "./options.ts";

export class Endpoint implements Receiver {
  readonly #core: UasCore;
  readonly #scanner: Scanner;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #log: Log;

  constructor(core: UasCore, limits: Limits, clock: Clock, wheel: TimerWheel, log: Log) {
    this.#core = core;
    this.#scanner = new Scanner(limits);
    this.#limits = limits;
    this.#clock = clock;
    this.#wheel = wheel;
    this.#log = log;
  }

  datagram(bytes: Uint8Array, channel: Channel, address: string, port: number): void {
    this.framed(this.#scanner.scanDatagram(bytes), channel, address, port);
  }

  framed(message: Message, channel: Channel, address: string, port: number): void {
    const answerable = readFields(message, this.#limits);
    if (message.table[BARE_LFS] !== 0) this.#core.counters.bareLineFeeds++;
    if (message.fault !== 0) this.#core.malformed(message, answerable, channel, address, port);
    else this.#core.layer.receive(message, channel, address, port);
  }

  broken(message: Message, channel: Channel, address: string, port: number): void {
    const { faultText } = message;
    this.#log.info(
      { peer: hostPort(address, port), transport: channel.transport },
      `closed a connection: ${faultText}`,
    );
    this.#core.malformed(message, readFields(message, this.#limits), channel, address, port);
  }

  lost(channel: Channel, cause: string | null): void {
    this.#core.lost(channel, cause ?? "the connection was closed");
  }

  ended(channel: Channel, cause: string): void {
    this.#core.layer.ended(channel, cause);
  }

  tick(): number {
    const now = this.#clock.now();
    this.#wheel.advance(now);
    return now;
  }

  failed(error: unknown, address: string, port: number): void {
    this.#log.error({ err: error, peer: hostPort(address, port) }, "a message could not be processed");
  }
}
