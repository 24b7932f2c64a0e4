/** The transaction user (RFC 3261 s17): the core above this room, UAS, UAC or proxy. It is handed in. */
import type { Message } from "../message/message.ts";
import type { Channel } from "../transport/channel.ts";

export interface TransactionUser {
  /**
   * A new request, for which the slot was taken. Merged requests come too, marked.
   * @param message the scanner's own: `keep` it to have it after the call
   * @param merged the same request has come on another path (RFC 3261 s8.2.2.2)
   */
  request(slot: number, message: Message, address: string, port: number, merged: boolean): void;
  /** An ACK that no transaction absorbed: for a 2xx, or a stranger's. */
  ack(message: Message, channel: Channel): void;
  /** A new request for which there is no slot left. */
  overloaded(message: Message, channel: Channel, address: string, port: number): void;
  /**
   * A response to a request of ours: every provisional, the final, and each 2xx to an INVITE.
   * @param isThere whether it came from where the request went
   */
  response(slot: number, message: Message, isThere: boolean): void;
  /** A response that belongs to no transaction. */
  strayResponse(message: Message): void;
  /**
   * Timer B or F: no final response. Timer H: no ACK for the final response. Or a non-INVITE request that the user never
   * answered. The slot is given back after the call.
   */
  timeout(slot: number): void;
  /**
   * The connection of a client transaction was lost, or could not be made: to be treated as a 503 (RFC 3261 s8.1.3.1).
   * The slot is given back after the call. @param cause in words
   */
  transportFailed(slot: number, cause: string): void;
  /**
   * The connection of a server transaction that has no final response is gone, and with it the only way to its peer. The slot
   * is given back after the call.
   */
  unreachable(slot: number): void;
}
