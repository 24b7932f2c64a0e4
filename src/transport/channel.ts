/**
 * What a message is sent on: a UDP socket, later a connection. The rooms above know transports by this face alone.
 */
import type { Arena } from "../message/arena.ts";

export interface Channel {
  /** As it stands in a Via: `UDP`, `TCP`, ... */
  readonly transport: string;
  /** Whether the transport itself delivers: no retransmissions, no waiting for stragglers (RFC 3261 s17). */
  readonly reliable: boolean;
  /** Where messages for this channel are written. */
  readonly arena: Arena;
  /** The host of {@link sentByFor} alone, IPv6 without brackets. */
  hostFor(peer: string): string;
  /** `host:port` for Via, Contact and Record-Route: what this peer can reach this end by. @param peer numeric address */
  sentByFor(peer: string): string;
  /**
   * Sends what stands in the arena from `start` to its end. The octets may be overwritten once the turn is over.
   * @param address numeric, IPv6 without brackets
   */
  send(start: number, address: string, port: number): void;
}
