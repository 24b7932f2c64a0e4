/** A channel without a socket: keeps what is sent on it, with the time. */
import { Arena } from "../../src/message/arena.ts";
import type { Clock } from "../../src/time/clock.ts";
import type { Channel } from "../../src/transport/channel.ts";
import { SipMessage } from "./sip-messages.ts";

export interface SentMessage {
  /** The clock's reading when it was sent, in milliseconds. */
  at: number;
  message: SipMessage;
  address: string;
  port: number;
}

export class RecordingChannel implements Channel {
  readonly arena = new Arena();
  readonly transport: string;
  readonly reliable: boolean;
  readonly longest: number;
  readonly isOpen = true;
  readonly isOnlyWay = false;
  readonly dependants: Set<number> | null;
  holders = 0;
  /** Everything since the start or the last {@link take}, oldest first. */
  readonly sent: SentMessage[] = [];
  readonly #clock: Clock;

  constructor(clock: Clock, reliable = false) {
    this.#clock = clock;
    this.reliable = reliable;
    this.longest = reliable ? Number.POSITIVE_INFINITY : 65_507;
    this.dependants = reliable ? new Set() : null;
    this.transport = reliable ? "TCP" : "UDP";
  }

  hostFor(): string {
    return "192.0.2.1";
  }

  sentByFor(): string {
    return "192.0.2.1:5060";
  }

  send(start: number, address: string, port: number): void {
    const message = new SipMessage(this.arena.bytes.slice(start, this.arena.at));
    this.sent.push({ at: this.#clock.now(), message, address, port });
  }

  drop(start: number): void {
    this.arena.at = start;
  }

  /** What was sent since the last call. */
  take(): SentMessage[] {
    return this.sent.splice(0);
  }
}
