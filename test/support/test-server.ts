/** A server for tests: on a free port of the loopback, with small ceilings and a log that is kept. */
import { type Log, type ServeOptions, type Server, serve } from "../../src/index.ts";

/** A line that was logged. */
export interface LogLine {
  level: keyof Log;
  fields: Record<string, unknown>;
  message: string;
}

export class KeptLog implements Log {
  readonly lines: LogLine[] = [];
  readonly debug = this.#keeper("debug");
  readonly info = this.#keeper("info");
  readonly warn = this.#keeper("warn");
  readonly error = this.#keeper("error");

  #keeper(level: keyof Log) {
    return (fields: object, message: string) => {
      this.lines.push({ level, fields: fields as Record<string, unknown>, message });
    };
  }
}

/** Closed when the test's block ends, whatever became of the calls. */
export class TestServer {
  readonly server: Server;
  readonly log: KeptLog;

  constructor(server: Server, log: KeptLog) {
    this.server = server;
    this.log = log;
  }

  /** The first address listened on. */
  get address(): { address: string; port: number } {
    return this.server.addresses[0]!;
  }

  [Symbol.dispose](): void {
    this.server.closeNow();
  }
}

export async function testServer(options: ServeOptions = {}): Promise<TestServer> {
  const log = new KeptLog();
  const { limits, ...rest } = options;
  const server = await serve({
    listen: "udp://127.0.0.1:0",
    log,
    limits: { transactions: 1000, dialogs: 100, ...limits },
    ...rest,
  });
  return new TestServer(server, log);
}
