/**
 * Every setting of the `viaduct` command, once. The shapes, bounds, defaults and words below give the validation, the
 * flags, `--help` and docs/settings.md; nothing about a setting is written anywhere else.
 *
 * A setting is named by its key in TOML and by the same key as a flag: `t1` in `[timers]` is `--t1`. No two settings
 * share a key, whatever their sections.
 */

import { z } from "zod";
import { parseAdvertise, parseListen } from "./address.ts";

/** What people are told of a setting, beside what its schema says. */
export interface About {
  /** What it does, in one sentence without a full stop. */
  readonly about: string;
  /** What a right value is, to stand after "must be". */
  readonly right: string;
  /** What stands for the value in `--help`. */
  readonly placeholder: string;
  /** The default in words, for a setting whose default is not a constant. */
  readonly otherwise?: string;
}

/** The words of each setting. */
export const abouts = z.registry<About>();
/** The heading of each section of settings. */
export const headings = z.registry<{ heading: string }>();

/** The log levels, most urgent first. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** The modes that the server can run in. */
export const MODES = ["full-uas", "minimal"] as const;

interface Whole {
  from: number;
  to: number;
  unit: string;
  placeholder: string;
  about: string;
}

/** A whole number of some unit between two bounds, both allowed. */
function number(n: Whole & { default: number }) {
  return z
    .int()
    .min(n.from)
    .max(n.to)
    .default(n.default)
    .register(abouts, { about: n.about, right: `${n.unit} from ${n.from} to ${n.to}`, placeholder: n.placeholder });
}

/** As {@link number}, with a default that is found when the server starts. */
function optionalNumber(n: Whole & { otherwise: string }) {
  const right = `${n.unit} from ${n.from} to ${n.to}`;
  return z
    .int()
    .min(n.from)
    .max(n.to)
    .optional()
    .register(abouts, { about: n.about, right, placeholder: n.placeholder, otherwise: n.otherwise });
}

function choice<const T extends readonly [string, ...string[]]>(
  values: T,
  initial: T[number],
  placeholder: string,
  about: string,
) {
  const right = `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`;
  return z.enum(values).default(initial).register(abouts, { about, right, placeholder });
}

const milliseconds = { unit: "a whole number of milliseconds", placeholder: "ms" };
const seconds = { unit: "a whole number of seconds", placeholder: "seconds" };
const bytes = { unit: "a whole number of bytes", placeholder: "bytes" };
const count = { unit: "a whole number", placeholder: "count" };

const listenAddress = z.string().refine((text) => parseListen(text) !== undefined);

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
      "What the server does: full-uas answers calls and keeps their dialogs, minimal answers OPTIONS alone",
    ),
    listen: z
      .union([listenAddress, z.array(listenAddress).min(1)])
      .transform((value) => (typeof value === "string" ? [value] : value).map((text) => parseListen(text)!))
      .default(["udp://0.0.0.0:5060"])
      .register(abouts, {
        about: "An address to listen on; more than one as an array in TOML, or as the flag given again",
        right: "udp://HOST:PORT, an IPv6 HOST in brackets, PORT from 0 to 65535 (5060 when left out)",
        placeholder: "udp://host:port",
      }),
    advertise: z
      .string()
      .refine((text) => parseAdvertise(text) !== undefined)
      .optional()
      .register(abouts, {
        about: "The host, and the port when it differs, that peers are told to reach this server at (Contact, Via)",
        right: "a HOST that peers can reach, or HOST:PORT, an IPv6 HOST in brackets, PORT from 1 to 65535",
        placeholder: "host[:port]",
        otherwise: "the address listened on",
      }),
    "log-level": choice(LOG_LEVELS, "info", "level", "The least urgent messages that are logged"),
    uas: uas.prefault({}),
    timers: timers.prefault({}),
    limits: limits.prefault({}),
    udp: udp.prefault({}),
    shutdown: shutdown.prefault({}),
  })
  .register(headings, { heading: "General" });

/** The settings with every default filled in. `listen` is always an array, each with its port. */
export type Settings = z.output<typeof schema>;
