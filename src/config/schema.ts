/**
 * Every setting of the `viaduct` command, once. The shapes, bounds, defaults and words below give the validation, the
 * flags, `--help` and docs/settings.md; nothing about a setting is written anywhere else.
 *
 * A setting is named by its key in TOML and by the same key as a flag: `t1` in `[timers]` is `--t1`. No two settings
 * share a key, whatever their sections.
 */

import { z } from "zod";
import { DEFAULT_RESOLVE } from "../resolve/settings.ts";
import { DEFAULT_STREAMS } from "../transport/settings.ts";
import { parseAdvertise, parseListen, parseNameserver } from "./address.ts";
import {
  abouts,
  bytes,
  choice,
  count,
  flag,
  headings,
  list,
  milliseconds,
  number,
  optionalNumber,
  parsePath,
  path,
  seconds,
} from "./field.ts";

/** The log levels, most urgent first. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** The modes that the server can run in. */
export const MODES = ["full-uas", "subscription-server", "minimal"] as const;
/** What becomes of clients of `tls` and `wss` listeners without a certificate. */
const CLIENT_CERTIFICATES = ["none", "optional", "required"] as const;

const uas = z
  .strictObject({
    "ring-time": number({
      ...milliseconds,
      from: 0,
      to: 600_000,
      default: 0,
      about: "How long an incoming call rings (180) before it is answered; 0 answers at once",
    }),
    "final-status": z
      .int()
      .refine((status) => status === 200 || (status >= 300 && status <= 699))
      .default(200)
      .register(abouts, {
        about: "The final status that an incoming call gets: 200 answers it, any other refuses it",
        right: "200, or a status from 300 to 699",
        placeholder: "status",
      }),
    prack: flag("Whether provisional responses are sent reliably to callers that require it (RFC 3262)", true),
    "session-timers": flag("Whether calls are kept alive by session timers (RFC 4028)", true),
    "session-expires": number({
      ...seconds,
      from: 90,
      to: 86_400,
      default: 1800,
      about: "How long a session lasts without a refresh, where this end is asked",
    }),
    "min-se": number({
      ...seconds,
      from: 90,
      to: 86_400,
      default: 90,
      about: "The shortest session timer that is agreed to; a shorter one is refused with 422",
    }),
    subscriptions: flag("Whether SUBSCRIBE and PUBLISH are taken (RFC 6665, RFC 3903)", true),
    refer: flag("Whether calls can be transferred by REFER and Replaces (RFC 3515, RFC 3891)", true),
    messages: flag("Whether MESSAGE and INFO are answered 200 (RFC 3428, RFC 6086)", true),
  })
  .register(headings, { heading: "Calls in mode full-uas" });

const timer = { ...milliseconds, from: 10, to: 60_000 };
const timers = z
  .strictObject({
    t1: number({ ...timer, default: 500, about: "Timer T1 of RFC 3261: the estimate of the round-trip time" }),
    t2: number({
      ...timer,
      default: 4000,
      about: "Timer T2 of RFC 3261: the longest interval between retransmissions of a response or a non-INVITE request",
    }),
    t4: number({ ...timer, default: 5000, about: "Timer T4 of RFC 3261: how long a message may stay in the network" }),
  })
  .register(headings, { heading: "Timers" });

const MEMORY = "derived from the memory of the machine, at least 1000000";
const limits = z
  .strictObject({
    "message-size": number({
      ...bytes,
      from: 512,
      to: 65_536,
      default: 65_536,
      about: "The longest message that is accepted",
    }),
    headers: number({
      ...count,
      from: 1,
      to: 65_536,
      default: 256,
      about: "The most header fields that a message may have",
    }),
    "header-length": number({
      ...bytes,
      from: 64,
      to: 65_536,
      default: 8192,
      about: "The longest header field that is accepted",
    }),
    "uri-length": number({ ...bytes, from: 32, to: 65_536, default: 2048, about: "The longest URI that is accepted" }),
    vias: number({ ...count, from: 1, to: 255, default: 70, about: "The most Via values that a request may carry" }),
    transactions: optionalNumber({
      ...count,
      from: 1,
      to: 100_000_000,
      otherwise: MEMORY,
      about: "The most transactions kept at one time; a request beyond them is refused with 503",
    }),
    dialogs: optionalNumber({
      ...count,
      from: 1,
      to: 100_000_000,
      otherwise: MEMORY,
      about: "The most dialogs kept at one time; a call beyond them is refused with 503",
    }),
  })
  .register(headings, { heading: "Limits" });

const udp = z
  .strictObject({
    "receive-buffer": number({
      ...bytes,
      from: 4096,
      to: 1_073_741_824,
      default: 8_388_608,
      about: "The receive buffer asked for each UDP socket; the kernel may grant less",
    }),
    "send-queue": number({
      ...count,
      from: 0,
      to: 1_000_000,
      default: 8192,
      about: "The most datagrams kept for each socket while the kernel's send buffer is full; more are dropped",
    }),
    "flood-budget": number({
      ...milliseconds,
      from: 1,
      to: 1000,
      default: 5,
      about: "How long a stream of datagrams may keep timers and other sockets waiting",
    }),
  })
  .register(headings, { heading: "UDP" });

const DAY = 86_400;
const connections = z
  .strictObject({
    connections: number({
      ...count,
      from: 1,
      to: 1_000_000,
      default: DEFAULT_STREAMS.connections,
      about: "The most connections at one time, accepted and opened together",
    }),
    "connections-per-address": number({
      ...count,
      from: 1,
      to: 1_000_000,
      default: DEFAULT_STREAMS.connectionsPerAddress,
      about: "The most connections at one time with one address",
    }),
    "idle-timeout": number({
      ...seconds,
      from: 1,
      to: DAY,
      default: DEFAULT_STREAMS.idleTimeout / 1000,
      about: "How long a connection may carry nothing before it is closed",
    }),
    "message-timeout": number({
      ...seconds,
      from: 1,
      to: 3600,
      default: DEFAULT_STREAMS.messageTimeout / 1000,
      about: "How long an accepted connection may take to its first message, and any message to be complete",
    }),
    "connect-timeout": number({
      ...seconds,
      from: 1,
      to: 300,
      default: DEFAULT_STREAMS.connectTimeout / 1000,
      about: "How long a connection to a peer may take to be open, the TLS handshake included",
    }),
    "write-queue": number({
      ...bytes,
      from: 65_536,
      to: 1_073_741_824,
      default: DEFAULT_STREAMS.writeQueue,
      about: "What is kept for a peer that does not read; a connection with more is closed",
    }),
    "keep-alive": number({
      ...seconds,
      from: 0,
      to: 32_767,
      default: DEFAULT_STREAMS.keepAlive / 1000,
      about: "How long a connection is silent before TCP asks whether the peer is still there; 0 never asks",
    }),
  })
  .register(headings, { heading: "Connections: TCP, TLS and WebSocket" });

const PEM = "the path of a PEM file";
const tls = z
  .strictObject({
    certificate: path(
      "The certificate of this server, those of its issuers behind it; tls and wss listeners need it; read again on SIGHUP",
      PEM,
      "none",
    ),
    "private-key": path("The private key of the certificate, without a passphrase; read again on SIGHUP", PEM, "none"),
    ca: list(parsePath, {
      about:
        "The certificates of the authorities that peers are trusted by; more than one file as an array in TOML, or as " +
        "the flag given again",
      right: PEM,
      placeholder: "file",
      otherwise: "those that the system trusts",
      path: true,
    }),
    "client-certificates": choice(
      CLIENT_CERTIFICATES,
      "none",
      "who",
      "Whether clients of tls and wss listeners are asked for a certificate: required closes on those without a good one",
    ),
    "verify-servers": flag(
      "Whether a server that is connected to must prove by its certificate that it is the one meant (RFC 5922)",
      true,
    ),
  })
  .register(headings, { heading: "TLS" });

const dns = z
  .strictObject({
    nameserver: list(parseNameserver, {
      about: "A DNS server to ask; more than one as an array in TOML, or as the flag given again",
      right: "a numeric HOST, an IPv6 one in brackets, or HOST:PORT, PORT from 1 to 65535 (53 when left out)",
      placeholder: "host[:port]",
      otherwise: "those of the system",
    }),
    "dns-timeout": number({
      ...milliseconds,
      from: 10,
      to: 60_000,
      default: DEFAULT_RESOLVE.dnsTimeout,
      about: "How long the answer to one question may take, repetitions included",
    }),
    "dns-cache": number({
      ...seconds,
      from: 0,
      to: DAY,
      default: DEFAULT_RESOLVE.cacheTtl / 1000,
      about: "How long an answer is kept whose time to live is not known (SRV, NAPTR); 0 asks each time",
    }),
    "dns-negative-cache": number({
      ...seconds,
      from: 0,
      to: DAY,
      default: DEFAULT_RESOLVE.cacheNegative / 1000,
      about: "How long it is kept that there is no such name or record; 0 asks each time",
    }),
    "avoid-failed": number({
      ...seconds,
      from: 0,
      to: DAY,
      default: DEFAULT_RESOLVE.avoidFailed / 1000,
      about: "How long a server that failed is tried last; 0 forgets the failure at once",
    }),
  })
  .register(headings, { heading: "Finding servers (RFC 3263)" });

const shutdown = z
  .strictObject({
    grace: number({
      ...seconds,
      from: 0,
      to: 3600,
      default: 5,
      about: "How long running transactions may take to end after SIGINT or SIGTERM",
    }),
    "retry-after": number({
      ...seconds,
      from: 0,
      to: 86_400,
      default: 10,
      about: "The Retry-After of the 503 that new calls get while the server stops",
    }),
  })
  .register(headings, { heading: "Stopping" });

/** The settings, as TOML holds them. What is left out gets its default; what is not known is an error. */
export const schema = z
  .strictObject({
    mode: choice(
      MODES,
      "full-uas",
      "mode",
      "What the server does: full-uas answers calls and keeps their dialogs, subscription-server takes SUBSCRIBE and PUBLISH alone, minimal answers OPTIONS alone",
    ),
    listen: list(parseListen, {
      about: "An address to listen on; more than one as an array in TOML, or as the flag given again",
      right:
        "udp://HOST:PORT, or tcp, tls, ws or wss in the place of udp, an IPv6 HOST in brackets, PORT from 0 to 65535 " +
        "(when left out 5060, tls 5061, ws 80, wss 443), and ?advertise=HOST:PORT behind it if peers are to be told another",
      placeholder: "udp://host:port",
      otherwise: "udp://0.0.0.0:5060 and tcp://0.0.0.0:5060, and tls://0.0.0.0:5061 when there is a certificate",
    }),
    advertise: z
      .string()
      .refine((text) => parseAdvertise(text) !== undefined)
      .optional()
      .register(abouts, {
        about:
          "The host, and the port when it differs, that peers are told to reach this server at (Contact, Via), " +
          "for every listener without ?advertise= of its own",
        right: "a HOST that peers can reach, or HOST:PORT, an IPv6 HOST in brackets, PORT from 1 to 65535",
        placeholder: "host[:port]",
        otherwise: "the address listened on",
      }),
    "log-level": choice(LOG_LEVELS, "info", "level", "The least urgent messages that are logged"),
    uas: uas.prefault({}),
    timers: timers.prefault({}),
    limits: limits.prefault({}),
    udp: udp.prefault({}),
    connections: connections.prefault({}),
    tls: tls.prefault({}),
    dns: dns.prefault({}),
    shutdown: shutdown.prefault({}),
  })
  .register(headings, { heading: "General" });

/** The settings with every constant default filled in. */
export type Parsed = z.output<typeof schema>;
/** The settings with every default filled in. `listen` is always an array, each with its port. */
export type Settings = Parsed & { listen: string[] };
