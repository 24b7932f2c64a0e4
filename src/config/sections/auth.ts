/** `[auth]`: who must prove who it is, where users come from, and what becomes of those who guess (RFC 3261 s22). */

import { z } from "zod";
import { ALGORITHM_NAMES } from "../../auth/algorithm.ts";
import { DEFAULT_LOCKOUT } from "../../auth/lockout.ts";
import { AddressList } from "../../auth/network.ts";
import {
  abouts,
  count,
  DAY,
  flag,
  headings,
  list,
  milliseconds,
  number,
  oneOf,
  optionalFlag,
  path,
  seconds,
  text,
} from "../field.ts";
import { toUsers, USER_TABLE, userFault } from "../users.ts";

const QOPS = ["auth", "auth-int"] as const;
/** Digest asks for this many octets. */
const SHORTEST_SECRET = 16;
const failures = { ...count, from: 0, to: 1_000_000 };

export const auth = z
  .strictObject({
    auth: optionalFlag(
      "Whether clients must prove who they are: for REGISTER in mode registrar, in the others for every request that " +
        "begins something, OPTIONS aside",
      "true where there are users",
    ),
    realm: text((realm) => realm.length <= 255 && /^[^\p{Cc}]+$/u.test(realm), {
      about: "The realm of the users: what their clients know this server's logins by",
      right: "a text of 1 to 255 characters on one line",
      placeholder: "name",
      otherwise: "the first of the domains",
    }),
    users: z
      .record(z.string(), z.unknown())
      .superRefine((users, context) => {
        for (const [name, value] of Object.entries(users)) {
          const fault = userFault(name, value);
          if (fault !== null) context.addIssue({ code: "custom", path: [name, ...fault.path], message: fault.message });
        }
      })
      .transform(toUsers)
      .optional()
      .register(abouts, {
        about:
          "The users themselves; more than one as the flag given again, whose passwords others on this machine can see",
        right: `a table of NAME = PASSWORD or NAME = ${USER_TABLE}; as a flag NAME=PASSWORD`,
        placeholder: "name=password",
        otherwise: "none",
        isSecret: true,
      }),
    "users-file": path(
      "Users in a file, which is read again when it changes and on SIGHUP",
      "the path of a JSON file or an htdigest file",
      "none",
    ),
    "users-database": path("Users in a database, which is asked at each login", "the path of an SQLite file", "none"),
    algorithms: list(parseAlgorithm, {
      about:
        "An algorithm that clients may use, as far as the users' secrets serve it; more than one as an array in TOML, or " +
        "as the flag given again",
      right: oneOf(ALGORITHM_NAMES),
      placeholder: "name",
      otherwise: "SHA-512-256, SHA-256 and MD5",
    }),
    "md5-agents": list((agent) => (agent === "" ? undefined : agent), {
      about:
        "What the User-Agent of a client begins with that is offered MD5 alone, where it stumbles over the others; more " +
        "than one as an array in TOML, or as the flag given again",
      right: "a text that is not empty",
      placeholder: "agent",
      otherwise: "sipsak, SIPp and baresip before 2.0",
    }),
    qop: list((name) => QOPS.find((each) => each === name), {
      about:
        "What a login protects: auth the request line, auth-int the body too; both as an array in TOML, or as the flag " +
        "given again",
      right: oneOf(QOPS),
      placeholder: "name",
      otherwise: "auth",
    }),
    "authentication-info": flag(
      "Whether answers prove that this server knows the secret too (Authentication-Info, RFC 7616 s3.5)",
      true,
    ),
    "allow-without-qop": flag("Whether clients of RFC 2069 are taken, which know no qop", false),
    "nonce-lifetime": number({
      ...seconds,
      from: 1,
      to: DAY,
      default: 300,
      about: "How long a client may use one nonce",
    }),
    "nonce-secret": text((secret) => Buffer.byteLength(secret) >= SHORTEST_SECRET, {
      about: "What nonces are signed with; servers that share it take each other's",
      right: `a text of at least ${SHORTEST_SECRET} characters`,
      placeholder: "text",
      otherwise: "drawn at every start",
      isSecret: true,
    }),
    failures: flag("Whether who fails to log in again and again is slowed down, and then refused", true),
    "failures-window": number({
      ...seconds,
      from: 1,
      to: DAY,
      default: DEFAULT_LOCKOUT.window,
      about: "How long failures are counted from the first",
    }),
    "slow-user-after": number({
      ...failures,
      default: DEFAULT_LOCKOUT.slowUserAfter,
      about: "The failures of one user after which answers are held back",
    }),
    "slow-address-after": number({
      ...failures,
      default: DEFAULT_LOCKOUT.slowAddressAfter,
      about: "The failures of one address after which answers are held back",
    }),
    "slow-first": number({
      ...milliseconds,
      from: 0,
      to: 30_000,
      default: DEFAULT_LOCKOUT.firstDelay,
      about: "How long the first of these answers is held back, each further one twice as long; 0 holds back none",
    }),
    "slow-longest": number({
      ...milliseconds,
      from: 0,
      to: 30_000,
      default: DEFAULT_LOCKOUT.longestDelay,
      about: "How long an answer is held back at most",
    }),
    "refuse-user-after": number({
      ...failures,
      default: DEFAULT_LOCKOUT.refuseUserAfter,
      about: "The failures of one user, from wherever, after which it is refused for a while; 0 never refuses",
    }),
    "refuse-address-after": number({
      ...failures,
      default: DEFAULT_LOCKOUT.refuseAddressAfter,
      about: "The failures of one address after which it is refused for a while; 0 never refuses",
    }),
    "refuse-for": number({
      ...seconds,
      from: 1,
      to: DAY,
      default: DEFAULT_LOCKOUT.refuseFor,
      about: "How long a user or an address is refused",
    }),
    "exempt-address": list(parseNetwork, {
      about:
        "An address or a network whose failures count for users only, such as that of an edge proxy; more than one as an " +
        "array in TOML, or as the flag given again",
      right: "a numeric address, or a network such as 192.0.2.0/24",
      placeholder: "address",
      otherwise: "none",
    }),
  })
  .register(headings, { heading: "Authentication" });

function parseAlgorithm(name: string) {
  return ALGORITHM_NAMES.find((known) => known.toLowerCase() === name.toLowerCase());
}

function parseNetwork(text: string): string | undefined {
  try {
    new AddressList([text]);
    return text;
  } catch {
    return undefined;
  }
}
