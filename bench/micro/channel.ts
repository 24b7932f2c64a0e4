/** A channel that keeps what was sent since it was emptied, and sends nothing. */
import { Arena } from "../../src/message/arena.ts";
import type { Channel } from "../../src/transport/channel.ts";

/** Sends between two calls of {@link RecordingChannel.empty}, at most. */
const ROOM = 1024;

export class RecordingChannel implements Channel {
  readonly transport = "UDP";
  readonly isOpen = true;
  readonly isOnlyWay = false;
  readonly dependants = null;
  holders = 0;
  readonly reliable = false;
  readonly longest = 65_507;
  readonly arena = new Arena();
  /** Messages sent since the channel was emptied. */
  sent = 0;
  readonly #start = new Int32Array(ROOM);
  readonly #end = new Int32Array(ROOM);

  hostFor(): string {
    return "192.0.2.1";
  }

  sentByFor(): string {
    return "192.0.2.1:5060";
  }

  send(start: number): void {
    this.#start[this.sent] = start;
    this.#end[this.sent++] = this.arena.at;
  }

  drop(start: number): void {
    this.arena.at = start;
  }

  /** The octets of one message sent; good until the channel is emptied. */
  message(index: number): Uint8Array {
    return this.arena.bytes.subarray(this.#start[index]!, this.#end[index]!);
  }

  /** What a socket does when its messages have gone out. */
  empty(): void {
    this.sent = 0;
    this.arena.reset();
  }
}
