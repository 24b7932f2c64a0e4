/** The command line of `bun run bench`: which benchmarks are run, and how. */
import { parseArgs } from "node:util";

/** Every microbenchmark, in the order they are run: the file under `bench/` and what it measures. */
export const MICRO = {
  scan: "scan of a 600- and a 1,400-byte INVITE and of a 200",
  fields: "the same with the fields that a transaction needs",
  response: "180 and 200 with SDP, written from their request",
  wheel: "timer insert, cancel and expiry with 100,000 live, beside setTimeout",
  keys: "lookup of a transaction's key among 100,000, beside string and Map",
  transaction: "a call through the server without a socket, 100,000 transactions live",
  "whole-call": "a call with PRACK and session timer beside a plain one, without a socket",
  registration: "a REGISTER that refreshes one of 100,000 bindings, without a socket",
  digest: "credentials of a REGISTER judged: MD5, SHA-256, SHA-512-256, and a challenge",
  memory: "resident memory of a completed transaction",
  notify: "SUBSCRIBE, NOTIFY for a change, resident memory of a subscription",
  sdp: "scan and answer of SDP offers (mitata's own report)",
  peers: "the npm parsers drachtio-sip and sip beside ours",
  store: "refreshes in SQLite and Redis, and starts, with 500,000 bindings",
} as const satisfies Record<string, string>;

/** The whole server under load: each reads arguments of its own. */
export const WHOLE = ["calls", "register"] as const;

/** What a benchmark's process says behind its last figure. It ends at whatever it hears in return. */
export const END = "end";

export type MicroName = keyof typeof MICRO;

/** What was asked for. */
export type Selection =
  | { readonly what: "help" }
  /** The whole server: `bench/calls.ts` or `bench/register.ts` reads the rest of the arguments. */
  | { readonly what: (typeof WHOLE)[number]; readonly argv: string[] }
  | { readonly what: "micro"; readonly names: MicroName[]; readonly quick: boolean; readonly json: string | undefined }
  /** One line that says what is wrong. */
  | { readonly what: "fault"; readonly message: string };

export const USAGE = `bun run bench [--quick] [--json FILE] [NAME]...
bun run bench calls [options]     the whole server under calls; see bun run bench calls --help
bun run bench register [options]  the registrar, and Kamailio beside it; see bun run bench register --help

  --quick        shorter sampling: for a look, not for a record
  --json FILE    write the figures there
  -h, --help     this text

Without a name all of these are run in turn, each in a process of its own:
${Object.entries(MICRO)
  .map(([name, text]) => `  ${name.padEnd(13)}  ${text}`)
  .join("\n")}`;

/** Reads the arguments after `bun run bench`. */
export function select(argv: string[]): Selection {
  const whole = WHOLE.find((name) => name === argv[0]);
  if (whole) return { what: whole, argv: argv.slice(1) };
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    // node:util adds advice about `--` after the first sentence.
    return { what: "fault", message: (error as Error).message.split(". ")[0]! };
  }
  const { values, positionals } = parsed;
  if (values.help) return { what: "help" };
  const names = new Set<MicroName>();
  for (const name of positionals) {
    if (WHOLE.some((one) => one === name)) {
      return { what: "fault", message: `${name} takes arguments of its own: it must come first` };
    }
    if (!Object.hasOwn(MICRO, name)) {
      const all = [...Object.keys(MICRO), WHOLE[0]].join(", ");
      return { what: "fault", message: `no benchmark ${name}; there are ${all} and ${WHOLE[1]}` };
    }
    names.add(name as MicroName);
  }
  const chosen = names.size > 0 ? [...names] : (Object.keys(MICRO) as MicroName[]);
  return { what: "micro", names: chosen, quick: values.quick, json: values.json };
}

function parse(argv: string[]) {
  return parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}
