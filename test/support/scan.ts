/** Scanning for tests: a message of its own out of text or octets. */
import { readFields } from "../../src/message/fields.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/message/limits.ts";
import type { Message } from "../../src/message/message.ts";
import { Scanner } from "../../src/message/scanner.ts";
import { bytesOf } from "./sip-text.ts";

/** A scanned message whose fields were read. */
export interface Scanned {
  message: Message;
  /** Whether its top Via tells where an answer goes. */
  answerable: boolean;
}

/**
 * Scans a datagram and reads its fields, as an endpoint does.
 * @param source octets, or text of one character an octet
 */
export function scanned(source: Uint8Array | string, limits: Partial<Limits> = {}): Scanned {
  const all = { ...DEFAULT_LIMITS, ...limits };
  const message = new Scanner(all).scanDatagram(typeof source === "string" ? bytesOf(source) : source);
  return { answerable: readFields(message, all), message };
}

/** The same where the message must be without a fault. @throws Error naming the fault */
export function scan(source: Uint8Array | string, limits: Partial<Limits> = {}): Message {
  const { message } = scanned(source, limits);
  if (message.fault !== 0) throw new Error(`${message.faultText}: ${JSON.stringify(message.toString())}`);
  return message;
}
