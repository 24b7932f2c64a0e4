/** The command line of `bun run bench calls`. */
import { parseArgs } from "node:util";
import { isSecure, TRANSPORTS, type TransportName } from "../../src/transport/kinds.ts";
import { SUBJECTS, type SubjectName } from "./subject.ts";

export const USAGE = `bun run bench calls [options]
  --seconds S          measure so long (default 10; with --flood 5)
  --calls N            measure so many calls instead
  --concurrency C      calls in flight (default 128)
  --transport T        ${TRANSPORTS.join(", ")} (default udp; tcp with --idle and --flood, tls with --handshakes)
  --connections K      sockets or connections of the generator (default 1 for udp, 4 for the others)
  --connection-per-call  a connection for each call instead, closed behind it
  --binary-frames      WebSocket messages in binary frames (default text, as browsers send)
  --warmup S           seconds before measuring (default 35: until as many transactions end as begin;
                       2 with --flood and --handshakes)
  --settle S           seconds before the last look at memory (default 1; with --idle 5)
  --server viaduct|sipp  the server measured first (default viaduct)
  --peer sipp|none     the server measured beside it (default sipp where it is installed, for udp and tcp)
  --total-calls N      soak: N calls to the first server, its memory every 50,000
  --generator-report   the generator's own cost as well
  --no-gc-log          do not ask for the collector's pauses
  --json FILE          write the figures there

instead of the loop of calls, our server alone:
  --idle N             memory of N connections that carry nothing, each after one OPTIONS
  --handshakes S       connections opened, used for one OPTIONS and closed, for S seconds
  --flood              one call at a time while UDP OPTIONS come as fast as a core can send them`;

/** What is measured, and how. */
export interface CallsOptions {
  readonly what: "calls" | "idle" | "handshakes" | "flood";
  /** Connections that stay idle. */
  readonly idle: number;
  readonly servers: SubjectName[];
  /** Of the measurement; `undefined` when so many calls end it. */
  readonly seconds: number | undefined;
  readonly calls: number | undefined;
  readonly totalCalls: number | undefined;
  readonly concurrency: number;
  readonly transport: TransportName;
  readonly connections: number;
  readonly connectionPerCall: boolean;
  readonly binaryFrames: boolean;
  readonly warmup: number;
  readonly settle: number;
  readonly generatorReport: boolean;
  readonly gcLog: boolean;
  readonly json: string | undefined;
}

/** Reads the arguments. `undefined` when help was asked for. @throws Error with what is wrong */
export function readOptions(argv: string[]): CallsOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      seconds: { type: "string" },
      calls: { type: "string" },
      concurrency: { type: "string", default: "128" },
      transport: { type: "string" },
      connections: { type: "string" },
      "connection-per-call": { type: "boolean", default: false },
      "binary-frames": { type: "boolean", default: false },
      warmup: { type: "string" },
      settle: { type: "string" },
      server: { type: "string", default: "viaduct" },
      peer: { type: "string" },
      "total-calls": { type: "string" },
      "generator-report": { type: "boolean", default: false },
      "no-gc-log": { type: "boolean", default: false },
      idle: { type: "string" },
      handshakes: { type: "string" },
      flood: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const idle = amount("idle", values.idle);
  const handshakes = amount("handshakes", values.handshakes);
  const chosen = [idle && "idle", handshakes && "handshakes", values.flood && "flood"] as const;
  const [what = "calls", another] = chosen.filter((one) => typeof one === "string");
  if (another !== undefined) throw new Error(`--${what} and --${another} are measured one at a time`);
  const transport = oneOf("transport", values.transport ?? TRANSPORT_OF[what], TRANSPORTS);
  const connectionPerCall = values["connection-per-call"];
  if (transport === "udp" && (what !== "calls" || connectionPerCall)) {
    throw new Error(`--${what === "calls" ? "connection-per-call" : what} is about connections: udp has none`);
  }
  const totalCalls = amount("total-calls", values["total-calls"]);
  const calls = totalCalls ?? amount("calls", values.calls);
  const seconds = handshakes ?? amount("seconds", values.seconds) ?? (what === "flood" ? 5 : 10);
  const defaultWarmup = what === "calls" ? 35 : 2;
  return {
    what,
    idle: idle ?? 0,
    servers: servers(values.server, values.peer, transport, totalCalls !== undefined),
    calls,
    totalCalls,
    seconds: calls === undefined || what !== "calls" ? seconds : undefined,
    concurrency: amount("concurrency", values.concurrency)!,
    transport,
    connections: amount("connections", values.connections) ?? (transport === "udp" ? 1 : 4),
    connectionPerCall,
    binaryFrames: values["binary-frames"],
    warmup: notNegative("warmup", values.warmup) ?? defaultWarmup,
    settle: notNegative("settle", values.settle) ?? (what === "idle" ? 5 : 1),
    generatorReport: values["generator-report"],
    gcLog: !values["no-gc-log"],
    json: values.json,
  };
}

const TRANSPORT_OF = { calls: "udp", idle: "tcp", handshakes: "tls", flood: "tcp" } as const;

/** Whether SIPp, as Debian builds it, speaks the transport. */
export function sippSpeaks(transport: TransportName): boolean {
  return !isSecure(transport) && transport !== "ws";
}

function servers(first: string, peer: string | undefined, transport: TransportName, isSoak: boolean): SubjectName[] {
  const list = [oneOf("server", first, SUBJECTS)];
  const byDefault = Bun.which("sipp") && sippSpeaks(transport) ? "sipp" : "none";
  const beside = oneOf("peer", peer ?? byDefault, [...SUBJECTS, "none"] as const);
  if (beside !== "none" && beside !== list[0] && !isSoak) list.push(beside);
  if (list.includes("sipp") && !sippSpeaks(transport)) throw new Error(`SIPp does not speak ${transport} here`);
  return list;
}

function amount(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text.replaceAll("_", ""));
  if (!(value > 0)) throw new Error(`--${name} ${text}: not a number above 0`);
  return value;
}

function notNegative(name: string, text: string | undefined): number | undefined {
  return text === "0" ? 0 : amount(name, text);
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw new Error(`--${name} ${value}: not one of ${allowed.join(", ")}`);
  return found;
}
