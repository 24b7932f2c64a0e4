/** A registrar under load, seen from outside: ours or Kamailio. */
import type { Cpu } from "./process.ts";
import type { Algorithm } from "./register-digest.ts";

export const STORES = ["memory", "sqlite", "redis"] as const;
export type StoreName = (typeof STORES)[number];

export const AUTHS = ["none", "MD5", "SHA-256"] as const;
export type Auth = "none" | Algorithm;

/** `kamailio` runs with the allocator that it starts with by itself, `kamailio-tlsf` with another that it has. */
export const REGISTRARS = ["viaduct", "kamailio", "kamailio-tlsf"] as const;
export type RegistrarName = (typeof REGISTRARS)[number];

export interface RegistrarSubject {
  readonly name: RegistrarName;
  readonly port: number;
  /** The command that started it. */
  readonly command: string;
  /** Of all processes of the server; a database of its own is not among them. */
  cpu(): Cpu | undefined;
  /** Microseconds so far that it was ready to run and another program, or another thread of its own, had the core. */
  waited(): number | undefined;
  /** Of the database server behind it. */
  databaseCpu(): Cpu | undefined;
  /** Bytes that all its processes hold. */
  memory(): number | undefined;
  /** Counters by name; empty for a server that has none to show. */
  stats(): Promise<Record<string, number>>;
  /** Forgets the largest tick gap so far. */
  reset(): Promise<void>;
  /** Resolves when the store has all that was changed so far. */
  settled(): Promise<void>;
  /** Ends the processes and waits for them. */
  stop(): Promise<void>;
}
