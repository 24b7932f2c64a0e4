/** `serve()`: puts the rooms together and keeps them running. */
import { totalmem } from "node:os";
import { timerPolicy } from "../dialog/session-timer.ts";
import { ascii } from "../message/bytes.ts";
import { ScannerPool } from "../message/framer.ts";
import { DEFAULT_LIMITS } from "../message/limits.ts";
import { TokenSource } from "../message/token-source.ts";
import type { Uri } from "../message/uri.ts";
import { Composer, type RequestOptions } from "../outgoing/composer.ts";
import type { IncomingResponse } from "../outgoing/incoming-response.ts";
import { DEFAULT_RESOLVE, Locator } from "../resolve/locator.ts";
import { type Clock, systemClock } from "../time/clock.ts";
import { TICK_MS, TimerWheel } from "../time/wheel.ts";
import { timersFrom } from "../transaction/timers.ts";
import { isSecure, type TransportName } from "../transport/kinds.ts";
import { DEFAULT_STREAMS } from "../transport/settings.ts";
import { TlsContext } from "../transport/tls/context.ts";
import { type ListenAt, Transports } from "../transport/transports.ts";
import { DEFAULT_UDP } from "../transport/udp.ts";
import { Client } from "./client.ts";
import { UasCore } from "./core.ts";
import { withDefaults } from "./defaults.ts";
import { Endpoint } from "./endpoint.ts";
import { advertisedFor, type ListenAddress, ListenError, parseListenAddress } from "./listen.ts";
import { consoleLog, type Handlers, type Log, type ServeOptions } from "./options.ts";
import type { CallOptions, OutgoingCall } from "./outgoing-call.ts";
import type { Host, Plugin } from "./plugin.ts";
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
  transport: TransportName;
  /** Numeric, IPv6 without brackets. */
  address: string;
  port: number;
}

const DEFAULT_LISTEN = ["udp://0.0.0.0:5060", "tcp://0.0.0.0:5060"];
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
  readonly #transports: Transports;
  readonly #client: Client;
  readonly #log: Log;
  #interval: ReturnType<typeof setInterval> | null = null;
  #stopping: Promise<void> | null = null;
  #closed = false;

  /** @internal use {@link serve} */
  constructor(core: UasCore, endpoint: Endpoint, wheel: TimerWheel, transports: Transports, client: Client, log: Log) {
    this.#core = core;
    this.#endpoint = endpoint;
    this.#wheel = wheel;
    this.#transports = transports;
    this.#client = client;
    this.#log = log;
  }

  /** @internal binds every address, or none. @throws ListenError */
  async listen(wanted: readonly ListenAddress[], advertise: string | undefined): Promise<void> {
    for (const address of wanted) {
      try {
        await this.#transports.listen(listenAt(address, advertise));
      } catch (error) {
        await this.#close();
        const { code = "EUNKNOWN", message } = error as { code?: string; message: string };
        throw new ListenError(address.text, code, message);
      }
    }
    this.#interval = setInterval(() => this.#endpoint.tick(), TICK_MS);
  }

  /** The addresses listened on, in the order they were asked for. */
  get addresses(): BoundAddress[] {
    return this.#transports.bound.map((bound) => ({ ...bound }));
  }

  /**
   * Sends a request outside a dialog and waits for its final response, whatever its status. The server is found by
   * RFC 3263, and the next one is tried when one fails.
   *
   *     const { status } = await server.request("OPTIONS", "sip:carrier.example.com");
   *
   * @param method any but those of calls
   * @param uri `sip` or `sips`; another scheme needs a `route`
   * @returns rejects with {@link RequestFailed} when there is no response
   * @throws TypeError for a method, URI or header that cannot stand in a request
   */
  request(method: string, uri: string | Uri, options?: RequestOptions): Promise<IncomingResponse> {
    return this.#client.request(method, uri, options);
  }

  /**
   * Places a call.
   *
   *     const dialog = await server.call("sip:bob@example.com", { sdp }).answered;
   *
   * @param uri `sip` or `sips`; another scheme needs a `route`
   * @throws TypeError for a URI or header that cannot stand in a request
   */
  call(uri: string | Uri, options?: CallOptions): OutgoingCall {
    return this.#client.call(uri, options);
  }

  /**
   * Reads the certificate files again, for connections to come; those there are stay.
   * @throws TlsFileError when a file is at fault: everything stays as it was then
   */
  reloadCertificates(): void {
    this.#transports.reloadCertificates();
    for (const warning of this.#transports.tls.warnings) this.#log.warn({}, warning);
  }

  /** What was counted since the start, and how much there is of what comes and goes. */
  stats(): ServerStats {
    return statsOf(this.#core, this.#wheel, this.#transports);
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
    this.#close().catch((err) => this.#log.error({ err }, "a part of the server could not be closed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop({ graceMs = 5000, retryAfter = 10 }: StopOptions): Promise<void> {
    this.#core.stopping = { status: 503, headers: ascii(`Retry-After: ${retryAfter}\r\n`) };
    const deadline = performance.now() + graceMs;
    while (!this.#closed && performance.now() < deadline && this.#core.isBusy()) await Bun.sleep(STOP_POLL_MS);
    await this.#close();
  }

  /** @returns once the plugins are done */
  async #close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Before the connections: a request whose connection is closed would go elsewhere.
    this.#core.sender.close();
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
    this.#transports.close();
    await this.#core.closed();
    this.#log.debug({}, "closed");
  }
}

/**
 * Starts a SIP server.
 *
 *     const server = await serve({ listen: "udp://127.0.0.1:5060", invite: (call) => call.answer(sdp) });
 *
 * @throws ListenError when an address cannot be listened on, TlsFileError when a certificate file is at fault, RangeError
 *   for session timers that cannot be, TypeError for credentials that cannot be used; nothing is left open then
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { limits = {}, log = consoleLog, software } = options;
  const { plugins = [] } = options;
  const own = [...plugins.map((plugin) => plugin.fallbacks), ...plugins.map((plugin) => plugin.handlers)];
  const unwrapped: Handlers = Object.assign({}, ...own, given(options));
  const handlers = plugins.reduceRight((all, plugin) => plugin.wrap?.(all) ?? all, unwrapped);
  const clock: Clock = options.clock ?? systemClock;
  const transactions = limits.transactions ?? shareOfMemory(TRANSACTION_OCTETS, MIN_TRANSACTIONS, MAX_TRANSACTIONS);
  const dialogs = limits.dialogs ?? shareOfMemory(DIALOG_OCTETS, MIN_DIALOGS, MAX_DIALOGS);
  const timers = plugins.reduce((sum, plugin) => sum + (plugin.timers ?? 0), transactions + dialogs);
  const wheel = new TimerWheel(clock.now(), timers);
  const tokens = new TokenSource(options.random);
  const tls = new TlsContext(options.tls ?? {});
  const wanted = listenAddresses(options.listen ?? DEFAULT_LISTEN, tls);
  const locator = new Locator({
    settings: withDefaults(DEFAULT_RESOLVE, options.resolve),
    clock,
    random: Math.random,
    supported: (transport, family) => transports.canReach(transport, family),
  });
  const core = new UasCore({
    handlers,
    plugins,
    wheel,
    timers: timersFrom(options.timers),
    tokens,
    log,
    locator,
    channelTo: (target) => transports.channelTo(target),
    transactions,
    dialogs,
    software,
    credentials: options.credentials,
    natContacts: options.natContacts,
    sessionTimers: options.sessionTimers === false ? null : timerPolicy(options.sessionTimers ?? {}),
  });
  const allLimits = withDefaults(DEFAULT_LIMITS, limits);
  const endpoint = new Endpoint(core, allLimits, clock, wheel, log);
  const transports = new Transports({
    receiver: endpoint,
    udp: withDefaults(DEFAULT_UDP, options.udp),
    streams: withDefaults(DEFAULT_STREAMS, options.streams),
    tls,
    scanners: new ScannerPool(allLimits),
    wheel,
  });
  const composer = new Composer(tokens, () => transports.ownHost);
  const client = new Client(core, composer);
  const { dialogs: standing, sender, alarms } = core;
  const host = { client, dialogs: standing, sender, composer, alarms, wheel, tokens, log, now: () => wheel.now };
  await attach(plugins, host);
  // What opened files may have taken its time: that is no gap between two ticks.
  wheel.advance(clock.now());
  wheel.longestGap = 0;
  const server = new Server(core, endpoint, wheel, transports, client, log);
  await server.listen(wanted, options.advertise);
  for (const warning of tls.warnings) log.warn({}, warning);
  return server;
}

/** Attaches plugins one after the other. Where one cannot be, those before it are closed again. */
async function attach(plugins: readonly Plugin[], host: Host): Promise<void> {
  for (const [index, plugin] of plugins.entries()) {
    try {
      await plugin.attach?.(host);
    } catch (error) {
      await Promise.allSettled(plugins.slice(0, index).map((before) => before.closed?.()));
      throw error;
    }
  }
}

/** The options that are there: one given as undefined takes nothing from a plugin. */
function given(options: ServeOptions): Partial<ServeOptions> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** @throws ListenError for text that is no listen address, and where a certificate is wanting */
function listenAddresses(listen: string | readonly string[], tls: TlsContext): ListenAddress[] {
  const wanted = (typeof listen === "string" ? [listen] : listen).map(parseListenAddress);
  for (const { text, transport } of wanted) {
    if (isSecure(transport) && !tls.hasCertificate) {
      throw new ListenError(text, "ENOCERT", `${text} needs a certificate and its private key`);
    }
  }
  return wanted;
}

function listenAt({ transport, host, port, advertise }: ListenAddress, everywhere: string | undefined): ListenAt {
  const told = advertise ?? everywhere;
  const advertised = told === undefined ? undefined : (bound: number) => advertisedFor(told, bound);
  return { transport, host, port, advertised };
}
