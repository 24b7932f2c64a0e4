/** `serve()`: puts the rooms together and keeps them running. */
import { totalmem } from "node:os";
import { ascii } from "../message/bytes.ts";
import { DEFAULT_LIMITS } from "../message/limits.ts";
import { TokenSource } from "../message/token-source.ts";
import { type Clock, systemClock } from "../time/clock.ts";
import { TICK_MS, TimerWheel } from "../time/wheel.ts";
import { timersFrom } from "../transaction/timers.ts";
import { localAddressFinder } from "../transport/address.ts";
import { DEFAULT_UDP, UdpSocket } from "../transport/udp.ts";
import { UasCore } from "./core.ts";
import { withDefaults } from "./defaults.ts";
import { Endpoint } from "./endpoint.ts";
import { advertisedFor, ListenError, parseListenAddress } from "./listen.ts";
import { consoleLog, type Handlers, type Log, type ServeOptions } from "./options.ts";
import { type ServerStats, statsOf } from "./stats.ts";

/** How a server is stopped. */
export interface StopOptions {
  /** How long running transactions and unacknowledged answers may take, in milliseconds. Default 5,000. */
  graceMs?: number;
  /** Seconds told to callers in the Retry-After of the 503 they get meanwhile. Default 10. */
  retryAfter?: number;
}

/** An address a server listens on. */
export interface BoundAddress {
  /** `udp` */
  transport: string;
  /** Numeric, IPv6 without brackets. */
  address: string;
  port: number;
}

const DEFAULT_LISTEN = "udp://0.0.0.0:5060";
/** Of the memory there is, what transactions may take at most, and dialogs. */
const MEMORY_SHARE = 1 / 8;
const TRANSACTION_OCTETS = 1024;
const DIALOG_OCTETS = 4096;
const MIN_TRANSACTIONS = 1_000_000;
const MAX_TRANSACTIONS = 4_000_000;
const MIN_DIALOGS = 250_000;
const MAX_DIALOGS = 1_000_000;
/** How often a stopping server looks whether it is done. */
const STOP_POLL_MS = 20;

function shareOfMemory(octets: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, Math.floor((totalmem() * MEMORY_SHARE) / octets)));
}

/** A running server. Made by {@link serve}. */
export class Server {
  readonly #core: UasCore;
  readonly #endpoint: Endpoint;
  readonly #wheel: TimerWheel;
  readonly #sockets: UdpSocket[] = [];
  readonly #log: Log;
  #interval: ReturnType<typeof setInterval> | null = null;
  #stopping: Promise<void> | null = null;
  #closed = false;

  /** @internal use {@link serve} */
  constructor(core: UasCore, endpoint: Endpoint, wheel: TimerWheel, log: Log) {
    this.#core = core;
    this.#endpoint = endpoint;
    this.#wheel = wheel;
    this.#log = log;
  }

  /** @internal binds every address, or none. @throws ListenError */
  async listen(options: ServeOptions): Promise<void> {
    const { listen = DEFAULT_LISTEN, advertise } = options;
    const settings = withDefaults(DEFAULT_UDP, options.udp);
    const localFor = localAddressFinder();
    const wanted = (typeof listen === "string" ? [listen] : listen).map((text) => ({
      text,
      ...parseListenAddress(text),
    }));
    for (const { text, host, port } of wanted) {
      const told = advertise === undefined ? undefined : (bound: number) => advertisedFor(advertise, bound);
      try {
        this.#sockets.push(await UdpSocket.open(host, port, this.#endpoint, settings, told, localFor));
      } catch (error) {
        this.#close();
        const { code = "EUNKNOWN", message } = error as { code?: string; message: string };
        throw new ListenError(text, code, message);
      }
    }
    this.#interval = setInterval(() => this.#endpoint.tick(), TICK_MS);
  }

  /** The addresses listened on, in the order they were asked for. */
  get addresses(): BoundAddress[] {
    return this.#sockets.map(({ address, port }) => ({ transport: "udp", address, port }));
  }

  /** What was counted since the start, and how much there is of what comes and goes. */
  stats(): ServerStats {
    return statsOf(this.#core, this.#wheel, this.#sockets);
  }

  /** Begins the gauges that keep a maximum anew: `longestTickGapMs`. */
  resetStats(): void {
    this.#wheel.longestGap = 0;
  }

  /**
   * Stops in order: new requests outside dialogs get 503 with Retry-After; once every request has its final response and
   * every answer its ACK, or the grace is over, the sockets are closed. Dialogs that stand are not hung up.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopping ??= this.#stop(options);
    return this.#stopping;
  }

  /** Closes at once. */
  closeNow(): void {
    this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop({ graceMs = 5000, retryAfter = 10 }: StopOptions): Promise<void> {
    this.#core.stopping = { status: 503, headers: ascii(`Retry-After: ${retryAfter}\r\n`) };
    const deadline = performance.now() + graceMs;
    while (!this.#closed && performance.now() < deadline && this.#core.isBusy()) await Bun.sleep(STOP_POLL_MS);
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
    for (const socket of this.#sockets) socket.close();
    this.#core.closed();
    this.#log.debug({}, "closed");
  }
}

/**
 * Starts a SIP server.
 *
 *     const server = await serve({ listen: "udp://127.0.0.1:5060", invite: (call) => call.answer(sdp) });
 *
 * @throws ListenError when an address cannot be listened on; nothing is left open then
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { limits = {}, log = consoleLog, software } = options;
  const handlers: Handlers = options;
  const clock: Clock = options.clock ?? systemClock;
  const transactions = limits.transactions ?? shareOfMemory(TRANSACTION_OCTETS, MIN_TRANSACTIONS, MAX_TRANSACTIONS);
  const dialogs = limits.dialogs ?? shareOfMemory(DIALOG_OCTETS, MIN_DIALOGS, MAX_DIALOGS);
  const wheel = new TimerWheel(clock.now(), transactions + dialogs);
  const core = new UasCore({
    handlers,
    wheel,
    timers: timersFrom(options.timers),
    tokens: new TokenSource(options.random),
    log,
    transactions,
    dialogs,
    software,
  });
  const endpoint = new Endpoint(core, withDefaults(DEFAULT_LIMITS, limits), clock, wheel, log);
  const server = new Server(core, endpoint, wheel, log);
  await server.listen(options);
  return server;
}
