/** `[registrar]`: which addresses-of-record are kept in mode `registrar`, for how long and how many. */

import { z } from "zod";
import { DEFAULT_REGISTRAR, isServiceRoute, MOST_BINDINGS } from "../../registrar/settings.ts";
import { parseDomain } from "../address.ts";
import { choice, count, DAY, headings, list, number, optionalNumber, seconds } from "../field.ts";

/** How clients behind NATs are kept in reach. */
const KEEP_ALIVES = ["off", "crlf", "options"] as const;
const YEAR = 365 * DAY;

export const registrar = z
  .strictObject({
    domains: list(parseDomain, {
      about:
        "A domain whose addresses are registered here, others get 404; more than one as an array in TOML, or as the flag " +
        "given again",
      right: "a HOST without a port, an IPv6 one in brackets",
      placeholder: "host",
      otherwise: "any, for tests and closed networks",
    }),
    "default-expires": optionalNumber({
      ...seconds,
      from: 1,
      to: YEAR,
      otherwise: `${DEFAULT_REGISTRAR.defaultExpires}, or what is nearest between min-expires and max-expires`,
      about: "How long a registration lasts for a client that does not say",
    }),
    "min-expires": number({
      ...seconds,
      from: 1,
      to: YEAR,
      default: DEFAULT_REGISTRAR.minExpires,
      about: "The shortest registration; less is refused with 423, but an hour or more never is (RFC 3261 s10.3)",
    }),
    "max-expires": number({
      ...seconds,
      from: 1,
      to: YEAR,
      default: DEFAULT_REGISTRAR.maxExpires,
      about: "The longest registration; more is cut to it",
    }),
    "max-contacts": number({
      ...count,
      from: 1,
      to: 64,
      default: DEFAULT_REGISTRAR.maxContacts,
      about: "The most contacts of one address; a REGISTER for more gets 403",
    }),
    "max-bindings": number({
      ...count,
      from: 1,
      to: MOST_BINDINGS,
      default: DEFAULT_REGISTRAR.maxBindings,
      about: "The most contacts in all; a REGISTER for more gets 503",
    }),
    "service-route": list(parseRoute, {
      about:
        "A proxy that clients are told to send their requests by (RFC 3608); more than one, the first hop first, as an " +
        "array in TOML, or as the flag given again",
      right: "a sip or sips URI with lr, such as sip:proxy.example.com;lr",
      placeholder: "uri",
      otherwise: "none",
    }),
    "flow-timer": number({
      ...seconds,
      from: 0,
      to: 3600,
      default: DEFAULT_REGISTRAR.flowTimer,
      about: "Within how long clients of RFC 5626 are told to keep their flow alive; 0 does not tell them",
    }),
    "nat-keep-alive": choice(
      KEEP_ALIVES,
      DEFAULT_REGISTRAR.keepAlive,
      "how",
      "What is sent to clients behind NATs so that they stay in reach: crlf an empty line over UDP, options an OPTIONS, " +
        "and who never answers is passed over until it is heard of again",
    ),
    "nat-keep-alive-interval": number({
      ...seconds,
      from: 1,
      to: 3600,
      default: DEFAULT_REGISTRAR.keepAliveInterval,
      about: "The time between two of them to one client",
    }),
  })
  .register(headings, { heading: "Registrations in mode registrar" });

function parseRoute(text: string): string | undefined {
  return isServiceRoute(text) ? text : undefined;
}
