/** The `viaduct` command as a registrar, from its start to its end: where it listens, and all that it logs. */
import { type LogRecord, runCli, startOn } from "./cli-child.ts";
import { DOMAIN } from "./cli-registrar.ts";
import { StreamClient } from "./stream-client.ts";
import { until } from "./until.ts";
import { WireClient } from "./wire-client.ts";

/** What it warns of where no users are set. */
const ANYBODY = "anybody may register anything here: no users are set in [auth]";

export class RegistrarLife implements AsyncDisposable {
  /** All that it has logged, but for that warning. */
  readonly log: LogRecord[] = [];
  /** Phones send through it. */
  readonly client: WireClient | StreamClient;
  readonly #child: Bun.Subprocess;
  readonly #reading: Promise<void>;

  /** Starts it on a free port of the loopback. @param flags beside those for mode, domain and port */
  static async begin(transport: "udp" | "tcp", ...flags: string[]): Promise<RegistrarLife> {
    const listen = `${transport}://127.0.0.1:0`;
    const started = await startOn("--mode", "registrar", "--domains", DOMAIN, "--listen", listen, ...flags);
    const address = { address: "127.0.0.1", port: started.ports[0]! };
    const client = await (transport === "udp" ? WireClient.open(address) : StreamClient.open(address));
    return new RegistrarLife(started, client);
  }

  private constructor(
    { child, before, records }: Awaited<ReturnType<typeof startOn>>,
    client: WireClient | StreamClient,
  ) {
    this.#child = child;
    this.client = client;
    this.log.push(...before);
    this.#reading = this.#read(records);
  }

  async #read(records: AsyncIterable<LogRecord>): Promise<void> {
    for await (const record of records) if (record.msg !== ANYBODY) this.log.push(record);
  }

  /** The messages of these levels, oldest first. */
  logged(...levels: string[]): unknown[] {
    return this.log.filter(({ level }) => levels.includes(String(level))).map(({ msg }) => msg);
  }

  /** Waits for a record of the log. */
  until(message: string): Promise<LogRecord> {
    return until(`the log to say "${message}"`, () => this.log.find(({ msg }) => msg === message));
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops it in order. @returns the exit code */
  stop(): Promise<number> {
    return this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<number> {
    this.#child.kill(signal);
    const [code] = await Promise.all([this.#child.exited, this.#reading]);
    this.client[Symbol.dispose]();
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.kill();
  }
}

/** A registration as `viaduct bindings list --json` prints it. */
export interface Listed {
  readonly aor: string;
  readonly contact: string;
  readonly cseq: number;
}

/** What `viaduct bindings list` finds on a store, by address. @param store the flags that name it @throws Error when it says that anything is wrong */
export async function listedOn(...store: string[]): Promise<Map<string, Listed>> {
  const { stdout, stderr, code } = await runCli("bindings", "list", "--json", ...store);
  if (code !== 0 || stderr !== "") throw new Error(`bindings list ended with ${code}: ${stderr}`);
  const all = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Listed);
  return new Map(all.map((one) => [one.aor, one]));
}
