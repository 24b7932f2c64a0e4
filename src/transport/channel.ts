/**
 * What a message is sent on: a UDP socket or a connection. The rooms above know transports by this face alone.
 */
import type { Arena } from "../message/arena.ts";
import type { Message } from "../message/message.ts";

export interface Channel {
  /** As it stands in a Via: `UDP`, `TCP`, `TLS`, `WS`, `WSS`. */
  readonly transport: string;
  /** Whether the transport itself delivers: no retransmissions, no waiting for stragglers (RFC 3261 s17). */
  readonly reliable: boolean;
  /** Octets of the longest message that it can carry: what a datagram holds; without a bound on a connection. */
  readonly longest: number;
  /** Where messages for this channel are written. */
  readonly arena: Arena;
  /** Whether requests can be sent on it: false for a connection that is gone, or whose peer will send no more. */
  readonly isOpen: boolean;
  /** Whether its peer can be reached by nothing but this: a WebSocket (RFC 7118 s5.4). */
  readonly isOnlyWay: boolean;
  /** The transactions that end when the channel is lost; null when it cannot be lost. */
  readonly dependants: Set<number> | null;
  /** How many dialogs and flows count on it: while there are any, this end does not close it for its silence. */
  holders: number;
  /** The host of {@link sentByFor} alone, IPv6 without brackets. */
  hostFor(peer: string): string;
  /** `host:port` for Via, Contact and Record-Route: what this peer can reach this end by. @param peer numeric address */
  sentByFor(peer: string): string;
  /**
   * Sends what stands in the arena from `start` to its end. The octets may be overwritten once the turn is over. A channel
   * that breaks is lost later, never within the call.
   * @param address numeric, IPv6 without brackets; on a connection, where a new one goes when this one is lost
   */
  send(start: number, address: string, port: number): void;
  /** Takes back what stands in the arena from `start`, which is longer than {@link longest}, and counts it as dropped. */
  drop(start: number): void;
}

/** Who takes in what transports receive. */
export interface Receiver {
  /** A message of its own: a datagram or a WebSocket message. @param bytes its own buffer: it may be kept */
  datagram(bytes: Uint8Array, channel: Channel, address: string, port: number): void;
  /** A message that was framed in a stream. @param message the scanner's own */
  framed(message: Message, channel: Channel, address: string, port: number): void;
  /** Octets in a stream that are no message: the connection is about to be closed. @param message with the fault */
  broken(message: Message, channel: Channel, address: string, port: number): void;
  /** A connection was closed or lost, or could not be made. @param cause in words, or null when this end closed it */
  lost(channel: Channel, cause: string | null): void;
  /** The peer of a connection will send no more: nothing that was asked of it will be answered. @param cause in words */
  ended(channel: Channel, cause: string): void;
  /** Moves the clock and the timers on. @returns the time, in milliseconds */
  tick(): number;
  /** An exception from the calls above: a fault of ours, not of the sender. */
  failed(error: unknown, address: string, port: number): void;
}
