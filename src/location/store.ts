/** What keeps bindings beyond the life of the process, or shares them with others. */
import type { Location } from "./location.ts";
import type { BindingRow } from "./row.ts";
import type { SecretSource } from "./secrets.ts";

/** The part of a log that stores write to. */
export interface StoreLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What a store is given when it is opened. */
export interface StoreHost {
  /**
   * The bindings that there are: {@link Location.load} takes in those of the store, and those of other servers; in
   * {@link Location.together} where several are one change to who watches.
   */
  readonly location: Location;
  readonly log: StoreLog;
}

/** What a store has done since its start. */
export interface StoreCounters {
  /** Changes that were written. */
  written: number;
  /** Times that writing failed. */
  failures: number;
  /** The longest that a change has waited until it was written, in milliseconds. */
  longest: number;
}

/**
 * The table in memory ({@link Location}) is what every look-up reads; a store is told of each change of it and never
 * asked anything on the way of a message. It gathers changes and writes them elsewhere than in the turn of the message.
 */
export interface BindingStore extends SecretSource {
  /** As people read it: `memory`, `sqlite`, `redis`. */
  readonly name: string;
  readonly counters: StoreCounters;
  /** Why changes are not taken now, in a few words; null when they are. REGISTER gets 503 meanwhile. */
  readonly trouble: string | null;
  /** Whether an answer waits until its change is safe. {@link settled} is asked then. */
  readonly isAwaited: boolean;
  /**
   * Opens it and takes in all that it holds and has not expired. Once, and before anything else is asked of it.
   * @throws StoreError when it cannot be opened
   */
  open(host: StoreHost): Promise<void>;
  /** A binding is new, or more of it has changed than {@link touch} tells. */
  put(slot: number): void;
  /** A binding was refreshed: its expiry, CSeq, time of update or flags are other ones, and nothing else. */
  touch(slot: number): void;
  /**
   * The Contact of a binding is about to be spelled otherwise (RFC 3261 s19.1.4): its key, by `bindingKey`, is another one
   * then. {@link put} follows. For stores that know bindings by their key.
   */
  respell?(slot: number): void;
  /**
   * The time, {@link Location.now}, was set. The times of this server's bindings are about to move with it: each is told by
   * {@link touch}. For stores that know the time.
   */
  clockSet?(): void;
  /** A binding is about to go before its time. One that expires goes by itself, in every store. */
  remove(slot: number): void;
  /** Resolves when all changes made so far are written. When they cannot be it rejects: the error says why, in a few words. */
  settled(): Promise<void>;
  /** Writes what is left, for some seconds at most, and closes. */
  close(): Promise<void>;
}

/** A store that cannot be opened, or does not take a change. The message names the cause, for the operator. */
export class StoreError extends Error {
  override name = "StoreError";
}

/** What the command line does with a store while a server may run on it. */
export interface StoreTool {
  /** Every binding that has not expired, or those of one address-of-record, in no order. */
  rows(aor?: string): AsyncIterable<BindingRow> | Iterable<BindingRow>;
  /**
   * Takes a binding away, in servers that run on the store too.
   * @returns whether it was there
   */
  remove(row: BindingRow): Promise<boolean>;
  close(): Promise<void>;
}
