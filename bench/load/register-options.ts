/** The command line of `bun run bench register`. */
import { parseArgs } from "node:util";
import { kamailioVersion } from "./kamailio.ts";
import { hasRedis } from "./redis.ts";
import { MOST_USERS } from "./register-users.ts";
import { AUTHS, type Auth, STORES, type StoreName } from "./registrar-subject.ts";

export const USAGE = `bun run bench register [options]
  --stores LIST        of ${STORES.join(",")} (default: all, redis where redis-server is installed)
  --auth LIST          of ${AUTHS.join(",")} (default: all)
  --peer kamailio|none the registrar measured beside ours (default kamailio where it is installed)
  --seconds S          measure each row so long (default 2)
  --warmup S           seconds before each row (default 1)
  --aors N             AORs that are refreshed (default 100,000)
  --order shuffled|sequential  in which they are refreshed (default shuffled)
  --contacts N         contacts whose memory, loading and lookup are measured (default 500,000); 0 for not at all
  --no-rates           those alone
  --concurrency C      registrations in flight (default 128)
  --transport T        udp, tcp (default udp)
  --connections K      sockets or connections of the generator (default 1 for udp, 4 for tcp)
  --t1 MS              the server's T1 (default 20: completed transactions stay 64 times as long)
  --quick              shorter, fewer AORs and contacts: for a look, not for a record
  --json FILE          write the figures there`;

/** What is measured, and how. */
export interface RegisterOptions {
  readonly stores: readonly StoreName[];
  readonly auths: readonly Auth[];
  readonly hasPeer: boolean;
  readonly seconds: number;
  readonly warmup: number;
  readonly aors: number;
  readonly isShuffled: boolean;
  /** 0: no measurement of so many. */
  readonly contacts: number;
  readonly hasRates: boolean;
  readonly concurrency: number;
  readonly transport: "udp" | "tcp";
  readonly connections: number;
  /** Milliseconds. */
  readonly t1: number;
  readonly quick: boolean;
  readonly json: string | undefined;
}

/** Reads the arguments. `undefined` when help was asked for. @throws Error with what is wrong */
export function readRegisterOptions(argv: string[]): RegisterOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      stores: { type: "string" },
      auth: { type: "string" },
      peer: { type: "string" },
      seconds: { type: "string" },
      warmup: { type: "string" },
      aors: { type: "string" },
      order: { type: "string", default: "shuffled" },
      contacts: { type: "string" },
      "no-rates": { type: "boolean", default: false },
      concurrency: { type: "string", default: "128" },
      transport: { type: "string", default: "udp" },
      connections: { type: "string" },
      t1: { type: "string", default: "20" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  const number = (name: keyof typeof values, usual: number, least: number, most: number): number => {
    const text = values[name];
    if (typeof text !== "string") return usual;
    const value = text === "" ? Number.NaN : Number(text.replaceAll("_", ""));
    if (!(value >= least && value <= most)) throw new Error(`--${name} ${text}: not a number from ${least} to ${most}`);
    return value;
  };
  const transport = oneOf("transport", values.transport, ["udp", "tcp"] as const);
  const concurrency = number("concurrency", 128, 1, 9999);
  const contacts = number("contacts", quick ? 50_000 : 500_000, 0, MOST_USERS / 2);
  if (contacts > 0 && contacts < concurrency) throw new Error(`--contacts ${contacts}: fewer than are in flight`);
  const peer = oneOf("peer", values.peer ?? (kamailioVersion() ? "kamailio" : "none"), ["kamailio", "none"] as const);
  if (values["no-rates"] && contacts === 0) throw new Error("--no-rates and --contacts 0: nothing is left to measure");
  return {
    stores: listOf("stores", values.stores, STORES) ?? STORES.filter((store) => store !== "redis" || hasRedis()),
    auths: listOf("auth", values.auth, AUTHS) ?? AUTHS,
    hasPeer: peer === "kamailio",
    seconds: number("seconds", quick ? 0.5 : 2, 0.1, 3600),
    warmup: number("warmup", quick ? 0.3 : 1, 0, 3600),
    aors: number("aors", quick ? 20_000 : 100_000, concurrency, MOST_USERS / 2),
    isShuffled: oneOf("order", values.order, ["shuffled", "sequential"] as const) === "shuffled",
    contacts,
    hasRates: !values["no-rates"],
    concurrency,
    transport,
    connections: number("connections", transport === "udp" ? 1 : 4, 1, 1000),
    t1: number("t1", 20, 10, 10_000),
    quick,
    json: values.json,
  };
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`--${name} ${value}: not one of ${allowed.join(", ")}`);
  return found;
}

/** The words between commas, each once, in the order of `allowed`. */
function listOf<T extends string>(name: string, text: string | undefined, allowed: readonly T[]): T[] | undefined {
  if (text === undefined) return undefined;
  const wanted = text.split(",").map((word) => oneOf(name, word.trim(), allowed));
  return allowed.filter((one) => wanted.includes(one));
}
