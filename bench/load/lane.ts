/** A way from the generator to the server: a UDP socket, a connection, or a WebSocket. */
import type { TransportName } from "../../src/transport/kinds.ts";

/** Where a lane goes. */
export interface LaneTarget {
  readonly transport: TransportName;
  /** Numeric. */
  readonly host: string;
  readonly port: number;
  /** The address of this machine that a TCP or TLS connection comes from. Default: the system's choice. */
  readonly localAddress?: string;
  /** Send WebSocket messages in binary frames; default in text frames, as browsers do. */
  readonly binaryFrames?: boolean;
}

/** Who uses a lane. */
export interface LaneUser {
  /** Is given every message, whole. */
  received(message: Uint8Array): void;
  /** The open lane is of no use any more, and nobody asked for that. `why` is a word or two. */
  lost(why: string): void;
}

export interface Lane {
  /** Resolves when the lane is open; rejects with why it could not be. What is sent before is kept until then. */
  readonly ready: Promise<void>;
  /** Host and port of this end for Via and Contact, once the lane is ready. */
  readonly local: string;
  /** Gathers a message; it goes at the end of the turn, or before. The octets may change after the turn. */
  send(message: Uint8Array): void;
  /** Sends what was gathered. What the kernel does not take is kept and goes when it does. */
  flush(): void;
  /** Ends the lane. What was gathered goes if the kernel takes it at once. */
  close(): void;
}

/** Why something failed, in a word: the system's code where there is one. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? String(error);
}
