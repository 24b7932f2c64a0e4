/**
 * A part of the server that can be left out: events, transfers, a registrar. It brings handlers and is told of the rooms
 * below it; what it does with requests it does through {@link IncomingRequest} and {@link Dialog}.
 */
import type { Dialogs } from "../dialog/dialogs.ts";
import type { TokenSource } from "../message/token-source.ts";
import type { Composer } from "../outgoing/composer.ts";
import type { Sender } from "../outgoing/sender.ts";
import type { Alarms } from "../time/alarms.ts";
import type { TimerWheel } from "../time/wheel.ts";
import type { Channel } from "../transport/channel.ts";
import type { ArrivalHandler } from "./arrival.ts";
import type { Call } from "./call.ts";
import type { Client } from "./client.ts";
import type { IncomingRequest } from "./incoming-request.ts";
import type { Handlers, Log } from "./options.ts";

/** What a plugin has of its server. */
export interface Host {
  readonly client: Client;
  readonly dialogs: Dialogs;
  readonly sender: Sender;
  readonly composer: Composer;
  readonly alarms: Alarms;
  readonly wheel: TimerWheel;
  readonly tokens: TokenSource;
  readonly log: Log;
  /** The time by the wheel, in milliseconds. */
  readonly now: () => number;
}

export interface Plugin {
  /** Handlers for methods that the server's user has none for. */
  readonly handlers: Partial<Handlers>;
  /** Handlers for methods that neither the user nor another plugin has one for. */
  readonly fallbacks?: Partial<Handlers>;
  /** Body types that are read for its sake, beside those of {@link Handlers.accept}. */
  readonly accept?: readonly string[];
  /** Option tags that are understood for its sake. */
  readonly supported?: readonly string[];
  /** Puts itself before the handlers of others: is given all there are, and gives those to be called in their place. */
  wrap?(handlers: Handlers): Handlers;
  /** Header lines, each with its CRLF, that say what it can do: in answers to OPTIONS and beside Allow. */
  readonly capabilities?: string;
  /** A request with a To tag of ours that belongs to no dialog. @returns whether it was answered; else it gets 481 */
  orphan?(request: IncomingRequest): boolean;
  /**
   * A SUBSCRIBE or NOTIFY in a dialog, whatever handlers the dialog has: it may be about a subscription of the plugin's.
   * @returns whether it was answered
   */
  claim?(request: IncomingRequest): boolean;
  /** Takes REGISTERs at the moment they come, in the place of the plugin's own handler. */
  readonly register?: ArrivalHandler;
  /** A connection was closed or lost. */
  lost?(channel: Channel): void;
  /** An INVITE outside dialogs, before its handler has it. @returns whether it was answered */
  invite?(call: Call): boolean;
  /** Timers that it may have at one time, where there may be many: room is made for them at the start. */
  readonly timers?: number;
  /** Called once, before the server listens, which waits for what it promises. What it throws ends the start: it has closed itself then. */
  attach?(host: Host): unknown;
  /** The server is closed; `stop()` waits for what it promises. */
  closed?(): unknown;
}
