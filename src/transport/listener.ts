/** What listens for connections: TCP, TLS or WebSocket. */
import type { TransportName } from "./kinds.ts";
import type { OwnName } from "./own-name.ts";

export interface Listener {
  readonly transport: TransportName;
  /** What is bound, numeric. */
  readonly address: string;
  readonly port: number;
  /** What peers are told that they can reach it by. */
  readonly name: OwnName;
  /** Takes the certificates as they are now for connections to come; those there are stay. */
  renew(): void;
  /** Accepts no more; connections there are stay. */
  close(): void;
}
