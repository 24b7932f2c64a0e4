/** A UDP socket that does as it is told: takes datagrams, has no room, or throws, by a script. */
import type { Sendable } from "../../src/transport/send-queue.ts";

/** What becomes of one datagram: taken, no room, or an exception with this code. */
export type Outcome = "taken" | "full" | { code: string };

/** A datagram as the network would carry it: the octets are a copy. */
export interface Sent {
  text: string;
  port: number;
  address: string;
}

/**
 * As Bun does it: `sendMany` gives what could be sent before the first that could not, and throws only when that was the
 * very first; `send` gives false when there is no room.
 */
export class ScriptedSocket implements Sendable {
  /** What left, in order. */
  readonly sent: Sent[] = [];
  /** Calls of `send` and `sendMany`. */
  calls = 0;
  /** One outcome a datagram that is tried, in order; once it is used up everything is taken. */
  script: Outcome[];

  constructor(script: Outcome[] = []) {
    this.script = script;
  }

  send(data: Uint8Array, port: number, address: string): boolean {
    this.calls++;
    const outcome = this.script.shift() ?? "taken";
    if (typeof outcome === "object") throw Object.assign(new Error(outcome.code), outcome);
    if (outcome === "full") return false;
    this.#take(data, port, address);
    return true;
  }

  sendMany(packets: readonly (Uint8Array | number | string)[]): number {
    this.calls++;
    for (let at = 0; at < packets.length; at += 3) {
      const outcome = this.script.shift() ?? "taken";
      if (outcome === "taken") {
        this.#take(packets[at] as Uint8Array, packets[at + 1] as number, packets[at + 2] as string);
      } else if (outcome === "full" || at > 0) return at / 3;
      else throw Object.assign(new Error(outcome.code), outcome);
    }
    return packets.length / 3;
  }

  #take(data: Uint8Array, port: number, address: string): void {
    this.sent.push({ text: new TextDecoder().decode(data), port, address });
  }
}
