/**
 * Every setting of the `viaduct` command, once. The shapes, bounds, defaults and words here and in `sections/` give the
 * validation, the flags, `--help` and docs/settings.md; nothing about a setting is written anywhere else.
 *
 * A setting is named by its key in TOML and by the same key as a flag: `t1` in `[timers]` is `--t1`. No two settings
 * share a key, whatever their sections.
 */

import { z } from "zod";
import { DEFAULT_NAT_CONTACTS, NAT_CONTACTS } from "../dialog/way.ts";
import { parseAdvertise, parseListen } from "./address.ts";
import { abouts, choice, headings, list } from "./field.ts";
import { auth } from "./sections/auth.ts";
import { connections } from "./sections/connections.ts";
import { dns } from "./sections/dns.ts";
import { limits } from "./sections/limits.ts";
import { registrar } from "./sections/registrar.ts";
import { shutdown } from "./sections/shutdown.ts";
import { store } from "./sections/store.ts";
import { timers } from "./sections/timers.ts";
import { tls } from "./sections/tls.ts";
import { uas } from "./sections/uas.ts";
import { udp } from "./sections/udp.ts";

/** The log levels, most urgent first. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
/** The modes that the server can run in. */
export const MODES = ["full-uas", "registrar", "subscription-server", "minimal"] as const;

/** The settings, as TOML holds them. What is left out gets its default; what is not known is an error. */
export const schema = z
  .strictObject({
    mode: choice(
      MODES,
      "full-uas",
      "mode",
      "What the server does: full-uas answers calls and keeps their dialogs, registrar keeps where users are, " +
        "subscription-server takes SUBSCRIBE and PUBLISH alone, minimal answers OPTIONS alone",
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
    "nat-contacts": choice(
      NAT_CONTACTS,
      DEFAULT_NAT_CONTACTS,
      "which",
      "Contacts that are taken for such of clients behind a NAT, so that requests in their dialogs go back to where their " +
        "messages come from: private an address of a private network told from outside that network, all any numeric " +
        "address and port but those it was told from, off none; never where a proxy or a route set lies between",
    ),
    "log-level": choice(LOG_LEVELS, "info", "level", "The least urgent messages that are logged"),
    uas: uas.prefault({}),
    registrar: registrar.prefault({}),
    auth: auth.prefault({}),
    store: store.prefault({}),
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
/** The settings with every default filled in that follows from other settings. */
export type Settings = Parsed & {
  /** Each with its port. */
  listen: string[];
  registrar: { "default-expires": number };
  /** `realm` is there where `auth` is true. */
  auth: { auth: boolean };
  store: { store: NonNullable<Parsed["store"]["store"]> };
};
