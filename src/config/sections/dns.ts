/** `[dns]`: how servers are found by name. */

import { z } from "zod";
import { DEFAULT_RESOLVE } from "../../resolve/settings.ts";
import { parseNameserver } from "../address.ts";
import { DAY, headings, list, milliseconds, number, seconds } from "../field.ts";

export const dns = z
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
